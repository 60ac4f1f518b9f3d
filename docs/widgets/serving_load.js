// A server under load; see serving_load.py. A device spends r on each prompt, and on each step t₀
// for the weights and c for each of B caches.

function compute({ rate, prompt, answer, model, numbers }, { models, bytes, device }) {
  const { stored, moved, cache: kappa, token, pair, head } = models[model];
  const b = bytes[numbers];
  const { flops, bandwidth, memory } = device;
  const operations = token * prompt + (pair * prompt * (prompt + 1)) / 2 + head;
  const read = Math.max(operations / flops, (b * (moved + kappa * prompt)) / bandwidth);
  const weights = (b * moved) / bandwidth;
  const cache = (b * kappa * (prompt + answer / 2)) / bandwidth;
  const limit = 1 / (read + answer * cache);
  const batch = rate < limit ? (rate * answer * weights) / (1 - rate / limit) : Infinity;
  return {
    read,
    weights,
    cache,
    limit,
    batch,
    memory: Math.max(0, Math.floor((memory - b * stored) / (b * kappa * (prompt + answer)))),
    seconds: batch / rate,
    price: 2e6 / (3600 * rate * answer),
  };
}

function draw(size, { weights, limit, batch, memory }, { rate, answer }) {
  const [far, top] = [1.2 * Math.max(limit, Math.min(rate, 2 * limit)), 1.2 * memory];
  const chart = new Chart(size, {
    x: { domain: [0, far], label: "requests a second" },
    y: { domain: [0, top], label: "answers being written" },
  });
  const rates = Array.from({ length: 300 }, (_, k) => (k * limit) / 300);
  const curve = rates.map((x) => [x, (x * answer * weights) / (1 - x / limit)]);
  chart.line(curve.filter(([, y]) => y <= top), 1);
  chart.rule({ x: limit }, "", 4);
  chart.text(chart.x(limit) + 5, chart.frame.top + 12, "limit");
  chart.rule({ y: memory }, "", 2);
  chart.text(chart.frame.left + 5, chart.y(memory) - 5, "memory is full");
  if (batch <= top) chart.dot(rate, batch, 1);
  return chart.svg;
}

function say({ limit, batch, memory, seconds, price }, { rate, answer }) {
  const start = `At most ${format(limit)} requests a second: `;
  if (batch === Infinity) return `${start}there is no balance at ${format(rate)}, and the queue grows for ever.`;
  if (batch > memory) {
    return `${start}at ${format(rate)} the balance would be ${format(batch)} answers at a time, but only ${memory} fit.`;
  }
  return (
    `${start}${format(rate)} are ${format((100 * rate) / limit, 2)} % of that. ${format(batch)} answers are ` +
    `written at a time, of ${memory} that fit; one takes ${format(seconds)} s, a token every ` +
    `${format((1000 * seconds) / answer)} ms. At 2 dollars an hour a million new tokens cost ${format(price, 2)}.`
  );
}

define("serving-load", { compute, draw, say });
