// The time of a ring all-reduce, 2(p − 1)(α + β′b/p); see ring_time.py.

function compute({ size, devices: p, bandwidth, latency }) {
  const rounds = 2 * (p - 1);
  const waiting = rounds * latency;
  const sending = (rounds * size) / p / bandwidth;
  return { seconds: waiting + sending, waiting, sending, equal: p * latency * bandwidth };
}

function draw(frame, { seconds }, settings) {
  const sizes = Array.from({ length: 91 }, (_, k) => 10 ** (3 + k / 10));
  const times = sizes.map((size) => [size, compute({ ...settings, size })]);
  const [low, high] = [times[0][1], times.at(-1)[1]];
  const bottom = Math.max(low.sending, Math.min(low.waiting, high.sending) / 1e4);
  const chart = new Chart(frame, {
    x: { domain: [1e3, 1e12], log: true, label: "array, bytes" },
    y: { domain: [bottom, 2 * high.seconds], log: true, label: "time, s" },
    left: 70,
    top: 62,
  });
  ["seconds", "waiting", "sending"].forEach((part, j) => {
    const points = times.map(([size, time]) => [size, time[part]]);
    chart.line(points.filter(([, y]) => y >= bottom), j + 1);
  });
  chart.dot(settings.size, seconds);
  chart.legend(["ring all-reduce", "latency alone", "bytes alone"], chart.frame.left, 14);
  return chart.svg;
}

function say({ seconds, waiting, equal }, { size, devices }) {
  return (
    `${format(2 * (devices - 1))} rounds take ${format(seconds)} s, of which latency is ` +
    `${format((100 * waiting) / seconds)} %. Its part and that of the bytes are equal for ` +
    `${format(equal)} bytes; this array is ${format(size / equal)} times as long.`
  );
}

define("ring-time", { compute, draw, say });
