"""The page of one task: who it is, what runs scored on it, its text, its leaks, what runs write after it."""

import dataclasses
import shutil

import pytest


@pytest.fixture
def evaluated(home, finished):
    """`good`, evaluated on meta-validation beside a baseline."""
    list(home.evaluate([finished.id], support=(0, 512), steps=3, methods=["adapt", "uniform"]))
    return finished


@pytest.mark.usefixtures("home")
def test_without_a_split_the_page_says_where_tasks_come_from(page, told):
    app = page("task")
    assert not app.exception
    assert "No task yet." in told(app)


@pytest.mark.usefixtures("split")
def test_a_task_tells_its_role_and_that_nobody_was_evaluated_on_it(page, told):
    app = page("task", split="small", task="hills")
    assert not app.exception
    assert "**hills** :blue-badge[meta-train]" in told(app)
    assert "No run was evaluated on it yet." in told(app)
    assert "No relatives in this split." in told(app)


def test_every_contender_has_a_line_the_best_first(evaluated, page):
    app = page("task", split="small", task="clocks", support="512")
    assert not app.exception
    table = app.dataframe[0].value
    assert set(table["name"]) == {"good", "uniform"}
    assert table["after"].is_monotonic_increasing
    assert table.set_index("name").loc["uniform", "after"] == pytest.approx(8.0)
    assert len(app.main.get("bidi_component")) == 1
    assert evaluated.name in set(table["name"])


@pytest.mark.usefixtures("finished")
def test_a_meta_validation_task_is_shown_while_runs_were_learning(page, told):
    app = page("task", split="small", task="clocks", look="Over training")
    assert not app.exception
    assert len(app.main.get("bidi_component")) == 1
    assert "at every meta-validation" in told(app)


@pytest.mark.usefixtures("split")
def test_text_is_shown_as_it_stands(page):
    app = page("task", split="small", task="hills", look="Text")
    assert not app.exception
    assert "over the hills" in app.code[0].value
    query = page("task", split="small", task="hills", look="Text", part="Query set")
    assert "119" in query.code[0].value


def test_text_of_meta_test_is_opened_first_and_the_opening_is_recorded(home, split, page, told):
    app = page("task", split="small", task="birds", look="Text")
    assert not app.code
    assert "opened 0 times" in told(app)
    assert home.openings(split.id) == 0
    app.button[0].click().run()
    assert not app.exception
    assert "a bird in the hand" in app.code[0].value
    assert home.openings(split.id) == 1


@pytest.mark.usefixtures("split")
def test_what_a_task_shares_with_others_is_listed_or_said_to_be_nothing(page, told):
    app = page("task", split="small", task="rivers", look="Leakage")
    assert not app.exception
    assert app.dataframe or "No line and no run of 13 words" in told(app)
    if app.dataframe:
        assert {"share", "other", "role"} <= set(app.dataframe[0].value)


@pytest.mark.usefixtures("split")
def test_examples_of_a_leak_of_meta_test_wait_until_it_is_opened(page, told):
    app = page("task", split="small", task="birds", look="Leakage")
    assert not app.exception
    assert all("example" not in table.value for table in app.dataframe)
    assert "a bird in" not in told(app)


def test_a_run_writes_before_and_after_and_what_it_wrote_is_kept(home, finished, page, told):
    app = page("task", split="small", task="clocks", look="Samples", run="good", support="512")
    assert not app.exception
    next(button for button in app.button if button.label == "Write").click().run(timeout=60)
    assert not app.exception
    assert "Before adaptation" in told(app)
    assert "The text itself" in told(app)
    assert len(app.code) == 3
    kept = home.store.adaptations.samples(run=finished.id)
    assert {sample.text for sample in kept} == {app.code[0].value, app.code[1].value}
    steps = home.store.adaptations.steps(home.store.adaptations.all()[0].id)
    assert [step.step for step in steps] == list(range(len(steps)))  # Adapt shows every one
    assert len(steps) > 2
    own = page("run", run="good", look="Samples")
    assert not own.exception
    assert len(own.code) == 2


def test_a_run_writes_after_meta_test_only_once_that_is_opened(home, split, finished, page):
    app = page("task", split="small", task="birds", look="Samples", run="good")
    next(button for button in app.button if button.label == "Write").click().run()
    assert not app.code
    assert home.openings(split.id) == 0
    next(button for button in app.button if button.label.startswith("Open meta-test")).click().run()
    assert home.store.splits.openings_by(finished.id) == {split.id: 1}


def test_what_one_run_opened_of_meta_test_another_did_not(home, split, finished, page):
    other = dataclasses.replace(finished, id="d" * 12, name="other", created_at=finished.created_at)
    home.store.runs.add(other)
    shutil.copytree(home.run_dir(finished.id), home.run_dir(other.id))
    app = page("task", split="small", task="birds", look="Samples", run="good")
    next(button for button in app.button if button.label.startswith("Open meta-test")).click().run()
    app.selectbox(key="widget.run").set_value("other").run()
    assert not app.exception
    assert any(button.label == "Open meta-test for other" for button in app.button)
    assert home.store.splits.openings_by(other.id) == {}
    app.segmented_control(key="widget.look").set_value("Text").run()
    assert "a bird in the hand" in app.code[0].value  # who let a run read it may read it too
    assert home.openings(split.id) == 1


def test_all_runs_of_a_split_are_one_heat_map(evaluated, page, told):
    app = page("tasks", split="small", look="Results")
    assert not app.exception
    assert len(app.main.get("bidi_component")) == 1
    assert "Bits per byte of 1 run on 1 task" in told(app)
    assert evaluated.split_id


@pytest.mark.usefixtures("split")
def test_a_split_without_results_says_so(page, told):
    assert "No run was evaluated on this split yet." in told(page("tasks", split="small", look="Results"))
