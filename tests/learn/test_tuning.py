import json
import math
from dataclasses import replace

import pytest
import torch

from metalm.config import length_for
from metalm.errors import ConfigError
from metalm.learn.inner import SupportSet, adapt
from metalm.learn.rules import Rule
from metalm.learn.score import score
from metalm.learn.stopping import Stopped
from metalm.learn.tuning import Adaptation, Grid, GridPoint, grid_for, tune
from metalm.model.engines import engine_for
from metalm.model.fast_weights import slow_weights
from metalm.model.task_weights import of_task, shared
from metalm.units import bits_per_byte

GRID = Grid(lrs=(0.1, 1.0), steps=(1, 3), lengths=(), support_bytes=200, query_bytes=100)


def test_every_point_is_the_mean_score_of_the_whole_adaptation(model, tokenizer, validation, inner):
    weights = slow_weights(model)

    found = tune(model, weights, tokenizer, validation, Rule(inner), GRID)

    assert [(point.lr, point.steps) for point in found.grid] == [(0, 0), (0.1, 1), (0.1, 3), (1, 1), (1, 3)]
    for point in found.grid:
        values = []
        for text in validation:
            support, query = text.read(*text.support(200)), text.read(*text.query(100))
            windows = SupportSet.of_text(tokenizer, support, inner.window)
            rule = Rule(replace(inner, lr=point.lr, steps=point.steps))
            fast = of_task(adapt(engine_for(model), shared(weights, 1), [windows], rule), 0)
            cost = score(engine_for(model), fast, tokenizer, support, query)
            values.append(bits_per_byte(cost.nats, cost.bytes))
        assert point.bits_per_byte == pytest.approx(sum(values) / len(values))
    best = min(found.grid, key=lambda point: point.bits_per_byte)
    assert found.inner == replace(inner, lr=best.lr, steps=best.steps)


def test_the_best_at_an_edge_is_told(model, tokenizer, validation, inner):
    # A model that knows nothing yet wants the largest rate and the most steps of a timid grid.
    grid = replace(GRID, lrs=(0.001, 0.01, 0.1))

    found = tune(model, slow_weights(model), tokenizer, validation, Rule(inner), grid)

    assert (found.inner.lr, found.inner.steps) == (0.1, 3)
    assert found.edges == ("lr", "steps")


def test_another_number_of_steps_takes_the_rate_that_was_the_best_for_it(inner):
    bits = {(0.0, 0): 8.0, (0.1, 5): 3.0, (0.5, 5): 2.5, (0.1, 15): 2.0, (0.5, 15): 2.2}
    grid = tuple(GridPoint(lr=lr, steps=steps, bits_per_byte=b) for (lr, steps), b in bits.items())
    found = Adaptation(inner=replace(inner, lr=0.1, steps=15), grid=grid)
    assert found.inner_for(5) == replace(inner, lr=0.5, steps=5)
    assert found.inner_for(15) == found.inner
    assert found.inner_for(7) == replace(inner, lr=0.1, steps=7)  # nobody tried it
    assert found.inner_for(0) == replace(inner, lr=0.1, steps=0)
    assert found.lengths == {}


def test_each_support_size_gets_its_own_number_of_steps_at_the_best_rate(model, tokenizer, validation, inner):
    weights, grid = slow_weights(model), replace(GRID, lengths=(1, 2, 5), sizes=(40, 400))

    found = tune(model, weights, tokenizer, validation, Rule(inner), grid)

    here = [point for point in found.grid if point.support_bytes == 200]
    assert found.inner.lr == min((p for p in here if p.lr), key=lambda p: p.bits_per_byte).lr
    assert set(found.lengths) == {40, 200, 400}
    assert found.lengths[200] == found.inner.steps
    alone = replace(grid, lrs=(found.inner.lr,), lengths=())
    for size, steps in found.lengths.items():
        points = [p for p in found.grid if p.support_bytes == size and p.lr in (0, found.inner.lr)]
        assert steps == min(points, key=lambda point: point.bits_per_byte).steps
        same = tune(
            model,
            weights,
            tokenizer,
            validation,
            Rule(inner),
            replace(alone, steps=tuple(sorted(p.steps for p in points if p.steps)), support_bytes=size),
        )
        assert {p.steps: p.bits_per_byte for p in same.grid} == pytest.approx(
            {p.steps: p.bits_per_byte for p in points}
        )
    assert Adaptation.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_more_steps_are_not_tried_where_they_made_it_worse_twice(model, tokenizer, validation, inner):
    # Unclipped steps of this size only harm: after the first two nothing more is tried.
    grid = replace(GRID, lrs=(50.0, 100.0), steps=(1,), lengths=(1, 2, 3, 4, 5), sizes=(400,))

    found = tune(model, slow_weights(model), tokenizer, validation, Rule(replace(inner, clip=0.0)), grid)

    assert max(point.steps for point in found.grid) < 5
    assert found.lengths == {200: 0, 400: 0}
    assert found.edges == ()


