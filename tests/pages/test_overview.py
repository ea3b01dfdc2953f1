"""The Overview page: empty, typical, with a failed run."""

import pytest

from metalm.jobs import service


@pytest.mark.usefixtures("home")
def test_an_empty_home_shows_the_first_steps(page, told):
    app = page("overview")
    assert not app.exception
    assert app.title[0].value == "Overview"
    assert "First steps" in told(app)
    assert [m.label for m in app.metric][:4] == ["Corpora", "Splits", "Runs", "Device"]


def test_a_finished_run_is_shown_with_its_score_and_ends_the_first_steps(finished, page, told):
    app = page("overview")
    assert not app.exception
    assert "First steps" not in told(app)
    assert "good" in told(app)
    assert f"{finished.tuned_value:.3f}" in told(app)


def test_a_failed_run_says_why(failed, page, told):
    app = page("overview")
    assert not app.exception
    assert "bad" in told(app)
    assert failed.error in told(app)


def test_a_waiting_evaluation_is_no_rest(finished, page, told):
    service.current().jobs.evaluate([finished.id])
    app = page("overview")
    assert not app.exception
    assert "Evaluation of **good**" in told(app)
    assert "Nothing runs" not in told(app)


@pytest.mark.usefixtures("queued")
def test_a_waiting_run_stands_under_now(page, told):
    app = page("overview")
    assert not app.exception
    assert "waiting in the queue" in told(app)


@pytest.mark.usefixtures("shipped")
def test_in_a_fresh_home_the_first_step_is_to_try_the_model_that_ships(page, told):
    app = page("overview")
    assert not app.exception
    assert "First steps" in told(app)
    assert ":gray[1] **Try a trained model**" in told(app)
    assert "base fomaml and base joint" in told(app)
    assert "**Adapt it**" not in told(app)
    links = app.get("page_link")
    assert any("runs=base" in link.proto.query_string for link in links)


@pytest.mark.usefixtures("own")
def test_the_first_steps_end_with_the_first_run_of_ones_own(page, told):
    assert "First steps" not in told(page("overview"))
