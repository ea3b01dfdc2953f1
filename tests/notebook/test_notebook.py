"""`import metalm` in a notebook: tables of a home and trained runs at work, whoever owns the home."""

import subprocess
import sys

import numpy as np
import pytest

import metalm
from metalm import units
from metalm.errors import HomeError, NotFoundError, RunStateError
from metalm.home import Home, read_owner
from metalm.operations.session import Local

SUPPORT, QUERY = "abcde edcba cab " * 40, "abc edcba bad ced " * 20


def test_importing_metalm_loads_nothing_heavy():
    program = (
        "import sys, metalm\n"
        "heavy = {'torch', 'duckdb', 'pandas', 'streamlit', 'plotly', 'httpx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_runs_are_a_table_with_every_setting(owned_dir):
    table = metalm.runs(owned_dir).frame()
    assert [name for name in table.index if name in ("good", "next")] == ["next", "good"]
    good = table.loc["good"]
    assert good["status"] == "finished"
    assert good["model.hidden"] == 8
    assert good["algorithm.inner.steps"] == 2
    assert list(good["tags"]) == ["ä"]
    assert table["created_at"].is_monotonic_decreasing
    assert good["bits_per_byte_after"] > 0


def test_curves_and_scores_carry_their_units(owned_dir):
    runs = metalm.runs(owned_dir)
    curve = runs.curve("good", "next")
    assert set(curve["run"]) == {"good"}
    assert list(curve["bits_per_byte"]) == list(units.bits_per_byte(curve["nats"], curve["bytes"]))
    assert (runs.curve("good", name="gradient_norm")["value"] > 0).all()
    scores = runs.evaluations("good", role="meta-validation")
    assert set(scores["task"]) == {"gamma"}
    assert {"adapt", "uniform", "scratch"} <= set(scores["method"])
    assert scores.loc[scores["method"] == "uniform", "bits_per_byte"].to_numpy() == pytest.approx(8.0)
    assert set(metalm.load("good", owned_dir).evaluations()["run"]) == {"good"}


def test_a_curve_can_be_thinned(home_dir):
    runs = metalm.runs(home_dir)
    assert len(runs.curve("good", name="query", points=2)) <= len(runs.curve("good", name="query"))


def test_a_run_adapts_and_scores_as_the_home_does(owned_dir):
    adapted = metalm.load("good", owned_dir).adapt(SUPPORT, steps=2)
    steps = adapted.steps(QUERY)
    assert list(steps["step"]) == [0, 1, 2]
    score = adapted.score(QUERY)
    assert score.bits_per_byte == pytest.approx(steps["bits_per_byte"].iloc[-1])
    assert score.bytes == len(QUERY)
    assert adapted.characters(QUERY)["bits"].sum() == pytest.approx(units.bits(score.nats))


def test_what_it_says_of_a_text_is_what_the_home_says(home_dir):
    adapted = metalm.load("good", home_dir).adapt(SUPPORT, steps=2)
    with Home.open(home_dir, samples=False) as home:
        *_, last = home.adapt("good", SUPPORT.encode(), QUERY.encode(), steps=2)
    assert adapted.score(QUERY).nats == pytest.approx(last.score.nats, rel=1e-6)


def test_before_adaptation_it_has_read_nothing(home_dir):
    run = metalm.load("good", home_dir)
    assert run.score(QUERY) == run.adapt("", steps=3).score(QUERY)
    assert run.name == "good"
    assert run.config.model.hidden == 8


def test_what_it_writes_follows_from_the_seed(home_dir):
    adapted = metalm.load("good", home_dir).adapt(SUPPORT, steps=1)
    first, second = adapted.samples(2, 40, prompt="ab", seed=3)
    assert first == adapted.generate(40, prompt="ab", seed=3)
    assert first != second
    assert adapted.samples(2, 0) == ["", ""]
    assert metalm.load("good", home_dir).generate(10, temperature=0)


@pytest.mark.parametrize("text", ["naïve ελλάδα 語 🙂", "עברית مرحبا हिन्दी"])
def test_characters_of_any_script_have_their_bits(home_dir, text):
    table = metalm.load("good", home_dir).adapt(SUPPORT, steps=1).characters(text)
    assert "".join(table["character"]) == text
    assert np.isfinite(table["bits"]).all()


def test_a_run_without_weights_says_so(owned_dir):
    with pytest.raises(RunStateError, match="'next' must have been trained to be used"):
        metalm.load("next", owned_dir)
    with pytest.raises(NotFoundError, match="no run 'nothing'"):
        metalm.load("nothing", owned_dir)


def test_between_two_calls_nobody_owns_the_home(home_dir):
    metalm.load("good", home_dir)
    assert read_owner(home_dir) is None


def test_another_command_that_has_the_home_is_named(home_dir):
    with Local(home_dir, doing="corpora add"), pytest.raises(HomeError, match="corpora add"):
        metalm.runs(home_dir).frame()


def test_a_run_that_has_not_begun_has_empty_tables(home_dir):
    runs = metalm.runs(home_dir)
    assert runs.curve("next").empty
    assert runs.evaluations("next", baselines=False).empty


def test_the_default_home_is_the_environments(home_dir, monkeypatch):
    monkeypatch.setenv("METALM_HOME", str(home_dir))
    assert "good" in metalm.runs().frame().index
