"""Learning curves of groups: the mean over repetitions as a line, one standard deviation as a band.

Each group is drawn from its own runs alone, so that hiding a run changes no other group.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from metalm import units
from metalm.dashboard.charts import frame, lines
from metalm.dashboard.charts.lines import CurveView
from metalm.dashboard.palette import RunStyle


def group_curves(
    curve: pd.DataFrame, groups: Mapping[str, str], styles: Mapping[str, RunStyle], view: CurveView
) -> go.Figure:
    """Bits per byte along x. curve: columns run, x, nats, bytes, as `Metrics.curve` gives them.

    groups: run id -> its group's key; styles: how each group is drawn, by its key.
    """
    figure = go.Figure()
    shown: list[np.ndarray] = []
    for key, style in styles.items():
        part = curve[curve["run"].map(groups) == key]
        average = averaged(part)
        if average.empty:
            continue
        shown.append(average["mean"].to_numpy())
        low, high = (average["mean"] + sign * average["deviation"].fillna(0) for sign in (-1, 1))
        x = average["x"].to_numpy(float)
        area = lines.band(x, low.to_numpy(), high.to_numpy(), style, num_lines=len(styles), uid=key)
        figure.add_traces([trace for trace in (area, _line(average, style)) if trace is not None])
    if not shown:
        return frame.empty("no points yet")
    frame.dress(figure, height=420)
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(title_text=lines.x_title(view.x), **lines.x_axis(view))
    return figure.update_yaxes(title_text="bits per byte", **lines.y_axis(view, np.concatenate(shown)))


def averaged(curve: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation (none of one run) and number of runs at every x that a run has: x, mean,
    deviation, runs.

    Between its points a run is a straight line; before its first and behind its last it does not count.
    """
    curve = curve[np.isfinite(curve["x"].to_numpy(float)) & (curve["bytes"] > 0)].sort_values(
        "x", kind="stable"
    )
    places = np.unique(curve["x"].to_numpy(float))
    values = [values_at(places, run) for _, run in curve.groupby("run", sort=False)]
    if not values:
        return pd.DataFrame({"x": [], "mean": [], "deviation": [], "runs": []})
    table = pd.DataFrame(np.vstack(values).T)
    return pd.DataFrame(
        {
            "x": places,
            "mean": table.mean(axis=1),
            "deviation": table.std(axis=1),
            "runs": table.notna().sum(axis=1),
        }
    )


def values_at(places: np.ndarray, run: pd.DataFrame) -> np.ndarray:
    """Bits per byte of a run at these x: a straight line between its points, nan before and behind them."""
    x = run["x"].to_numpy(float)
    bits = units.bits_per_byte(run["nats"].to_numpy(float), run["bytes"].to_numpy(float))
    return np.interp(places, x, bits, left=np.nan, right=np.nan)


def _line(average: pd.DataFrame, style: RunStyle) -> go.Scatter:
    spread = average["deviation"].map(lambda value: "" if value != value else f" ± {value:.3f}")
    told = [
        f"{mean:.3f}{text}, n = {n}"
        for mean, text, n in zip(average["mean"], spread, average["runs"], strict=True)
    ]
    name = f"{frame.shorten(style.name)} (n = {average['runs'].max()})"
    return go.Scatter(
        x=lines.packed(average["x"].to_numpy(float)),
        y=lines.packed(average["mean"].to_numpy(float)),
        mode="lines+markers" if len(average) == 1 else "lines",
        line={"color": style.colour, "dash": style.dash, "width": 2},
        text=told,
        name=name,
        hovertemplate=f"<b>{frame.safe(style.name)}</b><br>%{{x:,}}: %{{text}}<extra></extra>",
    )
