"""Learning curves: one line a run and part, in any unit, in a band from the least to the greatest report.

Values are derived from summed nats and counts, also in smoothing and in thinning, which the store does: both
act on the sums, so no average of averages is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from metalm.dashboard import palette
from metalm.dashboard.charts import frame, lines
from metalm.dashboard.charts.lines import DEFAULT_VIEW, SPIKE, CurveView, Trace
from metalm.dashboard.palette import RunStyle
from metalm.evaluate.statistics import UNITS, Unit

COUNTS = ["nats", "tokens", "bytes", "chars"]
_MARKED = 40  # points, up to which each has a marker
_UNIFIED = 8  # runs, up to which one card tells of all of them


def learning_curves(
    curve: pd.DataFrame,
    styles: Mapping[str, RunStyle],
    view: CurveView = DEFAULT_VIEW,
    vocabularies: Mapping[str, str] | None = None,
    *,
    references: pd.DataFrame | None = None,
    lost: pd.DataFrame | None = None,
) -> go.Figure:
    """Loss against training. Columns: run, part, x, step, the sums nats, tokens, bytes, chars, and these with
    low_ and high_ before them, of the least and the greatest report.

    `x` holds what `view.x` names. One run: its parts on one plot. Several runs: a plot a part. Perplexity and
    nats per token of two vocabularies (run -> name in `vocabularies`) never share a plot: each gets its own.

    references: series, nats, tokens, bytes, chars of what meta-validation is measured against; a line each on
    the plots that have it. lost: run, part, task, step, x, value of every number that is none; a cross each.
    """
    curve = _in_order(curve[curve["run"].isin(styles)], styles)
    if curve.empty:
        return frame.empty("no points yet")
    panels = _panels(curve, view.unit, vocabularies or {})
    axes: dict[str, dict] = {}
    pace = lines.pace(curve["x"].to_numpy(float))
    drawn: list[Trace] = []
    named: set[str] = set()
    crosses = {} if lost is None else dict(list(lost.groupby(["run", "part"])))
    for row, points in enumerate(panels.values(), start=1):
        groups = points.groupby(["run", "part"], sort=False).indices
        columns, traces = _columns(points, view), []
        for (run, part), index in groups.items():
            shown = _parts_or_runs(styles, run, part)
            extra = "%{fullData.name}" + (f", {part}" if len(panels) > 1 else "")
            place = {"row": row, "extra": extra, "legend": shown.name not in named}
            line = {name: values[index] for name, values in columns.items()}
            traces += _line(line, shown, view, pace, crowd=len(groups), **place)
            if (run, part) in crosses:
                traces.append(_crosses(crosses[run, part], line, shown, view))
            named.add(shown.name)
        if references is not None and "validation" in points["part"].unique():
            traces += _references(references, points, view)
        for trace in traces:
            trace["yaxis"] = "y" if row == 1 else f"y{row}"
        drawn += traces
        axes[_y_axis(row)] = lines.y_axis(view, columns["value"])
    layout = _layout(list(panels), axes, view)
    hover = "x unified" if len(styles) <= _UNIFIED else "closest"
    layout.update(hovermode=hover, hoversubplots="axis")
    # Plotly's checks of hundreds of traces take longer than the query behind them; the tests make them.
    return go.Figure([lines.encoded(trace) for trace in drawn], layout, _validate=False)


def _layout(names: list[str], axes: Mapping[str, dict], view: CurveView) -> go.Layout:
    """Plots one below the other on one x axis, so that the pointer tells of all of them. axes: of y."""
    height = 340 + 250 * (len(names) - 1)
    gap = 30 / height  # pixels, as a share
    each = (1 - gap * (len(names) - 1)) / len(names)
    layout, annotations = {}, []
    for row, name in enumerate(names, start=1):
        top = 1 - (row - 1) * (each + gap)
        axis = {"domain": [max(top - each, 0), top], "anchor": "x", "title": {"text": view.unit}}
        layout[_y_axis(row)] = axes[_y_axis(row)] | axis
        # In the plot's upper right corner: losses fall, so it is empty; the legend has the upper left.
        place = {"x": 0.995, "xanchor": "right", "xref": "paper", "y": top, "yanchor": "top"}
        look = {"text": name, "showarrow": False, "font": {"size": 13, "color": frame.MUTED}}
        annotations.append({**place, "yref": "paper", **look})
    lowest = "y" if len(names) == 1 else f"y{len(names)}"
    look = {"title": {"text": lines.x_title(view.x)}, "anchor": lowest, "showspikes": True}
    layout["xaxis"] = {**look, **lines.x_axis(view), **SPIKE}
    if len(names) > 1:
        layout["annotations"] = annotations
    return frame.dress(go.Figure(layout=layout), height=height).layout


def _y_axis(row: int) -> str:
    return "yaxis" if row == 1 else f"yaxis{row}"


def _in_order(curve: pd.DataFrame, styles: Mapping[str, RunStyle]) -> pd.DataFrame:
    """The runs in the order of `styles`, as the legend should have them; the points of each as it trained."""
    order = {run: i for i, run in enumerate(styles)}
    own, runs = pd.factorize(curve["run"])
    places = np.array([order[run] for run in runs], dtype=int)[own]
    parts = pd.factorize(curve["part"])[0]
    return curve.iloc[np.lexsort([curve["step"].to_numpy(), parts, places])].reset_index(drop=True)


def _panels(curve: pd.DataFrame, unit: Unit, vocabularies: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Plot title -> its rows. One run's parts share a plot; vocabularies do not when the unit is by token."""
    by_part = curve["run"].nunique() > 1 and curve["part"].nunique() > 1
    by_vocabulary = unit in ("perplexity", "nats per token")
    vocabulary = curve["run"].map(lambda run: vocabularies.get(run, "")) if by_vocabulary else ""
    keys = pd.DataFrame(
        {"part": curve["part"] if by_part else "", "vocabulary": vocabulary}, index=curve.index
    )
    titled = keys["vocabulary"].nunique() > 1
    panels = {}
    for (part, words), index in keys.groupby(["part", "vocabulary"], sort=False).indices.items():
        title = [part, f"vocabulary: {frame.safe(words)}" if titled else ""]
        panels[" · ".join(filter(None, title))] = curve.iloc[index]
    return panels


