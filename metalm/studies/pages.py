"""A report as Markdown and as one HTML file that needs nothing else, on a light page and on a dark one.

Charts, where a report has any, come alive by scripts that the caller brings along: see `metalm.sharing`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from metalm.studies.look import DARK_TWIN
from metalm.studies.report import FIGURES_DIR, Chart, Figure, Part, Report, Table, shown


def markdown(report: Report) -> str:
    """Markdown; its figures are files in the folder `figures` beside it."""
    blocks = [f"# {report.title}", *(f"- {finding}" for finding in report.findings)]
    text = blocks[0] + "\n\n" + "\n".join(blocks[1:]) if report.findings else blocks[0]
    parts = [text]
    for section in report.sections:
        parts.append(f"## {section.title}")
        parts += [_markdown_part(part) for part in section.parts]
    parts += ["## Settings", _markdown_table(settings_table(report))]
    return "\n\n".join(parts) + "\n"


def settings_table(report: Report) -> Table:
    """What the study was told."""
    rows = tuple((name, shown(value)) for name, value in report.settings.items())
    return Table(caption="", columns=("setting", "value"), rows=rows)


def _markdown_part(part: Part) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Chart):
        return f"*{part.alt}: drawn in the HTML file. {part.caption}*"
    if isinstance(part, Figure):
        return f"![{part.alt}]({FIGURES_DIR}/{part.name}.svg)\n\n*{part.caption}*"
    return _markdown_table(part)


def _markdown_table(table: Table) -> str:
    ends = ["---:" if table.is_number(i) else "---" for i in range(len(table.columns))]
    lines = [table.columns, ends, *table.shown()]
    body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"{body}\n\n*{table.caption}*" if table.caption else body


def html(report: Report, scripts: Sequence[str] = ()) -> str:
    """One HTML file that fetches nothing: figures, styles and `scripts`, which draw charts, stand in it."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_PAGE).render(
        report=report,
        settings=settings_table(report),
        inline=lambda figure: Markup(inline_svg(figure)),  # our own drawing, not a user's text
        is_figure=lambda part: isinstance(part, Figure),
        is_chart=lambda part: isinstance(part, Chart),
        in_script=in_script,
        scripts=[Markup(script.replace("</script", "<\\/script")) for script in scripts],
        is_table=lambda part: isinstance(part, Table),
    )


def in_script(json_text: str) -> Markup:
    """JSON as it may stand in a script element, whatever texts are in it."""
    return Markup(json_text.replace("<", "\\u003c"))


def themed_svg(figure: Figure) -> str:
    """The drawing as an image: in the colours of the light or of the dark theme of the page that shows it."""
    svg = figure.svg[figure.svg.index("<svg") :]
    coloured = re.sub(
        "|".join(DARK_TWIN), lambda m: f"light-dark({m[0]}, {DARK_TWIN[m[0].lower()]})", svg, flags=re.I
    )
    return coloured.replace("<svg ", '<svg style="color-scheme: light dark" ', 1)


def inline_svg(figure: Figure) -> str:
    """The same for the middle of a page, as a part of it."""
    # Names in a page's drawings are shared by all of them.
    named = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{figure.name}-", themed_svg(figure))
    return named.replace("<svg ", f'<svg role="img" aria-label="{_attribute(figure.alt)}" ', 1)


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ report.title }}</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.55 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: light-dark(#1c2230, #e4e8f0); background: light-dark(#ffffff, #12151c); }
h1, h2 { line-height: 1.25; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0 .3rem; font-size: .92em; }
th, td { padding: .3em .8em; border-bottom: 1px solid light-dark(#c9d0dd, #3d4658); text-align: left; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.2rem 0; }
svg { max-width: 100%; height: auto; }
figcaption, .caption { color: light-dark(#5c6579, #9aa5b8); font-size: .9em; }
</style>
</head>
<body>
{% macro tabulated(table) %}
<div class="wide"><table>
<thead><tr>
{% for name in table.columns %}<th{% if table.is_number(loop.index0) %} class="number"{% endif %}>
{{- name }}</th>{% endfor %}
</tr></thead>
<tbody>
{% for row in table.shown() %}
<tr>{% for cell in row %}<td{% if table.is_number(loop.index0) %} class="number"{% endif %}>
{{- cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% if table.caption %}<p class="caption">{{ table.caption }}</p>{% endif %}
{% endmacro %}
<h1>{{ report.title }}</h1>
{% if report.findings %}
<ul>
{% for finding in report.findings %}<li>{{ finding }}</li>
{% endfor %}
</ul>
{% endif %}
{% for section in report.sections %}
<h2>{{ section.title }}</h2>
{% for part in section.parts %}
{% if is_figure(part) %}
<figure>{{ inline(part) }}<figcaption>{{ part.caption }}</figcaption></figure>
{% elif is_chart(part) %}
<figure><div class="chart" role="img" aria-label="{{ part.alt }}"></div>
<script type="application/json">{{ in_script(part.figure) }}</script>
<figcaption>{{ part.caption }}</figcaption></figure>
{% elif is_table(part) %}
{{ tabulated(part) }}
{% else %}
<p>{{ part }}</p>
{% endif %}
{% endfor %}
{% endfor %}
<h2>Settings</h2>
{{ tabulated(settings) }}
{% for script in scripts %}
<script>{{ script }}</script>
{% endfor %}
</body>
</html>
"""
