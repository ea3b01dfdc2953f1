"""What operators are told of an app: figures that agree with its home and its queue."""

from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from metalm.errors import HomeError
from metalm.jobs import health
from metalm.store.metrics import Point


@pytest.fixture
def app(home, jobs):
    """An app's home and queue, whose workers have not begun."""
    return SimpleNamespace(home=home, jobs=jobs)


def figures(app):
    """Sample name -> its values by labels."""
    text = health.prometheus(app).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = (
                sample.value
            )
    return found


def test_queue_and_statuses_are_counted(app, new_run):
    for _ in range(2):
        app.jobs.train(new_run().id)
    app.jobs.evaluate([new_run().id])
    told = figures(app)
    assert told["metalm_jobs_queued"] == {("training",): 2, ("evaluation",): 1, ("study",): 0}
    assert sum(told["metalm_jobs_running"].values()) == 0
    assert told["metalm_runs"][("queued",)] == 3
    assert told["metalm_runs"][("failed",)] == 0
    assert health.check(app)["queued"] == 3


def test_a_run_that_trains_tells_its_speed_under_any_name(app, new_run):
    run = new_run()
    app.home.rename_run(run.id, 'a "quoted"\\\nname')
    app.home.store.runs.start(run.id, step=-1, owes_validation=False, device="cpu", pid=1, boot_id="x")
    points = [
        Point(step, 10, 1.0, "tokens_per_second", None, None, value)
        for step, value in ((1, 100.0), (2, 250.0), (3, float("nan")))
    ]
    app.home.store.metrics.add(run.id, points)
    app.home.store.flush()
    told = figures(app)
    assert told["metalm_run_tokens_per_second"] == {('a "quoted"\\\nname', run.id): 250.0}
    assert told["metalm_run_progress_ratio"] == {('a "quoted"\\\nname', run.id): 0.0}


def test_process_and_versions_are_told(app):
    told = figures(app)
    assert told["process_resident_memory_bytes"][()] > 1e6
    assert told["metalm_home_free_bytes"][()] > 0
    [labels] = told["metalm_build_info"]
    assert len(labels) >= 5


def test_an_app_that_closes_is_not_well(app):
    app.jobs.halt()
    with pytest.raises(HomeError, match="is closing"):
        health.check(app)
