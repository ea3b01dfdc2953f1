"""The main job in one command, with few steps: it ends, twice in one home, and adaptation helps."""

import pytest

from metalm.errors import RunStateError
from metalm.home.samples import SAMPLE_TAG
from metalm.operations.session import open_session

SHORT = {"joint_steps": 6, "fomaml_steps": 2}


def test_the_demo_adapts_to_unseen_tasks_and_can_be_run_again(tmp_path):
    with open_session(tmp_path / "home", doing="demo") as session:
        for times in (1, 2):
            lines = list(session.call("demo", **SHORT))
            last = lines[-1]
            assert last["event"] == "demo"
            assert last["bits_per_byte_after"] < last["bits_per_byte_before"]
            assert not any(line["seen"] for line in lines if line["event"] == "evaluation")
            assert session.home.openings("demo") == times
        (first, second) = (
            run for run in session.home.runs() if run.algorithm == "fomaml" and SAMPLE_TAG not in run.tags
        )
        assert first.parent != second.parent
        assert {task.name for task in session.home.split("demo").of_role("meta-test")} == set(last["tasks"])


def test_the_demo_ends_where_its_run_is_stopped(tmp_path):
    with open_session(tmp_path / "home", doing="demo") as session:
        lines = session.call("demo", joint_steps=100_000)
        while next(lines)["event"] != "report":
            continue
        session.jobs.halt()
        with pytest.raises(RunStateError, match="must be finished for the demo to go on, got stopped"):
            list(lines)
