"""A demo as one HTML page that needs nothing else: the coloured text is alive, the curves are drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial

import streamlit as st
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from metalm.dashboard import adapt_samples, adapt_verdict, adapt_view, palette, wording
from metalm.dashboard.adapt_gains import gains, shown
from metalm.dashboard.adapt_shown import Adapted, of_baselines
from metalm.dashboard.charts.still import colours, still_curves
from metalm.dashboard.components import character_view
from metalm.store.adaptations import AdaptationRecord

_GAINS = 12


def button(record: AdaptationRecord, runs: Sequence[Adapted], baselines: Sequence[str]) -> None:
    """Downloads the page; it is made when it is asked for."""
    st.download_button(
        "Export as HTML",
        partial(page, record, runs, baselines),
        f"{_file_name(record.name)}.html",
        "text/html",
        icon=":material/download:",
        on_click="ignore",
        help="one page that opens anywhere, without a network: the text with its slider, curves, samples",
    )


def page(record: AdaptationRecord, runs: Sequence[Adapted], baselines: Sequence[str]) -> str:
    """The page. Whatever the text holds is escaped."""
    shown_too = [*runs, *of_baselines(baselines, record.support, record.query)]
    styles = {one.key: one.style for one in shown_too}
    js, css = character_view.sources()
    data = character_view.view_data(record.query, [one.panel() for one in shown_too])
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    alt = "Bits per byte of the query set over adaptation steps"
    return environment.from_string(_PAGE).render(
        record=record,
        verdict=_as_html(adapt_verdict.verdict(runs, shown_too[len(runs) :], record.query)),
        stopped=adapt_verdict.of_stopped(runs),
        about=adapt_verdict.ABOUT,
        support_size=wording.size(len(record.support.encode())),
        runs=runs,
        gains={one.key: gains(record.query, one.bits).head(_GAINS).to_dict("records") for one in runs},
        shown=shown,
        when=adapt_samples.when,
        curves=Markup(still_curves(adapt_view.over_steps(shown_too), styles, alt=alt)),
        light=Markup(_theme(0) + colours(styles, dark=False)),
        dark=Markup(_theme(1) + colours(styles, dark=True)),
        css=Markup(css),
        js=Markup(js.replace("export default function", "const mountView = function")),
        data=Markup(json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")),
    )


def _theme(side: int) -> str:
    """The variables that the style sheets expect of Streamlit."""
    variables = {
        "text-color": palette.TEXT,
        "background-color": palette.BACKGROUND,
        "secondary-background-color": palette.SURFACE,
        "border-color": palette.BORDER,
        "primary-color": palette.ACCENT,
    }
    return " ".join(f"--st-{name}: {pair[side]};" for name, pair in variables.items()) + " "


def _as_html(markdown: str) -> Markup:
    """The verdict's bold words and escaped characters as HTML."""
    parts = [re.sub(r"\\(.)", r"\1", part) for part in markdown.split("**")]
    return Markup("").join(
        Markup(f"<b>{escape(part)}</b>") if i % 2 else escape(part) for i, part in enumerate(parts)
    )


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "adaptation"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ record.name }} · metalm</title>
<style>
:root {
  color-scheme: light dark; {{ light }}
  --st-font: system-ui, "Segoe UI", "Noto Sans", sans-serif;
  --st-code-font: ui-monospace, "SF Mono", Consolas, "Noto Sans Mono", monospace;
  --st-base-radius: 0.5rem; --st-button-radius: 0.5rem;
}
@media (prefers-color-scheme: dark) { :root { {{ dark }} } }
body {
  background: var(--st-background-color); color: var(--st-text-color); font-family: var(--st-font);
  line-height: 1.5; margin: 0 auto; max-width: 80rem; padding: 1.5rem clamp(1rem, 4vw, 3rem);
}
h1 { font-size: 1.7rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.6rem; }
.verdict { font-size: 1.2rem; }
.muted { opacity: 0.8; font-size: 0.9rem; }
.side { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
pre {
  background: var(--st-secondary-background-color); border-radius: 0.5rem; margin: 0.3rem 0;
  max-height: 22rem; overflow: auto; padding: 0.8rem; white-space: pre-wrap; overflow-wrap: anywhere;
  font-family: var(--st-code-font); font-size: 0.9rem;
}
table.gains { border-collapse: collapse; font-variant-numeric: tabular-nums; }
table.gains th, table.gains td { padding: 0.15rem 0.8rem 0.15rem 0; text-align: right; }
table.gains th:first-child, table.gains td:first-child { text-align: left; }
.wide { overflow-x: auto; }
.still { width: 100%; min-width: 34rem; max-width: 56rem; font-size: 13px; fill: var(--st-text-color); }
.still .grid { stroke: var(--st-border-color); stroke-width: 1; }
{{ css }}
</style>
</head>
<body>
<h1 dir="auto">{{ record.name }}</h1>
<p class="muted">A query set of {{ record.query | length }} characters after a support set of
{{ support_size }} · {{ record.created_at.strftime("%Y-%m-%d") }} · metalm</p>
{% if stopped %}
<p>{{ stopped }}</p>
{% endif %}
<p class="verdict">{{ verdict }}</p>
<p class="muted">{{ about }}</p>
<h2>What each character costs</h2>
<div id="place"><div class="view"></div></div>
<noscript>The coloured text needs JavaScript; curves and samples below do not.</noscript>
<h2>Over adaptation steps</h2>
<p class="muted">Bits per byte of the query set</p>
<div class="wide">{{ curves }}</div>
<h2>The characters that gained most</h2>
<div class="side">
{% for one in runs %}
<table class="gains">
<caption>{{ one.style.name }}</caption>
<tr><th>character</th><th>times</th><th>bits before</th><th>bits after</th><th>saved in all</th></tr>
{% for row in gains[one.key] if row.saved > 0 %}
<tr><td>{{ shown(row.character) }}</td><td>{{ row.times }}</td><td>{{ "%.2f" | format(row.before) }}</td>
<td>{{ "%.2f" | format(row.after) }}</td><td>{{ "%.0f" | format(row.saved) }}</td></tr>
{% endfor %}
</table>
{% endfor %}
</div>
{% if runs | selectattr("samples") | list %}
<h2>What they write</h2>
{% for one in runs %}
<div class="side">
{% for sample in one.samples | sort(attribute="adaptation_step") %}
<div><b>{{ one.style.name }}</b> <span class="muted">{{ when(sample) }}, temperature {{ sample.temperature }},
{% if sample.top_p < 1 %}
top-p {{ sample.top_p }},
{% endif %}
seed {{ sample.seed }}</span>
<pre dir="auto">{{ sample.text }}</pre></div>
{% endfor %}
</div>
{% endfor %}
{% endif %}
<h2>The support set</h2>
<details><summary>The text that the runs adapted to</summary>
<pre dir="auto">{{ record.support }}</pre></details>
<script type="application/json" id="data">{{ data }}</script>
<script type="module">
{{ js }}
const data = JSON.parse(document.getElementById("data").textContent);
const show = () => mountView({ data, parentElement: document.getElementById("place") });
show();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
</script>
</body>
</html>
"""
