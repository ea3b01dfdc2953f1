"""The short measurement of a config: what it counts is what training counts, and nothing of it stays."""

import tempfile
from dataclasses import replace

import pytest
import torch

from metalm.config import ALGORITHMS
from metalm.errors import DivergedError, SplitError
from metalm.learn import calibration
from metalm.learn.stopping import Stopped
from metalm.model.fast_weights import num_weights, slow_weights
from metalm.model.gru import new_model


@pytest.fixture
def calibrate(train, validation, tokenizer, tmp_path, monkeypatch):
    """Measures a config on the texts, over in an instant; what it would leave behind is in `tmp_path`."""
    monkeypatch.setattr(calibration, "_SECONDS", 0.05)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()

    def measure(config, *, texts=train, judged=validation, **options):
        cpu = torch.device("cpu")
        return calibration.calibrate(config, texts, judged, tokenizer, tmp_path / "tokens", cpu, **options)

    return measure


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_every_algorithm_is_measured_as_it_trains(config, calibrate, start, algorithm):
    asked = config(algorithm, steps=10, every=2)
    measured = calibrate(asked)
    reports = list(start(replace(asked, validation=replace(asked.validation, every=0))).run())
    for name in ("tokens", "gradient_evaluations", "flops"):
        trained = getattr(reports[-1], name) / reports[-1].step
        assert getattr(measured, f"step_{name}") == pytest.approx(trained, rel=0.25)
    assert measured.step_gradient_evaluations >= measured.step_tokens
    assert measured.step_numbers > 0
    assert measured.step_seconds > 0
    assert measured.validation_seconds > 0
    assert measured.tuning_seconds > measured.validation_seconds
    assert measured.steps_measured >= 1
    assert measured.memory_bytes >= 0


def test_files_are_as_large_as_they_are_told(config, calibrate, start, tmp_path):
    measured = calibrate(config("fomaml"))
    training = start(config("fomaml"))
    list(training.run())
    training.save(tmp_path / "checkpoint")
    saved = sum(file.stat().st_size for file in (tmp_path / "checkpoint").iterdir())
    assert measured.checkpoint_bytes == pytest.approx(saved, rel=0.2)
    assert measured.weights_bytes > 4 * measured.num_weights == 4 * num_weights(training.model)


def test_nothing_but_tokens_is_left_behind(config, calibrate, tmp_path):
    before = set(tmp_path.rglob("*"))
    calibrate(config("fomaml"))
    left = set(tmp_path.rglob("*")) - before
    assert {path.parent.name for path in left if path.is_file()} <= {"tokens"}
    assert not list((tmp_path / "scratch").iterdir())


def test_a_warm_start_and_a_run_without_meta_validation_are_measured(config, calibrate):
    model = new_model(config().model, 256, seed=9)
    measured = calibrate(config("joint"), judged=[], initial_weights=slow_weights(model))
    assert (measured.validation_seconds, measured.tuning_seconds) == (0, 0)


def test_a_measurement_stops_between_two_adaptation_steps(config, calibrate):
    asked = 0

    def should_stop():
        nonlocal asked
        asked += 1
        return asked > 25

    with pytest.raises(Stopped):
        calibrate(config("fomaml"), should_stop=should_stop)
    assert asked < 40


def test_progress_rises_from_the_start_to_the_end(config, calibrate):
    shares = []
    calibrate(config("fomaml"), on_progress=shares.append)
    assert shares == sorted(shares)
    assert 0 < shares[0] <= shares[-1] <= 1


def test_what_training_refuses_is_refused(config, calibrate):
    with pytest.raises(SplitError, match="needs"):
        calibrate(config("fomaml", **{"inner.window": "4000"}))


def test_a_run_that_diverges_at_once_says_so(config, calibrate):
    weights = slow_weights(new_model(config().model, 256, seed=9))
    weights["linear.bias"] = torch.full_like(weights["linear.bias"], torch.inf)
    with pytest.raises(DivergedError):
        calibrate(config("fomaml"), initial_weights=weights)
