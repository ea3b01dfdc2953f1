"""Charts of what happens inside a training: one plot a panel, one line a run or adaptation step."""

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from metalm.dashboard import palette
from metalm.dashboard.charts import curves, diagnostics, matrices
from metalm.dashboard.charts.lines import CurveView

STYLES = palette.run_styles({"r1": "first", "r2": "second <b>&</b>"})
ONE = {"r1": STYLES["r1"]}


def points(run="r1", panels=("",), steps=(pd.NA,), num=4) -> pd.DataFrame:
    """Lines that rise by one a point, from 10 x their adaptation step on."""
    rows = [
        {
            "run": run,
            "panel": panel,
            "adaptation_step": step,
            "x": x,
            "step": x,
            "reports": 1,
            **dict.fromkeys(("value", "low", "high"), x + (0 if step is pd.NA else 10 * step)),
        }
        for panel in panels
        for step in steps
        for x in range(num)
    ]
    return pd.DataFrame(rows).astype({"adaptation_step": "Int64"})


def names(figure) -> list[str]:
    return [trace.name for trace in figure.data if trace.showlegend is not False]


def test_a_run_is_one_line_with_its_own_values_and_colour():
    figure = diagnostics.measure_curves(points(), ONE, CurveView(), "cosine")
    [line] = figure.data
    assert list(line.y) == [0, 1, 2, 3]
    assert line.line.color == STYLES["r1"].colour
    assert figure.layout.yaxis.title.text == "cosine"
    assert figure.layout.xaxis.title.text == "outer steps"


def test_a_value_of_zero_is_a_gap_on_a_log_axis():
    figure = diagnostics.measure_curves(points(), ONE, CurveView(log_x=True, log_y=True), "drift")
    [line] = figure.data
    assert np.isnan([line.x[0], line.y[0]]).all()
    assert list(line.y[1:]) == [1, 2, 3]


def test_adaptation_steps_of_a_single_run_are_lines_from_pale_to_dark():
    figure = diagnostics.measure_curves(points(steps=(1, 2, 3)), ONE, CurveView(), "rate")
    assert names(figure) == ["step 1", "step 2", "step 3"]
    assert [line.y[0] for line in figure.data] == [10, 20, 30]
    assert len({line.line.color for line in figure.data}) == 3
    assert {line.line.color for line in figure.data} <= palette.DARK_TWIN.keys()


@pytest.mark.parametrize(("num", "rows"), [(1, 1), (2, 1), (4, 2), (5, 2), (9, 3)])
def test_every_panel_is_a_plot_and_a_run_stands_once_in_the_legend(num, rows):
    panels = [f"rnn.weight_{i}" for i in range(num)]
    both = pd.concat([points("r1", panels), points("r2", panels)])
    figure = diagnostics.measure_curves(both, STYLES, CurveView(), "drift")
    assert len(list(figure.select_xaxes())) == num
    assert len({axis.domain for axis in figure.select_yaxes()}) == rows
    assert names(figure) == ["first", "second &lt;b&gt;&amp;&lt;/b&gt;"]
    assert len(figure.data) == 2 * num


@pytest.mark.parametrize("num", [2, 5, 9])
def test_several_columns_bring_a_layout_of_one_column_for_narrow_pages(num):
    panels = [f"rnn.weight_{i}" for i in range(num)]
    figure = diagnostics.measure_curves(points(panels=panels), ONE, CurveView(log_y=True), "drift")
    narrow = go.Figure(figure.data, layout=json.loads(figure.to_json())["layout"]["meta"]["narrow"])
    x_axes, y_axes = list(narrow.select_xaxes()), list(narrow.select_yaxes())
    assert {axis.domain for axis in x_axes} == {(0.0, 1.0)}
    tops = [axis.domain[1] for axis in y_axes]
    assert tops == sorted(tops, reverse=True)
    assert len(set(tops)) == num
    # Every line keeps its axes: the same panel, with its title and kind of axis, in both layouts.
    assert [note.text for note in narrow.layout.annotations] == panels
    assert {axis.type for axis in y_axes} == {"log"}
    assert [axis.title.text or "" for axis in x_axes] == [""] * (num - 1) + ["outer steps"]


def test_a_single_plot_is_as_wide_as_it_is():
    assert diagnostics.measure_curves(points(), ONE, CurveView(), "cosine").layout.meta is None


def test_smoothing_leaves_the_raw_line_behind():
    figure = diagnostics.measure_curves(points(num=50), ONE, CurveView(smoothing=0.9), "norm")
    raw, smooth = figure.data
    assert raw.showlegend is False
    assert list(raw.y) == list(range(50))
    assert smooth.y[0] == 0
    assert np.all(np.diff(smooth.y) > 0)
    assert smooth.y[-1] < 49


def test_a_band_reaches_from_the_least_to_the_greatest_report():
    wide = points().assign(low=[0, 0, 1, 1], high=[0, 2, 4, 3], reports=[1, 9, 9, 1])
    band, line = diagnostics.measure_curves(wide, ONE, CurveView(), "norm").data
    assert list(band.x) == [0, 1, 2, 3, 3, 2, 1, 0]
    assert list(band.y) == [0, 2, 4, 3, 1, 1, 0, 0]
    assert list(line.y) == [0, 1, 2, 3]


def test_log_axes_are_those_of_the_view():
    figure = diagnostics.measure_curves(points(), ONE, CurveView(log_x=True, log_y=True), "norm")
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")


def test_no_point_is_told_in_words():
    figure = diagnostics.measure_curves(points().iloc[:0], ONE, CurveView(), "norm")
    assert "no points yet" in figure.to_json()


@pytest.mark.parametrize(
    ("x", "title"),
    [("gradient_evaluations", "gradient evaluations (tokens)"), ("flops", "estimated FLOPs")],
)
def test_compute_is_an_x_axis_of_learning_curves_in_short_numbers(x, title):
    counts = ("nats", "tokens", "bytes", "chars")
    sums = {end + count: 1 for end in ("", "low_", "high_") for count in counts}
    curve = pd.DataFrame({"run": "r1", "part": "query", "x": [1e9, 2e9], "step": [1, 2], **sums})
    figure = curves.learning_curves(curve, ONE, CurveView(x=x))
    assert figure.layout.xaxis.title.text == title
    assert figure.layout.xaxis.tickformat == "~s"


def test_rates_are_a_heat_map_of_weights_and_steps_with_shared_ends():
    rates = pd.DataFrame(
        {"step 1": [0.1, 0.2], "step 2": [0.3, 0.4]}, index=["linear.weight", "rnn.bias_hh_l0"]
    )
    figure = matrices.rate_heatmap(rates, low=0.0, high=0.5)
    [cells] = figure.data
    assert json.loads(figure.to_json())["data"][0]["zmax"] == 0.5
    assert list(cells.x) == ["step 1", "step 2"]
    assert list(cells.y) == ["rnn.bias_hh_l0", "linear.weight"]
    assert cells.z.tolist() == [[0.2, 0.4], [0.1, 0.3]]
    assert cells.text.tolist() == [["0.2", "0.4"], ["0.1", "0.3"]]
    even = pd.DataFrame({"step 1": [0.3040, 0.3041]}, index=["a", "b"])
    [cells] = matrices.rate_heatmap(even, low=0.3040, high=0.3041).data
    assert cells.text.tolist() == [["0.3041"], ["0.304"]]
    assert cells.zmax - cells.zmin == pytest.approx(0.03041)  # so that both look alike
    assert "no learned rate yet" in matrices.rate_heatmap(rates.iloc[:0], low=0, high=1).to_json()
