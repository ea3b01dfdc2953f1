"""The queue keeps its order, gives a job to one worker only, and outlives the process."""

import threading

import pytest

from metalm.errors import NotFoundError, RunStateError
from metalm.store.store import Store


@pytest.fixture
def queued(store):
    return [store.jobs.add("training", {"run": str(i), "support": [0, 512]}, run_id=str(i)) for i in range(4)]


def order(store):
    return [job.payload["run"] for job in store.jobs.queue()]


def test_jobs_wait_in_the_order_in_which_they_came(store, queued):
    assert store.jobs.queue() == queued
    assert order(store) == ["0", "1", "2", "3"]
    assert store.jobs.get(queued[0].id).payload == {"run": "0", "support": [0, 512]}


@pytest.mark.parametrize(("position", "expected"), [(0, "2013"), (1, "0213"), (3, "0132"), (99, "0132")])
def test_a_waiting_job_moves_to_a_place(store, queued, position, expected):
    store.jobs.move(queued[2].id, position)
    assert "".join(order(store)) == expected
    store.jobs.add("training", {"run": "4"})
    assert "".join(order(store)) == expected + "4"


def test_a_job_that_waits_no_longer_is_not_moved(store, queued):
    store.jobs.start(queued[0].id)
    with pytest.raises(RunStateError, match="must be queued to be moved"):
        store.jobs.move(queued[0].id, 0)


def test_of_many_workers_one_gets_the_job(store, queued):
    taken = []
    threads = [
        threading.Thread(target=lambda: taken.append(store.jobs.start(queued[0].id))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 7 + [True]


def test_a_job_tells_how_it_went(store, queued):
    first, second = queued[:2]
    for job in (first, second):
        store.jobs.start(job.id)
        store.jobs.progress(job.id, 0.5, "half")
    store.jobs.end(first.id, "finished")
    store.jobs.end(second.id, "failed", error="broke", traceback="trace")
    done, failed = store.jobs.get(first.id), store.jobs.get(second.id)
    assert (done.status, done.progress, done.message) == ("finished", 1.0, "half")
    assert (failed.status, failed.progress, failed.error, failed.traceback) == (
        "failed",
        0.5,
        "broke",
        "trace",
    )
    assert [job.id for job in store.jobs.recent()] == [second.id, first.id]
    assert store.jobs.with_status("finished", "failed") == [done, failed]
    assert store.jobs.of_run("0") == [done]


def test_the_queue_outlives_the_process(store, queued, path):
    store.close()
    again = Store(path)
    assert again.jobs.queue() == queued
    again.jobs.delete(queued[0].id)
    with pytest.raises(NotFoundError, match=f"no job '{queued[0].id}' in the queue"):
        again.jobs.get(queued[0].id)
    again.close()
