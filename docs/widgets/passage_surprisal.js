// Token surprisal of the real model; see passage_surprisal.py.

function runningMean(values) {
  let sum = 0;
  return values.map((value, t) => (sum += value) / (t + 1));
}

function compute({ passage, n, shade }, data) {
  const row = data[passage];
  const tokens = row.tokens.split("|").slice(0, n);
  const [surprisal, entropy] = [row.surprisal, row.entropy].map((values) =>
    values.slice(0, n).map((hundredths) => hundredths / 100),
  );
  const means = runningMean(surprisal);
  const total = surprisal.reduce((sum, nats) => sum + nats, 0);
  const bytes = new TextEncoder().encode(tokens.join("")).length;
  return {
    n: tokens.length,
    means,
    expected: runningMean(entropy),
    perplexity: Math.exp(means[tokens.length - 1]),
    bits: total / Math.LN2 / bytes,
    shades: (shade === "surprisal" ? surprisal : entropy).map((nats) => Math.min(Math.floor(nats), 9)),
  };
}

// The text itself, with what has been read shaded as elsewhere in the chapter.
function reading({ n, shades }, { tokens, surprisal, entropy, rank }) {
  const words = tokens.split("|").map((token, t) => {
    if (t >= n) return token;
    const title = `${surprisal[t] / 100} nats, rank ${rank[t]}; expected ${entropy[t] / 100} nats`;
    return element("span", { className: `tok tok-${shades[t]}${t === n - 1 ? " here" : ""}`, title }, token);
  });
  const text = element("div", { className: "tokens", tabIndex: 0, role: "group", ariaLabel: "The passage" }, ...words);
  requestAnimationFrame(() => {
    text.scrollTop = text.querySelector(".here").offsetTop - text.clientHeight / 2;
  });
  return text;
}

function draw({ width, height }, result, { passage }, data) {
  const { tokens, surprisal } = data[passage];
  const { n, means, expected } = result;
  // The chart takes what the lines of text, at most those of their box, leave of the height.
  const text = Math.min(264, 27 * Math.ceil((7.3 * tokens.length) / width)) + 8;
  const chart = new Chart({ width, height: Math.max(190, height - text) }, {
    x: { domain: [0, surprisal.length + 1], label: "tokens read" },
    y: { domain: [0, 20], label: "nats", ticks: [0, 5, 10, 15] },
  });
  surprisal.slice(0, n).forEach((nats, t) => chart.bar(t + 1, nats / 100, 6));
  chart.line(means.map((mean, t) => [t + 1, mean]), 1);
  chart.line(expected.map((mean, t) => [t + 1, mean]), 2);
  chart.dot(n, means[n - 1], 1);
  chart.legend(["mean surprisal so far", "mean expected so far"]);
  chart.svg.setAttribute("aria-hidden", "true");
  return element("div", {}, reading(result, data[passage]), chart.svg);
}

function say({ n, means, expected, perplexity, bits }, { passage }, data) {
  const { tokens, surprisal, entropy, rank } = data[passage];
  return (
    `After ${n} tokens the mean surprisal is ${format(means[n - 1])} nats, where the model expected ` +
    `${format(expected[n - 1])}: perplexity ${format(perplexity)}, ${format(bits)} bits per byte. ` +
    `The last one, “${tokens.split("|")[n - 1].trim()}”, cost ${format(surprisal[n - 1] / 100)} nats ` +
    `(expected: ${format(entropy[n - 1] / 100)}); it was number ${format(rank[n - 1], 6)} on the model's list.`
  );
}

define("passage-surprisal", { compute, draw, say });
