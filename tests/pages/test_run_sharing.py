"""Runs on their way out of the dashboard and in: the report on Compare, and other trackers."""

import io
import zipfile
from datetime import UTC, datetime

import pytest

from metalm.dashboard import run_sharing
from metalm.sharing.histories import History, Scalar, take_in


@pytest.mark.usefixtures("shipped")
def test_compare_offers_its_runs_as_a_report(page, home):
    app = page("compare")
    assert not app.exception
    labels = [button.label for button in app.get("download_button")]
    assert labels[:2] == ["HTML", "Markdown"]
    runs = [home.run(name) for name in app.multiselect[0].value]
    text = run_sharing._text(runs, ".md")
    assert text.startswith("# Runs base fomaml, base joint\n")


@pytest.mark.filterwarnings("default")  # TensorBoard's
@pytest.mark.usefixtures("home")
def test_a_run_goes_to_tensorboard_and_comes_back_without_weights(page, home, finished, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is an optional extra")
    packed = run_sharing._packed([finished], "tensorboard")
    zipfile.ZipFile(io.BytesIO(packed)).extractall(tmp_path)
    app = page("runs", view="Import", tracker="TensorBoard")
    next(field for field in app.text_input if field.label.startswith("Folder")).input(str(tmp_path))
    [button for button in app.button if button.label == "Import"][-1].click()
    app = app.run()
    assert not app.exception
    assert app.query_params["runs"] == "good-2"
    assert home.run("good-2").status == "imported"
    for look in ("Curves", "Results", "Diagnostics", "Settings", "Machine", "Log"):
        assert not page("runs", runs="good-2", look=look).exception
    for view in ("Curves", "Tasks", "Means", "Diagnostics", "Settings"):
        assert not page("compare", runs=["good", "good-2"], view=view).exception


@pytest.fixture
def foreign(home):
    """A run of another program, `lstm`."""
    history = History(
        name="lstm",
        began=datetime(2020, 1, 1, tzinfo=UTC),
        params={"lr": "0.1 | 2"},
        scalars=[Scalar("loss", step, float(step), 3.0 - step) for step in range(3)],
        results={},
        told={},
    )
    return take_in(home, history, "tensorboard", {"validation": "loss"})


@pytest.mark.usefixtures("finished", "foreign")
def test_a_run_of_another_program_breaks_no_page(page):
    for look in ("Curves", "Results", "Diagnostics", "Settings", "Machine", "Log"):
        app = page("runs", runs="lstm", look=look)
        assert not app.exception
        assert [error.value for error in app.error] == [], look
    for view in ("Curves", "Tasks", "Means", "Diagnostics", "Settings"):
        app = page("compare", runs=["good", "lstm"], view=view)
        assert not app.exception
        assert [error.value for error in app.error] == [], view
    for name in ("overview", "train", "adapt"):
        assert not page(name).exception


@pytest.mark.usefixtures("home")
def test_a_folder_without_runs_is_refused(page, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is an optional extra")
    app = page("runs", view="Import")
    next(field for field in app.text_input if field.label.startswith("Folder")).input(str(tmp_path))
    [button for button in app.button if button.label == "Import"][-1].click()
    assert "must have event files" in app.run().error[0].value
