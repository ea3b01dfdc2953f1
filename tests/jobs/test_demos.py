"""Live demos: several runs side by side in a thread, saved whatever happens, stopped at once, one run's
failure its own."""

import threading

import numpy as np
import pytest

from metalm.config import length_for
from metalm.errors import NotFoundError, RunStateError
from metalm.evaluate.live import LiveStep
from metalm.jobs import demos
from metalm.jobs.demo import MAX_RUNS, DemoRequest, Part, Writing
from metalm.jobs.demos import MAX_KEPT
from metalm.jobs.manager import JobManager
from metalm.learn.score import Score

SUPPORT, QUERY = "süß und bunt ".encode() * 30, "bunt und süß 猫".encode() * 4


@pytest.fixture
def run(home, new_run):
    return home.train(new_run().id)


@pytest.fixture
def request_of(run):
    def make(**others):
        wanted = {"name": "demo", "support": SUPPORT, "query": QUERY, "runs": (run.id,), "steps": 3}
        return DemoRequest(**{**wanted, "writing": Writing(num_bytes=20), **others})

    return make


@pytest.fixture
def slow(home, monkeypatch):
    """Adaptation that takes a step whenever the test lets it."""
    let, adapt = threading.Semaphore(0), home.adapt

    def stepwise(*arguments, **others):
        for step in adapt(*arguments, **others):
            let.acquire()
            yield step

    monkeypatch.setattr(home, "adapt", stepwise)
    return let


def test_a_demo_leaves_the_record_that_it_promised(home, jobs, request_of):
    demo = jobs.demos.begin(request_of())
    demo.wait()
    [part] = demo.parts
    assert part.is_saved
    assert home.store.adaptations.get(part.record_id).query == QUERY.decode()
    steps = home.store.adaptations.steps(part.record_id)
    assert [step.step for step in steps] == [0, 1, 2, 3]
    assert [step.guesses is not None for step in steps] == [True, False, False, True]
    samples = home.store.adaptations.samples(adaptation_id=part.record_id)
    assert {sample.adaptation_step for sample in samples} == {0, 3}
    assert jobs.demos.find([part.record_id]) is demo
    assert all(step.weights == {} for step in part.steps)


def test_runs_take_their_steps_in_turn(home, jobs, run, new_run, request_of, slow, wait_until):
    other = home.train(new_run(seed="1").id)
    demo = jobs.demos.begin(request_of(runs=(run.id, other.id)))
    slow.release(2)
    wait_until(lambda: [len(part.steps) for part in demo.parts] == [1, 1], "a step of each run")
    assert not demo.is_over
    slow.release(20)
    demo.wait()
    assert [len(part.steps) for part in demo.parts] == [4, 4]


def test_the_time_left_is_by_the_clock_turns_of_other_runs_included():
    part, told = Part("r", total=10), []
    for number, now in enumerate((100.0, 104.0, 108.0)):
        score = Score(nats=1.0, tokens=1, bytes=1, chars=1, seconds=0.0)
        part.heed(LiveStep(step=number, score=score, char_nats=np.ones(1), seconds=0.1, weights={}), now)
        told.append(part.seconds_left)
    assert told == [None, 36.0, 32.0]
    part.total = 2
    assert part.seconds_left is None


def test_a_demo_that_is_stopped_keeps_the_steps_that_were_made(home, jobs, request_of, slow, wait_until):
    demo = jobs.demos.begin(request_of(steps=50))
    slow.release(2)
    wait_until(lambda: len(demo.parts[0].steps) == 2, "two steps")
    demo.stop()
    slow.release(1)
    demo.wait()
    [part] = demo.parts
    record = home.store.adaptations.get(part.record_id)
    assert len(home.store.adaptations.steps(part.record_id)) == len(part.steps) < 5
    assert record.adaptation["steps"] == len(part.steps) - 1
    assert home.store.adaptations.samples(adaptation_id=part.record_id) == []


def test_one_runs_failure_leaves_the_other_alone(jobs, run, new_run, request_of):
    queued = new_run(seed="1")
    demo = jobs.demos.begin(request_of(runs=(queued.id, run.id)))
    demo.wait()
    failed, fine = demo.parts
    assert "must have been trained" in failed.error
    assert not failed.is_saved
    assert fine.is_saved
    assert not fine.error


