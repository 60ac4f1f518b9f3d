// One pair under DPO; see direct_preference.py.

// −log σ(x), and σ(−x), neither of which overflows here.
const loss = (x) => (x > 0 ? Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)) - x);
const share = (x) => 1 / (1 + Math.exp(x));

function compute({ beta, chosen, rejected }, { reference }) {
  const margin = chosen - rejected;
  const p = [Math.exp(reference[0] + chosen), Math.exp(reference[1] + rejected)];
  return {
    margin,
    loss: loss(beta * margin),
    pull: beta * share(beta * margin),
    p: [...p, 1 - p[0] - p[1]],
  };
}

// A bar of length 1 in three parts: the two answers and all others.
function strip(chart, y, name, parts) {
  const { left, right } = chart.frame;
  let from = left;
  parts.forEach((part, j) => {
    const width = part * (right - left);
    chart.add("rect", { class: `bar s${[3, 2, 6][j]}`, x: from, y, width, height: 16 });
    from += width;
  });
  chart.text(left - 7, y + 13, name, "end");
}

function draw({ width, height }, result, { beta }, { reference }) {
  const most = Math.max(1, Math.min(1.1 * result.loss, 16));
  const chart = new Chart({ width, height }, {
    x: { domain: [-8, 8], label: "margin h, nats" },
    y: { domain: [0, most], label: "loss; pull / β" },
    left: 76,
    top: 74,
  });
  const grid = Array.from({ length: 161 }, (_, k) => k / 10 - 8);
  chart.line(grid.map((h) => [h, loss(beta * h)]).filter(([, y]) => y <= most), 1);
  chart.line(grid.map((h) => [h, share(beta * h)]), 4);
  chart.dot(result.margin, result.loss, 1);
  chart.dot(result.margin, result.pull / beta, 4);
  chart.legend(["loss, nats", ["pull / β", 4]], width / 2 + 30);
  const before = reference.map(Math.exp);
  strip(chart, 18, "reference", [...before, 1 - before[0] - before[1]]);
  strip(chart, 40, "policy", result.p);
  chart.text(chart.frame.left, 12, "y₊, then y₋, then all other answers");
  return chart.svg;
}

function say({ margin, loss, pull, p }, { beta, chosen, rejected }, { reference }) {
  const rest = 1 - Math.exp(reference[0]) - Math.exp(reference[1]);
  const moved = [chosen, rejected].map((ratio) => (ratio < 0 ? "fell" : ratio > 0 ? "rose" : "stayed"));
  const answers = moved[0] === moved[1] ? `Both answers ${moved[0]}` : `y₊ ${moved[0]} and y₋ ${moved[1]}`;
  return (
    `The margin is ${format(margin)} nats: the loss is ${format(loss, 4)}, the pull ${format(pull)} of at ` +
    `most β = ${format(beta)}. ${answers}; all others together went from ${format(rest)} to ` +
    `${format(p[2])}, which the loss does not see.`
  );
}

define("direct-preference", { compute, draw, say });
