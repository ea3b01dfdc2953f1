"""The page Adapt: empty, a text that is too short, a pasted and a sample text adapted to, saved records."""

import threading
import time

import pytest

from metalm.jobs import service

TEXT = "".join(f"The clock of the tower strikes {hour}, ünd the birds fly up. 鐘\n" for hour in range(30))


@pytest.fixture
def adapted(finished, page):
    """The page after `good` adapted to TEXT, with two steps and short samples."""
    app = page("adapt", runs=finished.name, source="Paste")
    app.text_area[0].set_value(TEXT).run()
    app.number_input[0].set_value(2)
    app.number_input[2].set_value(50)
    return press(app)


@pytest.fixture
def held(home, monkeypatch):
    """Adaptation that waits for the test after each step, from the third on."""
    let, adapt = threading.Semaphore(2), home.adapt

    def stepwise(*arguments, **others):
        for step in adapt(*arguments, **others):
            yield step
            let.acquire()

    monkeypatch.setattr(home, "adapt", stepwise)
    yield let
    let.release(10_000)  # the home is closed after it


def begin(app):
    return next(button for button in app.button if button.label == "Adapt").click().run()


def press(app):
    """Adapts, and waits until what it leaves is shown."""
    app = begin(app)
    if demo := demo_of(app):  # none: it was over, and said why, before the page was drawn
        demo.wait()
        app = app.run()
    return app


def shows(demo, num_steps):
    """Waits until its first run has made so many steps."""
    deadline = time.monotonic() + 60
    while len(demo.parts[0].steps) < num_steps:
        assert not demo.is_over
        assert time.monotonic() < deadline
        time.sleep(0.01)


def demo_of(app):
    ids = app.query_params.get("demo", [])
    ids = [ids] if isinstance(ids, str) else ids
    return service.current().jobs.demos.find(ids)


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
    begin(app)
    assert not app.exception
    assert "A text is needed first" in told(app)
    assert "demo" not in app.query_params


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(("data", "why"), [(b" \n", "it is empty"), (b"caf\xe9", "must be UTF-8")])
def test_an_upload_without_a_text_is_refused_by_its_name(page, told, data, why):
    app = page("adapt", runs="good", source="Upload")
    app.file_uploader[0].upload("notes_1.txt", data, "text/plain").run()
    assert not app.exception
    said = told(app).replace("\\", "")
    assert "notes_1.txt" in said
    assert why in said


@pytest.mark.usefixtures("finished")
def test_a_long_paste_is_cut_and_the_page_says_so(page, told):
    app = page("adapt", runs="good", source="Paste")
    app.text_area[0].set_value(TEXT * 25).run()
    assert not app.exception
    assert "The text is long: its last" in told(app)


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
    assert len(adapted.main.get("bidi_component")) == 3
    assert "The characters that gained most" in told(adapted)
    assert "After 2 steps **good**" in told(adapted)
    assert "the n\\-gram baseline" in told(adapted)
    assert "On the online track, which is never on this axis: PPMd" in told(adapted)
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
    assert any(one.value.startswith("\N{FIRST STRONG ISOLATE}") for one in app.caption)
    assert not app.exception
    app.button(key=f"open.{record.id}").click().run()
    assert "good: bits per byte" in told(app)
    app.button(key=f"delete.{record.id}").click().run()
    assert home.store.adaptations.all(), "nothing goes before the dialog was answered"
    app.button(key="demo.delete").click().run()
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
    assert "run 'good' must have been trained to be used" in told(app)
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


def test_a_demo_under_way_shows_its_steps_and_outlives_other_clicks(finished, home, page, told, held):
    app = page("adapt", runs=finished.name, source="Paste")
    app.text_area[0].set_value(TEXT).run()
    app.number_input[0].set_value(9)
    app = begin(app)
    assert not app.exception
    demo = demo_of(app)
    shows(demo, 3)
    app.run()
    assert "**good**: step 2 of 9" in told(app)
    assert "it goes on when this page is left" in told(app)
    assert "So far, after 2 steps, **good**" in told(app)
    assert len(app.main.get("bidi_component")) == 3
    app.switch_page("runs.py").run()
    assert not demo.stop_asked
    held.release(100)
    demo.wait()
    assert len(home.store.adaptations.steps(demo.parts[0].record_id)) == 10


