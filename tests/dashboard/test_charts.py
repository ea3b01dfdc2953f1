"""Charts: what is drawn equals what the sums say, axes name their units, and foreign text stays text."""

import base64
import json
import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, strategies
from hypothesis.extra.numpy import arrays

from metalm import units
from metalm.dashboard import palette
from metalm.dashboard.charts import adaptation, curves, frame, lines, matrices, resources, tasks, texts
from metalm.dashboard.charts.lines import CurveView

STYLES = palette.run_styles({"r1": "first", "r2": "second <b>&</b>"})


def sums(run: str, num: int, *, part: str = "query", bits: float = 4.0) -> pd.DataFrame:
    """A curve whose bits per byte fall from `bits` by a tenth a point; a point has 100 bytes in 50 tokens."""
    x = np.arange(1, num + 1)
    nats = (bits - x / 10) * math.log(2) * 100
    points = pd.DataFrame({"run": run, "part": part, "x": x, "step": x, "nats": nats})
    return with_ends(points.assign(tokens=50, bytes=100, chars=80))


def with_ends(points: pd.DataFrame, low: float = 1.0, high: float = 1.0) -> pd.DataFrame:
    """Each point with its least and its greatest report: these shares of its own nats."""
    counts = {end + name: points[name] for end in ("low_", "high_") for name in ("tokens", "bytes", "chars")}
    return points.assign(low_nats=low * points["nats"], high_nats=high * points["nats"], **counts)


def named(figure) -> dict[str, list]:
    """Lines of the figure that stand in its legend, by name."""
    return {trace.name: list(trace.y) for trace in figure.data if trace.showlegend is not False}


def learning_curves(*arguments, **more) -> go.Figure:
    """The figure, its arrays as numbers again: they are written as a browser reads them."""
    figure = curves.learning_curves(*arguments, **more)
    traces = [
        {name: decoded(value) for name, value in trace.to_plotly_json().items()} for trace in figure.data
    ]
    return go.Figure(traces, figure.layout)


def decoded(value):
    if not isinstance(value, dict) or "bdata" not in value:
        return value
    return np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])


def text_of(figure) -> str:
    return json.dumps(json.loads(figure.to_json()), ensure_ascii=False)


def titles(axes) -> list[str]:
    return [axis.title.text for axis in axes if axis.title.text]


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("bits per byte", 3.9),
        ("bits per character", 3.9 * 100 / 80),
        ("nats per token", 3.9 * math.log(2) * 2),
        ("perplexity", 2 ** (3.9 * 2)),
    ],
)
def test_a_learning_curve_derives_its_unit_from_the_sums(unit, value):
    figure = learning_curves(sums("r1", 3), {"r1": STYLES["r1"]}, CurveView(unit=unit))
    assert named(figure)["query"][0] == pytest.approx(value)
    assert titles(figure.select_yaxes()) == [unit]
    assert titles(figure.select_xaxes()) == ["outer steps"]


def test_smoothing_draws_the_raw_line_behind_and_averages_sums_not_ratios():
    curve = sums("r1", 2).assign(x=[0, 64])  # the pace is 1: the power of two above 0.64
    curve["bytes"] = [100, 300]
    figure = learning_curves(curve, {"r1": STYLES["r1"]}, CurveView(smoothing=0.99))
    behind, line = [trace for trace in figure.data if trace.fill is None]
    assert behind.showlegend is False
    assert list(behind.y) == pytest.approx(list(units.bits_per_byte(curve["nats"], curve["bytes"])))
    kept = 0.99**64
    nats = kept * curve["nats"][0] + curve["nats"][1]
    assert line.y[-1] == pytest.approx(units.bits_per_byte(nats, kept * 100 + 300))


@given(arrays(float, 30, elements=strategies.floats(0.1, 9.0)), strategies.integers(1, 29))
def test_smoothing_depends_on_the_distance_between_points_and_not_on_their_number(gaps, left_out):
    x = np.cumsum(gaps)
    level = np.full((30, 2), [2.0, 1.0])
    kept = lines.smoothed(x, level, 0.9, 4.0)
    assert kept[:, 0] == pytest.approx(2 * kept[:, 1])
    level[left_out] = 0  # a point of no report
    with_it = lines.smoothed(x, level, 0.9, 4.0)
    rest = np.arange(30) != left_out
    without = lines.smoothed(x[rest], level[rest], 0.9, 4.0)
    assert with_it[rest][left_out:] == pytest.approx(without[left_out:])


