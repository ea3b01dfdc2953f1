"""The queue: its order, what is taken off it, what ends its work, and what outlives a process."""

import pytest
from homes import SPLIT

from metalm.errors import NotFoundError, RunStateError
from metalm.jobs.listeners import Ended, Listener
from metalm.jobs.manager import JobManager

LONG = 1_000_000  # outer steps that no test waits for


def heard(jobs, job, listener):
    return [item for item in jobs.heard(job, listener) if item is not None]


def test_a_queued_run_is_trained_and_its_listener_hears_every_step(home, jobs, new_run):
    run, listener = new_run(steps=3), Listener()
    job = jobs.train(run.id, listener=listener)
    jobs.start()
    *reports, ended = heard(jobs, job, listener)
    assert [report.step for report in reports] == [0, 1, 2, 3]
    assert ended == Ended("finished")
    assert home.run(run.id).status == "finished"
    assert home.store.jobs.get(job.id).status == "finished"


def test_jobs_run_one_after_another_in_the_order_of_the_queue(jobs, new_run, wait_until):
    submitted = [jobs.train(new_run(steps=1).id) for _ in range(3)]
    jobs.move(submitted[2].id, 0)
    assert [job.id for job in jobs.queue()] == [submitted[2].id, submitted[0].id, submitted[1].id]
    jobs.start()
    wait_until(lambda: len(jobs.recent()) == 3, "three jobs are over")
    assert [job.id for job in reversed(jobs.recent())] == [submitted[2].id, submitted[0].id, submitted[1].id]


def test_a_cancelled_job_never_runs_and_its_run_is_stopped(home, jobs, new_run):
    run, listener = new_run(), Listener()
    job = jobs.train(run.id, listener=listener)
    jobs.cancel(job.id)
    jobs.start()
    assert heard(jobs, job, listener) == [Ended("cancelled")]
    assert home.run(run.id).status == "stopped"
    assert jobs.queue() == []


def test_a_running_run_stops_with_a_checkpoint_and_goes_on_from_there(home, jobs, new_run, wait_until):
    run, listener = new_run(steps=LONG), Listener()
    job = jobs.train(run.id, listener=listener)
    jobs.start()
    wait_until(lambda: home.run(run.id).step >= 1, "a step is made")
    jobs.stop(run.id)
    assert heard(jobs, job, listener)[-1] == Ended("cancelled")
    stopped = home.run(run.id)
    assert stopped.status == "stopped"
    assert stopped.step >= 1
    listener = Listener()
    again = jobs.resume(run.id, listener=listener)
    steps = (item.step for item in jobs.heard(again, listener) if item is not None)
    # A meta-validation that the stop cut off is made up for first, under the number of its step.
    assert next(step for step in steps if step != stopped.step) == stopped.step + 1
    jobs.stop(run.id)


def test_an_idle_worker_takes_a_job_that_comes_as_its_wait_times_out(jobs, new_run, wait_until):
    jobs.start()
    wait = jobs._changed.wait
    # A Condition's wait that is notified while it goes back for the lock, its time being up, returns False.
    jobs._changed.wait = lambda seconds: wait(seconds) and False
    wait_until(lambda: jobs._changed._waiters, "the worker waits")
    job = jobs.train(new_run(steps=1).id)
    wait_until(lambda: jobs.recent(), "the job is over")
    assert [(ended.id, ended.status) for ended in jobs.recent()] == [(job.id, "finished")]


def test_a_finished_run_is_extended(jobs, new_run):
    run, listener = new_run(steps=2), Listener()
    jobs.start()
    heard(jobs, jobs.train(run.id, listener=listener), listener)
    listener = Listener()
    *reports, _ = heard(jobs, jobs.extend(run.id, 2, listener=listener), listener)
    assert [report.step for report in reports] == [3, 4]


def test_a_job_that_fails_leaves_its_traceback_and_the_worker_goes_on(home, jobs, new_run):
    broken, whole, listener = new_run(), new_run(steps=1), Listener()
    # A text that is gone makes the training fail in the worker, not before.
    for corpus in home.corpora():
        home.corpus_path(corpus.name).rename(home.path / f"{corpus.name}.hidden")
    job = jobs.train(broken.id, listener=listener)
    jobs.start()
    assert heard(jobs, job, listener)[-1].status == "failed"
    for corpus in home.corpora():
        (home.path / f"{corpus.name}.hidden").rename(home.corpus_path(corpus.name))
    after = Listener()
    assert heard(jobs, jobs.train(whole.id, listener=after), after)[-1] == Ended("finished")
    failed = home.run(broken.id)
    assert failed.status == "failed"
    assert "Traceback" in failed.traceback
    assert failed.error
    assert "Traceback" in home.store.jobs.get(job.id).traceback


