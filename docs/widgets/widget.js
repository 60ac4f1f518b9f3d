// What all figures that can be tried have in common: controls, a chart, a sentence that says what
// is seen, and a link to the setting. No library, no request: the build puts this file, the
// figures' numbers (`figures`) and their scripts into one file a page.

const SVG = "http://www.w3.org/2000/svg";

// Make an SVG element; attributes only, since the site's policy allows no inline style.
function mark(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Make an HTML element; properties rather than attributes.
function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// Write a number with so many significant digits: 0.00123 as 0.00123, 12345678 as 1.23 × 10⁷.
function format(x, digits = 3) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "not defined" : x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const [mantissa, exponent] = Math.abs(x).toExponential(digits - 1).split("e");
  const sign = x < 0 ? "−" : "";
  const power = Number(exponent);
  if (power >= -4 && power < 6) {
    const [whole, part] = String(Math.abs(Number(x.toPrecision(digits)))).split(".");
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ","); // Intl takes longer than all the rest
    return sign + [grouped, part].filter(Boolean).join(".");
  }
  const raised = [...String(Math.abs(power))].map((digit) => SUPERSCRIPT[digit]).join("");
  const factor = Number(mantissa) === 1 ? "" : `${Number(mantissa)} × `;
  return `${sign}${factor}10${power < 0 ? "⁻" : ""}${raised}`;
}

// Round values that divide an interval well: 1, 2 or 5 times a power of ten; on a logarithmic axis
// the powers of ten.
function ticks([low, high], log, about) {
  const values = [];
  if (log) {
    const skip = Math.ceil((Math.log10(high) - Math.log10(low)) / (about + 1)) || 1;
    for (let power = skip * Math.ceil((Math.log10(low) - 1e-9) / skip); 10 ** power <= high * 1.000001; power += skip) {
      values.push(10 ** power);
    }
    return values;
  }
  const raw = (high - low) / about;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= raw);
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) {
    values.push(k * step);
  }
  return values;
}

// Axes and the marks on them. An axis is { domain: [low, high], label, log, names, ticks }.
class Chart {
  constructor({ width, height }, { x, y, left = 58, right = 14, top = 14, bottom = 46 }) {
    this.svg = mark("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
    this.frame = { left, right: width - right, top, bottom: height - bottom };
    this.x = this.#scale(x, left, width - right);
    this.y = this.#scale(y, height - bottom, top);
    const { frame } = this;
    for (const [value, name] of this.#marks(x, width / 90)) {
      const at = this.x(value);
      this.add("line", { class: "grid", x1: at, x2: at, y1: frame.top, y2: frame.bottom });
      this.text(at, frame.bottom + 18, name, "middle");
    }
    for (const [value, name] of this.#marks(y, height / 55)) {
      const at = this.y(value);
      this.add("line", { class: "grid", x1: frame.left, x2: frame.right, y1: at, y2: at });
      this.text(frame.left - 7, at + 4, name, "end");
    }
    this.text((frame.left + frame.right) / 2, height - 6, x.label, "middle");
    const middle = (frame.top + frame.bottom) / 2;
    this.add("text", { x: 0, y: 0, "text-anchor": "middle", transform: `translate(13 ${middle}) rotate(-90)` }, y.label);
  }

  #scale({ domain, log }, from, to) {
    const place = log ? Math.log : Number;
    const [low, high] = domain.map(place);
    return (value) => from + ((place(value) - low) / (high - low)) * (to - from);
  }

