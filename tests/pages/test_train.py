"""The Train page: empty, setting up and launching, watching, the queue, a failed run."""

import dataclasses

import pytest

from metalm.config import ALGORITHMS, Joint, RunConfig, Validation, run_config
from metalm.dashboard import train_settings, wording
from metalm.jobs import service
from metalm.learn import calibration


@pytest.mark.usefixtures("home")
def test_an_empty_home_asks_for_a_split(page, told):
    app = page("train")
    assert not app.exception
    assert "No split yet" in told(app)


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
@pytest.mark.usefixtures("split")
def test_every_setting_of_every_algorithm_has_a_widget(page, told, algorithm):
    app = page("train", algorithm=algorithm)
    assert not app.exception
    assert not app.error
    widgets = [*app.number_input, *app.selectbox, *app.toggle]
    shown = {widget.key for widget in widgets}
    config = train_settings.base_config(algorithm, "small")
    assert {f"setting.{key}" for key, *_ in train_settings.every_setting(config)} <= shown
    assert "Take it " in told(app)
    assert f"--algorithm {algorithm}" in app.code[-1].value


@pytest.mark.parametrize(
    ("algorithm", "key", "offered"),
    [
        ("maml", "inner.optimizer", ["sgd"]),
        ("fomaml", "inner.optimizer", ["sgd", "adam"]),
        ("anil", "inner.adapts", ["head", "head+embedding"]),
        ("cavia", "inner.adapts", ["context"]),
        ("reptile", "inner.adapts", ["all", "head", "head+embedding", "biases"]),
    ],
)
@pytest.mark.usefixtures("split")
def test_a_choice_offers_what_goes_together(page, algorithm, key, offered):
    box = page("train", algorithm=algorithm).selectbox(key=f"setting.{key}")
    assert box.options == offered
    assert box.disabled == (len(offered) == 1)


@pytest.mark.usefixtures("split")
def test_a_choice_that_does_not_go_together_stays_in_sight_until_it_is_changed(page):
    app = page("train", algorithm="maml", **{"inner.optimizer": "adam"})
    assert wording.plain("inner.optimizer must be sgd") in app.error[0].value
    app.selectbox(key="setting.inner.optimizer").set_value("sgd").run()
    assert not app.error
    assert "inner.optimizer" not in app.query_params


@pytest.mark.usefixtures("split")
def test_the_chooser_has_a_line_for_each_algorithm(page):
    chooser = next(box for box in page("train").selectbox if box.label == "Algorithm")
    assert [option.partition(" · ")[0] for option in chooser.options] == list(ALGORITHMS)
    assert all(option.endswith("× fomaml") for option in chooser.options)


def press(app, label):
    next(button for button in app.button if button.label == label).click()
    return app.run()


SMALL = {"preset": "tiny", "inner.steps": "1", "inner.batch": "2", "inner.window": "16"}


@pytest.mark.usefixtures("split")
def test_an_estimate_is_measured_beside_the_page_and_shown(home, page, told, monkeypatch):
    monkeypatch.setattr(calibration, "_SECONDS", 0.05)
    app = page("train", **SMALL)
    assert "How long will it take?" in told(app)
    press(app, "Estimate time and memory")
    assert not app.exception
    config = train_settings.base_config("fomaml", "tiny").with_settings(
        {key: value for key, value in SMALL.items() if key != "preset"}
    )
    begun = service.current().jobs.calibrations.find(config, "small")
    begun.estimate()
    app.run()
    assert not app.exception
    labels = [metric.label for metric in app.metric]
    assert labels == ["Time in all", "An outer step", "Tokens / s", "Memory on top", "On disk"]
    assert "For 500 outer steps" in told(app)
    app.number_input(key="launch.seeds").set_value(3).run()
    assert "All 3 seeds" in told(app)
    app.number_input(key="setting.budget.amount").set_value(20).run()
    assert "For 20 outer steps" in told(app)
    app.number_input(key="setting.inner.steps").set_value(2).run()
    assert "How long will it take?" in told(app)
    assert home.runs() == []


