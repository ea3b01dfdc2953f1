"""What a measurement comes to for a budget: arithmetic on numbers that are given."""

from dataclasses import replace

import pytest

from metalm.learn.estimates import Estimate, forecast


@pytest.fixture
def estimate():
    """A step of 2 s and 1000 tokens, a meta-validation of 10 s, a tuning of 30 s."""
    return Estimate(
        device="cpu",
        steps_measured=5,
        step_seconds=2.0,
        step_tokens=1000.0,
        step_gradient_evaluations=4000.0,
        step_flops=1e6,
        step_numbers=100.0,
        validation_seconds=10.0,
        tuning_seconds=30.0,
        num_weights=50,
        memory_bytes=1 << 20,
        weights_bytes=200,
        checkpoint_bytes=800,
    )


@pytest.mark.parametrize(
    ("every", "validations"),
    [("50", 3), ("40", 4), ("100", 2), ("1000", 2), ("0", 1)],
)
def test_meta_validation_is_made_before_the_first_step_now_and_then_and_at_the_end(
    estimate, config, every, validations
):
    expected = forecast(estimate, config(steps=100, **{"validation.every": every}))
    assert (expected.steps, expected.validations) == (100, validations)
    assert expected.seconds == 200 + 10 * validations + 30
    assert expected.training_seconds == 200


def test_a_budget_of_tokens_is_met_by_the_step_that_passes_it(estimate, config):
    asked = config().with_settings({"budget.unit": "tokens", "budget.amount": "2500"})
    expected = forecast(estimate, asked)
    assert expected.steps == 3
    assert (expected.tokens, expected.gradient_evaluations, expected.flops) == (3000, 12000, 3e6)


def test_a_budget_of_minutes_counts_meta_validation_and_not_the_tuning(estimate, config):
    settings = {"budget.unit": "minutes", "budget.amount": "10", "validation.every": "10"}
    expected = forecast(estimate, config().with_settings(settings))
    assert expected.seconds - expected.tuning_seconds == pytest.approx(600, abs=15)


def test_a_run_makes_one_step_at_least(estimate, config):
    settings = {"budget.unit": "minutes", "budget.amount": "0.01", "validation.every": "10"}
    assert forecast(estimate, config().with_settings(settings)).steps == 1


def test_the_disk_holds_weights_checkpoint_and_curves(estimate, config):
    few, many = (forecast(estimate, config(steps=steps)).disk_bytes for steps in (1, 1001))
    assert few > 200 + 800
    assert many - few == 1000 * (few - 1000)


def test_a_run_that_judges_nothing_spends_nothing_on_it(estimate, config):
    blind = replace(estimate, validation_seconds=0.0, tuning_seconds=0.0)
    assert forecast(blind, config(steps=100)).validations == 0
    assert forecast(blind, config(steps=100)).seconds == 200
