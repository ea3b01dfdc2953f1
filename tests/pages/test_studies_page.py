"""The Studies page: the questions, a study set up, one under way, one with its report, one that failed."""

import pytest

from metalm.jobs import service
from metalm.studies import kept
from metalm.studies.carry_out import carry_out
from metalm.studies.kinds import KINDS, kind_of

QUICK = "validation.every=0, validation.support_bytes=128, validation.query_bytes=128, drawing.meta_batch=2"
SMALL = {
    "split": "small",
    "joint_tokens": 400,
    "meta_tokens": 400,
    "support": "128",
    "beyond": 3,
    "joint_set": f"model.hidden=5, model.embedding=4, joint.batch=2, joint.window=16, {QUICK}",
    "meta_set": f"inner.steps=1, inner.batch=1, inner.window=16, {QUICK}",
}


def click(app, label):
    return next(button for button in app.button if button.label == label).click().run()


@pytest.fixture
def study(home, split):
    """A study that nobody has carried out yet."""
    return kept.begin(home, "speed", {**SMALL, "split": split.name}, name="mine")


@pytest.mark.usefixtures("home")
def test_an_empty_home_explains_every_question(page, told):
    app = page("studies")
    assert not app.exception
    for name in KINDS:
        assert kind_of(name).question in told(app)
        assert kind_of(name).explanation in told(app)
    assert "No split yet" in told(page("studies", view="New study"))


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_a_form_with_all_its_settings(page, kind):
    app = page("studies", view="New study", kind=kind)
    assert not app.exception
    widgets = [*app.selectbox, *app.number_input, *app.text_input, *app.toggle]
    keys = {widget.key for widget in widgets}
    names = [name for name, *_ in kind_of(kind).settings()]
    assert {"widget.split" if name == "split" else f"setting.{kind}.{name}" for name in names} <= keys


@pytest.mark.usefixtures("split")
def test_what_is_set_up_stands_in_the_address(page):
    app = page("studies", view="New study", kind="speed")
    app.number_input(key="setting.speed.beyond").set_value(7).run()
    app.text_input(key="widget.study_name").input("mine").run()
    there = {"speed.beyond": "7", "study_name": "mine", "split": "small"}
    assert {name: app.query_params[name] for name in there} == there
    other = page("studies", view="New study", kind="speed", **there)
    assert other.number_input(key="setting.speed.beyond").value == 7
    assert other.text_input(key="widget.study_name").value == "mine"


@pytest.mark.usefixtures("split")
def test_a_study_is_set_up_and_waits_in_the_queue(home, page, told):
    app = page("studies", view="New study", kind="speed")
    app.number_input(key="setting.speed.beyond").set_value(7)
    app.text_input(key="widget.study_name").input("mine")
    click(app, "Launch study")
    assert not app.exception
    [study] = home.store.studies.all()
    assert (study.name, study.kind, study.settings["beyond"]) == ("mine", "speed", 7)
    assert [job.payload["study"] for job in service.current().jobs.queue()] == [study.id]
    assert app.query_params["study"] == "mine"
    assert "0 of 3 runs finished; waiting in the queue" in told(app)
    assert "Study **mine**" in told(page("train", view="Queue"))
    click(app, "Stop")
    assert service.current().jobs.queue() == []


@pytest.mark.usefixtures("split")
def test_settings_that_cannot_be_are_refused_with_the_reason(home, page):
    app = page("studies", view="New study", kind="speed")
    app.text_input(key="setting.speed.support").input("many")
    click(app, "Launch study")
    assert not app.exception
    assert "support must be whole numbers" in app.error[0].value
    assert home.store.studies.all() == []


def test_a_finished_study_shows_its_report_and_is_deleted(home, study, page, told):
    carry_out(home, study.id)
    app = page("studies", study="mine")
    assert not app.exception
    assert "3 of 3 runs finished" in told(app)
    assert app.subheader[0].value == "How fast on a new task?"
    assert "The gain at each step" in told(app)
    assert len(app.dataframe) == 4
    assert {button.label for button in app.get("download_button")} == {"Markdown", "HTML"}
    click(click(app, "Delete"), "Delete for good")
    assert not app.exception
    assert home.store.studies.all() == []
    assert len(home.runs()) == 3


def test_a_study_that_stopped_is_resumed(home, study, page, told):
    assert not carry_out(home, study.id, should_stop=lambda: True)
    app = page("studies", study="mine")
    assert "0 of 3 runs finished; it can be resumed" in told(app)
    click(app, "Resume")
    assert not app.exception
    assert len(service.current().jobs.queue()) == 1


def test_a_study_that_failed_says_why(home, study, page):
    job = service.current().jobs.study(study.id)
    service.current().jobs.cancel(job.id)
    home.store.jobs.end(job.id, "failed", error="DivergedError: the loss left all bounds", traceback="here")
    app = page("studies", study="mine")
    assert not app.exception
    assert "the loss left all bounds" in app.error[0].value


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("typed", ["abc", "9" * 30, "-5", "nan", "1e400"])
def test_a_number_of_the_address_that_no_widget_can_show_is_told(page, typed):
    app = page(
        "studies", view="New study", kind="speed", **{"speed.joint_tokens": typed, "speed.meta_tokens": typed}
    )
    assert not app.exception
    is_told = len(app.warning) == 2 and all("cannot be" in each.value for each in app.warning)
    assert is_told == (typed != "-5")  # a range is the study's to judge, when it is launched
