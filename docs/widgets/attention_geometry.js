// One query among keys in the plane; see attention_geometry.py.

const dot = ([a, b], [c, d]) => a * c + b * d;

// Softmax over the keys that are seen.
function weigh(scores, seen, temperature = 1) {
  const top = Math.max(...scores.slice(0, seen));
  const powers = scores.map((s, j) => (j < seen ? Math.exp((s - top) / temperature) : 0));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

function mix(weights, values) {
  return [0, 1].map((axis) => weights.reduce((sum, weight, j) => sum + weight * values[j][axis], 0));
}

const seenBy = ({ mask, place }, { keys }) => (mask ? place : keys.length);

function compute(settings, data) {
  const { angle, length } = settings;
  const turn = (angle * Math.PI) / 180;
  const query = [length * Math.cos(turn), length * Math.sin(turn)];
  const scores = data.keys.map((key) => dot(query, key) / Math.SQRT2);
  const weights = weigh(scores, seenBy(settings, data));
  return { query, scores, weights, output: mix(weights, data.values) };
}

// The ends of the line a·x = c in a square about zero, if it meets the square.
function across([a, b], c, side) {
  const ends = [];
  for (const edge of [-side, side]) {
    if (b !== 0) ends.push([edge, (c - a * edge) / b]);
    if (a !== 0) ends.push([(c - b * edge) / a, edge]);
  }
  return ends.filter((end) => end.every((at) => Math.abs(at) <= side + 1e-9));
}

// A query can also be set by dragging its tip, which moves the two sliders.
function draggable(handle, chart) {
  const move = (event) => {
    const frame = document.querySelector("attention-geometry svg").getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    const [u, v] = [(x - chart.x(0)) / (chart.x(1) - chart.x(0)), (y - chart.y(0)) / (chart.y(1) - chart.y(0))];
    for (const [name, value] of [["angle", (Math.atan2(v, u) * 180) / Math.PI], ["length", Math.hypot(u, v)]]) {
      const input = document.getElementById(`attention-geometry-${name}`);
      input.value = value;
      input.dispatchEvent(new Event("input"));
    }
  };
  // A finger's events go on arriving at the mark it touched, when another was drawn in its place.
  handle.addEventListener("touchmove", (event) => {
    event.preventDefault();
    move(event.touches[0]);
  }, { passive: false });
  handle.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") return;
    event.preventDefault();
    document.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) {
      document.addEventListener(end, () => document.removeEventListener("pointermove", move), { once: true });
    }
  });
}

function panel(side, title, domain) {
  const axes = { left: 44, right: 8, top: 24, bottom: 42 };
  const chart = new Chart({ width: side, height: side + 14 }, {
    x: { domain: domain[0], label: "first coordinate" },
    y: { domain: domain[1], label: "second coordinate" },
    ...axes,
  });
  chart.text((chart.frame.left + chart.frame.right) / 2, 14, title, "middle");
  chart.svg.setAttribute("aria-hidden", "true");
  return chart;
}

function draw({ width }, { query, scores, weights, output }, settings, data) {
  const seen = seenBy(settings, data);
  const { keys, values } = data;
  const side = width < 480 ? Math.min(width, 270) : Math.floor(width / 2);
  const left = panel(side, "keys, lines of equal score", [[-4, 4], [-4, 4]]);
  for (const score of settings.length > 0 ? [-4, -2, 0, 2, 4] : []) {
    const ends = across(query, score * Math.SQRT2, 4);
    if (ends.length < 2) continue;
    left.add("line", { class: "grid", x1: left.x(ends[0][0]), y1: left.y(ends[0][1]), x2: left.x(ends[1][0]), y2: left.y(ends[1][1]) }).classList.add("level");
    const [x, y] = ends.reduce((one, other) => (other[1] > one[1] ? other : one));
    left.text(left.x(x) * 0.94 + left.x(0) * 0.06, left.y(y) * 0.94 + left.y(0) * 0.06, format(score), "middle");
  }
  left.line([[0, 0], query], 6).classList.add("arrow");
  keys.forEach((key, j) => {
    const mark = left.dot(...key, j + 1, 4 + 16 * Math.sqrt(weights[j]));
    if (j >= seen) mark.classList.add("hidden");
    left.text(left.x(key[0]), left.y(key[1]) - 8 - 16 * Math.sqrt(weights[j]), `k${j + 1}`, "middle");
    left.text(left.x(key[0]), left.y(key[1]) + 18 + 16 * Math.sqrt(weights[j]), j < seen ? weights[j].toFixed(2) : "hidden", "middle");
  });
  left.text(left.x(query[0]) + 9, left.y(query[1]) + 4, "q");
  left.dot(...query, 6, 4);
  draggable(left.add("circle", { class: "handle", cx: left.x(query[0]), cy: left.y(query[1]), r: 16 }), left);

  const right = panel(side, "values, output", [[-0.4, 4], [-0.6, 3.8]]);
  right.line([...values.slice(0, seen), values[0]], 6);
  const path = Array.from({ length: 60 }, (_, i) => mix(weigh(scores, seen, 0.03 * 3000 ** (i / 59)), values));
  right.line(path, 1).classList.add("solid");
  values.slice(0, seen).forEach((value, j) => {
    right.dot(...value, j + 1, 4 + 16 * Math.sqrt(weights[j]));
    right.text(right.x(value[0]), right.y(value[1]) - 8 - 16 * Math.sqrt(weights[j]), `v${j + 1}`, "middle");
  });
  right.dot(...output, 6, 6);
  right.text(right.x(output[0]) + 9, right.y(output[1]) + 5, "output");
  return element("div", { className: "panels" }, left.svg, right.svg);
}

function say({ query, weights, output }, settings, data) {
  const { keys } = data;
  const seen = seenBy(settings, data);
  const those = settings.mask ? `the keys up to ${seen}` : "all keys";
  const best = weights.indexOf(Math.max(...weights));
  const away = keys.slice(0, seen).map(([x, y]) => Math.hypot(x - query[0], y - query[1]));
  const near = away.indexOf(Math.min(...away));
  const where = `The output is (${output.map((y) => format(y)).join(", ")}).`;
  if (settings.length === 0) return `A query of length 0 gives ${those} the same weight, ${format(weights[0])}. ${where}`;
  const nearest = near === best
    ? "It is also the nearest to the query's tip."
    : `Key ${near + 1}, the nearest to the query's tip, gets ${format(weights[near])}.`;
  return `Of ${those}, key ${best + 1} lies farthest along the query and gets the largest weight, ${format(weights[best])}. ${nearest} ${where}`;
}

define("attention-geometry", { compute, draw, say });
