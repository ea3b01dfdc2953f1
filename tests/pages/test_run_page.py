"""The page of one run: everything that is known of it, also when it failed or left nothing."""

import pytest

from metalm.dashboard.run_page import LOOKS


@pytest.mark.usefixtures("home")
def test_without_a_run_the_page_says_where_to_launch_one(page, told):
    app = page("run")
    assert not app.exception
    assert "No run yet." in told(app)


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("look", LOOKS)
def test_every_look_at_a_run_opens_by_its_address_with_its_status(page, told, look):
    app = page("run", run="good", look=look)
    assert not app.exception
    assert ":green-badge[finished]" in told(app)


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize("look", ["Results", "Adaptation", "Samples", "Events", "Files"])
def test_a_failed_run_tells_why_wherever_one_looks(page, look):
    app = page("run", run="bad", look=look)
    assert not app.exception
    assert "no text" in app.error[0].value
    assert "Traceback" in [box.label for box in app.expander]


@pytest.mark.usefixtures("finished")
def test_a_run_that_is_gone_is_said_to_be(page):
    app = page("run", run="deleted long ago")
    assert not app.exception
    assert "No run 'deleted long ago' here" in app.warning[0].value
    assert app.query_params["run"] == "good"


def test_both_axes_have_a_slider_over_outer_steps(finished, page, told):
    app = page("run", run="good", look="Adaptation")
    assert not app.exception
    assert len(app.main.get("bidi_component")) == 2
    assert app.select_slider[0].options[-1] == f"{finished.step}"
    app.select_slider[0].set_value("0").run()
    assert not app.exception
    assert "Adaptation at outer step 0" in told(app)
    assert app.query_params["outer_step"] == "0"


def test_files_of_a_run_are_listed_with_what_they_are(home, finished, page):
    table = page("run", run="good", look="Files").dataframe[0].value.set_index("file")
    assert {"weights.safetensors", "run.json"} <= set(table.index)
    on_disk = {str(p.relative_to(home.run_dir(finished.id))) for p in home.run_dir(finished.id).rglob("*.*")}
    assert on_disk <= set(table.index)
    assert "weights" in table.loc["weights.safetensors", "what it is"]


def test_events_of_a_run_come_newest_first(home, finished, page):
    home.store.events.add("noted", finished.id, "somebody looked")
    table = page("run", run="good", look="Events").dataframe[0].value
    assert table["kind"].iloc[0] == "noted"
    assert {"created", "started", "ended"} <= set(table["kind"])
    assert table["created_at"].is_monotonic_decreasing


def test_work_that_waits_for_a_run_is_among_its_events(queued, page):
    table = page("run", run="next", look="Events").dataframe[0].value
    assert "queued" in set(table["state"])
    assert queued.status == "queued"


@pytest.mark.parametrize("where", ["run", "task"])
def test_an_address_that_names_nothing_is_told_so(finished, page, told, where):
    asked = {"run": {"run": "nope"}, "task": {"split": "nope"}}[where]
    app = page(where, **asked)
    assert not app.exception
    assert f"No {'run' if where == 'run' else 'split'} 'nope' here" in told(app).replace("\\", "")
    shown = {"run": finished.name, "task": "small"}[where]
    assert app.selectbox[0].value == shown


def test_its_head_has_the_figure_that_tables_of_runs_have(finished, page):
    app = page("run", run=finished.name)
    [bits] = [metric for metric in app.metric if metric.label == "Bits per byte"]
    assert finished.tuned_value is not None
    assert bits.value == f"{finished.tuned_value:.3f}"
    assert f"{finished.best_value:.3f} at the best step" in bits.help