def test_the_pace_of_smoothing_stays_while_a_run_grows_by_half():
    assert lines.pace(np.arange(130.0)) == lines.pace(np.arange(200.0)) == 2
    assert lines.pace(np.array([3.0])) == lines.pace(np.array([])) == 1


def test_smoothing_passes_over_a_nan_together_with_its_counts():
    level = np.full((5, 2), [70.0, 100.0])
    level[1, 0] = math.nan
    kept = lines.smoothed(np.arange(5.0), level, 0.9, 1.0)
    assert kept[:, 0] / kept[:, 1] == pytest.approx(0.7)


def test_the_band_reaches_from_the_least_to_the_greatest_report_and_not_where_they_are_one():
    plain = sums("r1", 3)
    [line] = learning_curves(plain, {"r1": STYLES["r1"]}).data
    band, same = learning_curves(with_ends(plain, 0.5, 2.0), {"r1": STYLES["r1"]}).data
    assert list(same.y) == list(line.y)
    assert list(band.x) == [1, 2, 3, 3, 2, 1]
    assert list(band.y) == pytest.approx([2 * y for y in line.y] + [y / 2 for y in line.y[::-1]])
    assert band.hoverinfo == "skip"
    assert band.fillcolor[:7] in palette.DARK_TWIN


def test_outliers_stay_outside_the_axis_on_wish_only():
    curve = sums("r1", 100, bits=20.0)
    curve.loc[50, "nats"] *= 1e6
    alone = {"r1": STYLES["r1"]}
    assert learning_curves(curve, alone).layout.yaxis.range is None
    low, high = learning_curves(curve, alone, CurveView(inliers=True)).layout.yaxis.range
    assert 9 < low < 11
    assert 19 < high < 22
    low, high = learning_curves(curve, alone, CurveView(inliers=True, log_y=True)).layout.yaxis.range
    assert 0.9 < low < 1.05  # of a log axis: exponents
    assert 1.28 < high < 1.4


def test_a_number_that_is_none_is_a_cross_that_names_task_and_step():
    lost = pd.DataFrame(
        {
            "run": ["r1"],
            "part": ["query"],
            "task": ["<b>Greek</b>"],
            "step": [2],
            "x": [2.2],
            "value": ["nan"],
        }
    )
    line, cross = learning_curves(sums("r1", 3), {"r1": STYLES["r1"]}, lost=lost).data
    assert list(cross.y) == [line.y[1]]
    assert list(cross.text) == ["nan: task &lt;b&gt;Greek&lt;/b&gt;, outer step 2"]
    other = learning_curves(sums("r1", 3), {"r1": STYLES["r1"]}, lost=lost.assign(part="support"))
    assert len(other.data) == 1


def test_baselines_are_level_lines_on_the_plots_of_meta_validation_only():
    references = pd.DataFrame(
        {"series": ["unigram"], "nats": [math.log(2) * 500], "tokens": [50], "bytes": [100], "chars": [80]}
    )
    both = pd.concat([sums(run, 3, part=part) for part in ("query", "validation") for run in STYLES])
    figure = learning_curves(both, STYLES, references=references)
    [line] = [trace for trace in figure.data if trace.text is not None]
    assert line.yaxis == "y2"
    assert list(line.y) == pytest.approx([5.0, 5.0])
    assert list(line.x) == [1, 3]
    assert line.text[1] == "unigram"


def test_any_scalar_is_an_axis_under_its_own_name_and_its_order_is_that_of_steps():
    curve = sums("r1", 3).assign(x=[5.0, 1.0, 3.0])
    figure = learning_curves(curve, {"r1": STYLES["r1"]}, CurveView(x="gradient_norm"))
    assert titles(figure.select_xaxes()) == ["gradient norm"]
    assert list(figure.data[0].x) == [5, 1, 3]


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1, 2], np.int32), ([1.5], np.float32), ([1e12], np.float32), ([math.nan], np.float32)],
)
def test_numbers_are_sent_in_four_bytes(values, kind):
    assert lines.packed(np.array(values, dtype=float)).dtype == kind


def test_a_nan_loss_is_a_gap_not_a_zero():
    curve = sums("r1", 3).assign(nats=[1.0, math.nan, 1.0])
    figure = learning_curves(curve, {"r1": STYLES["r1"]})
    assert math.isnan(named(figure)["query"][1])


