"""Charts and data about tasks in groups: sums hold, gaps are gaps, thousands of tasks stay readable."""

import json
import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_compare_evidence import HERE, NAMES, rows

from metalm.dashboard import compare_evidence, compare_facets, palette, split_results
from metalm.dashboard.charts import adaptation, forest, frame, matrices, spread
from metalm.evaluate import statistics
from metalm.text.splits import Split, SplitTask
from metalm.text.tasks import Task

STYLES = palette.run_styles({"r1": "first", "r2": "second <b>&</b>"})


def member(name: str, near: bool | None = None, **groups: str) -> SplitTask:
    task = Task(id=name, name=name.upper(), corpus_id="c", begin=0, end=2000, groups=groups, relatives=name)
    return SplitTask(task=task, role="meta-test", near=near)


SPLIT = Split(
    name="languages",
    family="languages",
    tasks=(
        member("a", True, family="Slavic", script="Latin"),
        member("b", False, family="Uralic", script="Latin"),
        member("c", None, script="Latin"),
    ),
)


@pytest.fixture
def evidence():
    table = pd.concat(
        [rows("r1", {"a": 4.0, "b": 6.0, "c": 2.0}), rows("r2", {"a": 2.0, "b": 8.0, "c": 1.0})],
        ignore_index=True,
    )
    return compare_evidence.gather(table, HERE, NAMES)


def test_tasks_are_told_apart_by_what_really_parts_them():
    ids = {"a", "b", "c"}
    assert compare_facets.offered(SPLIT, ids) == ["all tasks", "near and far", "family"]
    assert compare_facets.offered(None, ids) == ["all tasks"]
    assert compare_facets.groups(SPLIT, "family") == {"a": "Slavic", "b": "Uralic", "c": "(none)"}
    assert compare_facets.groups(SPLIT, "near and far") == {"a": "near", "b": "far", "c": "(none)"}
    assert compare_facets.groups(SPLIT, "all tasks") == {}


def test_differences_are_told_of_all_tasks_and_of_near_and_far_ones(evidence):
    table = compare_facets.differences(evidence, "r1", SPLIT, "near and far")
    assert list(table["group"]) == ["all tasks", "far", "near", "(none)"]
    assert list(table["tasks"]) == [3, 1, 1, 1]
    whole = compare_facets.differences(evidence, "r1", None, "near and far")
    assert "group" not in whole
    assert whole["difference"].tolist() == table["difference"][:1].tolist()


def test_a_forest_holds_all_tasks_and_then_each_group(evidence):
    lines = compare_facets.forest(evidence, "r1", 2048, SPLIT, "family")
    assert list(lines["group"]) == ["all tasks", "Slavic", "Uralic", "(none)"]
    assert list(lines["tasks"]) == [3, 1, 1, 1]
    whole = statistics.paired(evidence.tasks, "r1", "r2")[0]
    assert lines["difference"].iloc[0] == pytest.approx(whole.mean)
    assert (lines["low"].iloc[0], lines["high"].iloc[0]) == pytest.approx((whole.low, whole.high))
    # Groups have equal weights here, so their mean is the mean of all.
    assert lines["difference"].iloc[1:].mean() == pytest.approx(whole.mean)


def test_all_differences_at_once_are_those_of_each_pair(evidence):
    once = statistics.against(evidence.tasks, "r1", ["r2", "nobody"])
    assert once == statistics.paired(evidence.tasks, "r1", "r2")
    assert statistics.paired(evidence.tasks, "r1", "nobody") == []


def test_a_forest_plot_is_hollow_where_the_interval_holds_zero_or_there_is_none():
    lines = pd.DataFrame(
        {
            "group": ["all tasks", "few", "one <i>"],
            "series": "r2",
            "name": STYLES["r2"].name,
            "tasks": [9, 3, 1],
            "difference": [-0.5, 0.1, 0.2],
            "low": [-0.7, -0.1, math.nan],
            "high": [-0.3, 0.3, math.nan],
            "better": 1,
            "equal": 0,
            "worse": 1,
        }
    )
    figure = forest.forest_plot(lines, STYLES, control="first")
    [trace] = figure.data
    assert [symbol.endswith("-open") for symbol in trace.marker.symbol] == [False, True, True]
    assert list(trace.error_x.array) == pytest.approx([0.2, 0.2, 0.0])
    assert "one &lt;i&gt;" in json.dumps(figure.to_json())
    assert list(trace.y) == sorted(set(trace.y))
    drawn = json.loads(figure.to_json())
    assert json.loads(go.Figure(drawn).to_json()) == drawn  # plotly's checks, which drawing leaves out
    assert "nothing was evaluated" in forest.forest_plot(lines[:0], STYLES, control="x").to_json()


