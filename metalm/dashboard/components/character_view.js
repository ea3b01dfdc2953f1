// A text coloured by the bits of its characters; see character_view.py for what `data` holds.
// All text enters the page by textContent: whatever a query set holds, it is never read as HTML.

const CLASSES = 40; // colours of a ramp
const MAX_CLUSTERS = 6000; // spans of a panel that the browser draws without a wait
const TOPS = [2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128]; // ends of the colour scale, in bits

const make = (tag, className = "", text = "") => {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
};
const button = (text, onclick) => Object.assign(make("button", "", text), { type: "button", onclick });
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

// What so many bits say of the chance of a character: `25 %`, or `1 in 4,300` of what is rare.
function chance(bits) {
  const p = 2 ** -bits;
  if (p >= 0.01) return `${(100 * p).toFixed(0)} %`;
  const times = 1 / p;
  if (times >= 1e9) return "1 in over 10⁹";
  return `1 in ${Number(times.toPrecision(2)).toLocaleString("en")}`;
}

// ---- the text -------------------------------------------------------------------------------------------------

// What readers call characters, as {text, begin, end}; begin and end count code points.
function clustersOf(text) {
  const parts = Intl.Segmenter
    ? Array.from(new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text), (s) => s.segment)
    : Array.from(text);
  let begin = 0;
  return parts.map((part) => {
    const end = begin + Array.from(part).length;
    const cluster = { text: part, begin, end };
    begin = end;
    return cluster;
  });
}

const codes = (text) =>
  Array.from(text, (c) => "U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")).join(" ");

// How a cluster is drawn: [text, is a sign for something invisible].
function drawn(text) {
  const code = text.codePointAt(0);
  if (text === "\n" || text === "\r\n") return ["↵", true];
  if (text === "\t") return ["⇥\t", true];
  if (code < 0x20) return [String.fromCodePoint(0x2400 + code), true];
  if (code === 0x7f) return ["␡", true];
  // Direction marks and the like would reorder the letters around them; unassigned ones have no shape.
  if (/^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]+$/u.test(text)) return [`[${codes(text)}]`, true];
  if (/^\p{M}/u.test(text)) return ["◌" + text, false];
  return [text, false];
}

// ---- the numbers ----------------------------------------------------------------------------------------------

