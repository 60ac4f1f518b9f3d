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

function draw(size, { p }, settings) {
  const names = p.map((_, j) => `score ${format(settings[`s${j + 1}`])}`);
  const chart = new Chart(size, {
    x: { domain: [-0.6, 3.6], names, label: "scores" },
    y: { domain: [0, 1], label: "weight" },
  });
  p.forEach((weight, j) => {
    chart.bar(j, weight, j + 1);
    chart.text(chart.x(j), chart.y(weight) - 5, format(weight), "middle");
  });
  chart.rule({ y: 0.25 }, "¼", 6);
  return chart.svg;
}

function say({ p, entropy, choices }, { temperature }, { most }) {
  return (
    `At τ = ${format(temperature)} the largest weight is ${format(Math.max(...p))}; the entropy is ` +
    `${format(entropy)} of at most ${format(most)} nats, that of ${format(choices)} equal choices.`
  );
}

define("softmax-temperature", { compute, draw, say });