def test_a_demo_is_stopped_by_its_button_and_keeps_what_it_showed(finished, home, page, told, held):
    app = page("adapt", runs=finished.name, source="Paste")
    app.text_area[0].set_value(TEXT).run()
    app.number_input[0].set_value(50)
    app = begin(app)
    demo = demo_of(app)
    shows(demo, 3)
    app.run()
    next(button for button in app.button if button.label == "Stop").click().run()
    assert demo.stop_asked
    held.release(100)
    demo.wait()
    app.run()
    assert not app.exception
    [record] = home.store.adaptations.all()
    made = record.adaptation["steps"]
    assert made < 50
    assert "good: bits per byte" in told(app)
    said = f"Stopped after {made} of 50 steps"
    assert said in told(app)
    assert said in told(page("adapt", view="Saved"))
    assert said in told(page("adapt", demo=record.id, present="yes"))


@pytest.mark.usefixtures("adapted")
def test_a_demo_that_came_to_its_end_is_not_said_to_be_stopped(home, page, told):
    [record] = home.store.adaptations.all()
    assert record.adaptation["asked_steps"] == record.adaptation["steps"] == 2
    for app in (page("adapt", demo=record.id), page("adapt", view="Saved")):
        assert "Stopped" not in told(app)


@pytest.mark.usefixtures("adapted")
def test_presented_a_demo_stands_alone(home, page, told):
    [record] = home.store.adaptations.all()
    app = page("adapt", demo=record.id, present="yes", beside=["a baseline that nobody knows", "unigram"])
    assert not app.exception
    assert [title.value for title in app.title] == []
    assert "After 2 steps **good**" in told(app)
    assert "the unigram baseline" in told(app)
    assert [button.label for button in app.main.button] == ["Leave presentation"]
    app.button[0].click().run()
    assert "present" not in app.query_params
    assert [title.value for title in app.title] == ["Adapt"]


@pytest.mark.usefixtures("adapted")
def test_the_baselines_beside_a_run_stand_in_the_address(home, page, told):
    [record] = home.store.adaptations.all()
    app = page("adapt", demo=record.id, beside=["uniform"])
    assert "the uniform baseline" in told(app)
    app.multiselect[0].set_value([]).run()
    assert "baseline" not in told(app)


@pytest.mark.usefixtures("adapted")
def test_the_runs_write_anew_with_other_settings(home, page, told):
    [record] = home.store.adaptations.all()
    app = page("adapt", demo=record.id)
    bytes_wanted, temperature, top_p, seed = app.number_input
    bytes_wanted.set_value(20)
    temperature.set_value(1.0)
    top_p.set_value(0.5)
    seed.set_value(7)
    next(button for button in app.button if button.label == "Write").click().run()
    demo_of(app).wait()
    app.run()
    assert not app.exception
    assert "temperature 1, top-p 0.5, seed 7." in told(app)
    samples = home.store.adaptations.samples(adaptation_id=record.id)
    assert {sample.adaptation_step for sample in samples} == {0, 2}


def test_a_step_size_out_of_range_is_told_and_adapts_to_nothing(finished, page):
    app = page("adapt", runs=finished.name, source="Paste")
    app.text_area[0].set_value(TEXT).run()
    app.number_input[1].set_value(100_000.0).run()
    assert [error.value for error in app.error] == ["Step size must be 0 to 100, got 100000"]
    assert "Adapt" not in [button.label for button in app.button]
    app.number_input[1].set_value(0.5).run()
    assert "Adapt" in [button.label for button in app.button]
