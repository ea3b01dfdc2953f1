"""Figures of the Runs page: parallel coordinates and lineage."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.dashboard.charts.lineage import layout, lineage_graph
from metalm.dashboard.charts.parallel import BEST, OTHERS, WITHOUT, parallel_coordinates

TABLE = pd.DataFrame(
    {
        "lr": [0.001, 0.01, 0.1, 1.0, None],
        "word": ["a", "b", None, "a", "c"],
        "bits": [2.0, 3.0, 4.0, 5.0, None],
    },
    index=["one", "<b>two</b>", "three", "four", "five"],
)


def test_every_run_is_a_line_and_the_best_quarter_stands_out():
    figure = parallel_coordinates(TABLE, list(TABLE), "bits")
    lines = {trace.name.rsplit(" ", 1)[0]: trace for trace in figure.data}
    assert set(lines) == {BEST, OTHERS, WITHOUT}
    assert lines[BEST].line.width > lines[OTHERS].line.width
    assert len(lines[OTHERS].x) == 3 * (3 + 1)
    assert list(lines[BEST].y[:3]) == pytest.approx([0, 0, 0], abs=0.01)
    second = list(lines[OTHERS].y[:3])
    assert second == pytest.approx(
        [1 / 3, 0.5, 1 / 3], abs=0.01
    )  # a rate over three decades stands on a log axis
    assert "&lt;b&gt;two" in lines[OTHERS].text[0]
    titles = [note.text for note in figure.layout.annotations]
    assert {"lr", "word", "bits", "a", "b", "c"} <= set(titles)


def test_lines_that_meet_in_a_word_stand_side_by_side():
    table = pd.DataFrame({"word": ["a", "b"] * 10, "bits": range(20)})
    figure = parallel_coordinates(table, list(table), "bits")
    heights = {round(y, 4) for trace in figure.data for y in trace.y[::3]}
    assert len(heights - {float("nan")}) >= 20


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([2.8521, 2.8604], ["2.852", "2.856", "2.86"]),
        ([2_000_000, 2_005_000], ["2e+06", "2.002e+06", "2.005e+06"]),
        ([1.00001, 1.00003], ["1.00001", "1.00002", "1.00003"]),
        ([1, 3], ["1", "2", "3"]),
        ([0.25, 0.25], ["0.25"]),
    ],
)
def test_ticks_have_as_many_digits_as_tell_them_apart(values, ticks):
    table = pd.DataFrame({"setting": values, "bits": [1.0, 9.0]})
    figure = parallel_coordinates(table, list(table), "bits")
    assert [note.text for note in figure.layout.annotations if note.x == 0][1:] == ticks


def test_one_run_or_one_axis_is_no_comparison():
    for table in (TABLE.head(1), TABLE[["bits"]]):
        assert not parallel_coordinates(table, list(table), "bits").data


MEMBERS = pd.DataFrame(
    [
        ("a", "base", "run", "joint", 0),
        ("s", "a study", "study", "study", 0),
        ("b", "child", "run", "maml", 1),
        ("c", "twin <i>", "run", "joint", 1),
        ("g", "g" * 12, "gone", "not in this home", 0),
    ],
    columns=["id", "name", "kind", "told", "depth"],
)
TIES = pd.DataFrame(
    [("a", "b", "warm start"), ("g", "c", "warm start"), ("b", "c", "twin"), ("s", "b", "study")],
    columns=["source", "target", "tie"],
)


def test_lineage_draws_ties_by_dash_and_members_by_marker():
    figure = lineage_graph(MEMBERS, TIES, ["b"])
    by_name = {trace.name: trace for trace in figure.data}
    assert set(by_name) == {"warm start", "twin", "study", "chosen", "run", "not in this home"} | {"study"}
    assert len({by_name[tie].line.dash for tie in ("warm start", "twin")}) == 2
    assert list(by_name["chosen"].text) == ["<b>child</b>"]
    assert "twin &lt;i&gt;" in by_name["run"].text
    assert not lineage_graph(MEMBERS.head(0), TIES.head(0), []).data


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.data())
def test_no_two_members_stand_on_one_place(depths, data):
    ids = [str(i) for i in range(len(depths))]
    members = pd.DataFrame({"id": ids, "depth": depths})
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=12))
    ties = pd.DataFrame(pairs, columns=["source", "target"])
    places = layout(members, ties)
    assert len(set(places.values())) == len(ids)
    assert [places[member][0] for member in ids] == depths
