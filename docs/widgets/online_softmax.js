// Online softmax step by step; see online_softmax.py.

// The triple of a block of keys, and the merge of two.
function part(scores, values) {
  const peak = Math.max(...scores);
  const powers = scores.map((s) => Math.exp(s - peak));
  const sum = (terms) => terms.reduce((total, term) => total + term, 0);
  return { peak, total: sum(powers), weighted: sum(powers.map((power, j) => power * values[j])) };
}

function merge(a, b) {
  const peak = Math.max(a.peak, b.peak);
  const [old, young] = [Math.exp(a.peak - peak), Math.exp(b.peak - peak)];
  return {
    peak,
    total: old * a.total + young * b.total,
    weighted: old * a.weighted + young * b.weighted,
    factor: old,
  };
}

function compute({ n, block, order, added }, data) {
  const scores = data[order].scores.map((s) => s + added);
  const { values } = data[order];
  const steps = [];
  let seen = { peak: -Infinity, total: 0, weighted: 0 };
  for (let start = 0; start < n; start += Number(block)) {
    const end = Math.min(start + Number(block), n);
    seen = merge(seen, part(scores.slice(start, end), values.slice(start, end)));
    steps.push(seen);
  }
  const plain = scores.slice(0, n).reduce((sum, s) => sum + Math.exp(s), 0);
  return { steps, output: seen.weighted / seen.total, plain };
}

function draw({ width, height }, { steps, output }, { n, block, order, added }, data) {
  const { scores, values } = data[order];
  const size = { width, height: Math.max(200, height / 2) };
  const last = steps[steps.length - 1];
  const before = steps[steps.length - 2];
  const fresh = (steps.length - 1) * Number(block); // the first key of the last block
  const above = new Chart(size, {
    x: { domain: [-0.6, 7.6], names: scores.map((_, j) => `${j + 1}`), label: "key" },
    y: { domain: [added - 2, added + 7], label: "score (nats)" },
  });
  scores.forEach((s, j) => {
    const bar = above.bar(j, s + added, j < fresh ? 1 : 3, added - 2);
    if (j >= n) bar.classList.add("unread");
  });
  above.line(steps.flatMap(({ peak }, k) => {
    const [from, to] = [k * block, Math.min((k + 1) * block, n)];
    return [[from - 0.5, peak], [to - 0.5, peak]];
  }), 2);
  above.text(above.x(n - 0.5) + 5, above.y(last.peak) - 7, `m = ${format(last.peak, 4)}`, n > 6 ? "end" : "start");
  const below = new Chart(size, {
    x: { domain: [-0.6, 7.6], names: values.map((v) => format(v)), label: "value of the key" },
    y: { domain: [0, 1.3], label: "exp(score − m)", ticks: [0, 0.5, 1] },
  });
  scores.slice(0, n).forEach((s, j) => {
    if (before && j < fresh) below.bar(j, Math.exp(s + added - before.peak), 6).classList.add("unread");
    below.bar(j, Math.exp(s + added - last.peak), j < fresh ? 1 : 3);
  });
  below.text(below.frame.left + 6, below.frame.top + 12, `ℓ = ${format(last.total)}, o = ${format(last.weighted)}, o/ℓ = ${format(output)}`);
  for (const { svg } of [above, below]) svg.setAttribute("aria-hidden", "true");
  return element("div", { className: "panels" }, above.svg, below.svg);
}

function say({ steps, output, plain }, { n }) {
  const [before, last] = [steps[steps.length - 2], steps[steps.length - 1]];
  const rose = last.factor < 1
    ? `the largest score m has risen from ${format(before.peak, 4)} to ${format(last.peak, 4)}, so what was there is multiplied by ${format(last.factor)}`
    : `the largest score m stays at ${format(last.peak, 4)}, and nothing is rescaled`;
  const step = before ? `With the last block ${rose}` : `The first block sets m = ${format(last.peak, 4)}`;
  const whole = Number.isFinite(plain)
    ? `Without m the denominator would be ${format(plain)}.`
    : "Without m the exponentials would overflow.";
  return `${step}. After ${n} of 8 keys ℓ = ${format(last.total)} and o/ℓ = ${format(output)}, softmax's own output for them. ${whole}`;
}

define("online-softmax", { compute, draw, say });
