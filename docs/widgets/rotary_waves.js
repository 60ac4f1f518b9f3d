// A head's score as a sum of waves; see rotary_waves.py.

const SIZE = 64;

function compute({ head, offset, base, pair }, data) {
  const { sizes, phases } = data[head];
  const theta = sizes.map((_, i) => base ** ((-2 * i) / SIZE));
  const part = (i, delta) => sizes[i] * Math.cos(theta[i] * delta + phases[i]);
  const scores = Array.from({ length: 513 }, (_, delta) => sizes.reduce((sum, _, i) => sum + part(i, delta), 0));
  const lengths = theta.map((frequency) => (2 * Math.PI) / frequency);
  return {
    scores,
    best: scores.indexOf(Math.max(...scores)),
    part: part(pair, offset),
    turns: offset / lengths[pair],
    wavelength: lengths[pair],
    slow: lengths.filter((length) => length > 8192).length,
  };
}

// The pair's key lies to the right; the query turns about it, and its shadow is the wave.
function circle(side, phase, turns, share) {
  const svg = mark("svg", { viewBox: `0 0 ${side} ${side}`, width: side, height: side });
  const [middle, radius] = [side / 2, side / 2 - 26];
  const at = (angle, length = radius) => [middle + length * Math.cos(angle), middle - length * Math.sin(angle)];
  const ray = ([x, y], name) => svg.append(mark("line", { class: name, x1: middle, y1: middle, x2: x, y2: y }));
  const angle = phase + 2 * Math.PI * turns;
  svg.append(mark("circle", { class: "line s6", cx: middle, cy: middle, r: radius }));
  ray(at(0), "line s3");
  ray(at(phase), "line s2");
  ray(at(angle), "line s1 solid");
  const [x, y] = at(angle);
  svg.append(mark("circle", { class: "dot s1", cx: x, cy: y, r: 5 }));
  svg.append(mark("line", { class: "line s6", x1: x, y1: y, x2: x, y2: middle }));
  const word = (words, [u, v]) => svg.append(mark("text", { x: u, y: v + 4, "text-anchor": "middle" }, words));
  const [low, high] = [at(0, 0.6 * radius), at(phase, 0.6 * radius)];
  word("k", [low[0], low[1] + 12]);
  word("q", [high[0] + 12, high[1]]);
  word("q at Δ", at(angle, radius + 14));
  word(share, [middle, side - 8]);
  return svg;
}

function draw({ width, height }, { scores, best, part, turns }, { head, offset, pair }, data) {
  const { sizes, phases } = data[head];
  const wide = width >= 480;
  const side = wide ? 220 : 200;
  const wheel = circle(side, phases[pair], turns, `pair ${pair}: ${format(part)} nats`);
  const spectrum = new Chart({ width: wide ? width - side : width, height: wide ? side : 170 }, {
    x: { domain: [-0.7, sizes.length - 0.3], label: "pair i" },
    y: { domain: [0, Math.max(...sizes) * 1.08], label: "size (nats)" },
  });
  sizes.forEach((size, i) => spectrum.bar(i, size, i === pair ? 2 : 1));
  const reach = offset <= 64 ? 64 : 512;
  const shown = scores.slice(0, reach + 1);
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const chart = new Chart({ width, height: Math.max(240, Math.min(340, height - side)) }, {
    x: { domain: [0, reach], label: "distance Δ (tokens)" },
    y: { domain: [low - 0.05 * (high - low), high + 0.12 * (high - low)], label: "score (nats)" },
  });
  chart.line(shown.map((score, delta) => [delta, score]), 1);
  chart.dot(offset, scores[offset], 2, 6);
  if (best <= reach) chart.rule({ x: best }, "highest", 6);
  for (const svg of [wheel, spectrum.svg, chart.svg]) svg.setAttribute("aria-hidden", "true");
  return element("div", { className: "panels" }, wheel, spectrum.svg, chart.svg);
}

function say({ scores, best, part, turns, wavelength, slow }, { offset, base, pair }) {
  const trained = base === 1e5 ? "the trained base" : `the base ${format(base)} (trained: 100,000)`;
  return (
    `At the distance ${offset} the score is ${format(scores[offset])} nats, of which pair ${pair}, after ` +
    `${format(turns)} turns of ${format(wavelength)} positions each, gives ${format(part)}. With ${trained} the ` +
    `score is highest at ${best} of the distances to 512; ${32 - slow} of 32 pairs make a full turn within 8,192.`
  );
}

define("rotary-waves", { compute, draw, say });
