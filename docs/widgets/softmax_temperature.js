// Softmax with temperature; see softmax_temperature.py.

function compute({ temperature, s1, s2, s3, s4 }) {
  const scores = [s1, s2, s3, s4];
  const top = Math.max(...scores);
  const powers = scores.map((s) => Math.exp((s - top) / temperature));
  const total = powers.reduce((sum, power) => sum + power, 0);
  const p = powers.map((power) => power / total);
  const entropy = p.reduce((sum, weight) => sum - (weight > 0 ? weight * Math.log(weight) : 0), 0);
  return { p, entropy, choices: Math.exp(entropy) };
}

function draw({ width, height }, { p, entropy }, settings, { most }) {
  const wide = width >= 480;
  const size = { width: wide ? width / 2 : width, height: wide ? height : Math.max(220, height * 0.7) };
  const weights = new Chart(size, {
    x: { domain: [-0.6, 3.6], names: p.map((_, j) => format(settings[`s${j + 1}`])), label: "score" },
    y: { domain: [0, 1.05], label: "weight", ticks: [0, 0.25, 0.5, 0.75, 1] },
  });
  p.forEach((weight, j) => {
    weights.bar(j, weight, j + 1);
    weights.text(weights.x(j), weights.y(weight) - 5, format(weight, 2), "middle");
  });
  weights.rule({ y: 0.25 }, "", 6);
  const [low, high] = [0.05, 50];
  const curve = new Chart(size, {
    x: { domain: [low, high], log: true, label: "temperature τ" },
    y: { domain: [0, most * 1.1], label: "entropy (nats)" },
  });
  curve.line(Array.from({ length: 80 }, (_, i) => {
    const temperature = low * (high / low) ** (i / 79);
    return [temperature, compute({ ...settings, temperature }).entropy];
  }));
  curve.rule({ y: most }, "log 4", 6);
  curve.dot(settings.temperature, entropy, 2, 6);
  for (const { svg } of [weights, curve]) svg.setAttribute("aria-hidden", "true");
  return element("div", { className: "panels" }, weights.svg, curve.svg);
}

function say({ p, entropy, choices }, { temperature }, { most }) {
  return (
    `At τ = ${format(temperature)} the largest weight is ${format(Math.max(...p))}; the entropy is ` +
    `${format(entropy)} of at most ${format(most)} nats, that of ${format(choices)} equal choices.`
  );
}

define("softmax-temperature", { compute, draw, say });