def test_one_run_shows_its_parts_on_one_plot_and_several_runs_a_plot_a_part():
    both = pd.concat([sums("r1", 3), sums("r1", 3, part="validation")])
    alone = learning_curves(both, {"r1": STYLES["r1"]})
    assert set(named(alone)) == {"query", "validation"}
    assert len(list(alone.select_yaxes())) == 1
    together = learning_curves(pd.concat([both, sums("r2", 3), sums("r2", 3, part="validation")]), STYLES)
    assert len(list(together.select_yaxes())) == 2
    assert [note.text for note in together.layout.annotations] == ["query", "validation"]
    assert len(named(together)) == 2  # the legend names each run once


@pytest.mark.parametrize("unit", ["perplexity", "nats per token"])
def test_units_by_token_of_two_vocabularies_never_share_an_axis(unit):
    curve = pd.concat([sums("r1", 3), sums("r2", 3)])
    vocabularies = {"r1": "bytes", "r2": "bpe 1024"}
    figure = learning_curves(curve, STYLES, CurveView(unit=unit), vocabularies)
    assert len({trace.yaxis for trace in figure.data}) == 2
    assert [note.text for note in figure.layout.annotations] == ["vocabulary: bytes", "vocabulary: bpe 1024"]
    shared = learning_curves(curve, STYLES, CurveView(unit="bits per byte"), vocabularies)
    assert len({trace.yaxis for trace in shared.data}) == 1


def test_a_run_that_was_not_chosen_is_not_drawn():
    figure = learning_curves(pd.concat([sums("r1", 3), sums("other", 3)]), {"r1": STYLES["r1"]})
    assert len(figure.data) == 1


def test_the_legend_has_the_order_of_choice_whatever_the_order_of_rows():
    curve = pd.concat([sums("r2", 3), sums("r1", 3)])
    assert [line.name for line in learning_curves(curve, STYLES).data] == [
        "first",
        "second &lt;b&gt;&amp;&lt;/b&gt;",
    ]


def test_log_axes_are_log_axes():
    figure = learning_curves(sums("r1", 3), STYLES, CurveView(log_x=True, log_y=True))
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"


def test_what_has_no_place_on_a_log_axis_is_a_gap():
    # plotly.js draws a line to a point at 0 as if it lay far to the left, at the height of the next.
    points = sums("r1", 3).assign(x=[0, 1, 2])
    [line] = learning_curves(points, STYLES, CurveView(log_x=True)).data
    assert math.isnan(line.x[0])
    assert list(line.x[1:]) == [1, 2]
    [line] = learning_curves(points, STYLES, CurveView()).data
    assert list(line.x) == [0, 1, 2]


def test_steps_that_lie_close_are_not_all_labelled():
    steps = [0, 1, 2, 3, 5, 8, 13, 15, 21, 34, 55, 60]
    points = pd.DataFrame({"series": "r1", "adaptation_step": steps, "nats": 100.0, "bytes": 100})
    ticks = adaptation.adaptation_curves(points, STYLES, "adaptation_step").layout.xaxis.tickvals
    assert (ticks[0], ticks[-1]) == (0, 60)
    assert min(later - tick for tick, later in zip(ticks, ticks[1:], strict=False)) >= 60 / 16


def test_adaptation_curves_derive_bits_per_byte_where_no_mean_is_given():
    points = pd.DataFrame(
        {"series": "r1", "adaptation_step": [0, 1], "nats": [200.0, 100.0], "bytes": [100, 100]}
    )
    figure = adaptation.adaptation_curves(points, STYLES, "adaptation_step")
    assert named(figure)["first"] == pytest.approx([2 / math.log(2), 1 / math.log(2)])
    assert titles(figure.select_xaxes()) == ["adaptation steps"]


def test_an_interval_is_a_band_around_its_line():
    points = pd.DataFrame(
        {
            "series": "r1",
            "support_bytes": [0, 2048],
            "mean": [4.0, 3.0],
            "low": [3.5, 2.6],
            "high": [4.5, 3.4],
        }
    )
    figure = adaptation.adaptation_curves(points, STYLES, "support_bytes")
    band, line = figure.data
    assert list(band.y) == [4.5, 3.4, 2.6, 3.5]
    assert band.fillcolor.startswith(line.line.color)
    assert list(figure.layout.xaxis.ticktext) == ["0", "2 kB"]
    assert "95 % interval 3.500 to 4.500" in line.customdata[0]


