// Temperature and a cut of a law of the next token; see next_token.py. The law is constant on
// blocks of tokens: sizes n, one probability p each, in falling order.

// How many tokens of each block come first, in an order of blocks, until they have this mass.
function shortestBeginning(order, n, p, mass) {
  const kept = n.map(() => 0);
  let before = 0;
  for (const b of order) {
    if (before >= mass) break;
    kept[b] = Math.min(n[b], Math.ceil((mass - before) / p[b]));
    before += n[b] * p[b];
  }
  return kept;
}

function survivors({ cut, k, mass, ratio }, n, p, entropy) {
  const order = n.map((_, b) => b);
  if (cut === "none") return n;
  if (cut === "top-k") return n.map((size, b) => (p[b] >= p[k - 1] ? size : 0));
  if (cut === "min-p") return n.map((size, b) => (p[b] >= ratio * p[0] ? size : 0));
  if (cut === "typical") {
    const distance = p.map((x) => Math.abs(-Math.log(x) - entropy));
    order.sort((a, b) => distance[a] - distance[b]);
  }
  return shortestBeginning(order, n, p, mass);
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

function compute(settings, { edges, laws }) {
  const { words, surprisal } = laws[settings.text];
  const n = surprisal.map((_, b) => edges[b + 1] - edges[b]);
  const powers = surprisal.map((s) => Math.exp((surprisal[0] - s) / 1000 / settings.temperature));
  const total = sum(powers.map((power, b) => n[b] * power));
  const p = powers.map((power) => power / total);
  const before = -sum(p.map((x, b) => n[b] * x * Math.log(x)));
  const kept = survivors(settings, n, p, before);
  const mass = sum(p.map((x, b) => kept[b] * x));
  const q = p.map((x) => x / mass);
  const entropy = -sum(q.map((x, b) => kept[b] * x * Math.log(x)));
  return {
    kept: sum(kept),
    mass,
    before,
    entropy: entropy + 0,
    p: p.slice(0, words.length),
    q: q.slice(0, words.length).map((x, b) => (kept[b] ? x : 0)),
  };
}

function draw(size, { p, q }, { text }, { laws }) {
  const rows = Math.min(p.length, Math.floor((size.height - 72) / 16));
  const names = laws[text].words.slice(0, rows).map((word) => `“${word.replace("\n", "↵")}”`);
  const chart = new Chart(size, {
    x: { domain: [0, Math.max(...p, ...q) * 1.05], label: "probability" },
    y: { domain: [rows - 0.4, -0.6], names, label: "" },
    left: 100,
    top: 26,
  });
  const bar = (name, x, row, thick) =>
    chart.add("rect", {
      class: name,
      x: chart.x(0),
      y: chart.y(row - thick / 2),
      width: chart.x(x) - chart.x(0),
      height: chart.y(row + thick / 2) - chart.y(row - thick / 2),
    });
  for (let row = 0; row < rows; row += 1) {
    bar("bar s1", q[row], row, 0.8);
    bar("line s2", p[row], row, 0.5);
  }
  chart.text(chart.frame.right, 16, "dashed: before the cut; filled: after it", "end");
  return chart.svg;
}

function say({ kept, mass, before, entropy }, { temperature, cut }, { edges }) {
  const all = format(edges.at(-1), 6);
  const start = `At τ = ${format(temperature)} the law has an entropy of ${format(before)} nats`;
  if (cut === "none") return `${start}; all ${all} tokens stay possible.`;
  const bound = before + Math.log(mass);
  const words = entropy <= bound + 1e-9 ? "at most" : "more than";
  return (
    `${start}. The cut keeps ${format(kept, 6)} of ${all} tokens, with ` +
    `${format(100 * mass)} % of the probability, and leaves ${format(entropy)} nats, ${words} the ` +
    `${format(bound)} that bound an upper set of this mass.`
  );
}

define("next-token", { compute, draw, say });
