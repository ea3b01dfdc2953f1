"""Learning curves as differences to one run: below zero a run needs fewer bits than it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from metalm.dashboard.charts import frame, lines
from metalm.dashboard.charts.group_curves import values_at
from metalm.dashboard.charts.lines import CurveView
from metalm.dashboard.palette import RunStyle


def curve_differences(
    curve: pd.DataFrame, baseline: str, styles: Mapping[str, RunStyle], view: CurveView
) -> go.Figure:
    """Bits per byte of each run minus those of the run `baseline` at the same x.

    curve: columns run, x, nats, bytes, as `Metrics.curve` gives them, the baseline's among them; it is a
    straight line between its points. Where it has none a run has no difference.
    """
    scored = curve[np.isfinite(curve["x"].to_numpy(float)) & (curve["bytes"] > 0)]
    runs = dict(list(scored.sort_values("x", kind="stable").groupby("run", sort=False)))
    figure, shown = go.Figure(), [np.zeros(1)]
    for run_id, style in styles.items():
        if run_id == baseline or run_id not in runs or baseline not in runs:
            continue
        x = runs[run_id]["x"].to_numpy(float)
        change = values_at(x, runs[run_id]) - values_at(x, runs[baseline])
        shown.append(change)
        figure.add_trace(
            go.Scatter(
                x=lines.packed(x),
                y=lines.packed(change),
                name=frame.shorten(style.name),
                uid=run_id,
                mode="lines+markers" if np.isfinite(change).sum() == 1 else "lines",
                line={"color": style.colour, "dash": style.dash, "width": 2},
                hovertemplate="%{y:+.4f} bits per byte<extra>%{fullData.name}</extra>",
            )
        )
    if not np.isfinite(np.concatenate(shown[1:] or [np.full(1, np.nan)])).any():
        return frame.empty("no point of these runs lies beside the baseline's")
    frame.dress(figure, height=420)
    figure.add_hline(y=0, line={"color": frame.MUTED, "width": 1, "dash": "dot"})
    figure.update_layout(hovermode="x unified" if len(styles) <= 8 else "closest")
    figure.update_xaxes(title_text=lines.x_title(view.x), **lines.x_axis(view))
    linear = lines.CurveView(x=view.x, inliers=view.inliers)  # differences have signs, and no logarithm
    axis = lines.y_axis(linear, np.concatenate(shown))
    return figure.update_yaxes(title_text="bits per byte, less the baseline's", **axis)
