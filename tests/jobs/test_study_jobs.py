"""A study in the queue: its run has a heartbeat, it stops with a checkpoint, and it goes on."""

import pytest
from homes import SPLIT, TINY

from metalm.errors import RunStateError
from metalm.jobs.listeners import Ended, Listener
from metalm.studies import kept

QUICK = ", ".join(f"{key}={value}" for key, value in TINY.items())


@pytest.fixture
def study(home):
    settings = {
        "split": SPLIT,
        "joint_tokens": 10**9,  # no test waits for so many
        "meta_tokens": 10**9,
        "joint_set": f"{QUICK}, joint.batch=1, joint.window=16",
        "device": "cpu",
    }
    return kept.begin(home, "speed", settings)


def test_a_study_stops_with_a_checkpoint_and_goes_on_from_there(home, jobs, study, wait_until):
    listener = Listener()
    job = jobs.study(study.id, listener=listener)
    with pytest.raises(RunStateError, match="must not run or wait already"):
        jobs.study(study.id)
    jobs.start()
    wait_until(lambda: any(run.step >= 1 for run in home.runs()), "a step is made")
    [run] = home.runs()
    [running] = jobs.under_way()
    assert running.run_id == run.id  # whose heartbeat goes on
    assert jobs.study_job(study.id) == job
    jobs.stop(run.id)
    said = [item for item in jobs.heard(job, listener) if item is not None]
    assert said[0]["event"] == "training"
    assert said[-1] == Ended("cancelled")
    assert running.run_id is None
    stopped = home.run(run.id)
    assert stopped.status == "stopped"
    assert home.has_checkpoint(run.id)
    assert jobs.study_job(study.id) is None
    again = jobs.study(study.id)
    wait_until(lambda: home.run(run.id).step > stopped.step, "a later step is made")
    jobs.cancel(again.id)
    wait_until(lambda: home.run(run.id).status == "stopped", "the run has stopped")
    assert len(home.runs()) == 1