def test_what_does_not_adapt_is_a_level_line_over_all_steps():
    points = pd.DataFrame(
        {"series": ["r1", "r1", "uniform"], "adaptation_step": [0, 5, 0], "mean": [4.0, 3.0, 8.0]}
    )
    styles = STYLES | palette.baseline_styles(["uniform"])
    level = adaptation.adaptation_curves(points, styles, "adaptation_step").data[-1]
    assert (list(level.x), list(level.y)) == ([0, 5], [8.0, 8.0])


def test_dumbbells_are_sorted_by_what_adaptation_saved_and_marked_near_or_far():
    lines = pd.DataFrame(
        {
            "series": "r1",
            "task": ["Greek", "Galician", "no score"],
            "near": pd.array([False, True, None], dtype="boolean"),
            "before": [5.0, 3.0, math.nan],
            "after": [3.0, 2.9, 2.0],
        }
    )
    figure = tasks.task_dumbbells(lines, STYLES)
    assert list(figure.layout.yaxis.ticktext) == ["Galician · near", "Greek · <b>far</b>"]
    after = next(trace for trace in figure.data if trace.showlegend is not False)
    assert dict(zip(after.y, after.x, strict=True)) == {1.0: 3.0, 0.0: 2.9}


def test_dots_are_one_a_task_and_series_with_the_hardest_task_on_top():
    lines = pd.DataFrame(
        {
            "series": ["r1", "r1", "r2", "r2", "gone"],
            "task": ["Greek", "Galician", "Greek", "Galician", "Greek"],
            "near": pd.array([False, True, False, True, False], dtype="boolean"),
            "value": [3.0, 2.0, 2.5, math.nan, 9.0],
        }
    )
    figure = tasks.task_dots(lines, STYLES)
    assert list(figure.layout.yaxis.ticktext) == ["Galician · near", "Greek · <b>far</b>"]
    first, second = figure.data
    assert dict(zip(first.customdata, first.x, strict=True)) == {"Greek": 3.0, "Galician": 2.0}
    assert list(second.x) == [2.5]
    assert [round(y) for y in (*first.y, *second.y)] == [1, 0, 1]  # the row of the task, told apart in it
    assert first.y[0] > second.y[0]
    assert titles(figure.select_xaxes()) == ["bits per byte, learning while coding"]
    assert "before" not in text_of(figure)


def test_hover_tells_the_median_beside_the_mean():
    points = pd.DataFrame(
        {"series": "r1", "support_bytes": [0], "mean": [4.0], "low": [3.0], "high": [5.0]}
    ).assign(tasks=7, median=3.75)
    figure = adaptation.adaptation_curves(points, STYLES, "support_bytes")
    assert "mean of 7 tasks, median 3.750" in figure.data[-1].customdata[0]


def test_saved_along_text_ends_at_the_sum_of_all_savings():
    num = 3000
    rng = np.random.default_rng(0)
    points = pd.DataFrame(
        {"series": "r1", "character": np.arange(num), "before": rng.random(num) * 4, "after": rng.random(num)}
    )
    line = adaptation.saved_along_text(points, STYLES).data[0]
    assert len(line.x) <= frame.MAX_POINTS
    assert line.y[-1] == pytest.approx((points["before"] - points["after"]).sum())


def test_a_difference_heat_map_parts_its_colours_at_zero():
    values = pd.DataFrame({"first": [0.5, -2.0]}, index=["Greek", "Galician"])
    heat = matrices.task_heatmap(values, difference=True).data[0]
    assert (heat.zmin, heat.zmax) == (-2.0, 2.0)
    assert list(heat.y) == ["Galician", "Greek"]  # drawn upwards: the first row is on top
    assert heat.text[0][0] == "-2.00"


def test_a_missing_result_is_a_gap_in_the_heat_map():
    heat = matrices.task_heatmap(pd.DataFrame({"first": [math.nan]}, index=["Greek"])).data[0]
    assert heat.text[0][0] == ""
    assert math.isnan(heat.z[0][0])


def test_leakage_is_shown_in_per_cent_and_a_clean_split_stays_pale():
    shares = pd.DataFrame({"left": ["meta-train"], "right": ["meta-test"], "share": [0.0004], "shared": [3]})
    heat = matrices.leakage_heatmap(shares).data[0]
    assert heat.z[0][0] == pytest.approx(0.04)
    assert heat.zmax == 1.0
    assert heat.customdata[0][0] == 3


