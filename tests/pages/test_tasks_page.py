"""The Tasks page: empty, splits and their audit, making one."""

import pytest


@pytest.mark.usefixtures("home")
def test_an_empty_home_says_what_to_do(page, told):
    app = page("tasks")
    assert not app.exception
    assert "No split yet" in told(app)
    assert "No text yet" in told(page("tasks", view="New split"))


def test_a_split_shows_its_tasks_with_roles_and_hash(split, page, told):
    app = page("tasks", split="small")
    assert not app.exception
    assert app.subheader[0].value == "small"
    assert split.id in told(app)
    assert sorted(app.dataframe[1].value["role"]) == [
        "meta-test",
        "meta-train",
        "meta-train",
        "meta-validation",
    ]


@pytest.mark.usefixtures("split")
def test_a_split_that_is_not_there_is_told(page):
    [warning] = page("tasks", split="nope").warning
    assert "No split 'nope' here" in warning.value.replace("\\", "")
    assert not page("tasks", split="small").warning
    assert not page("tasks").warning


@pytest.mark.usefixtures("split")
def test_sizes_and_audit_can_be_opened_by_their_address(page, told):
    assert not page("tasks", split="small", look="Sizes").exception
    app = page("tasks", split="small", look="Leakage audit")
    assert not app.exception
    assert "identical lines" in told(app)


def test_a_split_is_drawn_at_random_and_frozen(texts, page):
    app = page("tasks", view="New split", roles="at random", validation="1", test="1", draw="3")
    assert not app.exception
    counts = {m.label: m.value for m in app.metric}
    assert counts == {"meta-train": "2 tasks", "meta-validation": "1 task", "meta-test": "1 task"}
    next(field for field in app.text_input if field.label == "Name of the split").input("mine")
    next(button for button in app.button if button.label == "Freeze split").click().run()
    assert not app.exception
    assert [split.name for split in texts.splits()] == ["mine"]
    assert app.query_params["split"] == "mine"


def test_a_split_without_a_name_is_refused(texts, page):
    app = page("tasks", view="New split", roles="at random", validation="1", test="1")
    next(button for button in app.button if button.label == "Freeze split").click().run()
    assert not app.exception
    assert "name" in app.error[0].value
    assert texts.splits() == []


@pytest.mark.usefixtures("texts")
def test_tasks_are_cut_into_chunks(page):
    app = page("tasks", view="New split", by="chunks", chunk="2", corpora="hills")
    assert not app.exception
    assert [m.value for m in app.metric][0] == "3 tasks"


@pytest.mark.usefixtures("texts")
def test_numbers_that_whole_relatives_cannot_make_up_are_refused(page):
    app = page("tasks", view="New split", roles="at random", validation="3", test="4")
    assert not app.exception
    assert app.error


@pytest.mark.usefixtures("finished")
def test_a_split_that_a_run_uses_is_not_deleted(home, page):
    app = page("tasks", split="small")
    next(button for button in app.button if button.label == "Delete").click().run()
    next(button for button in app.button if button.label == "Delete for good").click().run()
    assert not app.exception
    assert "good" in app.error[0].value
    assert home.splits()


@pytest.mark.usefixtures("texts")
def test_more_tasks_than_there_are_cannot_be_drawn_whatever_the_address_says(page):
    wanted = {"validation": "999", "test": "-3", "draw": "9" * 5000}
    app = page("tasks", view="New split", roles="at random", **wanted)
    assert not app.exception
    validation, test, seed = (field.value for field in app.number_input)
    assert (validation, test, seed) == (4, 1, 2**31 - 1)
