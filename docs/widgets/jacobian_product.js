// A gradient carried back through one Jacobian, again and again; see jacobian_product.py.

function compute({ most, ratio, turn, steps }, { start }) {
  const least = most * ratio;
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
  // Stretch the two coordinates of the row, then turn it.
  let row = [start, start];
  const lengths = [1];
  for (let t = 0; t < steps; t += 1) {
    const [u, v] = [row[0] * most, row[1] * least];
    row = [u * cos - v * sin, u * sin + v * cos];
    lengths.push(Math.hypot(...row));
  }
  // The eigenvalues: roots of λ² − (trace)λ + determinant.
  const [trace, determinant] = [(most + least) * cos, most * least];
  const inside = trace * trace - 4 * determinant;
  const radius = inside > 0 ? (Math.abs(trace) + Math.sqrt(inside)) / 2 : Math.sqrt(determinant);
  return { lengths, lower: least ** steps, upper: most ** steps, radius };
}

function draw(size, { lengths, lower, upper, radius }, { steps }) {
  const [low, high] = [1e-30, 1e30];
  const chart = new Chart(size, {
    x: { domain: [0, steps], label: "steps back, T" },
    y: { domain: [low, high], log: true, label: "length of the gradient" },
    left: 78,
    right: 20,
  });
  // Straight lines on this axis, cut where it ends.
  const power = (factor, series) => {
    const last = factor === 1 ? steps : Math.min(steps, Math.log(factor > 1 ? high : low) / Math.log(factor));
    chart.line([[0, 1], [last, factor ** last]], series);
  };
  const inside = lengths.map((length, t) => [t, length]).filter(([, length]) => length >= low && length <= high);
  chart.line(inside, 1);
  power(upper ** (1 / steps), 2);
  if (radius > 0) power(radius, 3);
  if (lower > 0) power(lower ** (1 / steps), 2);
  chart.line(lengths.slice(1).map((_, t) => [t + 1, 1 / (t + 1)]), 4);
  chart.legend(["the gradient", "bounds", "spectral radius to the T", "even attention, 1/T"]);
  return chart.svg;
}

function say({ lengths, upper, radius }, { most, steps }) {
  const bound = most < 1 ? "certain to vanish" : most > 1 ? "free to grow" : "free to keep its length";
  return (
    `With the largest singular value ${format(most)} the gradient is ${bound}: by a factor of at most ` +
    `${format(upper)} in ${steps} ${steps === 1 ? "step" : "steps"}. Its length is multiplied by ${format(lengths[steps])}. The spectral radius is ` +
    `${format(radius)}, by which it changes a step in the long run; even attention would leave ${format(1 / steps)}.`
  );
}

define("jacobian-product", { compute, draw, say });