def _parts_or_runs(styles: Mapping[str, RunStyle], run: str, part: str) -> RunStyle:
    """With one run, colours tell its parts apart; with several, they tell the runs apart."""
    style = styles[run]
    if len(styles) > 1 or part not in palette.PARTS:
        return style
    return RunStyle(part, palette.PARTS[part][0], "solid", style.symbol)


def _columns(points: pd.DataFrame, view: CurveView) -> dict[str, np.ndarray]:
    """Of the points of a plot: x, their value and those of their ends, and the sums, a column a count."""
    ends = {"value": "", "low": "low_", "high": "high_"}
    values = {name: _values(points, view.unit, end) for name, end in ends.items()}
    return {"x": points["x"].to_numpy(float), "sums": points[COUNTS].to_numpy(float), **values}


def _line(
    points: Mapping[str, np.ndarray],
    style: RunStyle,
    view: CurveView,
    pace: float,
    *,
    crowd: int,
    row: int,
    extra: str,
    legend: bool,
) -> list[Trace]:
    """The band, the raw line where another is smoothed from it, and the line."""
    x = frame.placed(points["x"], log=view.log_x)
    raw, *ends = (frame.placed(points[name], log=view.log_y) for name in ("value", "low", "high"))
    uid = f"{style.name}/{row}"  # a line hidden by the reader stays hidden when others come
    traces = [lines.band(x, *ends, style, num_lines=crowd, uid=uid)]
    shown = raw
    if view.smoothing > 0:
        traces.append(lines.raw_behind(x, raw, style))
        sums = lines.smoothed(points["x"], points["sums"], view.smoothing, pace)
        shown = frame.placed(_values(pd.DataFrame(sums, columns=COUNTS), view.unit), log=view.log_y)
    line = {
        "type": "scatter",
        "x": lines.packed(x),
        "y": lines.packed(shown),
        "name": frame.safe(style.name),
        "uid": uid,
        "legendgroup": style.name,
        "showlegend": legend,
        "mode": "lines+markers" if len(x) <= _MARKED and not view.smoothing else "lines",
        "line": {"color": style.colour, "dash": style.dash, "width": 2},
        "marker": {"symbol": style.symbol, "size": 6},
        "hovertemplate": "%{y:.4g} " + view.unit + f"<extra>{extra}</extra>",
    }
    return [trace for trace in (*traces, line) if trace is not None]


def _crosses(own: pd.DataFrame, line: Mapping[str, np.ndarray], style: RunStyle, view: CurveView) -> Trace:
    """A cross on the line at every number that is none, which says whose and when. own: rows of `lost`."""
    nearest = np.abs(line["x"][:, None] - own["x"].to_numpy(float)[None, :]).argmin(axis=0)
    told = [
        f"{value}: task {frame.safe(task)}, outer step {step}"
        for value, task, step in zip(own["value"], own["task"], own["step"], strict=True)
    ]
    return {
        "type": "scatter",
        "x": lines.packed(frame.placed(own["x"].to_numpy(float), log=view.log_x)),
        "y": lines.packed(frame.placed(line["value"][nearest], log=view.log_y)),
        "mode": "markers",
        "marker": {
            "symbol": "x",
            "size": 9,
            "color": style.colour,
            "line": {"width": 1, "color": frame.TEXT},
        },
        "text": told,
        "hovertemplate": "%{text}<extra>" + frame.safe(style.name) + "</extra>",
        "showlegend": False,
        "legendgroup": style.name,
    }


def _references(references: pd.DataFrame, points: pd.DataFrame, view: CurveView) -> list[Trace]:
    """A level line each, with its name at the right end."""
    ends = frame.placed(np.array([points["x"].min(), points["x"].max()], dtype=float), log=view.log_x)
    styles = palette.baseline_styles(list(references["series"]))
    values = _values(references, view.unit)
    return [
        {
            "type": "scatter",
            "x": lines.packed(ends),
            "y": lines.packed(np.full(2, value)),
            "mode": "lines+text",
            "line": {"color": styles[name].colour, "dash": styles[name].dash, "width": 1.2},
            "text": ["", frame.safe(name)],
            "textposition": "top left",
            "textfont": {"size": 11.5, "color": frame.MUTED},
            "hovertemplate": "%{y:.4g} " + view.unit + "<extra>" + frame.safe(name) + "</extra>",
            "showlegend": False,
            "uid": f"reference/{name}",
        }
        for name, value in zip(references["series"], values, strict=True)
    ]


def _values(points: pd.DataFrame, unit: Unit, end: str = "") -> np.ndarray:
    """The points in a unit; end: `low_` or `high_` for their least or greatest report."""
    derive, count = UNITS[unit]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = derive(points[f"{end}nats"].to_numpy(float), points[f"{end}{count}"].to_numpy(float))
    return np.where(np.isfinite(values), values, np.nan)  # a gap in the line
