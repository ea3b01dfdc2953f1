import numpy as np
import pytest

from metalm.config import Drawing
from metalm.learn.drawing import draw_tasks, probabilities

SIZES = [100, 400, 1600, 100]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("uniform", [1 / 4, 1 / 4, 1 / 4, 1 / 4]),
        ("size", [1 / 22, 4 / 22, 16 / 22, 1 / 22]),
        ("temperature", [1 / 8, 2 / 8, 4 / 8, 1 / 8]),
    ],
)
def test_tasks_are_drawn_as_often_as_their_share_says(method, expected):
    shares = probabilities(SIZES, Drawing(method=method, temperature=2.0))
    rng = np.random.default_rng(0)

    drawn = np.concatenate([draw_tasks(shares, 3, rng) for _ in range(4000)])

    assert shares == pytest.approx(expected)
    assert np.bincount(drawn, minlength=4) / len(drawn) == pytest.approx(expected, abs=0.015)


def test_a_uniform_meta_batch_holds_a_task_once():
    shares, rng = probabilities([5] * 6, Drawing()), np.random.default_rng(0)

    assert all(len(set(draw_tasks(shares, 4, rng))) == 4 for _ in range(500))


def test_a_meta_batch_larger_than_the_tasks_holds_each_as_evenly_as_can_be():
    drawn = draw_tasks(probabilities([5] * 3, Drawing()), 7, np.random.default_rng(0))

    assert sorted(np.bincount(drawn, minlength=3)) == [2, 2, 3]


def test_every_pair_of_tasks_can_meet():
    shares, rng = probabilities([5] * 5, Drawing()), np.random.default_rng(0)

    pairs = {frozenset(draw_tasks(shares, 2, rng)) for _ in range(500)}

    assert len(pairs) == 10