// bits[step][cluster] from the base64 of little-endian 16-bit numbers.
function bitsOf(panel, clusters, unit) {
  const bytes = Uint8Array.from(atob(panel.bits), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const width = bytes.length / 2 / panel.steps;
  return Array.from({ length: panel.steps }, (_, step) =>
    clusters.map(({ begin, end }) => {
      let sum = 0;
      for (let i = begin; i < end; i += 1) sum += view.getUint16(2 * (step * width + i), true);
      return sum / unit;
    }),
  );
}

// The end of a colour scale that holds all but the dearest 2 % of `values`.
function topOf(values) {
  const sorted = Float64Array.from(values).sort();
  const most = sorted.length ? sorted[Math.floor(0.98 * (sorted.length - 1))] : 1;
  return TOPS.find((top) => top >= most) ?? TOPS.at(-1);
}

// ---- the colours ----------------------------------------------------------------------------------------------

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const luminance = (channels) => {
  const [r, g, b] = channels.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

function isDark(element) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = getComputedStyle(element).getPropertyValue("--st-background-color").trim() || "#fff";
  return luminance(rgb(probe.fillStyle)) < 0.2;
}

// CLASSES pairs of [background, text], evenly along the stops.
function rampOf(stops, onRamp) {
  return Array.from({ length: CLASSES }, (_, i) => {
    const at = (i / (CLASSES - 1)) * (stops.length - 1);
    const left = Math.min(Math.floor(at), stops.length - 2);
    const [from, to] = [rgb(stops[left]), rgb(stops[left + 1])];
    const mixed = from.map((c, k) => Math.round(c + (to[k] - c) * (at - left)));
    const light = luminance(mixed) + 0.05;
    return [`rgb(${mixed.join(" ")})`, light / 0.05 >= 1.05 / light ? onRamp[0] : onRamp[1]];
  });
}

// ---- the view -------------------------------------------------------------------------------------------------

class View {
  constructor(root) {
    this.root = root;
    this.mode = "bits";
    this.step = Infinity; // follow the last step until the reader moves the slider
    this.sheet = document.createElement("style");
    this.body = make("div");
    this.tip = make("div", "tip");
    this.tip.hidden = true;
    root.append(this.sheet, this.body, this.tip);
    root.addEventListener("pointerover", (event) => this.point(event.target, event));
    root.addEventListener("pointermove", (event) => this.place(event.clientX, event.clientY));
    root.addEventListener("pointerleave", () => this.leave());
    root.addEventListener("scroll", () => this.leave(), true);
  }

  show(data) {
    const dark = isDark(this.root);
    const content = JSON.stringify(data); // a rerun of the page brings a new object with the same content
    if (this.content !== content) {
      this.content = content;
      this.data = data;
      const shape = JSON.stringify([data.text, data.panels.map(({ name, colour }) => [name, colour])]);
      const same = this.shape === shape; // more steps of what is there: nothing is built anew
      this.shape = shape;
      if (!same) {
        this.leave();
        const clusters = clustersOf(data.text);
        this.left_out = Math.max(0, clusters.length - MAX_CLUSTERS);
        this.clusters = clusters.slice(0, MAX_CLUSTERS);
      }
      this.bits = data.panels.map((panel) => bitsOf(panel, this.clusters, data.unit));
      this.last = Math.max(0, ...data.panels.map((panel) => panel.steps - 1));
      this.tops = {
        bits: topOf(this.bits.flatMap((steps) => steps[0])),
        change: topOf(this.bits.flatMap((steps) => steps.at(-1).map((bits, i) => Math.abs(bits - steps[0][i])))),
      };
      if (same) this.extend();
      else this.build();
    }
    this.theme(dark);
    this.paint();
  }

  theme(dark) {
    const side = dark ? 1 : 0;
    const pick = (pairs) => pairs.map((pair) => pair[side]);
    this.ramps = {
      bits: rampOf(pick(this.data.sequential), this.data.on_ramp),
      change: rampOf(pick(this.data.diverging), this.data.on_ramp),
    };
    this.sheet.textContent = Object.entries(this.ramps)
      .flatMap(([mode, ramp]) =>
        ramp.map(([back, text], i) => `.text.${mode} .c${i} { background: ${back}; color: ${text}; }`),
      )
      .join("\n");
    this.dots.forEach((dot, i) => {
      const { colour } = this.data.panels[i];
      dot.style.background = dark ? (this.data.twins[colour] ?? colour) : colour;
    });
  }

  build() {
    this.dots = [];
    this.panels = this.data.panels.map((panel) => this.panel(panel));
    const grid = make("div", "panels");
    grid.append(...this.panels.map(({ section }) => section));
    this.body.replaceChildren(this.controls(), grid);
    if (this.left_out) {
      const [shown, out] = [MAX_CLUSTERS, this.left_out].map((n) => n.toLocaleString("en"));
      this.body.append(make("p", "note", `The first ${shown} characters are shown; ${out} more are counted only.`));
    }
  }

  // Steps came since the controls were made.
  extend() {
    this.slider.max = this.last;
    this.slider.value = Math.min(this.step, this.last);
    this.stepping.forEach((control) => { control.hidden = this.last === 0; });
  }

  controls() {
    this.slider = Object.assign(document.createElement("input"), {
      type: "range", min: 0, max: this.last, step: 1, value: Math.min(this.step, this.last),
    });
    this.slider.setAttribute("aria-label", "adaptation step");
    this.slider.oninput = () => this.go(Number(this.slider.value));
    this.told = document.createElement("output");
    const step = make("div", "step");
    this.player = button("", () => (this.timer ? this.rest() : this.play()));
    step.append(this.player, this.slider, this.told);
    this.rest();
    this.modes = { bits: "Bits", change: "Change since step 0" };
    this.buttons = Object.entries(this.modes).map(([mode, text]) => {
      const one = button(text, () => { this.mode = mode; this.paint(); });
      one.dataset.mode = mode;
      return one;
    });
    const modes = make("div", "switch");
    modes.append(...this.buttons);
    this.legend = make("div", "legend");
    const controls = make("div", "controls");
    this.stepping = [step, modes];
    controls.append(step, modes, this.legend);
    this.extend();
    return controls;
  }

  panel({ name }) {
    const header = document.createElement("header");
    const dot = make("span", "dot");
    this.dots.push(dot);
    const title = make("span", "name");
    title.append(dot, name);
    const score = make("span", "score");
    header.append(title, score);
    const text = make("div", "text");
    text.tabIndex = 0;
    text.setAttribute("role", "group");
    text.setAttribute("aria-label", `query set as ${name} reads it; arrow keys move from character to character`);
    text.onkeydown = (event) => this.walk(event, spans);
    text.onblur = () => this.leave();
    const spans = [];
    let line = this.line(text);
    this.clusters.forEach((cluster, i) => {
      const [shown, sign] = drawn(cluster.text);
      const span = make("span", "", shown);
      span.dataset.i = i;
      span.dataset.sign = sign ? " sign" : "";
      line.append(span);
      spans.push(span);
      if (/[\n\v\f\u0085\u2028\u2029]$/.test(cluster.text)) line = this.line(text);
    });
    const section = make("section", "panel");
    section.append(header, text);
    return { section, score, text, spans };
  }

  line(text) {
    const line = document.createElement("p");
    line.dir = "auto"; // each line runs the way that its own letters do
    text.append(line);
    return line;
  }

  go(step) {
    this.step = step >= this.last ? Infinity : step;
    this.slider.value = Math.min(step, this.last);
    this.paint();
  }

  // From where the slider stands; from the beginning when it stands at the end.
  play() {
    let step = this.step >= this.last ? 0 : this.step;
    this.go(step);
    this.player.textContent = "⏸";
    this.player.setAttribute("aria-label", "pause");
    this.timer = setInterval(() => {
      step += 1;
      this.go(step);
      if (step >= this.last || !this.root.isConnected) this.rest();
    }, 450);
  }

  rest() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.player.textContent = "▶";
    this.player.setAttribute("aria-label", "play the adaptation steps");
  }

  // The step that panel p stands at: a run with fewer steps stays at its last.
  at(p) {
    return Math.min(this.step, this.last, this.bits[p].length - 1);
  }

  paint() {
    const top = this.tops[this.mode];
    this.told.value = `step ${Math.min(this.step, this.last)} of ${this.last}`;
    this.buttons.forEach((one) => one.setAttribute("aria-pressed", one.dataset.mode === this.mode));
    this.panels.forEach(({ score, text, spans }, p) => {
      const now = this.bits[p][this.at(p)] ?? [];
      const before = this.bits[p][0] ?? [];
      text.className = `text ${this.mode}`;
      spans.forEach((span, i) => {
        const share = this.mode === "bits" ? now[i] / top : 0.5 + (now[i] - before[i]) / (2 * top);
        const c = Math.round(Math.max(0, Math.min(1, share)) * (CLASSES - 1));
        span.className = `c${c}${span.dataset.sign}`;
      });
      this.score(score, p);
    });
    this.key(top);
    if (this.here !== undefined) this.mark();
  }

  score(score, p) {
    const values = this.data.panels[p].bits_per_byte;
    const [now, before] = [values[this.at(p)], values[0]];
    score.replaceChildren(make("b", "", now.toFixed(3)), " bits per byte");
    if (this.at(p) > 0) score.append(make("span", "gain", `${signed(now - before)} since step 0`));
  }

  key(top) {
    const bar = make("span", "bar");
    bar.style.background = `linear-gradient(to right, ${this.ramps[this.mode].map(([back]) => back).join(", ")})`;
    const ends = this.mode === "bits" ? ["0", `${top}+ bits per character`] : [`−${top}`, `+${top} bits per character`];
    this.legend.replaceChildren(make("span", "", ends[0]), bar, make("span", "", ends[1]));
  }

  // ---- one character ------------------------------------------------------------------------------------------

  point(target, event) {
    const i = target.dataset?.i;
    if (i === undefined) {
      if (!event.composedPath().includes(this.tip)) this.leave();
      return;
    }
    this.here = Number(i);
    this.mark();
    this.place(event.clientX, event.clientY);
  }

  walk(event, spans) {
    const move = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") this.leave();
    if (!move || !spans.length) return;
    event.preventDefault();
    this.here = Math.max(0, Math.min(spans.length - 1, (this.here ?? -1) + move));
    this.mark();
    spans[this.here].scrollIntoView({ block: "nearest" });
    const box = spans[this.here].getBoundingClientRect();
    this.place(box.left, box.bottom);
  }

  mark() {
    this.root.querySelectorAll(".here").forEach((span) => span.classList.remove("here"));
    this.panels.forEach(({ spans }) => spans[this.here].classList.add("here"));
    const { text } = this.clusters[this.here];
    const head = document.createElement("div");
    head.append(make("span", "glyph", drawn(text)[0].trim() || "space"), make("span", "codes", codes(text)));
    const table = document.createElement("table");
    const several = this.panels.length > 1;
    const step = Math.min(this.step, this.last);
    const moved = step > 0 ? [`step ${step}`, "change"] : [];
    const chances = step > 0 ? [`step ${step}`] : [];
    table.append(this.row("th", ["", "bits, step 0", ...moved, "chance, step 0", ...chances]));
    this.bits.forEach((steps, p) => {
      const [before, now] = [steps[0][this.here], steps[this.at(p)][this.here]];
      const name = several ? this.data.panels[p].name : "this character";
      const after = steps.length > 1 ? [now.toFixed(2), signed(now - before)] : ["", ""];
      const told = [before.toFixed(2), ...(step > 0 ? after : []), chance(before)];
      if (step > 0) told.push(steps.length > 1 ? chance(now) : "");
      table.append(this.row("td", [name, ...told]));
    });
    this.tip.replaceChildren(head, table, ...this.expected(several));
    this.tip.hidden = false;
  }

  // What each run expected here, at the steps where it was asked.
  expected(several) {
    const begin = this.clusters[this.here].begin;
    return this.data.panels.flatMap(({ name, guesses }) =>
      guesses.flatMap(({ step, texts, places, chances }) => {
        if (!places[begin]?.length) return [];
        const line = make("div", "expected");
        line.append(make("span", "when", `${several ? `${name}, ` : ""}step ${step} expects`));
        places[begin].forEach((place, i) => {
          const one = make("span", "guess");
          one.append(make("b", "", drawn(texts[place])[0].trim() || "space"));
          one.append(` ${chances[begin][i] < 10 ? (chances[begin][i] / 10).toFixed(1) : Math.round(chances[begin][i] / 10)} %`);
          line.append(one);
        });
        return [line];
      }),
    );
  }

  row(tag, cells) {
    const row = document.createElement("tr");
    row.append(...cells.map((cell, i) => make(i ? tag : "th", "", cell)));
    return row;
  }

  place(x, y) {
    if (this.tip.hidden) return;
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = Math.max(8, Math.min(x + 14, window.innerWidth - width - 8));
    const below = y + 18 + height < window.innerHeight;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${below ? y + 18 : Math.max(8, y - height - 14)}px`;
  }

  leave() {
    this.here = undefined;
    this.tip.hidden = true;
    this.root.querySelectorAll(".here").forEach((span) => span.classList.remove("here"));
  }
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view");
  root.view ??= new View(root);
  root.view.show(data);
  return () => clearInterval(root.view.timer);
}
