// Energy and carbon of a run with three factors roughly known; see run_carbon.py.

const middle = ([low, high]) => [(low + high) / 2, (low + high) / 2];
const times = (...intervals) => [0, 1].map((end) => intervals.reduce((x, interval) => x * interval[end], 1));

function compute({ run, power, overhead, overhead2, grid, grid2 }, { runs }) {
  const [hours, mean] = runs[run];
  const watts = [mean * (1 - power / 100), mean * (1 + power / 100)];
  const u = [Math.min(overhead, overhead2), Math.max(overhead, overhead2)];
  const g = [Math.min(grid, grid2), Math.max(grid, grid2)];
  const scale = [hours * 1e-6, hours * 1e-6]; // megawatt-hours, and tonnes at a kilogram a kilowatt-hour
  return {
    energy: times(scale, watts, u),
    tonnes: [
      times(scale, watts, middle(u), middle(g)),
      times(scale, middle(watts), u, middle(g)),
      times(scale, middle(watts), middle(u), g),
      times(scale, watts, u, g),
    ],
  };
}

const ROWS = ["power", "overhead", "grid", "all three"];

function draw(size, { tonnes }) {
  const high = tonnes[3][1];
  const chart = new Chart(size, {
    x: { domain: [0, 1.05 * high], label: "tonnes CO₂e" },
    y: { domain: [3.6, -0.8], names: ROWS, label: "what is roughly known" },
    left: 88,
  });
  tonnes.forEach(([from, to], row) => {
    const [left, right, y] = [chart.x(from), chart.x(to), chart.y(row)];
    const series = row === 3 ? 2 : 1;
    chart.add("rect", { class: `bar s${series}`, x: left, y: y - 6, width: Math.max(right - left, 2), height: 12 });
    const words = from === to ? format(from) : `${format(from)} to ${format(to)}`;
    chart.text(Math.min((left + right) / 2, chart.frame.right - 60), y - 11, words, "middle");
  });
  return chart.svg;
}

function say({ energy, tonnes }, { run }) {
  const span = ([low, high]) => (low === high ? format(low) : `${format(low)} to ${format(high)}`);
  const factors = tonnes.map(([low, high]) => high / low);
  const most = Math.max(...factors.slice(0, 3));
  const start = `${run[0].toUpperCase()}${run.slice(1)}: ${span(energy)} MWh, ${span(tonnes[3])} t. `;
  if (factors[3] === 1) return `${start}Nothing is left open.`;
  return (
    `${start}The upper end is ${format(factors[3])} times the lower; the ${ROWS[factors.indexOf(most)]} alone ` +
    `leaves a factor of ${format(most)}.`
  );
}

define("run-carbon", { compute, draw, say });
