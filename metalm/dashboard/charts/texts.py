"""Charts of texts: how frequent their words are, and how large the tasks of a split."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from metalm.dashboard import palette
from metalm.dashboard.charts import frame


def zipf_plot(words: pd.DataFrame) -> go.Figure:
    """Frequency against rank on log axes, with the line 1/rank of Zipf's law. Columns: rank, frequency.

    Optional columns: word (told on hover) and name (one line a name).
    """
    if words.empty:
        return frame.empty("no words")
    figure = go.Figure()
    grouped = list(words.groupby("name", sort=False)) if "name" in words else [("words", words)]
    for i, (name, line) in enumerate(grouped):
        told = line["word"].map(frame.safe) if "word" in line else [""] * len(line)
        figure.add_trace(
            go.Scatter(
                x=line["rank"],
                y=line["frequency"],
                customdata=list(told),
                name=frame.safe(name),
                mode="lines+markers",
                line={"color": palette.RUNS[i % len(palette.RUNS)][0], "width": 1.5},
                marker={"size": 4},
                hovertemplate="<b>%{customdata}</b><br>rank %{x:,}, %{y:,} times<extra></extra>",
            )
        )
    top, last = float(words["frequency"].max()), float(words["rank"].max())
    law = {"x": [1, last], "y": [top, max(top / last, 0.5)]}
    figure.add_trace(
        go.Scatter(
            **law,
            name="1 / rank",
            mode="lines",
            line={"color": palette.NEUTRAL[0], "dash": "dot", "width": 1.2},
            hoverinfo="skip",
        )
    )
    frame.dress(figure, height=320)
    figure.update_xaxes(title_text="rank of the word", type="log", dtick=1)
    return figure.update_yaxes(title_text="times in the text", type="log", dtick=1)


def task_sizes(tasks: pd.DataFrame) -> go.Figure:
    """Bytes of each task, coloured by its role, largest first. Columns: task (name), role, bytes."""
    if tasks.empty:
        return frame.empty("no tasks")
    tasks = tasks.sort_values("bytes", ascending=False)
    tasks = tasks.assign(label=frame.labels(list(tasks["task"]), 18))
    figure = go.Figure()
    for role, (colour, _) in palette.ROLES.items():
        own = tasks[tasks["role"] == role]
        if own.empty:
            continue
        figure.add_trace(
            go.Bar(
                x=own["label"],
                y=own["bytes"] / 1000,
                name=role,
                marker={"color": colour, "line": {"width": 0}},
                hovertemplate="<b>%{x}</b><br>%{y:,.0f} kB<extra>" + role + "</extra>",
            )
        )
    frame.dress(figure, height=320)
    figure.update_layout(bargap=0.25, barcornerradius=3)
    figure.update_xaxes(categoryorder="array", categoryarray=tasks["label"], ticks="")
    return figure.update_yaxes(title_text="size (kB)")
