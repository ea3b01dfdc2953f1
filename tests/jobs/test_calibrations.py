"""Measurements beside the queue: kept by what they depend on, cancelled, ended with the home; none stored."""

from dataclasses import replace

import pytest
from homes import SPLIT, tiny_config

from metalm.config import Budget
from metalm.errors import NotFoundError, SplitError
from metalm.jobs.manager import JobManager
from metalm.learn import calibration
from metalm.learn.stopping import Stopped


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(calibration, "_SECONDS", 0.05)


@pytest.fixture
def endless(monkeypatch):
    """Measurements that go on until they are stopped."""
    monkeypatch.setattr(calibration, "_SECONDS", 1e9)
    monkeypatch.setattr(calibration, "_ROUNDS", 10**9)


def test_a_config_is_measured_without_a_trace_in_the_store(home, jobs):
    files = set(home.path.iterdir())
    estimate = jobs.calibrations.begin(tiny_config(), SPLIT).estimate()
    assert estimate.step_seconds > 0
    assert home.runs(archived=True) == []
    assert jobs.recent() == jobs.queue() == []
    assert set(home.path.iterdir()) == files


def test_what_was_measured_holds_for_every_budget_and_seed_and_no_other_setting(jobs):
    config = tiny_config()
    begun = jobs.calibrations.begin(config, SPLIT)
    begun.estimate()
    same = replace(config, budget=Budget(unit="tokens", amount=9), seed=4).with_settings(
        {"validation.every": "7"}
    )
    assert jobs.calibrations.find(same, SPLIT) is begun
    assert jobs.calibrations.find(config.with_settings({"inner.steps": "3"}), SPLIT) is None
    with pytest.raises(NotFoundError):
        jobs.calibrations.find(config, "another")


def test_what_goes_wrong_is_raised_to_who_asks(jobs):
    long = tiny_config().with_settings({"inner.window": "8000"})
    begun = jobs.calibrations.begin(long, SPLIT)
    with pytest.raises(SplitError, match="needs"):
        begun.estimate()
    assert begun.is_over


@pytest.mark.usefixtures("endless")
def test_a_cancelled_measurement_ends_and_is_forgotten(jobs, wait_until):
    config = tiny_config()
    begun = jobs.calibrations.begin(config, SPLIT)
    wait_until(lambda: begun.share > 0, "it is under way")
    assert not begun.is_over
    jobs.calibrations.cancel(begun)
    assert jobs.calibrations.find(config, SPLIT) is None
    with pytest.raises(Stopped):
        begun.estimate()


@pytest.mark.usefixtures("endless")
def test_a_new_measurement_takes_the_place_of_the_one_under_way(jobs, monkeypatch):
    first = jobs.calibrations.begin(tiny_config(), SPLIT)
    monkeypatch.setattr(calibration, "_ROUNDS", 1)
    second = jobs.calibrations.begin(tiny_config(seed="3"), SPLIT)
    with pytest.raises(Stopped):
        first.estimate()
    assert second.estimate().step_seconds > 0


@pytest.mark.usefixtures("endless")
def test_closing_the_queue_ends_a_measurement(home):
    jobs = JobManager(home, slots=("cpu",), threads=1)
    begun = jobs.calibrations.begin(tiny_config(), SPLIT)
    jobs.close()
    assert begun.is_over


def test_a_measurement_beside_a_training_says_so(jobs, new_run, wait_until):
    jobs.train(new_run(steps=10**6).id)
    jobs.start()
    wait_until(lambda: jobs.is_busy, "it trains")
    assert jobs.calibrations.begin(tiny_config(), SPLIT).beside_work
