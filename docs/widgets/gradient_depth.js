// Growth of the gradient with depth; see gradient_depth.py.

function compute({ activation, gated, n, scale }, data) {
  const [value, slope] = data[activation];
  const a = scale ** 2 * value;
  const b = scale ** 2 * (gated ? value + slope : slope);
  const [pre, post] = [[], []];
  let product = 1;
  for (let l = 0; l < n; l += 1) {
    product *= 1 + b / (1 + a * l);
    pre.push(product);
    post.push(((1 + b) / (1 + a)) ** (l + 1));
  }
  return { a, b, pre, post };
}

function draw(size, { pre, post }, { n }) {
  const most = Math.max(pre[n - 1], post[n - 1], 10);
  const chart = new Chart(size, {
    x: { domain: [0, Math.max(n, 10)], label: "number of parts n" },
    y: { domain: [0.7, 2 * most], log: true, label: "gradient, first over last" },
    left: 76,
  });
  const from = (values) => [[0, 1], ...values.map((value, l) => [l + 1, value])];
  chart.line(from(post), 1);
  chart.line(from(pre), 2);
  chart.dot(n, post[n - 1], 1);
  chart.dot(n, pre[n - 1], 2);
  chart.legend(["post-norm", "pre-norm"]);
  return chart.svg;
}

function say({ a, b, pre, post }, { activation, gated, n }) {
  const factor = (1 + b) / (1 + a);
  return (
    `Through ${n} ${gated ? "gated " : ""}parts with ${activation} the gradient's mean square is multiplied by ` +
    `${format(pre[n - 1])} with pre-norm and by ${format(post[n - 1])} with post-norm. The gains are ` +
    `a = ${format(a)} and b = ${format(b)}: pre-norm grows about like 1 + an to the power ${format(b / a)}, post-norm by ` +
    `the factor ${format(factor, 4)} a part.`
  );
}

define("gradient-depth", { compute, draw, say });