@pytest.mark.usefixtures("split")
def test_a_measurement_under_way_can_be_cancelled(page, told, monkeypatch):
    monkeypatch.setattr(calibration, "_SECONDS", 1e9)
    monkeypatch.setattr(calibration, "_ROUNDS", 10**9)
    app = press(page("train", **SMALL), "Estimate time and memory")
    assert "Making a few outer steps" in told(app)
    press(app, "Cancel")
    assert not app.exception
    assert "How long will it take?" in told(app)


@pytest.mark.usefixtures("split")
def test_what_the_measurement_refuses_is_told(page):
    app = page("train", **{**SMALL, "inner.window": "8000"})
    press(app, "Estimate time and memory")
    config = train_settings.base_config("fomaml", "tiny").with_settings(
        {"inner.window": "8000", "inner.steps": "1", "inner.batch": "2"}
    )
    service.current().jobs.calibrations.find(config, "small").wait(60)
    app.run()
    assert not app.exception
    assert any("needs" in error.value for error in app.error)


@pytest.mark.usefixtures("split")
def test_settings_come_from_the_address_and_go_to_the_command_line(page):
    app = page("train", algorithm="joint", preset="tiny", **{"optimizer.lr": "0.01", "seed": "7"})
    assert not app.exception
    assert app.number_input(key="setting.optimizer.lr").value == 0.01
    command = app.code[-1].value
    assert "--algorithm joint" in command
    assert "--preset tiny" in command
    assert "--set optimizer.lr=0.01" in command
    app.number_input(key="setting.optimizer.lr").set_value(0.02).run()
    assert app.query_params["optimizer.lr"] == "0.02"
    app.number_input(key="setting.optimizer.lr").set_value(0.003).run()
    assert "optimizer.lr" not in app.query_params


@pytest.mark.usefixtures("split")
def test_a_setting_of_the_address_that_no_widget_can_show_is_told(page):
    app = page("train", **{"split": "small", "inner.lr": "fast", "seed": "9" * 30})
    assert not app.exception
    told = [warning.value for warning in app.warning]
    assert any(wording.plain("inner.lr cannot be 'fast'") in each for each in told)
    assert any("seed cannot be" in each for each in told)
    assert not {"inner.lr", "seed"} & set(app.query_params)


@pytest.mark.usefixtures("split")
def test_a_setting_of_the_address_that_is_out_of_range_is_told(page):
    app = page("train", **{"inner.lr": "-3"})
    assert not app.exception
    assert wording.plain("inner.lr must be 0 or more, got -3.0") in app.error[0].value
    assert not [button for button in app.button if button.label.startswith("Launch")]


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("typed", [-5.0, 0.0])
def test_a_number_out_of_range_is_told_and_nothing_can_be_launched(page, typed):
    app = page("train", **{"split": "small", "budget.amount": "7"})
    budget = next(one for one in app.number_input if one.key == "setting.budget.amount")
    budget.set_value(typed).run()
    assert not app.exception
    assert wording.plain(f"budget.amount must be 0.01 or more, got {typed}") in app.error[0].value
    assert not [button for button in app.button if button.label.startswith("Launch")]
    assert next(one for one in app.number_input if one.key == "setting.budget.amount").value == typed


@pytest.mark.usefixtures("split")
def test_settings_that_do_not_go_together_are_told(page):
    app = page("train", **{"model.tied": "true"})
    assert not app.exception
    assert wording.plain("model.embedding must equal model.hidden") in app.error[0].value


@pytest.mark.usefixtures("split")
def test_the_first_meta_batch_is_shown_decoded(page, told):
    app = page("train")
    assert "Support set" in told(app)
    assert any("the" in code.value for code in app.code)