@pytest.mark.parametrize("control", ["run 0", "twin of <b>36 languages</b>, with as much compute", "x" * 99])
def test_the_title_below_a_forest_plot_is_whole_and_its_lines_fit_a_phone(control):
    lines = pd.DataFrame(
        {
            "group": ["all tasks"],
            "series": "r2",
            "name": STYLES["r2"].name,
            "tasks": [9],
            "difference": [-0.5],
            "low": [-0.7],
            "high": [-0.3],
            "better": 8,
            "equal": 0,
            "worse": 1,
        }
    )
    figure = forest.forest_plot(lines, STYLES, control=control)
    title = figure.layout.xaxis.title.text.split("<br>")
    told = f"bits per byte, less those of {frame.safe(control)} (below zero is better)"
    assert " ".join(title) == told
    assert all(len(line) <= 36 or " " not in line for line in title)


def test_labels_along_y_are_drawn_without_a_search_for_those_that_overflow():
    figure = frame.dress(go.Figure(layout={"yaxis2": {"anchor": "x"}}))
    assert [axis.ticklabeloverflow for axis in figure.select_yaxes()] == ["allow", "allow"]
    # At the ends of an x axis a label may leave the figure.
    assert figure.layout.xaxis.ticklabeloverflow is None


@given(st.lists(st.sampled_from(["x", "y", "(none)"]), min_size=1, max_size=30))
def test_tasks_of_a_group_stand_together_and_none_is_lost(labels):
    ids = [f"t{i}" for i in range(len(labels))]
    table = pd.DataFrame({"r": range(len(labels))}, ids)
    found, groups = compare_facets.ordered(table, dict(zip(ids, labels, strict=True)))
    assert sorted(found.index) == sorted(ids)
    assert groups == sorted(labels, key=lambda group: (group == "(none)", group))
    for group in set(labels):
        own = [place for place, label in zip(found["r"], groups, strict=True) if label == group]
        assert own == sorted(own)


def test_without_groups_the_order_stays():
    table = pd.DataFrame({"r": [3.0, 1.0]}, ["b", "a"])
    found, groups = compare_facets.ordered(table, {})
    assert (list(found.index), groups) == (["b", "a"], ["", ""])


def test_thousands_of_tasks_stand_side_by_side_in_numbers_of_four_bytes():
    rng = np.random.default_rng(0)
    values = pd.DataFrame(rng.random((2000, 5)), [f"t{i}" for i in range(2000)], list("vwxyz"))
    values.iloc[7, 2] = math.nan
    figure = matrices.task_heatmap(values, groups=["g"] * 1500 + ["h"] * 500)
    [trace] = figure.data
    assert trace.z.shape == (5, 2000)
    assert trace.z.dtype == np.float32
    assert list(trace.y) == list("zyxwv")
    assert trace.z[2, 7] != trace.z[2, 7]
    assert figure.layout.height < 600
    assert list(figure.layout.xaxis.tickvals) == [0, 1500]
    assert len(figure.layout.shapes) == 1
    assert figure.layout.plot_bgcolor == frame.BORDER
    assert len(figure.to_json()) < 150_000


def test_groups_of_few_tasks_are_named_where_they_begin():
    values = pd.DataFrame({"r": [1.0, 2.0, 3.0]}, ["a", "b", "c"])
    figure = matrices.task_heatmap(values, groups=["x", "x", "y"])
    assert list(figure.data[0].y) == ["c", "b", "a"]
    assert list(figure.layout.yaxis.ticktext) == ["<b>y</b> · c", "b", "<b>x</b> · a"]
    assert figure.layout.shapes[0].y0 == 0.5


def test_of_many_differences_an_outlier_does_not_take_all_colours():
    values = pd.DataFrame({"r": [0.1] * 999 + [50.0]}, [f"t{i}" for i in range(1000)])
    figure = matrices.task_heatmap(values, difference=True)
    assert figure.data[0].zmax == pytest.approx(0.1)
    assert figure.data[0].zmin == -figure.data[0].zmax


def test_a_ribbon_is_in_bits_and_the_extremes_are_drawn_for_one_run_alone():
    points = pd.DataFrame(
        {"run": "r1", "step": [0, 10], "tasks": 5, "lowest": math.log(2), "low": 2 * math.log(2)}
        | {"median": 3 * math.log(2), "high": 4 * math.log(2), "highest": 5 * math.log(2)}
    )
    figure = spread.task_ribbons(points, STYLES)
    median = next(trace for trace in figure.data if trace.showlegend is not False)
    assert list(median.y) == pytest.approx([3.0, 3.0])
    assert len(figure.data) == 4
    both = pd.concat([points, points.assign(run="r2")])
    assert len(spread.task_ribbons(both, STYLES).data) == 4  # a ribbon and a line each
    assert "no meta-validation yet" in spread.task_ribbons(points[:0], STYLES).to_json()


