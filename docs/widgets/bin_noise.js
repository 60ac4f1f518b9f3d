// A calibrated forecaster's reliability diagram; see bin_noise.py.

function compute({ n, bins, excess, sample }, { draws }) {
  const gathered = Array.from({ length: bins }, () => ({ count: 0, sure: 0, right: 0 }));
  for (let i = 0; i < n; i += 1) {
    const confidence = 0.5 + (0.5 * (i + 0.5)) / n;
    let b = 0;
    while (b < bins - 1 && confidence >= (b + 1) / bins) b += 1;
    gathered[b].count += 1;
    gathered[b].sure += confidence;
    gathered[b].right += draws[(i + 53 * sample) % draws.length] / 10000 < confidence - excess;
  }
  const used = gathered.filter(({ count }) => count > 0);
  const counts = used.map(({ count }) => count);
  const confidence = used.map(({ count, sure }) => sure / count);
  const accuracy = used.map(({ count, right }) => right / count);
  // The mean over bins, weighted by their counts.
  const mean = (value) => counts.reduce((sum, m, b) => sum + (m / n) * value(m, accuracy[b], confidence[b]), 0);
  return {
    counts,
    confidence,
    accuracy,
    error: mean((m, a, c) => Math.abs(a - c)),
    expected: mean((m, a, c) => Math.sqrt((2 * c * (1 - c)) / (Math.PI * m))),
    debiased: Math.min(...counts) > 1 ? mean((m, a, c) => (a - c) ** 2 - (a * (1 - a)) / (m - 1)) : null,
  };
}

function draw(size, { counts, confidence, accuracy, error, expected }, { n }) {
  const chart = new Chart(size, {
    x: { domain: [0.5, 1], label: "confidence" },
    y: { domain: [0, 1], label: "share that came true" },
    top: 58,
  });
  chart.line([[0.5, 0.5], [1, 1]], 6);
  counts.forEach((count, b) => {
    const x = chart.x(confidence[b]);
    const ends = { x1: x, x2: x, y1: chart.y(confidence[b]), y2: chart.y(accuracy[b]) };
    chart.add("line", { class: "line s1", ...ends });
    chart.dot(confidence[b], accuracy[b], 1, 3 + 12 * Math.sqrt(count / n / Math.PI));
  });
  const bar = (y, words, value, series) => {
    const left = chart.frame.left + 118;
    const width = Math.min(1, value / 0.5) * (chart.frame.right - left - 48);
    chart.text(left - 8, y + 11, words, "end");
    chart.add("rect", { class: `bar s${series}`, x: left, y, width, height: 13 });
    chart.text(left + width + 5, y + 11, value.toFixed(3));
  };
  bar(8, "error", error, 1);
  bar(28, "if calibrated", expected, 2);
  return chart.svg;
}

function say({ counts, error, expected, debiased }, { n, excess }) {
  const who = excess > 0 ? `A forecaster too sure by ${format(excess)}` : "A calibrated forecaster";
  const squared = debiased === null ? "cannot be computed: a bin has one forecast" : `is ${format(debiased, 2)}`;
  return (
    `${who}, ${n} forecasts, ${counts.length} ${counts.length === 1 ? "bin" : "bins"} in use: the error is ` +
    `${format(error, 2)}, and a calibrated one would show ${format(expected, 2)} on average. ` +
    `The debiased square ${squared}; the truth is ${format(excess ** 2, 2)}.`
  );
}

define("bin-noise", { compute, draw, say });
