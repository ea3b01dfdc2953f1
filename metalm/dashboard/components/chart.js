// Draws a plotly figure with Plotly.react, so that zoom, pan and hidden lines outlive new data.
// Figures come in the colours of the light theme; `twins` maps each to its dark one. Of a figure that is here
// already, only what changed comes: see figure_parts.py. The range of x that the reader looks at is told back, and
// charts of one `group` share it and the place of the pointer.

const NARROW = 600; // pixels: below it two plots side by side cannot be read
const KEPT = 24; // figures
const PAUSE = 200; // milliseconds without a change before the range is told

// chart's key -> {version, figure}, which outlives a visit to another page
const figures = (window.metalmFigures ??= new Map());
const charts = (window.metalmCharts ??= new Set());

const ARRAYS = {
  i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array,
  i4: Int32Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array,
};

function loadPlotly(url) {
  if (window.Plotly) return Promise.resolve();
  // One script element for all charts of the page.
  window.metalmPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = resolve;
    script.onerror = () => {
      window.metalmPlotly = undefined;
      reject(new Error(`no plotly.js at ${url}`));
    };
    document.head.appendChild(script);
  });
  return window.metalmPlotly;
}

function isDark(element) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = getComputedStyle(element).getPropertyValue("--st-background-color").trim() || "#fff";
  const [red, green, blue] = [1, 3, 5].map((i) => parseInt(probe.fillStyle.slice(i, i + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

// A copy of `value` in which every colour (with or without alpha) has its twin's place.
function swapped(value, twins) {
  if (typeof value === "string") {
    if (value[0] !== "#" || (value.length !== 7 && value.length !== 9)) return value;
    const twin = twins[value.slice(0, 7)];
    return twin ? twin + value.slice(7) : value;
  }
  if (ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) {
    // Long lists of numbers hold no colour; a stop of a colour scale is [number, colour].
    return typeof value.at(-1) === "number" ? value : value.map((item) => swapped(item, twins));
  }
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, swapped(item, twins)]));
  }
  return value;
}

// ---- what came, put together ----

function numbers(dtype, base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new ARRAYS[dtype](bytes.buffer);
}

function unpacked(value) {
  return value?.bdata !== undefined && value.shape === undefined ? numbers(value.dtype, value.bdata) : value;
}

function spliced(old, { head, tail, dtype, middle }) {
  const between = numbers(dtype, middle);
  const whole = new ARRAYS[dtype](head + between.length + tail);
  whole.set(old.subarray(0, head));
  whole.set(between, head);
  whole.set(old.subarray(old.length - tail), head + between.length);
  return whole;
}

function everyPart(trace, part) {
  return Object.fromEntries(Object.entries(trace).map(([name, value]) => [name, part(value, name)]));
}

function patched(trace, { whole, changed }) {
  if (whole) return everyPart(whole, unpacked);
  const part = (value, name) => (value?.middle !== undefined ? spliced(trace[name], value) : unpacked(value));
  return { ...trace, ...everyPart(changed, part) };
}

// The figure that a message brings; undefined when it builds on one that is not here.
function received(key, { version, base, figure, traces, layout }) {
  const kept = figures.get(key);
  if (kept?.version === version) return kept;
  let now;
  if (figure) {
    now = { version, figure: { ...figure, data: figure.data.map((trace) => everyPart(trace, unpacked)) } };
  } else if (kept?.version === base) {
    const data = kept.figure.data.map((trace, i) => patched(trace, traces[i]));
    now = { version, figure: { data, layout: layout ?? kept.figure.layout } };
  } else {
    return undefined;
  }
  figures.delete(key);
  figures.set(key, now);
  if (figures.size > KEPT) figures.delete(figures.keys().next().value);
  return now;
}

// ---- drawing ----

let settings; // made once: plotly would begin anew with every other object

function config() {
  if (settings) return settings;
  const save = (format, icon, title) => ({
    name: format,
    title,
    icon: window.Plotly.Icons[icon],
    click: (root) => window.Plotly.downloadImage(root, { format, filename: "metalm", scale: 2 }),
  });
  const images = [
    save("png", "camera", "Download as PNG"),
    save("svg", "camera-retro", "Download as SVG, sharp at any size"),
  ];
  // plotly's own list has a share button
  const modeBarButtons = [[...images, "zoom2d", "pan2d", "resetScale2d"]];
  settings = { responsive: true, displaylogo: false, modeBarButtons };
  return settings;
}

const xAxes = (layout) => Object.keys(layout).filter((name) => /^xaxis\d*$/.test(name));
const isLog = (layout, name) => layout[name].type === "log";

