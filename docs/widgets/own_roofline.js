// The roofline of the reader's hardware; see own_roofline.py.

function compute({ peak, bandwidth, model, work, batch, tokens }, data) {
  const { L, H, K, D, N, Nlayers, Nscores, b } = data[model];
  const [pi, beta] = [peak * 1e9, bandwidth * 1e9];
  const [T, P] = work === "writing" ? [1, tokens] : [tokens, 0];
  const pairs = T * P + (T * (T + 1)) / 2;
  // Scores are made of the last token only.
  const flops = 2 * (Nlayers * T + Nscores) + 4 * L * H * D * pairs;
  const cache = b * 2 * L * K * D * (P + T);
  const moved = b * N + batch * cache;
  const intensity = (batch * flops) / moved;
  const ridge = pi / beta;
  const seconds = Math.max((batch * flops) / pi, moved / beta);
  const room = flops - ridge * cache;
  return {
    intensity,
    most: flops / cache,
    ridge,
    attainable: Math.min(pi, beta * intensity),
    seconds,
    rate: (batch * T) / seconds,
    crossover: work === "reading" ? null : room > 0 ? (ridge * b * N) / room : Infinity,
  };
}

function draw(size, result, settings, data) {
  const { peak, bandwidth, work, batch } = settings;
  const roof = (intensity) => Math.min(peak, bandwidth * intensity);
  const { intensity, ridge } = result;
  const domain = [Math.min(0.1, ridge / 5), Math.max(1e4, ridge * 5, 2 * intensity)];
  const chart = new Chart(size, {
    x: { domain, log: true, label: "intensity (FLOP a byte)" },
    y: { domain: [Math.min(roof(domain[0]), peak / 100), 3 * peak], log: true, label: "GFLOP/s" },
    left: 84,
    right: 28,
  });
  chart.line([domain[0], ridge, domain[1]].map((at) => [at, roof(at)]), 1);
  chart.rule({ x: ridge }, `ridge ${format(ridge)}`, 6);
  for (const many of [1, 4, 16, 64, 256, 1024]) {
    const at = compute({ ...settings, batch: many }, data).intensity;
    chart.dot(at, roof(at), 3, 3);
  }
  chart.dot(intensity, roof(intensity), 2, 7);
  const [x, y] = [chart.x(intensity), chart.y(roof(intensity))];
  const late = x > (chart.frame.left + chart.frame.right) / 2;
  chart.text(x + (late ? -4 : 12), y + 22, `${work}, ${format(batch, 4)}`, late ? "end" : "start");
  return chart.svg;
}

function say({ intensity, most, ridge, seconds, rate, crossover }, { work, batch, tokens }) {
  const writing = work === "writing";
  const many = `${format(batch, 4)} ${batch === 1 ? "sequence" : "sequences"}`;
  const job = writing
    ? `Writing for ${many} after ${format(tokens, 4)} tokens`
    : `Reading ${format(tokens, 4)} tokens of ${many}`;
  const waits = intensity < ridge ? "left of the ridge: it waits for memory" : "right of the ridge: it waits for the processor";
  const time = seconds < 1 ? `${format(1000 * seconds)} ms` : `${format(seconds)} s`;
  const batches = !writing
    ? ""
    : crossover < Infinity
      ? ` ${format(crossover)} sequences would reach the ridge.`
      : ` No number of sequences reaches the ridge: caches allow at most ${format(most)}.`;
  return (
    `${job}: ${format(intensity)} FLOP a byte, ${waits}. A pass takes at least ${time}, ` +
    `so there are at most ${format(rate)} tokens a second.${batches}`
  );
}

define("own-roofline", { compute, draw, say });
