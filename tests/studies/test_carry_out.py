"""From a plan to a report: stopped anywhere, gone on with, nothing made twice."""

import pandas as pd
import pytest
from study_homes import SMALL, after

from metalm.errors import ConfigError, DivergedError, NotFoundError, RunStateError, SplitError
from metalm.model.weight_files import load_weights, save_weights
from metalm.studies import kept
from metalm.studies.carry_out import Listening, carry_out, finished_runs, write_report
from metalm.studies.pretrained import JOINT, META, TWIN
from metalm.studies.report import read


def begun(home, **settings):
    return kept.begin(home, "speed", {**SMALL, "beyond": 5, **settings})


def rows(home, study_id):
    """What the study's runs cost on every query: everything that must not depend on a stop."""
    keys = {run.id: key for key, run in finished_runs(home, study_id).items()}
    frame = home.evaluations(list(keys))
    columns = ["key", "task_id", "support_bytes", "adaptation_step", "nats"]
    return frame.assign(key=frame["run_id"].map(keys))[columns].sort_values(columns).reset_index(drop=True)


def test_a_study_trains_evaluates_and_reports(home):
    study, said = begun(home), []
    assert carry_out(home, study.id, listening=Listening(say=said.append))
    runs = finished_runs(home, study.id)
    assert list(runs) == [JOINT, META, TWIN]
    assert runs[META].parent == runs[TWIN].parent == runs[JOINT].id
    events = [line["event"] for line in said]
    assert events == ["training", "trained"] * 3 + ["evaluating", "reported"]
    report = read(home.study_dir(study.id))
    assert report.settings == study.settings
    assert len(report.findings) == 2  # one a series


def test_nothing_is_made_twice(home):
    study = begun(home)
    carry_out(home, study.id)
    runs, made = finished_runs(home, study.id), rows(home, study.id)
    assert carry_out(home, study.id)
    assert finished_runs(home, study.id) == runs
    pd.testing.assert_frame_equal(rows(home, study.id), made)
    assert len(home.runs()) == 3


def test_a_study_stopped_again_and_again_comes_to_the_same_numbers(home):
    whole, study = begun(home), begun(home)
    carry_out(home, whole.id)
    stops, done = 0, {}
    while not carry_out(home, study.id, should_stop=after(20 + 20 * stops)):
        stops += 1
        assert finished_runs(home, study.id).items() >= done.items()
        done = finished_runs(home, study.id)
    assert stops >= 3
    assert len(home.runs()) == 6
    pd.testing.assert_frame_equal(rows(home, study.id), rows(home, whole.id))


def test_a_deleted_run_is_made_again(home):
    study = begun(home)
    carry_out(home, study.id)
    made = rows(home, study.id)
    home.delete_run(finished_runs(home, study.id)[TWIN].id)
    with pytest.raises(RunStateError, match=f"'{TWIN}' is to be trained"):
        write_report(home, study.id)
    assert carry_out(home, study.id)
    pd.testing.assert_frame_equal(rows(home, study.id), made)


def test_a_run_that_diverges_ends_the_study_and_is_tried_again(home):
    def spoil(line):
        if line["event"] == "trained":
            weights = load_weights(home.weights_path(line["run"]))
            weights["linear.bias"][0] = float("nan")
            save_weights(home.weights_path(line["run"]), weights)

    study = begun(home)
    for _ in range(2):
        with pytest.raises(DivergedError):
            carry_out(home, study.id, listening=Listening(say=spoil))
    assert [run.status for run in home.runs()] == ["failed", "finished"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"split": "nothing"}, NotFoundError, "no split 'nothing'"),
        ({"seeds": "0"}, ConfigError, "seeds must be 1 or more, got 0"),
        ({"seeds": "many"}, ConfigError, "seeds must be a whole number, got 'many'"),
        ({"magic": "1"}, ConfigError, "no setting 'magic' of a speed study"),
        ({"support": "512;1"}, ConfigError, "support must be whole numbers"),
        ({"support": "-1"}, ConfigError, "support must be numbers of 0 or more"),
        ({"algorithm": "joint"}, ConfigError, "algorithm must be one of fomaml"),
        ({"meta_set": "inner.steps"}, ConfigError, "meta_set must be key=value"),
        ({"meta_set": "inner.magic=1"}, ConfigError, "no setting 'inner.magic'"),
        ({"joint_set": "joint.batch=0"}, ConfigError, "joint.batch must be 1 or more"),
    ],
)
def test_a_study_that_cannot_be_is_refused_before_it_begins(home, settings, error, message):
    with pytest.raises(error, match=message):
        kept.begin(home, "speed", {**SMALL, **settings})
    assert home.store.studies.all() == []


def test_a_role_without_a_task_is_refused(home):
    tasks = [task for task in home.tasks() if task.name in ("alpha", "beta", "omega")]
    roles = {task.id: "meta-validation" if task.name == "omega" else "meta-train" for task in tasks}
    home.freeze_split("untested", tasks, roles)
    with pytest.raises(SplitError, match="must have a task in meta-test"):
        kept.begin(home, "speed", {**SMALL, "split": "untested", "role": "meta-test"})


def test_names_are_free_and_a_deleted_study_leaves_its_runs(home):
    first, second = begun(home), begun(home)
    assert (first.name, second.name) == ("speed", "speed-2")
    carry_out(home, first.id)
    kept.delete(home, first.id)
    assert not home.study_dir(first.id).exists()
    assert len(home.runs()) == 3
    with pytest.raises(NotFoundError, match="no study 'speed-3' in the home"):
        kept.find(home, "speed-3")
    with pytest.raises(NotFoundError, match="no kind of study 'magic'"):
        kept.begin(home, "magic", {})


def test_the_folder_of_a_forgotten_study_is_swept_away_and_others_are_not(home, tmp_path):
    study = begun(home)
    carry_out(home, study.id)
    orphan, own = home.studies_dir / ("0" * 12), home.studies_dir / "mine"
    orphan.mkdir()
    own.mkdir()
    home.close()
    with type(home).open(tmp_path / "home", samples=False):
        assert home.study_dir(study.id).is_dir()
        assert own.is_dir()
        assert not orphan.exists()