def test_a_number_of_steps_at_the_end_of_what_was_tried_is_told_with_its_size(
    model, tokenizer, validation, inner
):
    grid = replace(GRID, lrs=(0.001, 0.01, 0.1), lengths=(1, 4), sizes=(400,))

    found = tune(model, slow_weights(model), tokenizer, validation, Rule(inner), grid)

    assert found.lengths == {200: 4, 400: 4}
    assert found.edges == ("lr", "steps", "steps at 400 bytes")


def test_a_support_set_takes_the_steps_of_the_size_nearest_as_a_ratio():
    lengths = {512: 10, 2048: 40, 10240: 160}
    sizes = {100: 10, 1000: 10, 1100: 40, 4000: 40, 5000: 160, 10**6: 160}
    assert {size: length_for(size, lengths, 7) for size in sizes} == sizes
    assert length_for(1000, {}, 7) == 7


def test_no_adaptation_is_chosen_where_it_only_harms(model, tokenizer, validation, inner):
    # Everything that an unclipped step of this size does to the scale of the logits is harm.
    grid = replace(GRID, lrs=(50.0, 100.0))

    found = tune(model, slow_weights(model), tokenizer, validation, Rule(replace(inner, clip=0.0)), grid)

    assert found.inner.steps == 0
    assert found.edges == ()


def test_what_diverges_counts_as_infinite_and_survives_json(model, tokenizer, validation, inner):
    weights = {name: weight * float("nan") for name, weight in slow_weights(model).items()}

    found = tune(model, weights, tokenizer, validation, Rule(inner), GRID)

    assert {point.bits_per_byte for point in found.grid} == {math.inf}
    assert Adaptation.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


def test_without_validation_tasks_the_settings_stand(model, tokenizer, inner):
    assert tune(model, slow_weights(model), tokenizer, [], Rule(inner), GRID) == Adaptation(inner=inner)


def test_progress_is_told_and_the_stop_flag_is_read(model, tokenizer, validation, inner):
    shares = []
    tune(model, slow_weights(model), tokenizer, validation, Rule(inner), GRID, on_progress=shares.append)
    assert shares == [0.5, 1.0]  # a rate of two tasks side by side

    with pytest.raises(Stopped):
        tune(model, slow_weights(model), tokenizer, validation, Rule(inner), GRID, should_stop=lambda: True)


def test_many_tasks_side_by_side_are_tuned_as_one_by_one(model, tokenizer, make_text, inner):
    texts = [make_text(f"text {size}", size) for size in range(1100, 3800, 300)]  # more than one block
    weights = slow_weights(model)

    together = tune(model, weights, tokenizer, texts, Rule(inner), GRID)

    alone = [tune(model, weights, tokenizer, [text], Rule(inner), GRID) for text in texts]
    for number, point in enumerate(together.grid):
        values = [each.grid[number].bits_per_byte for each in alone]
        assert point.bits_per_byte == pytest.approx(sum(values) / len(values), rel=1e-5)


def test_learned_rates_are_tuned_as_multiples_of_the_rate_of_training(model, tokenizer, validation, inner):
    weights = slow_weights(model)
    learned = {f"rate/{name}": torch.full((2, *weight.shape), 0.5) for name, weight in weights.items()}
    rule = Rule(replace(inner, lr=0.08), learned)

    found = tune(model, weights, tokenizer, validation, rule)

    assert {point.lr for point in found.grid} == {0, 0.02, 0.04, 0.08, 0.16}
    assert len(
        [point for point in found.grid if point.support_bytes == 2048 and point.steps in (5, 20, 40)]
    ) == (len(Grid().lrs) * len(Grid().steps))
    # Half of a rate for every weight is half the rate.
    plain = replace(Grid(), lrs=(0.01, 0.02, 0.04, 0.08))
    halved = tune(model, weights, tokenizer, validation, Rule(inner), plain)
    points = [p.bits_per_byte for p in found.grid]
    assert points == pytest.approx([p.bits_per_byte for p in halved.grid], rel=1e-3)


@pytest.mark.parametrize(
    "settings", [{"adapts": "context", "lr": 2.0}, {"optimizer": "adam", "lr": 0.001}, {"lr": 0.3}]
)
def test_plain_rates_are_tried_where_every_run_can_be_tried_at_them(inner, settings):
    grid = grid_for(Rule(replace(inner, **settings)))

    is_plain = set(settings) == {"lr"}
    assert grid.lrs == (Grid().lrs if is_plain else tuple(f * settings["lr"] for f in (0.25, 0.5, 1, 2)))


def test_an_adaptation_comes_back_from_json(inner):
    adaptation = Adaptation(
        inner=inner, grid=(GridPoint(lr=0.1, steps=3, bits_per_byte=2.5),), edges=("steps",)
    )

    assert Adaptation.from_json(json.loads(json.dumps(adaptation.to_json()))) == adaptation


@pytest.mark.parametrize(
    ("field", "value"),
    [("lrs", ()), ("lrs", (0.0, 1.0)), ("lrs", (1.0, 0.5)), ("steps", (3, 3)), ("sizes", (3, 1))],
)
def test_a_grid_that_does_not_rise_is_refused(field, value):
    with pytest.raises(ConfigError, match=rf"grid.{field} must rise from above 0, got \("):
        Grid(**{field: value})
