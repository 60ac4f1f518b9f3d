// A budget of training split between size and data; see compute_budget.py.

const lossOf = ({ e, a, b, alpha, beta }, n, d) => e + a / n ** alpha + b / d ** beta;

// The best size for a budget of 6ND operations.
function bestSize({ a, b, alpha, beta }, budget) {
  const g = ((alpha * a) / (beta * b)) ** (1 / (alpha + beta));
  return g * (budget / 6) ** (beta / (alpha + beta));
}

// Extra compute for the best loss at c times the best size: data must grow by a factor h.
function overhead({ alpha, beta }, c) {
  const left = 1 - (beta / alpha) * (c ** -alpha - 1);
  return left > 0 ? c * left ** (-1 / beta) - 1 : Infinity;
}

function compute({ budget, constants, factor }, laws) {
  const all = Object.values(laws);
  const parameters = all.map((law) => bestSize(law, budget));
  const tokens = parameters.map((n) => budget / 6 / n);
  const size = factor * bestSize(laws[constants], budget);
  return {
    parameters,
    tokens,
    losses: all.map((law, j) => lossOf(law, parameters[j], tokens[j])),
    size,
    loss: lossOf(laws[constants], size, budget / 6 / size),
    overhead: overhead(laws[constants], factor),
  };
}

function draw(frame, { parameters, losses, size, loss }, { budget }, laws) {
  const [low, high] = [Math.min(...parameters) / 20, Math.max(...parameters) * 20];
  const [bottom, most] = [Math.min(...losses), Math.max(...losses)];
  const top = Math.max(most + 0.35 * (most - 1.6), loss + 0.2 * (loss - bottom));
  const names = Object.keys(laws);
  const chart = new Chart(frame, {
    x: { domain: [low, high], log: true, label: "parameters N" },
    y: { domain: [bottom - 0.05 * (top - bottom), top], label: "loss, nats a token" },
  });
  const grid = Array.from({ length: 121 }, (_, k) => low * (high / low) ** (k / 120));
  Object.values(laws).forEach((law, j) => {
    const curve = grid.map((n) => [n, lossOf(law, n, budget / 6 / n)]);
    chart.line(curve.filter(([, y]) => y <= top), j + 1);
    chart.dot(parameters[j], losses[j], j + 1);
  });
  chart.add("circle", { class: "line s6", cx: chart.x(size), cy: chart.y(loss), r: 9 });
  chart.legend(names, (chart.frame.left + chart.frame.right) / 2 - 50);
  return chart.svg;
}

function say({ parameters, tokens, losses, size, loss, overhead }, { constants, factor }, laws) {
  const j = Object.keys(laws).indexOf(constants);
  const best =
    `With the constants ${constants}, the best split is ${format(parameters[j])} parameters and ` +
    `${format(tokens[j])} tokens, ${format(tokens[j] / parameters[j])} a parameter; loss ${format(losses[j], 4)} nats.`;
  if (factor === 1) return best;
  const price =
    overhead < Infinity
      ? `the best loss would take ${format(100 * overhead)} % more compute`
      : "no compute brings it to the best loss";
  return `${best} At ${format(size)} parameters (the ring) the budget loses ${format(loss - losses[j])} nats more; ${price}.`;
}

define("compute-budget", { compute, draw, say });