def test_zipf_plot_has_log_axes_and_the_law_as_a_reference():
    words = pd.DataFrame({"rank": [1, 2, 3], "frequency": [90, 45, 30], "word": ["the", "of", "<i>"]})
    figure = texts.zipf_plot(words)
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert [trace.name for trace in figure.data] == ["words", "1 / rank"]
    assert figure.data[0].customdata[2] == "&lt;i&gt;"


def test_task_sizes_are_coloured_by_role_and_sorted():
    tasks = pd.DataFrame({"task": ["a", "b"], "role": ["meta-test", "meta-train"], "bytes": [1000, 5000]})
    figure = texts.task_sizes(tasks)
    assert [bar.name for bar in figure.data] == ["meta-train", "meta-test"]
    assert list(figure.layout.xaxis.categoryarray) == ["b", "a"]


def test_resources_have_a_plot_and_a_unit_each():
    samples = pd.DataFrame(
        {
            "wall_seconds": [1, 2] * 2,
            "name": ["memory_bytes"] * 2 + ["cpu_percent"] * 2,
            "value": [1e9, 2e9, 50, 60],
        }
    )
    figure = resources.resource_curves(samples)
    assert titles(figure.select_yaxes()) == ["CPU (%)", "memory (GB)"]
    assert list(figure.data[1].y) == [1, 2]


def test_names_that_look_like_markup_are_shown_as_they_are():
    figure = learning_curves(pd.concat([sums("r1", 3), sums("r2", 3)]), STYLES)
    assert figure.data[1].name == "second &lt;b&gt;&amp;&lt;/b&gt;"


@pytest.mark.parametrize(
    "figure",
    [
        learning_curves(sums("r1", 0), STYLES),
        adaptation.adaptation_curves(pd.DataFrame({"series": []}), STYLES, "adaptation_step"),
        adaptation.saved_along_text(pd.DataFrame({"series": []}), STYLES),
        tasks.task_dots(pd.DataFrame({"series": [], "value": []}), STYLES),
        tasks.task_dumbbells(pd.DataFrame({"series": [], "before": [], "after": []}), STYLES),
        matrices.task_heatmap(pd.DataFrame()),
        matrices.leakage_heatmap(pd.DataFrame({"left": [], "right": []})),
        texts.zipf_plot(pd.DataFrame()),
        texts.task_sizes(pd.DataFrame()),
        resources.resource_curves(pd.DataFrame({"name": []})),
    ],
)
def test_without_data_a_chart_says_so_in_words(figure):
    assert not figure.data
    assert figure.layout.annotations[0].text


def test_every_colour_of_a_figure_has_a_dark_twin():
    values = pd.DataFrame({"first": [1.0]}, index=["Greek"])
    figures = [
        learning_curves(pd.concat([sums("r1", 3), sums("r2", 3)]), STYLES, CurveView(smoothing=0.5)),
        matrices.task_heatmap(values),
        matrices.task_heatmap(values, difference=True),
        resources.resource_curves(pd.DataFrame({"wall_seconds": [1], "name": ["cpu_percent"], "value": [5]})),
    ]
    for figure in figures:
        colours = {word[:7] for word in text_of(figure).split('"') if word.startswith("#")}
        assert colours
        assert colours <= palette.DARK_TWIN.keys()


def test_traces_that_are_not_checked_while_they_are_drawn_are_what_plotly_takes():
    both = with_ends(pd.concat([sums("r1", 3), sums("r2", 3)]), 0.5, 2.0)
    lost = pd.DataFrame(
        {"run": ["r1"], "part": ["query"], "task": ["Greek"], "step": [2], "x": [2.0], "value": [np.nan]}
    )
    references = sums("uniform", 1).assign(series="uniform")
    validation = both.assign(part="validation")
    for curve, view in ((both, CurveView(log_y=True)), (validation, CurveView(smoothing=0.5))):
        arguments = (curve, STYLES, view)
        drawn = curves.learning_curves(*arguments, references=references, lost=lost)
        checked = learning_curves(*arguments, references=references, lost=lost)
        assert len(checked.data) > 4
        assert json.loads(checked.to_json()) == json.loads(drawn.to_json())


@pytest.mark.parametrize(
    ("num_bytes", "label"), [(0, "0"), (512, "512 B"), (2048, "2 kB"), (10240, "10 kB"), (50000, "50 kB")]
)
def test_support_sizes_are_labelled_in_round_kilobytes(num_bytes, label):
    assert frame.bytes_label(num_bytes) == label


def test_long_names_lose_their_middle():
    assert frame.shorten("a" * 20 + "b" * 20, 11) == "aaaaa…bbbbb"