  #marks(axis, about) {
    if (axis.names) return axis.names.map((name, index) => [index, name]);
    const values = axis.ticks ?? ticks(axis.domain, axis.log, Math.max(2, Math.round(about)));
    return values.map((value) => [value, format(value).replace(/^1 × /, "")]);
  }

  add(tag, attributes, ...children) {
    const node = mark(tag, attributes, ...children);
    this.svg.append(node);
    return node;
  }

  text(x, y, words, anchor = "start") {
    return this.add("text", { x, y, "text-anchor": anchor }, words);
  }

  // Points in the axes' units; a series (1 to 6) has its color and its dashes.
  line(points, series = 1) {
    const steps = points
      .filter(([x, y]) => Number.isFinite(this.x(x)) && Number.isFinite(this.y(y)))
      .map(([x, y]) => `${this.x(x).toFixed(1)},${this.y(y).toFixed(1)}`);
    return this.add("polyline", { class: `line s${series}`, points: steps.join(" ") });
  }

  dot(x, y, series = 1, radius = 5) {
    return this.add("circle", { class: `dot s${series}`, cx: this.x(x), cy: this.y(y), r: radius });
  }

  // A bar from zero (or `from`) up to y, around x.
  bar(x, y, series = 1, from = 0) {
    const [left, right] = [this.x(x - 0.35), this.x(x + 0.35)];
    const [top, bottom] = [this.y(y), this.y(from)].sort((a, b) => a - b);
    return this.add("rect", { class: `bar s${series}`, x: left, y: top, width: right - left, height: bottom - top });
  }

  // A line across the chart at one value of one axis, with its name.
  rule({ x, y }, words = "", series = 2) {
    const { frame } = this;
    if (x !== undefined) {
      const at = this.x(x);
      this.add("line", { class: `line s${series}`, x1: at, x2: at, y1: frame.top, y2: frame.bottom });
      const late = at > (frame.left + frame.right) / 2;
      this.text(at + (late ? -5 : 5), frame.top + 12, words, late ? "end" : "start");
    } else {
      const at = this.y(y);
      this.add("line", { class: `line s${series}`, x1: frame.left, x2: frame.right, y1: at, y2: at });
      this.text(frame.right, at - 5, words, "end");
    }
  }

  // Names of the series 1, 2, …, or [name, series], each behind a piece of its line; place is in
  // pixels.
  legend(names, x = this.frame.left + 10, y = this.frame.top + 12) {
    names.forEach((entry, index) => {
      const [name, series = index + 1] = [entry].flat();
      const at = y + index * 18;
      this.add("line", { class: `line s${series}`, x1: x, x2: x + 24, y1: at - 4, y2: at - 4 });
      this.text(x + 30, at, name);
    });
  }
}

// One control: its row, and how its value is read, written and limited.
class Control {
  #value;

  constructor(owner, spec, changed) {
    this.spec = spec;
    const id = `${owner}-${spec.name}`;
    this.output = element("output", { htmlFor: id });
    this.input = this.#field(id);
    this.input.addEventListener(spec.kind === "number" ? "change" : "input", () => {
      this.#value = this.#read();
      changed();
    });
    this.row = element("div", { className: "row" }, element("label", { htmlFor: id }, spec.label), this.input, this.output);
    this.value = spec.value;
  }

  #field(id) {
    const { kind, low, high, step, log, options } = this.spec;
    if (kind === "choice") {
      return element("select", { id }, ...options.map((name) => element("option", { value: name }, name)));
    }
    if (kind === "switch") return element("input", { id, type: "checkbox" });
    if (kind === "number") {
      return element("input", { id, type: "number", step: "any", min: low, max: high, inputMode: "decimal" });
    }
    const [from, to] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
    return element("input", { id, type: "range", min: from, max: to, step: log ? (to - from) / 400 : step ?? (to - from) / 200 });
  }

  // The value that was set: a slider's own has but so many steps.
  get value() {
    return this.#value;
  }

  #read() {
    const { kind, log, step, low, high } = this.spec;
    if (kind === "choice") return this.input.value;
    if (kind === "switch") return this.input.checked;
    const raw = Number(this.input.value);
    if (!log) return raw;
    // What is shown is what is computed with; whole numbers stay whole.
    const value = step === 1 ? Math.round(10 ** raw) : Number((10 ** raw).toPrecision(4));
    return Math.min(high, Math.max(low, value));
  }

  set value(value) {
    this.#value = value;
    if (this.spec.kind === "switch") this.input.checked = value;
    else this.input.value = this.spec.log ? Math.log10(value) : value;
    this.tell();
  }

  // Say the value beside a slider; a typed number has its unit there.
  tell() {
    const { kind, unit } = this.spec;
    const words = [kind === "range" ? format(this.value, 4) : "", unit].filter(Boolean).join(" ");
    this.output.textContent = words;
    if (kind === "range") this.input.setAttribute("aria-valuetext", words);
  }

  // Whether a typed number may be used; the browser says so beside the field if not.
  get allowed() {
    return this.input.reportValidity();
  }

  // The value as it stands in an address.
  get written() {
    return this.spec.kind === "switch" ? (this.value ? "on" : "off") : String(this.value);
  }

  // Read a value from an address; anything that is no value of this control is left aside.
  parse(text) {
    const { kind, options, low, high } = this.spec;
    if (kind === "choice") return options.includes(text) ? text : undefined;
    if (kind === "switch") return { on: true, off: false }[text];
    const value = Number(text);
    return text.trim() !== "" && value >= low && value <= high ? value : undefined;
  }
}