def test_what_is_queued_outlives_the_manager_and_what_ran_is_not_started_again(home, new_run, wait_until):
    first = JobManager(home, slots=("cpu",), threads=1)
    running, waiting = new_run(steps=LONG), new_run(steps=1)
    first.train(running.id)
    first.train(waiting.id)
    first.start()
    wait_until(lambda: first.is_busy, "the first job runs")
    first.close()
    assert home.run(running.id).status == "stopped"
    assert [job.payload["run"] for job in home.store.jobs.queue()] == [waiting.id]
    second = JobManager(home, slots=("cpu",), threads=1)
    second.start()
    wait_until(lambda: home.run(waiting.id).status == "finished", "the queued run is trained")
    second.close()
    assert home.run(running.id).status == "stopped"


def test_what_a_dead_process_left_is_put_in_order(home, new_run):
    begun, orphan = new_run(), new_run()
    job = home.store.jobs.add("training", {"run": begun.id, "device": "cpu"}, run_id=begun.id)
    home.store.jobs.start(job.id)
    JobManager(home).close()
    assert home.store.jobs.get(job.id).status == "interrupted"
    # Nobody would ever train these two; stopped, they can be resumed.
    assert {home.run(run.id).status for run in (begun, orphan)} == {"stopped"}


def test_what_a_command_did_not_begin_is_taken_back_when_it_ends(home, new_run):
    command = JobManager(home, slots=("cuda",), threads=1, only_own=True)
    run = new_run()
    detached = command.train(new_run().id, detached=True)
    command.halt()
    job = command.train(run.id)
    command.close()
    assert home.store.jobs.get(job.id).status == "cancelled"
    assert home.run(run.id).status == "stopped"
    assert [each.id for each in home.store.jobs.queue()] == [detached.id]


def test_a_command_runs_its_own_jobs_and_leaves_others_in_the_queue(home, new_run):
    left_behind = JobManager(home).train(new_run().id)
    command = JobManager(home, slots=("cpu",), threads=1, only_own=True)
    listener = Listener()
    detached = command.train(new_run().id, detached=True)
    own = command.train(new_run(steps=1).id, listener=listener)
    assert heard(command, own, listener)[-1] == Ended("finished")
    command.close()
    assert [job.id for job in home.store.jobs.queue()] == [left_behind.id, detached.id]


def test_a_listener_is_told_when_its_job_will_not_run_here(home, new_run):
    manager, listener = JobManager(home, slots=("cpu",)), Listener()
    job = manager.train(new_run().id, listener=listener)
    manager.close()
    assert heard(manager, job, listener) == []
    assert home.store.jobs.get(job.id).status == "queued"


def test_a_device_that_is_not_here_fails_with_its_name(jobs, new_run):
    run, listener = new_run(device="mps"), Listener()
    jobs.start()
    ended = heard(jobs, jobs.train(run.id, listener=listener), listener)[-1]
    assert "device must be one that this machine has" in str(ended.error)


def test_evaluations_stand_in_the_same_queue(jobs, new_run):
    run, listener = new_run(steps=2), Listener()
    jobs.train(run.id)
    job = jobs.evaluate([run.id], listener=listener, support=[0, 512], steps=1)
    jobs.start()
    *rows, ended = heard(jobs, job, listener)
    assert ended == Ended("finished")
    assert {(row.support_bytes, row.adaptation_step) for row in rows} == {(0, 0), (512, 0), (512, 1)}


def test_what_a_training_costs_is_recorded_while_it_runs(home, jobs, new_run, wait_until):
    run = new_run(steps=LONG)
    jobs.train(run.id)
    jobs.start()
    wait_until(lambda: "cpu_percent" in home.store.metrics.names([run.id]), "a sample is there")
    jobs.stop(run.id)
    wait_until(lambda: not jobs.is_busy, "the run stops")
    assert {"cpu_percent", "memory_bytes"} <= set(home.store.metrics.names([run.id]))
    assert home.run(run.id).heartbeat is not None


@pytest.mark.parametrize("method", ["cancel", "move"])
def test_a_job_that_does_not_wait_is_not_found(jobs, method):
    with pytest.raises(NotFoundError, match="no job 'nothing' in the queue"):
        getattr(jobs, method)(*["nothing", 0][: 1 + (method == "move")])


def test_a_run_that_is_over_cannot_be_stopped(home, jobs, new_run):
    run, listener = new_run(steps=1), Listener()
    jobs.start()
    heard(jobs, jobs.train(run.id, listener=listener), listener)
    with pytest.raises(RunStateError, match="must be queued or running to be stopped, got finished"):
        jobs.stop(run.id)
    assert home.split(SPLIT).name == SPLIT
