"""The Runs page: empty, typical, with a failed run, and everything that can be done with a run."""

import dataclasses
import io
import zipfile

import pandas as pd
import pytest

from metalm.config import ALGORITHMS, run_config
from metalm.dashboard import run_actions, run_import, run_rows
from metalm.dashboard.run_columns import Columns
from metalm.errors import BundleError
from metalm.jobs import service
from metalm.store.run_table import RunQuery


def click(app, label):
    next(button for button in app.button if button.label == label).click()
    return app.run()


@pytest.mark.usefixtures("home")
def test_an_empty_home_says_what_to_do(page, told):
    app = page("runs")
    assert not app.exception
    assert "No run yet" in told(app)


def test_runs_are_listed_with_their_key_figures(finished, page):
    app = page("runs")
    assert not app.exception
    table = app.dataframe[0].value
    assert list(table["run"]) == ["good"]
    assert table["bits per byte"][0] == finished.tuned_value


@pytest.mark.usefixtures("finished", "failed")
def test_filters_of_the_address_hide_the_rest(page, told):
    assert list(page("runs", status="failed").dataframe[0].value["run"]) == ["bad"]
    assert list(page("runs", search="good").dataframe[0].value["run"]) == ["good"]
    assert "No run matches" in told(page("runs", search="nowhere"))


def test_a_failed_run_shows_message_and_traceback(failed, page, told):
    app = page("runs", runs="bad")
    assert not app.exception
    assert failed.error in told(app)
    assert any("Traceback" in code.value for code in app.code)


@pytest.mark.usefixtures("finished")
def test_every_look_at_a_run_can_be_opened_by_its_address(page):
    for look in ("Curves", "Results", "Diagnostics", "Settings", "Machine", "Log"):
        assert not page("runs", runs="good", look=look).exception


LEARNERS = {
    "maml++": ("Learned rates", 1),
    "meta-sgd": ("Learned rates", 1),
    "cavia": ("Context", 0),
    "imaml": ("Fisher information", 0),
}


@pytest.mark.parametrize("algorithm", list(LEARNERS))
def test_what_a_run_learned_beside_its_weights_is_shown(finished, home, page, told, algorithm):
    kind = ALGORITHMS[algorithm]
    config = dataclasses.replace(run_config(finished.config), algorithm=kind())
    changes = {"inner.steps": "2", "inner.batch": "2", "inner.window": "16"}
    changes |= {"inner.fisher": "true"} if algorithm == "imaml" else {}
    home.train(home.create_run(config.with_settings(changes), "small", name="learner").id)
    app = page("runs", runs="learner", look="Learned")
    assert not app.exception
    what, maps = LEARNERS[algorithm]
    assert what in told(app)
    assert len(app.main.get("bidi_component")) == maps
    table = app.dataframe[-1].value
    assert (table["smallest"] <= table["mean"]).all()
    assert (table["mean"] <= table["largest"]).all()


@pytest.mark.usefixtures("finished")
def test_a_run_that_learned_weights_only_has_no_such_look(page):
    offered = next(group for group in page("runs", runs="good").button_group if "Results" in group.options)
    assert "Learned" not in offered.options


def test_name_tags_and_notes_are_changed(finished, home, page):
    app = click(page("runs", runs="good"), "Edit")
    next(field for field in app.text_input if field.label == "Name").input("better")
    next(field for field in app.text_area if field.label == "Notes").input("worth a look")
    app = click(app, "Save")
    assert not app.exception
    run = home.run(finished.id)
    assert (run.name, run.notes) == ("better", "worth a look")
    assert app.query_params["runs"] == "better"


def test_an_archived_run_no_longer_counts_as_selected(finished, home, page, told):
    home.create_run(run_config(finished.config), finished.split_id, name="other")
    assert "2 runs · 1 selected" in told(page("runs", runs="good"))
    app = click(page("runs", runs="good"), "Archive")
    assert "1 run · 0 selected" in told(app)


def test_a_run_is_archived_and_brought_back(finished, home, page, told):
    app = click(page("runs", runs="good"), "Archive")
    assert not app.exception
    assert home.run(finished.id).archived
    assert "No run yet" in told(app)
    app = click(page("runs", runs="good", archived="yes"), "Bring back")
    assert not home.run(finished.id).archived


def test_archiving_is_undone(finished, home, page, told):
    other = home.train(home.create_run(run_config(finished.config), finished.split_id, name="other").id)
    app = click(page("runs", runs=["good", "other"]), "Archive")
    assert home.runs() == []
    assert "2 runs archived. **Archived too** shows them." in told(app)
    app = click(app, "Undo")
    assert not app.exception
    assert {run.id for run in home.runs()} == {finished.id, other.id}
    assert set(app.query_params["runs"]) == {"good", "other"}
    assert "Undo" not in [button.label for button in app.button]


def test_undo_leaves_what_was_archived_before(finished, home, page, told):
    other = home.train(home.create_run(run_config(finished.config), finished.split_id, name="other").id)
    home.archive_run(finished.id)
    app = click(page("runs", runs=["good", "other"], archived="yes"), "Archive")
    assert "1 run archived" in told(app)
    click(app, "Undo")
    assert home.run(finished.id).archived
    assert not home.run(other.id).archived


def test_undo_is_of_what_was_put_away_last_and_goes_with_it(finished, home, page, told):
    app = click(page("runs", runs="good", archived="yes"), "Archive")
    app = click(app, "Bring back")
    assert not home.run(finished.id).archived
    assert "Undo" not in [button.label for button in app.button]
    app = click(click(app, "Archive"), "Delete")
    assert "1 run deleted" in told(app)
    app = click(app, "Undo")
    assert home.run(finished.id).archived  # as it was when it was deleted
    assert "Undo" not in [button.label for button in app.button]


