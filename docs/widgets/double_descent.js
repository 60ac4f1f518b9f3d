// Double descent; see double_descent.py. The truth has length 1.

function risk(gamma, noise, lambda) {
  if (lambda === 0) {
    const variance = noise === 0 ? 0 : (noise * Math.min(gamma, 1)) / Math.abs(1 - gamma);
    return { bias: Math.max(1 - 1 / gamma, 0), variance };
  }
  // m solves γλm² + (1 − γ + λ)m = 1; slope is −dm/dλ.
  const b = 1 - gamma + lambda;
  const root = Math.sqrt(b * b + 4 * gamma * lambda);
  const m = b > 0 ? 2 / (b + root) : (root - b) / (2 * gamma * lambda);
  const slope = (m * (1 + gamma * m)) / root;
  return { bias: lambda * lambda * slope, variance: noise * gamma * (m - lambda * slope) };
}

function compute({ gamma, noise, penalty, strength }, { grid }) {
  const size = (ratio) => (penalty === "none" ? 0 : penalty.startsWith("λ") ? strength : ratio * noise);
  const curve = grid.map((ratio) => risk(ratio, noise, size(ratio)));
  const best = risk(gamma, noise, gamma * noise);
  return {
    ...risk(gamma, noise, size(gamma)),
    best: best.bias + best.variance,
    biases: curve.map(({ bias }) => bias),
    variances: curve.map(({ variance }) => variance),
  };
}

function draw(size, { bias, variance, biases, variances }, { gamma, noise, penalty }, { grid }) {
  const [low, high] = [0.02, 30];
  const chart = new Chart(size, {
    x: { domain: [0.1, 10], log: true, label: "features per case, γ = p/n" },
    y: { domain: [low, high], log: true, label: "squared error beyond the noise" },
    right: 20,
  });
  const curve = (values, series) => chart.line(grid.map((ratio, i) => [ratio, Math.min(values[i], high)]).filter(([, y]) => y >= low), series);
  if (penalty !== "none") {
    curve(grid.map((ratio) => {
      const plain = risk(ratio, noise, 0);
      return plain.bias + plain.variance;
    }), 6);
  }
  curve(biases, 2);
  curve(variances, 3);
  curve(biases.map((each, i) => each + variances[i]), 1);
  const total = bias + variance;
  if (total >= low && total <= high) chart.dot(gamma, total, 1, 6);
  chart.rule({ y: 1 }, "", 4);
  chart.text(chart.frame.left + 6, chart.y(1) - 5, "predicting 0");
  chart.legend(["risk", "bias", "variance", ...(penalty === "none" ? [] : [["no penalty", 6]])]);
  return chart.svg;
}

function say({ bias, variance, best }, { gamma, noise, penalty, strength }) {
  const lambda = penalty === "none" ? 0 : penalty.startsWith("λ") ? strength : gamma * noise;
  const total = bias + variance;
  const other = lambda === gamma * noise
    ? "No other penalty does better."
    : `The best penalty, λ = ${format(gamma * noise)}, would leave ${format(best)}.`;
  return (
    `At γ = ${format(gamma)} features a case, with noise σ² = ${format(noise)} and ` +
    `${lambda > 0 ? `the penalty λ = ${format(lambda)}` : "no penalty"} the risk is ${format(total)}: bias ` +
    `${format(bias)} and variance ${format(variance)}. ${other}`
  );
}

define("double-descent", { compute, draw, say });