def test_a_run_that_goes_while_it_is_asked_what_it_expects_leaves_the_other_alone(
    home, jobs, run, new_run, request_of, monkeypatch
):
    other, ask = home.train(new_run(seed="1").id), home.guesses

    def guesses(run_id, *arguments, **others):
        if run_id == other.id:
            raise NotFoundError(f"no run {run_id!r} in the store")
        return ask(run_id, *arguments, **others)

    monkeypatch.setattr(home, "guesses", guesses)
    demo = jobs.demos.begin(request_of(runs=(other.id, run.id)))
    demo.wait()
    gone, fine = demo.parts
    assert "no run" in gone.error
    assert fine.is_saved


def test_a_queue_that_closes_ends_its_demos_and_keeps_what_they_showed(home, request_of, slow):
    manager = JobManager(home, slots=("cpu",), threads=1)
    demo = manager.demos.begin(request_of(steps=1000))
    slow.release(1000)
    manager.close()
    assert demo.is_over
    with pytest.raises(RunStateError, match="while the app closes"):
        manager.demos.begin(request_of())


def test_saved_demos_write_anew_and_forget_what_they_wrote(home, jobs, request_of):
    demo = jobs.demos.begin(request_of())
    demo.wait()
    ids = [part.record_id for part in demo.parts]
    again = jobs.demos.rewrite(ids, Writing(num_bytes=12, temperature=0.0, top_p=0.5, seed=7))
    again.wait()
    assert jobs.demos.find(ids) is again
    samples = home.store.adaptations.samples(adaptation_id=ids[0])
    assert {(sample.seed, sample.top_p, sample.adaptation_step) for sample in samples} == {
        (7, 0.5, 0),
        (7, 0.5, 3),
    }
    assert len(home.store.adaptations.all()) == 1


def test_writing_anew_with_the_same_settings_gives_the_same_text(home, jobs, request_of):
    demo = jobs.demos.begin(request_of())
    demo.wait()
    [part] = demo.parts
    jobs.demos.rewrite([part.record_id], demo.asked.writing).wait()
    samples = home.store.adaptations.samples(adaptation_id=part.record_id)
    assert {sample.adaptation_step: sample.text for sample in samples} == part.written


def test_a_demo_needs_runs_and_not_too_many(jobs, run, request_of):
    for runs in ((), (run.id,) * (MAX_RUNS + 1)):
        with pytest.raises(RunStateError, match=f"must have 1 to 4 runs, got {len(runs)}"):
            jobs.demos.begin(request_of(runs=runs))
    with pytest.raises(NotFoundError):
        jobs.demos.rewrite(["0123456789ab"], Writing())


def test_of_those_that_are_over_the_newest_are_remembered(jobs, request_of):
    first = jobs.demos.begin(request_of(steps=0))
    first.wait()
    for _ in range(MAX_KEPT + 1):
        jobs.demos.begin(request_of(steps=0, writing=Writing(num_bytes=0))).wait()
    assert jobs.demos.find([first.parts[0].record_id]) is None


def test_steps_that_nobody_asked_for_are_those_that_were_tuned(home, jobs, run, request_of):
    demo = jobs.demos.begin(request_of(steps=None))
    demo.wait()
    [part] = demo.parts
    loaded = home.load(run.id)
    assert not part.error
    assert part.total == length_for(len(SUPPORT), loaded.lengths, loaded.inner.steps)
    assert len(part.steps) == part.total + 1


def test_a_training_waits_while_a_demo_begins(jobs, new_run, request_of, slow, wait_until, monkeypatch):
    training = new_run(steps=10**6)
    jobs.start()
    jobs.train(training.id)

    def steps():
        return [running.report.step for running in jobs.under_way() if running.report is not None]

    wait_until(lambda: steps() and steps()[0] > 2, "it trains")
    demo = jobs.demos.begin(request_of(steps=5))
    slow.release(1)
    wait_until(lambda: demo.parts[0].steps, "its first step")
    before = steps()
    assert not threading.Event().wait(0.5)
    at = steps()
    assert at[0] <= before[0] + 1, "at most the step that was under way"
    slow.release(20)
    demo.wait()
    wait_until(lambda: steps()[0] > at[0] + 1, "it goes on after the demo")

    second = jobs.demos.begin(request_of(steps=5))
    wait_until(jobs.demos.goes_first, "the next one goes first, too")
    monkeypatch.setattr(demos, "_GOES_FIRST", 0.0)
    at = steps()
    wait_until(lambda: steps()[0] > at[0] + 1, "a long demo does not hold it up for ever")
    slow.release(20)
    second.wait()
