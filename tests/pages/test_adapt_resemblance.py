"""The section of Adapt that says what a text looks like: asked for, answered, still there afterwards."""

import numpy as np
import pytest

from metalm.dashboard.adapt_resemblance import doubtful, looks_like
from metalm.evaluate.resemblance import Resemblance

TEXT = "".join(f"The clock of the tower strikes {hour}, ünd the birds fly up. 鐘\n" for hour in range(20))
SUPPORT, QUERY = TEXT[:800], TEXT[800:]


@pytest.fixture
def record(home, finished):
    """A saved adaptation of `good`."""
    steps = list(home.adapt(finished.id, SUPPORT.encode(), QUERY.encode(), steps=1))
    return home.save_adaptation(finished.id, "clocks", SUPPORT, QUERY, steps)


@pytest.fixture
def opened(record, page):
    """The page with that adaptation."""
    return page("adapt", demo=record.id)


def compare(app, record):
    return app.button(key=f"resemblance.{record.run}").click().run()


def test_nothing_is_compared_before_it_is_asked_for_and_the_cost_is_told(opened, home, finished, told):
    assert not opened.exception
    assert "What it looks like" in told(opened)
    assert "First an expert of each of its 2 meta-train tasks is made, once" in told(opened)
    assert "This looks" not in told(opened)
    assert not home.has_experts(finished.id)


def test_the_answer_names_tasks_draws_them_and_outlives_a_rerun(opened, record, home, told):
    charts = len(opened.main.get("bidi_component"))
    app = compare(opened, record)
    assert not app.exception
    assert home.has_experts(record.run)
    words = told(app)
    assert "good: **This looks " in words
    assert f"(after {len(SUPPORT.encode())} bytes)" in words
    assert "hills" in words or "rivers" in words
    assert len(app.main.get("bidi_component")) == charts + 1
    again = app.run()
    assert "good: **This looks " in told(again)
    assert not [button for button in again.button if button.label.startswith("Compare with")]


def test_experts_that_are_there_cost_nothing_more(record, home, page, told):
    loaded = home.load(record.run)
    home.experts(loaded, home.split(loaded.run.split_id))
    app = page("adapt", demo=record.id)
    assert "Compare with the tasks that good knows" in [button.label for button in app.button]
    assert "First an expert" not in told(app)
    assert "This looks" in told(compare(app, record))


def test_a_run_whose_texts_are_gone_says_so(opened, record, home, told):
    home.corpus_path("hills").unlink()
    app = compare(opened, record)
    assert not app.exception
    assert "no text" in told(app)
    assert "This looks" not in told(app)


def test_a_run_whose_weights_are_damaged_offers_no_comparison(record, home, page, told):
    home.weights_path(record.run).write_bytes(b"no weights")
    app = page("adapt", demo=record.id)
    assert not app.exception
    assert "**good** has nothing to compare with: weights\\.safetensors must be" in told(app)
    assert not [button for button in app.button if button.label.startswith("Compare with")]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([0.3, 0.62, 0.08, 0.0], "This looks 62 % b\\*, 30 % a, 8 % c"),
        ([0.96, 0.03, 0.01, 0.0], "This looks 96 % a"),
        ([0.01, 0.02, 0.02, 0.03], "This looks 3 % d"),
    ],
)
def test_only_what_is_believed_is_told(weights, words):
    assert looks_like(["a", "b*", "c", "d"], weights) == words


@pytest.mark.parametrize(
    ("best_nats", "words"),
    [
        (800.0, ""),
        (990.0, "that of b\\*, reads the support set at 2.86 bits per byte, the run itself at 2.89"),
    ],
)
def test_a_text_that_no_expert_reads_better_than_the_run_is_said_to_be_like_none(best_nats, words):
    found = Resemblance(
        task_ids=("a", "b"),
        names=("a", "b"),
        after_support_T=np.array([0.1, 0.9]),
        weights_TC=np.full((2, 600), 0.5),
        support_nats_T=np.array([1010.0, best_nats]),
        slow_nats=1000.0,
        support_chars=500,
        support_bytes=500,
    )
    told = doubtful(["a", "b*"], found)
    assert words in told
    assert bool(told) == bool(words)