@pytest.mark.usefixtures("split")
def test_one_launch_queues_a_run_for_every_seed(home, page):
    app = page("train", preset="tiny")
    app.number_input(key="launch.seeds").set_value(2).run()
    app.text_input(key="launch.name").input("pair").run()
    next(button for button in app.button if button.label == "Launch 2 runs").click().run()
    assert not app.exception
    runs = home.runs()
    assert [run.status for run in runs] == ["queued", "queued"]
    assert sorted(run.seed for run in runs) == [0, 1]
    assert len(service.current().jobs.queue()) == 2
    assert app.query_params["view"] == "Watch"


def test_what_is_cloned_is_what_is_shown():
    config = RunConfig().with_settings({"inner.lr": "0.25", "model.hidden": "64", "budget.unit": "tokens"})
    chosen = train_settings.choices_of(config)
    base = train_settings.base_config(chosen["algorithm"], chosen["preset"])
    changed = {key: chosen[key] for key in train_settings.every_key() if chosen.get(key) is not None}
    assert run_config(base.with_settings(changed).to_json()) == config


def test_a_queued_run_can_be_watched_and_stopped(queued, home, page, told):
    app = page("train", view="Watch", watch="next")
    assert not app.exception
    assert "waiting in the queue" in told(app)
    next(button for button in app.button if button.label == "Stop").click().run()
    assert not app.exception
    assert home.run(queued.id).status == "stopped"


@pytest.mark.usefixtures("finished")
def test_a_finished_run_shows_curves_machine_and_log(page):
    for look in ("Curves", "Diagnostics", "Machine", "Log"):
        app = page("train", view="Watch", watch="good", look=look)
        assert not app.exception
        assert not app.error


def test_a_failed_run_shows_message_and_traceback(failed, page, told):
    app = page("train", view="Watch", watch="bad")
    assert not app.exception
    assert failed.error in told(app)
    assert "Traceback" in app.code[0].value


@pytest.mark.usefixtures("failed")
def test_a_run_that_can_go_on_is_resumed_where_it_is_watched(home, page):
    app = page("train", view="Watch", watch="bad")
    next(button for button in app.button if button.label == "Resume").click().run()
    assert not app.exception
    assert home.run("bad").status == "queued"
    assert [button.label for button in app.button if button.label in ("Stop", "Resume")] == ["Stop"]


@pytest.mark.usefixtures("queued")
def test_the_queue_is_empty_or_lists_what_waits(page, told):
    app = page("train", view="Queue")
    assert not app.exception
    assert "next" in told(app)
    next(button for button in app.button if button.label == "Cancel").click().run()
    assert not app.exception
    assert service.current().jobs.queue() == []


def test_the_split_of_the_newest_run_is_offered_first(texts, finished, page):
    tasks = {task.name: task.id for task in texts.tasks()}
    roles = {tasks["birds"]: "meta-train", tasks["hills"]: "meta-test"}
    texts.freeze_split("a first by name", texts.tasks(), roles)
    app = page("train")
    box = next(box for box in app.selectbox if box.label == "Split")
    assert (box.options[0], box.value) == ("a first by name", "small")
    labels = [widget.label for widget in (*app.number_input, *app.selectbox)]
    assert {"Budget", "Unit", "Seed", "Device"} <= set(labels)
    assert "--steps 500" in app.code[-1].value
    assert finished.name in next(box for box in app.selectbox if box.label == "Start from").options


@pytest.mark.usefixtures("split")
def test_a_warm_start_is_read_with_the_tokenizer_of_its_parent(home, page, told):
    config = dataclasses.replace(RunConfig(), algorithm=Joint(), device="cpu", validation=Validation(every=0))
    config = config.with_settings({"budget.amount": "1", "tokenizer.kind": "bpe", "model.hidden": "4"})
    run = home.train(home.create_run(config, "small", name="words").id)
    assert run.tokenizer
    app = page("train", init="words")
    assert not app.exception
    assert "Learn the tokenizer now" not in [toggle.label for toggle in app.toggle]
    assert "Support set" in told(app)