function draw(root, data) {
  const kept = received(data.key, data.message);
  if (!kept) {
    if (root.lost !== data.message.version) data.lost(data.message.version);
    root.lost = data.message.version;
    return;
  }
  const dark = isDark(root);
  const narrow = root.clientWidth < NARROW;
  const shown = `${dark}|${narrow}|${data.view}|${kept.version}`;
  if (root.shown === shown) return;
  root.shown = shown;
  if (root.view !== data.view) root.range = data.range;
  root.view = data.view;
  let { layout } = kept.figure;
  // A figure of several columns of plots brings the layout that puts them one below the other.
  if (narrow && layout.meta?.narrow) layout = layout.meta.narrow;
  layout = swapped(layout, dark ? data.twins : {}); // plotly writes into what it is given
  const lines = kept.figure.data.map((trace) => (dark ? swapped(trace, data.twins) : { ...trace }));
  // Where a window, a sidebar or a scrollbar changes the width, plotly asks the element for its height.
  root.style.height = `${layout.height ?? 450}px`; // 450: its own default
  layout.font = { ...layout.font, family: getComputedStyle(root).fontFamily };
  layout.uirevision = data.view || "same";
  layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: layout.font.color, activecolor: layout.font.color };
  if (data.ranged && root.range) {
    for (const name of xAxes(layout)) {
      layout[name].range = isLog(layout, name) ? root.range.map(Math.log10) : root.range;
      layout[name].autorange = false;
    }
  }
  window.Plotly.react(root, lines, layout, config()).then(() => sharpen(root));
  if (!root.dataset.ready) listen(root);
  root.dataset.ready = "yes";
  root.dataset.version = kept.version;
}

// Plotly writes in white or dark grey on the cells of a heat map, which is hard to read on those between. Of
// black and white one has 4.5 : 1 on any colour.
function sharpen(root) {
  for (const map of root.querySelectorAll(".hm")) {
    const { colorscale, zmin, zmax } = map.__data__[0].trace;
    for (const label of map.querySelectorAll(".heatmap-label")) {
      const { z } = label.__data__;
      if (z === undefined) continue;
      const text = label.querySelector("text");
      text.style.fill = lightness(colourAt(colorscale, (z - zmin) / (zmax - zmin))) > 0.179 ? "#000" : "#fff";
    }
  }
}

function colourAt(scale, share) {
  const at = Math.min(Math.max(share || 0, 0), 1);
  const next = Math.max(scale.findIndex(([place]) => place >= at), 1);
  const [[low, from], [high, to]] = scale.slice(next - 1, next + 1);
  const part = (at - low) / (high - low);
  const channel = (colour, i) => parseInt(colour.slice(i, i + 2), 16);
  return [1, 3, 5].map((i) => channel(from, i) * (1 - part) + channel(to, i) * part);
}

// Relative luminance of red, green and blue (0..255), as WCAG 2 counts it.
function lightness(colour) {
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = colour.map((channel) => linear(channel / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

// ---- what the reader looks at, and where the pointer is ----

function listen(root) {
  root.on("plotly_afterplot", () => sharpen(root)); // the window was resized
  root.on("plotly_relayout", (change) => {
    if (root.latest.ranged && Object.keys(change).some((name) => /^xaxis\d*\.(range|autorange)/.test(name))) {
      look(root, visible(root));
    }
  });
  const others = () => [...charts].filter((chart) => root.latest.group && isLinked(root, chart));
  root.on("plotly_hover", ({ points: [{ x }] }) => {
    if (root.isTold) return;
    for (const other of others()) {
      other.isTold = true;
      window.Plotly.Fx.hover(other, { xval: x }, Object.keys(other._fullLayout._plots));
      other.isTold = false;
    }
  });
  root.on("plotly_unhover", () => others().forEach((other) => window.Plotly.Fx.unhover(other)));
}

const isLinked = (root, other) =>
  other !== root && other.isConnected && other.dataset.ready && other.latest.group === root.latest.group;

function visible(root) {
  const axis = root._fullLayout.xaxis;
  if (root.layout.xaxis.autorange) return null;
  return axis.type === "log" ? axis.range.map((exponent) => 10 ** exponent) : axis.range.map(Number);
}

function look(root, range) {
  if (String(root.range) === String(range)) return;
  root.range = range;
  clearTimeout(root.telling);
  root.telling = setTimeout(() => root.latest.tell(root.range), PAUSE);
  for (const other of charts) {
    if (!root.latest.group || !isLinked(root, other)) continue;
    look(other, range);
    const change = {};
    for (const name of xAxes(other.layout)) {
      if (range) change[`${name}.range`] = isLog(other.layout, name) ? range.map(Math.log10) : [...range];
      else change[`${name}.autorange`] = true;
    }
    window.Plotly.relayout(other, change);
  }
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".metalm-chart");
  if (!data.message) {
    root?.remove(); // nothing will be drawn here
    const wait = window.requestIdleCallback ?? ((call) => setTimeout(call, PAUSE));
    wait(() => loadPlotly(data.plotly).catch(() => {})); // the first chart tries again, and says why
    return;
  }
  root.setAttribute("aria-label", data.label);
  root.latest = {
    ...data,
    tell: (range) => setStateValue("range", range),
    lost: (version) => setTriggerValue("lost", version),
  };
  charts.add(root);
  const drawLatest = () => root.isConnected && window.Plotly && draw(root, root.latest);
  const fit = () => {
    drawLatest();
    // plotly hears of a resized window, but not of a sidebar or a header that goes.
    if (root.layout && root.isConnected && root.fitted !== root.clientWidth) window.Plotly.Plots.resize(root);
    root.fitted = root.clientWidth;
  };
  root.width ??= new ResizeObserver(fit);
  root.width.observe(root);
  loadPlotly(data.plotly).then(
    drawLatest,
    (error) => {
      root.textContent = `The chart cannot be drawn: ${error.message}.`;
    },
  );
  return () => {
    root.width.disconnect();
    charts.delete(root);
    clearTimeout(root.telling);
    window.Plotly?.purge(root);
  };
}