def test_both_axes_frame_the_chosen_outer_step_and_part_what_was_not_trained():
    points = pd.DataFrame(
        [
            {"first": last - 1, "last": last, "adaptation_step": step, "bits": float(last + step)}
            for last in (2, 4)
            for step in (0, 3, 9)
            if (last, step) != (4, 9)
        ]
    )
    figure = spread.two_axes(points, chosen=4, trained=3)
    [trace] = figure.data
    assert list(trace.x) == ["1 – 2", "3 – 4"]
    assert list(trace.y) == ["0", "3", "9"]
    assert trace.z[0].tolist() == [2.0, 4.0]
    assert math.isnan(trace.z[2, 1])
    frame_of, beyond = figure.layout.shapes
    assert (frame_of.x0, frame_of.x1) == (0.5, 1.5)
    assert beyond.y0 == 1.5
    assert len(spread.two_axes(points, chosen=4, trained=9).layout.shapes) == 1


def test_steps_beyond_those_learned_with_are_hollow_and_say_so():
    points = pd.DataFrame({"series": "r1", "adaptation_step": [0, 5, 8], "mean": [3.0, 2.0, 1.0]})
    figure = adaptation.adaptation_curves(points, STYLES, "adaptation_step", trained={"r1": 5})
    [line] = [trace for trace in figure.data if trace.showlegend is not False]
    assert [colour == frame.BACKGROUND for colour in line.marker.color] == [False, False, True]
    assert "beyond the 5 steps" in line.customdata[2]
    assert "beyond" not in line.customdata[1]


def test_the_scores_of_a_split_put_the_best_run_and_the_hardest_task_first():
    table = pd.DataFrame(
        {
            "run": ["poor", "good"],
            "positions": [np.array([0, 2]), np.array([0, 1])],
            "nats": [np.array([400.0, 800.0]), np.array([200.0, 350.0])],
            "bytes": [np.array([100.0, 100.0]), np.array([100.0, 100.0])],
        }
    )
    found = split_results.scores(SPLIT, table)
    assert list(found) == ["good", "poor"]
    assert list(found.index) == ["c", "b", "a"]
    assert found.loc["a", "good"] == pytest.approx(2 / math.log(2))
    assert math.isnan(found.loc["b", "poor"])
    assert compare_facets.missing(found) == 2


def test_many_tasks_are_drawn_anew_less_often():
    few, many = (pd.DataFrame({"task_id": range(num)}) for num in (8, 2000))
    assert compare_evidence.resamples(few) == 10_000
    assert compare_evidence.resamples(many) == 1_000


def test_a_unit_of_tokens_keeps_vocabularies_apart():
    tasks = pd.DataFrame(
        {
            "series": ["r1", "r2", "uniform"],
            "nats": 2 * math.log(2) * 100,
            "tokens": [100, 50, 100],
            "bytes": 100,
        }
    )
    assert list(compare_evidence.in_unit(tasks, "perplexity")["value"]) == pytest.approx([4.0, 16.0, 4.0])
    found = compare_evidence.vocabularies(tasks, {"r1": "bytes", "r2": "characters 1a2b3c"})
    assert found == {"r1": "bytes", "r2": "characters 1a2b3c", "uniform": "bytes"}


@pytest.mark.parametrize("num_tasks", [3, 200])
def test_names_that_are_alike_when_shortened_keep_cells_of_their_own(num_tasks):
    names = [f"fomaml languages hidden {hidden} seed 1 and more" for hidden in (128, 256)]
    tasks = [f"the collected writings, volume {i}, of somebody with a long name" for i in range(num_tasks)]
    values = pd.DataFrame(np.arange(2.0 * num_tasks).reshape(-1, 2), tasks, names)
    heat = matrices.task_heatmap(values).data[0]
    assert len(set(heat.x)) == len(heat.x)
    assert len(set(heat.y)) == len(heat.y)
    assert sorted(map(len, (heat.x, heat.y))) == sorted(values.shape)


@given(st.lists(st.text(alphabet="ab<(2) ", max_size=60), max_size=8))
def test_no_two_labels_of_an_axis_are_alike(names):
    told = frame.labels(names, 8)
    assert len(told) == len(names)
    assert len(set(told)) == len(told)
