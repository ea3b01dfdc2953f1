// Draws the charts of a report. Figures come in the colours of the light theme; TWINS has the dark ones.

const dark = matchMedia("(prefers-color-scheme: dark)");

function swapped(value) {
  if (typeof value === "string") {
    const twin = /^#[0-9a-f]{6}([0-9a-f]{2})?$/i.test(value) && TWINS[value.slice(0, 7).toLowerCase()];
    return twin ? twin + value.slice(7) : value;
  }
  if (Array.isArray(value)) return typeof value.at(-1) === "number" ? value : value.map(swapped);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, swapped(item)]));
  }
  return value;
}

function draw() {
  for (const root of document.querySelectorAll(".chart")) {
    const told = JSON.parse(root.nextElementSibling.textContent);
    const { data, layout } = dark.matches ? swapped(told) : told;
    layout.font = { ...layout.font, family: getComputedStyle(root).fontFamily };
    layout.uirevision = "same";
    Plotly.react(root, data, layout, {
      responsive: true,
      displaylogo: false,
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      toImageButtonOptions: { format: "svg", filename: "metalm" },
    });
    root.dataset.ready = "yes";
  }
}

dark.addEventListener("change", draw);
draw();
