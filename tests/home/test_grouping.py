"""Groups of runs: seeds come together, what is told differently stays apart, and nobody depends on others."""

from dataclasses import replace

import pytest
from homes import SPLIT, small_home, tiny_config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metalm.errors import FilterError
from metalm.home.grouping import repeated


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Three seeds of one config, one of another, and a warm start from each of the first two seeds."""
    folder = tmp_path_factory.mktemp("groups")
    with small_home(folder / "home", folder / "texts") as opened:
        short = tiny_config(budget__amount="1", validation__every="1")
        opened.create_runs(short, SPLIT, num_seeds=3, name="short")
        other = replace(
            short, algorithm=replace(short.algorithm, inner=replace(short.algorithm.inner, lr=0.7))
        )
        opened.create_run(other, SPLIT, name="fast")
        for seed in (0, 1):
            opened.train(opened.run(f"short seed {seed}").id)
            opened.create_run(
                replace(short, seed=seed, init=f"short seed {seed}"), SPLIT, name=f"on seed {seed}"
            )
        yield opened


def members(home, **options):
    names = dict(home.store.runs.names())
    found = {group.name: {names[id] for id in group.run_ids} for group in home.run_groups(**options).values()}
    return sorted(map(sorted, found.values()))


SEEDS = [f"short seed {i}" for i in range(3)]
WARM = ["on seed 0", "on seed 1"]


def test_runs_that_differ_in_the_seed_are_a_group_and_so_are_those_that_start_from_them(home):
    assert members(home) == [["fast"], WARM, SEEDS]
    assert {group.name for group in home.run_groups().values()} == {"short", "fast", "on"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ignoring": ()}, [["fast"], *([name] for name in [*WARM, *SEEDS])]),
        ({"ignoring": ("seed", "inner.lr")}, [sorted(["fast", *SEEDS]), WARM]),
        ({"ignoring": ("seed", "warm_start")}, [["fast"], sorted([*WARM, *SEEDS])]),
        ({"by": ("algorithm",)}, [sorted(["fast", *WARM, *SEEDS])]),
        (
            {"by": ("inner.lr", "seed")},
            sorted([["fast"], ["on seed 0", SEEDS[0]], ["on seed 1", SEEDS[1]], [SEEDS[2]]]),
        ),
    ],
)
def test_what_makes_a_group_can_be_chosen(home, options, expected):
    assert members(home, **options) == sorted(expected)


def test_groups_by_columns_are_named_after_their_values(home):
    assert {group.name for group in home.run_groups(by=("algorithm", "inner.lr")).values()} == {
        f"fomaml, inner.lr {lr:g}"
        for lr in (0.7, home.run("short seed 0").config["algorithm"]["inner"]["lr"])
    }


@pytest.mark.parametrize("key", ["bits_per_byte", "metric.lr", "nothing"])
def test_only_a_setting_can_be_ignored(home, key):
    with pytest.raises(FilterError, match=key):
        home.run_groups(ignoring=(key,))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_hiding_a_run_changes_no_other_group(home, data):
    groups = home.run_groups()
    shown = data.draw(st.lists(st.sampled_from(sorted(groups)), unique=True, min_size=1))
    hidden = data.draw(st.sampled_from(shown))
    before = repeated(groups, shown)
    after = repeated(groups, [run_id for run_id in shown if run_id != hidden])
    assert {key: ids for key, ids in before.items() if key != groups[hidden].key} == {
        key: ids for key, ids in after.items() if key != groups[hidden].key
    }


def test_a_group_outlives_the_runs_that_it_starts_from(home):
    parents = home.discard_runs(["short seed 0", "short seed 1"])
    try:
        assert members(home) == [["fast"], WARM, ["short seed 2"]]
    finally:
        home.restore_runs(parents)
