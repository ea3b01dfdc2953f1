"""`train --estimate`: one line, the same by way of an app, and nothing launched."""

import pytest
from homes import SPLIT, TINY_JOINT

from metalm.errors import NotFoundError, SplitError
from metalm.learn import calibration

ASKED = {"split": SPLIT, "algorithm": "joint", "settings": {**TINY_JOINT, "budget.amount": "40"}}


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(calibration, "_SECONDS", 0.05)


@pytest.mark.parametrize("way", ["local", "remote"])
def test_an_estimate_is_one_line_and_launches_nothing(request, way):
    session = request.getfixturevalue(way)
    before = list(session.call("runs list"))
    [line] = session.call("estimate", **ASKED)
    assert (line["event"], line["algorithm"], line["device"]) == ("estimate", "joint", "cpu")
    assert line["steps"] == 40
    assert line["tokens"] == 40 * 2 * 2 * 16
    assert line["gradient_evaluations"] >= line["tokens"]
    parts = [line[f"{part}_seconds"] for part in ("training", "validation", "tuning")]
    assert all(seconds > 0 for seconds in parts)
    assert line["seconds"] == pytest.approx(sum(parts))
    assert line["memory_of_shapes_bytes"] > 0
    assert line["disk_bytes"] > 1000
    assert list(session.call("runs list")) == before


def test_what_a_run_would_be_refused_for_is_refused(local):
    with pytest.raises(NotFoundError):
        list(local.call("estimate", **{**ASKED, "split": "another"}))
    with pytest.raises(SplitError, match="needs"):
        list(local.call("estimate", **{**ASKED, "settings": {"joint.window": "8000"}}))


def test_who_goes_away_ends_the_measurement(local, monkeypatch):
    monkeypatch.setattr(calibration, "_SECONDS", 1e9)
    monkeypatch.setattr(calibration, "_ROUNDS", 10**9)
    lines = local.call("estimate", **ASKED)
    operation = lines.gi_frame.f_locals[".0"]
    assert next(operation) is None  # a sign of life
    operation.close()
