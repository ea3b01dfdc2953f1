"""What a training run takes from the machine: processor, memory, GPU and speed over time."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from metalm.dashboard import palette
from metalm.dashboard.charts import frame

# Metric name -> (axis title, divisor, upper end of the axis or None).
RESOURCES: dict[str, tuple[str, float, float | None]] = {
    "tokens_per_second": ("tokens / s", 1, None),
    "cpu_percent": ("CPU (%)", 1, None),
    "memory_bytes": ("memory (GB)", 1e9, None),
    "gpu_percent": ("GPU (%)", 1, 100),
    "gpu_memory_bytes": ("GPU memory (GB)", 1e9, None),
}


def resource_curves(samples: pd.DataFrame) -> go.Figure:
    """One small plot a resource, over training time. Columns: wall_seconds, name (of `RESOURCES`), value."""
    names = [name for name in RESOURCES if (samples["name"] == name).any()]
    if not names:
        return frame.empty("no sample of the machine's use yet")
    figure = make_subplots(rows=len(names), shared_xaxes=True, vertical_spacing=0.08)
    for row, name in enumerate(names, start=1):
        title, divisor, top = RESOURCES[name]
        own = samples[samples["name"] == name].sort_values("wall_seconds")
        own = own.iloc[:: max(1, -(-len(own) // frame.MAX_POINTS))]
        figure.add_trace(
            go.Scatter(
                x=own["wall_seconds"].to_numpy(float),
                y=own["value"].to_numpy(float) / divisor,
                mode="lines",
                line={"color": palette.ACCENT[0], "width": 1.6},
                fill="tozeroy",
                fillcolor=frame.translucent(palette.ACCENT[0], 0.12),
                name=title,
                hovertemplate="%{y:,.3~g} " + title + "<extra></extra>",
            ),
            row=row,
            col=1,
        )
        figure.update_yaxes(title_text=title, rangemode="tozero", range=top and [0, top], row=row, nticks=4)
    frame.dress(figure, height=70 + 95 * len(names), legend=False)
    figure.update_xaxes(title_text="training time (seconds)", row=len(names))
    return figure.update_layout(hovermode="x unified")
