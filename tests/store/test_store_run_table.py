"""The table of runs: filters mean what they say, what is sorted is sorted, and wrong ones are told why."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metalm.config import ALGORITHMS, RunConfig
from metalm.errors import FilterError
from metalm.store.metrics import Point
from metalm.store.run_fields import FACTS, field
from metalm.store.run_fields import settings as all_settings
from metalm.store.run_table import RunQuery


@pytest.fixture
def runs(store, run):
    """Four runs: `first` without settings, three with those of their algorithm."""
    made = []
    for i, (name, status, bits) in enumerate(
        (("joint", "finished", 2.5), ("maml", "failed", 2.0), ("fomaml", "stopped", None))
    ):
        config = RunConfig(algorithm=ALGORITHMS[name](), seed=i)
        made.append(
            replace(
                run,
                id=str(i) * 12,
                name=f"{name} Ünï {i}",
                status=status,
                algorithm=name,
                seed=i,
                config=config.to_json(),
                best_value=bits,
                tags=("keep",) if i else (),
                notes="worth a look" if i == 1 else "",
                parent=run.id if i == 2 else None,
                created_at=run.created_at.replace(year=2027 + i),
            )
        )
    store.runs.add(*made)
    return [run, *made]


def found(store, where="", **more):
    frame = store.run_table.frame(
        ["algorithm", "seed"], RunQuery(where=where, **more), sort="seed", descending=False
    )
    return list(frame["seed"])


@pytest.mark.parametrize(
    ("where", "seeds"),
    [
        ("", [0, 1, 2, 3]),
        ("algorithm = MAML", [1]),
        ("algorithm = maml and bits_per_byte < 3 and status != finished", [1]),
        ("algorithm = joint or algorithm = maml and status = stopped", [0]),
        ("(algorithm = joint or algorithm = maml) and status = failed", [1]),
        ("not (seed >= 1 and seed < 3)", [0, 3]),
        ("not not seed = 2", [2]),
        ("inner.lr > 0", [1, 2]),
        ("inner.lr is missing", [0, 3]),
        ("inner.lr is not missing AND seed != 1", [2]),
        ("inner.lr != 7", [0, 1, 2, 3]),
        ("algorithm in (maml, 'joint')", [0, 1]),
        ("tags = keep", [1, 2]),
        ("tags != keep", [0, 3]),
        ("tags ~ nï", [3]),
        ('notes ~ "A LOOK"', [1]),
        ("notes is missing", [0, 2, 3]),
        ("warm_start = first", [2]),
        ("created >= 2028-01-01", [1, 2]),
        ("created >= 2028-01-02T05:04:05.678901+02:00", [1, 2]),
        (" or ".join(["seed = 1"] * 400), [1]),
        (" and ".join(["not seed = 1"] * 400), [0, 2, 3]),
        ("archived = no and algorithm.inner.steps >= 1", [1, 2]),
        ("run ~ ünï", [0, 1, 2]),
        ("name ~ ünï", [0, 1, 2]),
        ("`bits per byte` < 2.2", [1]),
        ("`Bits per byte`<2.2 or name = first", [1, 3]),
        ("bits_per_byte < 2.2 and not `warm start` is missing", []),
        ("`warm start` = first", [2]),
        ("warm_start = first and outer_steps >= 0", [2]),
        ("time >= 0 and `time` < 1e9 and seed in (0, 1)", [0, 1]),
        ("`meta-test, 512 B` is missing and `inner.lr` > 0", [1, 2]),
    ],
)
@pytest.mark.usefixtures("runs")
def test_a_filter_finds_what_it_says(store, where, seeds):
    assert found(store, where) == seeds
    assert store.run_table.count(RunQuery(where=where)) == len(seeds)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("lr > 1", "no single column 'lr' of runs; it may be .*inner.lr"),
        ("statuss = failed", "no column 'statuss' of runs; is it status"),
        ("bits < 3", "no column 'bits' of runs; is it bits_per_byte?"),
        ("`bits per bite` < 3", "no column 'bits per bite' of runs; is it bits_per_byte"),
        ("outer > 3", "is it outer_steps"),
        ("zzz = 3", "no column 'zzz' of runs; there are run, status, .*bits_per_byte, .*inner.lr"),
        ("`` = 3", "no column ''"),
        ("run = `first`", "must go on with a value, got 'first'"),
        ("run = `first", "'`first' that cannot be read"),
        ("time > soon", "time must be compared with a number"),
        ("inner.lr > high", "inner.lr must be compared with a number, got 'high'"),
        ("algorithm > maml", "algorithm is text and must be compared by =, != or ~, got >"),
        ("tags < a", "tags are words"),
        ("seed ~ 3", "seed is no text"),
        ("created > yesterday", "created must be compared with a date such as 2026-01-31, got 'yesterday'"),
        ("archived > no", "archived must be = or != yes or no"),
        ("seed =", "must go on with a value, got the end"),
        ("seed 3", "after 'seed', got '3', at character 6"),
        ("seed = 1 status = x", "must go on with and, or, or the end, got 'status'"),
        ("(seed = 1", "'\\)', got the end"),
        ("seed in 1", "'\\(' after in"),
        ("seed in (1 2)", "',' or '\\)'"),
        ("seed is empty", "'missing', got 'empty'"),
        ("and seed = 1", "the name of a column, got 'and'"),
        ("seed ! 1", "'! 1' that cannot be read, at character 6"),
        (f"{'not ' * 2000}seed = 1", "at most 50 nots and parentheses"),
        (f"{'(' * 3000}seed = 1", "at most 50 nots and parentheses"),
        (f"run = {'x' * 10_000}", "at most 10,000 characters, got 10,006"),
        (f"meta-test@{'9' * 60} < 3", "no column 'meta-test@999"),
    ],
)
def test_a_filter_that_cannot_be_read_says_why(store, where, message):
    with pytest.raises(FilterError, match=message):
        store.run_table.count(RunQuery(where=where))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="seedlr.in(),=<>~! '`\"andotmg@512ü;-%?_", max_size=30))
def test_any_text_is_a_filter_or_is_refused_by_name(store, text):
    with contextlib.suppress(FilterError):
        assert store.run_table.count(RunQuery(where=text)) == 0  # of an empty store, whatever it asks


@pytest.mark.usefixtures("runs")
def test_a_time_is_compared_as_the_table_shows_it(store):
    store.runs._database.execute("UPDATE runs SET seconds = 600 WHERE seed = 1")
    assert found(store, "time = 10") == found(store, "seconds = 600") == [1]


@pytest.mark.usefixtures("runs")
def test_values_are_bound_and_never_run(store):
    assert found(store, 'run = "x\' OR 1=1; DROP TABLE runs; --"') == []
    assert store.run_table.count(RunQuery(search="'; DROP TABLE runs; --")) == 0
    assert len(store.runs.all()) == 4


@pytest.mark.usefixtures("runs")
def test_search_wants_every_word_somewhere_and_statuses_any_of_them(store):
    assert found(store, search="LOOK maml") == [1]
    assert found(store, search="gru") == [0, 1, 2]
    assert found(store, statuses=("failed", "stopped")) == [1, 2]
    assert found(store, ids=("0" * 12, "nobody")) == [0]


def test_archived_runs_come_when_they_are_asked_for(store, runs):
    store.runs.set_archived(runs[1].id, True)
    assert found(store) == [1, 2, 3]
    assert found(store, archived=True) == [0, 1, 2, 3]


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("key", [*FACTS, "inner.lr", "metric.lr", "meta-test@512"])
def test_every_column_can_be_shown_and_sorted_by_with_gaps_last(store, key):
    for descending in (False, True):
        frame = store.run_table.frame([key], RunQuery(), sort=key, descending=descending)
        assert len(frame) == 4
        values = frame[key]
        gaps = values.isna()
        assert not gaps.any() or gaps[gaps.idxmax() :].all()
        if field(key).kind == "number":
            kept = values.dropna()
            assert list(kept) == sorted(kept, reverse=descending)


@pytest.mark.usefixtures("runs")
def test_pages_of_a_table_are_its_rows_in_order(store):
    whole = store.run_table.frame(["run"], RunQuery(), sort="seed", descending=False)["run"]
    pages = [
        store.run_table.frame(["run"], RunQuery(), sort="seed", descending=False, limit=3, offset=at)["run"]
        for at in (0, 3)
    ]
    assert [*pages[0], *pages[1]] == list(whole)


def test_every_setting_has_one_column(store, runs):
    assert {"inner.lr", "model.hidden", "budget.amount"} <= all_settings().keys()
    frame = store.run_table.frame(list(all_settings()), RunQuery(ids=(runs[1].id,)))
    assert frame["model.hidden"][0] == runs[1].config["model"]["hidden"]
    assert frame["model.tied"][0] == str(runs[1].config["model"]["tied"]).lower()


def test_a_metric_is_its_last_value_and_a_number_at_that(store, run):
    for step, value in ((1, 0.5), (3, 0.25), (2, 0.1), (4, float("nan"))):
        store.metrics.add(run.id, [Point(step, 1, 1.0, "lr", None, None, value)])
    store.flush()
    assert store.run_table.frame(["metric.lr"], RunQuery())["metric.lr"][0] == 0.25
    assert store.run_table.count(RunQuery(where="metric.lr = 0.25 and metric.lr < 1")) == 1
    started = replace(run, id="e" * 12, name="started", step=4)
    store.runs.add(started)
    store.metrics.add(started.id, [Point(1, 1, 1.0, "lr", None, None, 1.0)])
    store.flush()
    assert store.run_table.metrics() == ["lr"]


@pytest.mark.usefixtures("run")
def test_a_result_is_the_mean_over_unseen_tasks_after_the_last_step_of_the_last_evaluation(store, evaluation):
    def row(task, step, bits, **more):
        nats = bits * 60 * 0.6931471805599453
        return evaluation(role="meta-test", task_id=task, adaptation_step=step, nats=nats, **more)

    store.evaluations.add([row("t", 3, 9.0, checkpoint_step=4)])
    store.flush()
    store.evaluations.add(
        [
            row("t", 0, 8.0),
            row("t", 3, 2.0, draw=0),
            row("t", 3, 3.0, draw=1),
            row("u", 3, 4.5),
            row("seen", 3, 0.1, seen=True),
            row("t", 3, 7.0, support_bytes=2048),
            row("t", 3, 1.0, split_id="another"),
            row("t", 3, 1.0, run_id=None),
        ]
    )
    store.flush()
    value = store.run_table.frame(["meta-test@512"], RunQuery())["meta-test@512"][0]
    assert value == pytest.approx((2.5 + 4.5) / 2)
    assert store.run_table.results() == ["meta-test@512", "meta-test@2048"]


@pytest.mark.parametrize("support", [None, 512])
def test_bits_per_byte_are_those_that_tuning_found(store, run, support):
    points = [(512, 2.0), (2048, 1.5), (512, 2.2), (512, None), (None, 3.0)]
    grid = [{"lr": 0.1, "bits_per_byte": bits, "support_bytes": size} for size, bits in points]
    adaptation = {"inner": {}, "grid": grid} | ({"support_bytes": support} if support else {})
    tuned = replace(run, id="d" * 12, name="tuned", best_value=9.0, adaptation=adaptation)
    untuned = replace(run, id="e" * 12, name="untuned", best_value=8.0)
    store.runs.add(tuned, untuned)
    frame = store.run_table.frame(["run", "bits_per_byte"], RunQuery()).set_index("run")["bits_per_byte"]
    assert frame["tuned"] == tuned.tuned_value == (2.0 if support else 3.0)
    assert frame["untuned"] == untuned.tuned_value == 8.0


def test_tags_and_activity_are_told(store, runs):
    assert store.run_table.tags() == sorted({"keep", *runs[0].tags})
    assert store.run_table.active()  # `first` is queued
    store.runs.set_status(runs[0].id, "stopped", expected=["queued"])
    assert not store.run_table.active()
