"""What a text looks like, drawn: areas that add up at every place, the strongest tasks by name."""

import json

import numpy as np
import pandas as pd
import pytest

from metalm.dashboard import palette
from metalm.dashboard.charts import frame
from metalm.dashboard.charts.resemblance import OTHERS, resemblance_along_text


def weights(rows: int, tasks: int = 8) -> pd.DataFrame:
    """How much each task is believed at each of so many characters; a later task is believed more."""
    drawn = np.random.default_rng(0).dirichlet(np.arange(1.0, tasks + 1) ** 2, rows)
    return pd.DataFrame(drawn, columns=[f"t{i}" for i in range(tasks)])


@pytest.mark.parametrize(("rows", "tasks"), [(1, 3), (40, 8), (frame.MAX_POINTS, 6), (7003, 24)])
def test_areas_add_up_to_one_at_every_place(rows, tasks):
    figure = resemblance_along_text(weights(rows, tasks))
    total = np.sum([area.y for area in figure.data], axis=0)
    assert total == pytest.approx(np.ones(min(rows, frame.MAX_POINTS)))
    assert {area.stackgroup for area in figure.data} == {"text"}
    for area in figure.data:
        assert 1 <= area.x[0] <= area.x[-1] <= rows


def test_the_tasks_believed_most_are_named_and_the_rest_are_others():
    figure = resemblance_along_text(weights(60))
    assert [area.name for area in figure.data] == ["t7", "t6", "t5", "t4", "t3", OTHERS]
    few = resemblance_along_text(weights(60, 4))
    assert [area.name for area in few.data] == ["t3", "t2", "t1", "t0"]
    assert few.data[0].line.color != few.data[1].line.color


def test_tasks_that_are_hardly_believed_are_others_too():
    rare = weights(60, 3).assign(t0=0.0)
    rare["t1"] = 1 - rare["t2"]
    rare.loc[:, "t3"] = 0.0
    figure = resemblance_along_text(rare)
    assert [area.name for area in figure.data] == ["t2", "t1", OTHERS]
    assert sum(figure.data[-1].y) == 0.0


def test_a_narrow_page_gets_room_for_a_legend_of_one_name_a_line():
    figure = resemblance_along_text(weights(60))
    narrow = figure.layout.meta["narrow"]
    assert narrow["height"] >= figure.layout.height + 18 * len(figure.data)
    assert narrow["yaxis"]["title"]["text"] == figure.layout.yaxis.title.text


def test_a_short_text_is_drawn_as_it_is_and_a_long_one_by_means_that_lose_nothing():
    short = weights(30)
    figure = resemblance_along_text(short)
    assert list(figure.data[0].x) == list(range(1, 31))
    assert list(figure.data[0].y) == pytest.approx(list(short["t7"]))
    long = weights(4 * frame.MAX_POINTS)
    assert np.mean(resemblance_along_text(long).data[0].y) == pytest.approx(long["t7"].mean())


def test_a_line_stands_where_the_query_set_begins():
    [line] = resemblance_along_text(weights(30), support_chars=20).layout.shapes
    assert line.x0 == line.x1 == 20.5
    assert not resemblance_along_text(weights(30), support_chars=0).layout.shapes
    assert not resemblance_along_text(weights(30), support_chars=30).layout.shapes


def test_names_stay_text_and_every_colour_has_a_dark_twin():
    figure = resemblance_along_text(weights(9).rename(columns={"t7": "a<b>&"}), support_chars=4)
    assert figure.data[0].name == "a&lt;b&gt;&amp;"
    spec = json.loads(figure.to_json())
    for area in spec["data"]:
        assert area["fillcolor"][:7] in palette.DARK_TWIN
    assert [spec["layout"]["shapes"][0]["line"]["color"]] == [frame.TEXT]
    assert figure.layout.xaxis.title.text == "position in the text (characters)"


def test_without_a_text_the_chart_says_so():
    [note] = resemblance_along_text(pd.DataFrame({"t0": []})).layout.annotations
    assert note.text == "no text to compare yet"
