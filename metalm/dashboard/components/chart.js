// Draws a plotly figure with Plotly.react, so that zoom, pan and hidden lines outlive new data.
// Figures come in the colours of the light theme; `twins` maps each to its dark one.

const CONFIG = {
  responsive: true,
  displaylogo: false,
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]], // plotly's own list has a share button
  toImageButtonOptions: { format: "svg", filename: "metalm" },
};

const NARROW = 600; // pixels: below it two plots side by side cannot be read

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
  if (Array.isArray(value)) {
    // Long lists of numbers hold no colour; a stop of a colour scale is [number, colour].
    return typeof value.at(-1) === "number" ? value : value.map((item) => swapped(item, twins));
  }
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, swapped(item, twins)]));
  }
  return value;
}

function draw(root, data) {
  const dark = isDark(root);
  const narrow = root.clientWidth < NARROW;
  const shown = `${dark}|${narrow}|${data.view}|${data.figure}`;
  if (root.shown === shown) return;
  root.shown = shown;
  let figure = JSON.parse(data.figure);
  // A figure of several columns of plots brings the layout that puts them one below the other.
  if (narrow && figure.layout.meta?.narrow) figure.layout = figure.layout.meta.narrow;
  if (dark) figure = swapped(figure, data.twins);
  const { layout } = figure;
  layout.font = { ...layout.font, family: getComputedStyle(root).fontFamily };
  layout.uirevision = data.view || "same";
  layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: layout.font.color, activecolor: layout.font.color };
  window.Plotly.react(root, figure.data, layout, CONFIG);
  root.dataset.ready = "yes";
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".metalm-chart");
  root.setAttribute("aria-label", data.label);
  root.latest = data;
  const drawLatest = () => root.isConnected && window.Plotly && draw(root, root.latest);
  root.width ??= new ResizeObserver(drawLatest);
  root.width.observe(root);
  loadPlotly(data.plotly).then(
    drawLatest,
    (error) => {
      root.textContent = `The chart cannot be drawn: ${error.message}.`;
    },
  );
  return () => {
    root.width.disconnect();
    window.Plotly?.purge(root);
  };
}
