"""The page Adapt: empty, a text that is too short, a pasted and a sample text adapted to, saved records."""

import pytest

TEXT = "".join(f"The clock of the tower strikes {hour}, ünd the birds fly up. 鐘\n" for hour in range(30))


@pytest.fixture
def adapted(finished, page):
    """The page after `good` adapted to TEXT, with two steps and short samples."""
    app = page("adapt", runs=finished.name, source="Paste")
    app.text_area[0].set_value(TEXT).run()
    app.number_input[0].set_value(2)
    app.number_input[2].set_value(50)
    return press(app)


def press(app):
    return next(button for button in app.button if button.label == "Adapt").click().run()


@pytest.mark.usefixtures("queued")
def test_without_a_finished_run_adapt_says_where_to_launch_one(page, told):
    app = page("adapt")
    assert not app.exception
    assert "No run to look at yet." in told(app)


@pytest.mark.usefixtures("finished", "failed")
def test_a_failed_run_is_not_offered(page):
    app = page("adapt")
    assert not app.exception
    assert app.multiselect[0].options == ["good"]


@pytest.mark.usefixtures("finished")
def test_a_text_that_is_too_short_is_refused_in_words(page, told):
    app = page("adapt", runs="good", source="Paste")
    app.text_area[0].set_value("short").run()
    assert not app.exception
    assert "needs 256 for a support and a query set" in told(app)
    assert next(button for button in app.button if button.label == "Adapt").disabled


@pytest.mark.usefixtures("finished")
def test_the_cut_of_a_pasted_text_is_shown(page):
    app = page("adapt", runs="good", source="Paste")
    app.text_area[0].set_value(TEXT).run()
    support, query = (code.value for code in app.code[:2])
    assert TEXT.endswith(query.rstrip("…")) or TEXT.find(query.rstrip("…")) > 0
    assert support.lstrip("…") in TEXT
    assert not app.exception


def test_adapting_shows_scores_characters_curves_and_samples(adapted, home, told):
    assert not adapted.exception
    assert "good: bits per byte" in told(adapted)
    assert "What each character costs" in told(adapted)
    assert len(adapted.get("bidi_component")) == 3
    assert "**good** :gray[before adaptation]" in told(adapted)
    [record] = home.store.adaptations.all()
    assert record.support + record.query == TEXT
    assert [step.step for step in home.store.adaptations.steps(record.id)] == [0, 1, 2]
    assert adapted.query_params["demo"] == record.id


@pytest.mark.usefixtures("adapted")
def test_a_saved_adaptation_is_opened_again_from_its_address(home, page, told):
    [record] = home.store.adaptations.all()
    app = page("adapt", demo=record.id)
    assert not app.exception
    assert "good: bits per byte" in told(app)


@pytest.mark.usefixtures("adapted")
def test_saved_adaptations_are_listed_opened_and_deleted(home, page, told):
    [record] = home.store.adaptations.all()
    app = page("adapt", view="Saved")
    assert not app.exception
    app.button(key=f"open.{record.id}").click().run()
    assert "good: bits per byte" in told(app)
    app.button(key=f"delete.{record.id}").click().run()
    assert not app.exception
    assert home.store.adaptations.all() == []


@pytest.mark.usefixtures("finished")
def test_a_record_that_is_gone_is_said_to_be_gone(page, told):
    app = page("adapt", demo="0123456789ab")
    assert not app.exception
    assert "no saved adaptation '0123456789ab'" in told(app)


@pytest.mark.usefixtures("adapted")
def test_a_record_outlives_its_run(home, finished, page):
    [record] = home.store.adaptations.all()
    home.delete_run(finished.id)
    app = page("adapt", demo=record.id)
    assert not app.exception


@pytest.mark.usefixtures("finished")
def test_a_sample_text_says_which_role_it_has(page, told):
    app = page("adapt", runs="good")
    assert not app.exception
    options = app.selectbox[0].options
    assert options[0].startswith("clocks (meta-validation")
    assert options[1].startswith("birds (meta-test")
    train = next(option for option in options if "meta-train" in option)
    app.selectbox[0].set_value(train).run()
    assert "good learned from this text" in told(app)


def test_adapting_to_a_meta_test_task_is_an_opening_and_said(finished, home, split, page, told):
    app = page("adapt", runs="good")
    tested = next(option for option in app.selectbox[0].options if "meta-test" in option)
    press(app)
    assert home.openings(split.name) == 0
    app = page("adapt", runs="good", sample=tested, demo=[])
    assert "adapting to it opens meta-test" in told(app)
    assert "opened 0 times" in told(app)
    assert not press(app).exception
    assert home.openings(split.name) == 1
    assert home.store.adaptations.all()[0].run == finished.id


def test_a_run_that_cannot_adapt_says_why_and_nothing_is_saved(finished, home, page, told):
    app = page("adapt", runs="good", source="Paste")
    app.text_area[0].set_value(TEXT).run()
    home.weights_path(finished.id).unlink()
    app = press(app)
    assert not app.exception
    assert "good: run 'good' must have been trained to be used" in told(app)
    assert home.store.adaptations.all() == []


def test_the_runs_that_ship_are_chosen_at_first_with_a_language_that_they_have_never_seen(
    shipped, page, told
):
    app = page("adapt")
    assert not app.exception
    assert app.multiselect[0].value == ["base fomaml", "base joint"]
    assert app.selectbox[0].value == "el · Greek (meta-test, far)"
    assert "So far it was opened 2 times." in told(app)
    app.number_input[0].set_value(1)
    app.number_input[2].set_value(20)
    app = press(app)
    assert not app.exception
    assert "base fomaml: bits per byte" in told(app)
    assert "base joint: bits per byte" in told(app)
    assert shipped.openings("languages") == 4


@pytest.mark.usefixtures("shipped")
def test_to_have_chosen_no_run_is_a_choice(page, told):
    app = page("adapt")
    app.multiselect[0].set_value([]).run()
    assert app.multiselect[0].value == []
    assert "Choose the runs above." in told(app)
    assert "runs" not in app.query_params


@pytest.mark.usefixtures("own")
def test_where_other_runs_are_none_is_chosen_at_first(page):
    app = page("adapt")
    assert not app.exception
    assert app.multiselect[0].value == []
