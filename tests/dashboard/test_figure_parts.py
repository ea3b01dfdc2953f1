"""What is sent of a figure is what changed, and put together it is the figure again."""

import base64
import json

import numpy as np
import plotly.graph_objects as go
from hypothesis import given
from hypothesis import strategies as st

from metalm.dashboard.components import figure_parts

NUMBERS = st.lists(st.integers(-100, 100), max_size=30)


def figure(*lines, title="one", dtype=np.float32, **more):
    drawn = [go.Scatter(x=np.array(x, dtype=np.int32), y=np.array(y, dtype=dtype), **more) for x, y in lines]
    return json.loads(go.Figure(drawn, layout={"title": {"text": title}}).to_json())


def put_together(old, message):
    """What chart.js does with a message."""
    if "figure" in message:
        return message["figure"]
    traces = [_patched(trace, part) for trace, part in zip(old["data"], message["traces"], strict=True)]
    return {"data": traces, "layout": message["layout"] or old["layout"]}


def _patched(trace, part):
    if "whole" in part:
        return part["whole"]
    changed = {}
    for name, value in part["changed"].items():
        if isinstance(value, dict) and "middle" in value:
            size = np.dtype(value["dtype"]).itemsize
            old = base64.b64decode(trace[name]["bdata"])
            head, tail = old[: size * value["head"]], old[len(old) - size * value["tail"] :]
            whole = head + base64.b64decode(value["middle"]) + tail
            changed[name] = {"dtype": value["dtype"], "bdata": base64.b64encode(whole).decode()}
        else:
            changed[name] = value
    return {**trace, **changed}


@given(NUMBERS, NUMBERS, st.text(max_size=3), st.booleans())
def test_put_together_the_parts_are_the_figure(before, after, title, other_kind):
    old = figure((range(len(before)), before), ([1], [2]))
    new = figure(
        (range(len(after)), after), ([1], [2]), title=title, dtype=float if other_kind else np.float32
    )
    sent = figure_parts.message(old, None)
    assert sent.message["figure"] == old
    again = figure_parts.message(new, sent)
    assert put_together(old, again.message) == new == again.figure


def test_of_a_line_that_grows_only_the_new_points_are_sent():
    values = list(np.random.default_rng(0).normal(size=1001))
    old, new = (figure((range(num), values[:num])) for num in (1000, 1001))
    sent = figure_parts.message(old, None)
    grown = figure_parts.message(new, sent).message
    assert grown["base"] == sent.version
    assert grown["layout"] is None
    assert grown["traces"][0]["changed"]["y"]["head"] == 1000
    assert len(json.dumps(grown)) < 400 < len(json.dumps(sent.message)) / 10


def test_what_is_finer_in_the_middle_keeps_both_ends():
    coarse, fine = ([*range(50), *middle, *range(60, 110)] for middle in (range(50, 52), range(50, 60)))
    sent = figure_parts.message(figure((coarse, coarse)), None)
    part = figure_parts.message(figure((fine, fine)), sent).message["traces"][0]["changed"]["x"]
    assert (part["head"], part["tail"]) == (52, 50)


def test_the_same_figure_is_the_same_message():
    sent = figure_parts.message(figure(([1], [2])), None)
    assert figure_parts.message(figure(([1], [2])), sent) is sent


def test_a_figure_of_other_lines_is_sent_whole():
    sent = figure_parts.message(figure(([1], [2])), None)
    assert "figure" in figure_parts.message(figure(([1], [2]), ([3], [4])), sent).message
    other = figure_parts.message(figure((range(99), range(99)), uid="another"), sent)
    assert "figure" in other.message
