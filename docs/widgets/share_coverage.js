// How often two intervals for a share hold the truth; see share_coverage.py.

// The mean and z standard errors.
function normal(k, n, z) {
  const share = k / n;
  const half = z * Math.sqrt((share * (1 - share)) / (n - 1));
  return [share - half, share + half];
}

// Wilson's: all p with |k/n − p| ≤ z √(p(1 − p)/n).
function wilson(k, n, z) {
  const share = k / n;
  const center = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  return [k === 0 ? 0 : center - half, k === n ? 1 : center + half];
}

const factorials = [0];
for (let k = 1; k <= 400; k += 1) factorials.push(factorials[k - 1] + Math.log(k));

// Add up the probabilities of all counts whose interval holds p.
function coverage(interval, n, p, z) {
  let total = 0;
  for (let k = 0; k <= n; k += 1) {
    const [low, high] = interval(k, n, z);
    const choices = factorials[n] - factorials[k] - factorials[n - k];
    if (low <= p && p <= high) total += Math.exp(choices + k * Math.log(p) + (n - k) * Math.log1p(-p));
  }
  return total;
}

function compute({ share, n, level }, { quantiles }) {
  const z = quantiles[level];
  const right = Math.floor(n * share + 0.5);
  return {
    coverage: [normal, wilson].map((interval) => coverage(interval, n, share, z)),
    right,
    intervals: [normal, wilson].map((interval) => interval(right, n, z)),
  };
}

function draw(size, result, { share, n, level }, { quantiles }) {
  const chart = new Chart(size, {
    x: { domain: [5, 400], log: true, ticks: [5, 20, 100, 400], label: "questions, n" },
    y: { domain: [0.3, 1.01], ticks: [0.4, 0.6, 0.8, 1], label: "share that holds the truth" },
  });
  const sizes = Array.from({ length: 396 }, (_, k) => k + 5);
  [normal, wilson].forEach((interval, j) => {
    const curve = sizes.map((m) => [m, coverage(interval, m, share, quantiles[level])]);
    chart.line(curve.filter(([, y]) => y >= 0.3), j + 1);
    if (result.coverage[j] >= 0.3) chart.dot(n, result.coverage[j], j + 1);
  });
  chart.rule({ y: parseFloat(level) / 100 }, "", 6);
  chart.legend(["x̄ ± z·se", "Wilson"], chart.frame.right - 110, chart.frame.bottom - 30);
  return chart.svg;
}

function say({ coverage: [plain, better], right, intervals }, { share, n, level }) {
  const percent = (x) => `${format(100 * x)} %`;
  const span = ([low, high]) => `${format(low)} to ${format(high)}`;
  return (
    `With ${n} questions and a true share of ${format(share)}, x̄ ± z·se of nominal ${level} holds the truth in ` +
    `${percent(plain)} of samples, Wilson's interval in ${percent(better)}. Of ${right} right answers the first ` +
    `makes ${span(intervals[0])}, the second ${span(intervals[1])}.`
  );
}

define("share-coverage", { compute, draw, say });