def test_a_deleted_run_is_brought_back_by_undo(finished, home, page, told):
    app = click(page("runs", runs="good"), "Delete")
    assert not app.exception
    assert home.runs() == []
    assert "1 run deleted" in told(app)
    app = click(app, "Undo")
    assert not app.exception
    assert home.runs() == [finished]
    assert app.query_params["runs"] == "good"
    assert "Undo" not in [button.label for button in app.button]


@pytest.mark.usefixtures("finished")
def test_deleted_runs_are_listed_until_they_go_for_good(home, page, told):
    assert "Nothing is deleted" in told(page("runs", view="Deleted"))
    home.discard_runs(["good"])
    app = page("runs", view="Deleted")
    assert not app.exception
    assert list(app.dataframe[0].value["name"]) == ["good"]
    assert all(button.disabled for button in app.button if button.label in ("Bring back", "Delete for good"))


def test_a_stopped_run_is_resumed(queued, home, page):
    service.current().jobs.stop(queued.id)
    app = click(page("runs", runs="next"), "Resume")
    assert not app.exception
    assert home.run(queued.id).status == "queued"


def test_a_finished_run_is_extended(finished, home, page):
    app = click(page("runs", runs="good"), "Extend")
    app = click(app, "Go on")
    assert not app.exception
    assert home.run(finished.id).status == "queued"


def test_a_run_without_weights_cannot_be_evaluated(home, queued, page):
    home.unqueue_run(queued.id)
    app = page("runs", runs=queued.name)
    assert not app.exception
    labels = [button.label for button in app.button]
    assert "Resume" in labels
    assert "Evaluate" not in labels


@pytest.mark.usefixtures("finished")
def test_an_evaluation_is_asked_for(page):
    app = click(page("runs", runs="good"), "Evaluate")
    app = click(app, "Start evaluation")
    assert not app.exception
    assert [job.kind for job in service.current().jobs.queue()] == ["evaluation"]


@pytest.mark.usefixtures("finished")
def test_an_evaluation_without_a_support_size_does_not_begin(page):
    app = click(page("runs", runs="good"), "Evaluate")
    app.multiselect(key="evaluate.support").set_value([])
    app = click(app, "Start evaluation")
    assert not app.exception
    assert service.current().jobs.queue() == []


def test_results_are_shown_once_there_are_any(finished, home, page):
    list(home.evaluate([finished.id], support=(0, 128)))
    app = page("runs", runs="good", look="Results")
    assert not app.exception
    assert {"before", "after", "saved"} <= set(app.dataframe[-1].value.columns)


def test_baselines_of_others_are_no_results_of_a_run(finished, home, page, told):
    other = home.train(home.create_run(run_config(finished.config), "small", name="other").id)
    list(home.evaluate([other.id], support=(0,), methods=["adapt", "baselines"]))
    app = page("runs", runs="good", look="Results")
    assert not app.exception
    assert "Not evaluated yet" in told(app)


def test_an_exported_run_can_be_imported_again(finished, home, page, tmp_path):
    packed = run_actions.bundle(finished)
    home.delete_run(finished.id)
    zipfile.ZipFile(io.BytesIO(packed)).extractall(tmp_path / "out")
    app = page("runs", view="Import")
    next(field for field in app.text_input if field.label.startswith("Directory")).input(
        str(tmp_path / "out" / "good")
    )
    [button for button in app.button if button.label == "Import"][1].click()
    app = app.run()
    assert not app.exception
    assert [run.name for run in home.runs()] == ["good"]


def odd_zip(kind):
    """A zip file with something wrong about it, as an upload."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run.json", "{}" * 500)
    data = bytearray(packed.getvalue())
    central = data.index(b"PK\x01\x02")
    if kind == "encrypted":
        data[6] |= 1
        data[central + 8] |= 1
    elif kind == "packed by a method unknown":
        data[8] = data[central + 10] = 97
    elif kind == "damaged":
        data[42:60] = bytes(18)
    else:
        del data[central + 10 :]
    upload = io.BytesIO(bytes(data))
    upload.name = "odd.zip"
    return upload


@pytest.mark.parametrize("kind", ["encrypted", "packed by a method unknown", "damaged", "cut"])
@pytest.mark.usefixtures("home")
def test_a_zip_file_that_cannot_be_unpacked_is_refused_in_words(kind):
    with pytest.raises(BundleError, match=r"odd\.zip must be a zip file that can be unpacked: ."):
        run_import.from_zip(odd_zip(kind))


@pytest.mark.usefixtures("home")
def test_a_directory_that_is_no_bundle_is_refused(page, tmp_path):
    app = page("runs", view="Import")
    next(field for field in app.text_input if field.label.startswith("Directory")).input(str(tmp_path))
    [button for button in app.button if button.label == "Import"][1].click()
    app = app.run()
    assert not app.exception
    assert app.error


@pytest.mark.usefixtures("home")
def test_the_csv_holds_a_row_a_run_with_every_setting(finished):
    table = pd.read_csv(io.StringIO(run_rows.csv(RunQuery(), Columns())))
    assert list(table["run"]) == ["good"]
    assert table["inner.lr"][0] == finished.config["algorithm"]["inner"]["lr"]


def test_a_run_outlives_the_run_that_it_started_from(home, finished, page, told):
    config = dataclasses.replace(run_config(finished.config), init=finished.id)
    home.train(home.create_run(config, "small", name="child").id)
    home.delete_run(finished.id)
    app = page("runs", runs="child", look="Settings")
    assert not app.exception
    assert f"It started from run {finished.id}, which is not in this home" in told(app)
    next(button for button in app.button if button.label == "Clone").click().run()
    assert not app.exception
    assert "The run that child started from is not in this home" in told(app)