// Register a figure: compute(settings, data) gives its numbers, draw(size, result, settings, data)
// a node, and say(result, settings, data) a sentence.
function define(name, { compute, draw, say }) {
  const { controls, data } = figures[name];

  class Widget extends HTMLElement {
    #controls;
    #height;
    #plot = element("div", { className: "plot", hidden: true });
    #reading = element("p", { className: "reading" });
    #link = element("a", {}, "Link to this setting");

    connectedCallback() {
      if (this.#controls) return;
      this.#controls = controls.map((spec) => new Control(name, spec, () => this.#changed()));
      this.#reading.setAttribute("role", "status");
      const reset = element("button", { type: "button", onclick: () => this.#reset() }, "Reset");
      const foot = element("p", { className: "foot" }, reset, this.#link);
      const rows = this.#controls.map((control) => control.row);
      const panel = element("div", { className: "panel" }, ...rows, this.#reading, foot);
      const number = this.#figure.querySelector(".caption-number")?.textContent.trim();
      panel.setAttribute("role", "group");
      panel.setAttribute("aria-label", `Try ${number ?? "the figure"}`);
      this.append(this.#plot, panel);
      if (this.#readAddress()) this.#draw();
      else this.#say(this.compute(this.settings));
      this.#writeLink(this.#address);
      new ResizeObserver(() => this.#resized()).observe(this);
    }

    get settings() {
      return Object.fromEntries(this.#controls.map((control) => [control.spec.name, control.value]));
    }

    // The numbers of the figure, for any settings: what the browser test compares.
    compute(settings) {
      return compute(settings, data);
    }

    get #size() {
      return { width: Math.min(this.clientWidth, 640), height: this.#height };
    }

    get #figure() {
      return this.closest("figure");
    }

    get #still() {
      return this.querySelector("img");
    }

    // Take the settings from the page's address; tell whether there were any.
    #readAddress() {
      const given = new URLSearchParams(location.search);
      const found = this.#controls.map((control) => {
        const value = control.parse(given.get(`${name}.${control.spec.name}`) ?? "");
        if (value !== undefined) control.value = value;
        return value !== undefined;
      });
      return found.includes(true);
    }

    // The page's address with the settings of this figure, and those of others left as they are.
    get #address() {
      const address = new URL(location.href);
      for (const control of this.#controls) {
        address.searchParams.set(`${name}.${control.spec.name}`, control.written);
      }
      return address;
    }

    #writeLink(address) {
      this.#link.href = Object.assign(new URL(address), { hash: this.#figure.id });
    }

    #keep(address) {
      this.#writeLink(this.#address);
      try {
        history.replaceState(null, "", address);
      } catch {
        // A browser may forbid it for a file on its own machine; the link is there.
      }
    }

    #changed() {
      if (!this.#controls.every((control) => control.allowed)) return;
      for (const control of this.#controls) control.tell();
      this.#keep(this.#address);
      this.#draw();
    }

    #resized() {
      const drawn = Number(this.#plot.firstChild?.getAttribute?.("width"));
      const { width } = this.#size;
      if (!this.#plot.hidden && width > 0 && width !== drawn) this.#draw();
    }

    #reset() {
      for (const control of this.#controls) control.value = control.spec.value;
      const address = new URL(location.href);
      for (const { spec } of this.#controls) address.searchParams.delete(`${name}.${spec.name}`);
      this.#keep(address);
      this.#plot.hidden = true;
      this.#still.hidden = false;
      this.#figure.classList.remove("live");
      this.#say(this.compute(this.settings));
    }

    #say(result) {
      const words = say(result, this.settings, data);
      if (this.#reading.textContent !== words) this.#reading.textContent = words;
      return words;
    }

    // The drawing takes the place and the height of the figure that the build drew.
    #draw() {
      const still = this.#still;
      if (!still.hidden) this.#height = Math.max(240, Math.round(still.getBoundingClientRect().height));
      still.hidden = true;
      this.#plot.hidden = false;
      this.#figure.classList.add("live");
      const result = this.compute(this.settings);
      const drawing = draw(this.#size, result, this.settings, data);
      const words = this.#say(result);
      if (drawing instanceof SVGElement) {
        drawing.setAttribute("role", "img");
        drawing.setAttribute("aria-label", words);
      }
      this.#plot.replaceChildren(drawing);
    }
  }

  customElements.define(name, Widget);
}
