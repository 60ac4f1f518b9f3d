// Schedules of a pipeline, played task by task; see pipeline_schedule.py. A task is
// [stage, micro-batch, whether it is backward]; device d has the stages d, d + p, ….

const range = (n) => Array.from({ length: n }, (_, k) => k);

// Some forward tasks first, then one of each in turn, then what is left.
function alternate(forward, backward, warmUp) {
  const steady = forward.slice(warmUp).flatMap((task, k) => [task, backward[k]]);
  return [...forward.slice(0, warmUp), ...steady, ...backward.slice(Math.max(0, forward.length - warmUp))];
}

// Of a device, its tasks in order; m micro-batches go through v chunks in groups of p.
function tasksOf(kind, device, p, m, v) {
  const groups = kind < 2 ? [range(m)] : range(m / p).map((g) => range(p).map((i) => g * p + i));
  const visits = groups.flatMap((group) => range(v).flatMap((chunk) => group.map((i) => [chunk, i])));
  const forward = visits.map(([chunk, i]) => [chunk * p + device, i, false]);
  const backward = visits.map(([chunk, i]) => [(v - 1 - chunk) * p + device, i, true]);
  if (kind === 0) return [...forward, ...backward];
  if (kind === 1) return alternate(forward, backward, p - 1 - device);
  return alternate(forward, backward, 2 * (p - 1 - device) + (v - 1) * p);
}

// Let every device do its tasks in order, each as soon as its input is there.
function play(schedule, last, length) {
  const ends = new Map();
  const key = (stage, i, back) => `${stage} ${i} ${back}`;
  const done = schedule.map(() => []);
  for (let moved = true; moved; ) {
    moved = false;
    schedule.forEach((tasks, device) => {
      for (;;) {
        const row = done[device];
        if (row.length === tasks.length) return;
        const [stage, i, back] = tasks[row.length];
        const needed = [];
        if (back) needed.push(key(stage, i, false));
        if (back && stage < last) needed.push(key(stage + 1, i, true));
        if (!back && stage > 0) needed.push(key(stage - 1, i, false));
        if (!needed.every((name) => ends.has(name))) return;
        const start = Math.max(0, row.at(-1)?.[3] ?? 0, ...needed.map((name) => ends.get(name)));
        const end = start + (back ? 2 : 1) * length;
        ends.set(key(stage, i, back), end);
        row.push([i, back, start, end]);
        moved = true;
      }
    });
  }
  return done;
}

function compute({ order, devices: p, microbatches, chunks }, { orders }) {
  const kind = orders.indexOf(order);
  const [m, v] = kind < 2 ? [microbatches, 1] : [Math.ceil(microbatches / p) * p, chunks];
  const tasks = play(range(p).map((device) => tasksOf(kind, device, p, m, v)), p * v - 1, 1 / v);
  const span = Math.max(...tasks.map((row) => row.at(-1)[3]));
  const work = tasks.flat().reduce((sum, [, , start, end]) => sum + end - start, 0);
  let stored = 0;
  let now = 0;
  for (const [, back] of tasks[0]) {
    now += back ? -1 : 1;
    stored = Math.max(stored, now);
  }
  return { tasks, microbatches: m, span, idle: 1 - work / (p * span), overhead: (p * span) / work - 1, stored };
}

function draw(size, { tasks, span }) {
  const chart = new Chart(size, {
    x: { domain: [0, span], label: "time, in forward tasks" },
    y: { domain: [tasks.length - 0.4, -0.6], names: tasks.map((_, k) => k), label: "device" },
    top: 34,
  });
  tasks.forEach((row, device) => {
    for (const [i, back, start, end] of row) {
      const [left, right] = [chart.x(start), chart.x(end)];
      const top = chart.y(device - 0.4);
      const height = chart.y(device + 0.4) - top;
      chart.add("rect", {
        class: back ? "s2" : "s1",
        x: left,
        y: top,
        width: right - left,
        height,
        fill: "var(--ink)",
        "fill-opacity": 0.25,
        stroke: "var(--ink)",
      });
      if (right - left >= 17) chart.text((left + right) / 2, top + height / 2 + 4, i + 1, "middle");
    }
  });
  chart.text(chart.frame.left, 18, "solid: forward; dashed: backward, twice as long");
  return chart.svg;
}

function say({ microbatches, span, idle, overhead, stored }, { devices, order, chunks }, { orders }) {
  const deep = order === orders[2] ? `; stages and tasks are 1/${chunks} as large` : "";
  return (
    `${microbatches} micro-batches on ${devices} devices take the time of ${format(span)} forward tasks. Devices idle ` +
    `${format(100 * idle)} % of the time, or ${format(100 * overhead)} % of the ideal time; the first device stores at ` +
    `most ${stored} ${stored === 1 ? "input" : "inputs"} at once${deep}.`
  );
}

define("pipeline-schedule", { compute, draw, say });
