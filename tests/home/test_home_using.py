"""A trained run put to use: evaluated once, marked where it has seen a task, adapted and sampled from."""

from dataclasses import replace

import pytest
from homes import SPLIT, tiny_config

from metalm.config import Joint
from metalm.errors import ConfigError, NotFoundError, RunStateError, SplitError
from metalm.evaluate.statistics import by_task
from metalm.learn.score import score
from metalm.learn.stopping import Stopped
from metalm.model.engines import engine_for
from metalm.store.adaptations import Sample

TEXT = b"abcde edcba abcde edcba " * 40


@pytest.fixture
def run(home, new_run):
    """A run of two steps."""
    return home.train(new_run(2, name="run").id)


def test_an_evaluation_is_kept_and_not_made_again(home, run):
    made = list(home.evaluate([run.name], support=(0, 512), steps=2))
    assert {(row.support_bytes, row.adaptation_step) for row in made} == {
        (0, 0),
        (512, 0),
        (512, 1),
        (512, 2),
    }
    assert {row.run_id for row in made} == {run.id}
    assert {row.checkpoint_step for row in made} == {run.best_step}
    kept = home.evaluations([run.id])
    assert sorted(kept["nats"]) == sorted(row.nats for row in made)
    assert set(kept["task"]) == {"gamma"}
    again = list(home.evaluate([run.name], support=(0, 512), steps=2))
    assert sorted(map(repr, again)) == sorted(map(repr, made))
    assert len(home.evaluations([run.id])) == len(made)


def test_an_evaluation_that_was_stopped_goes_on(home, run):
    made = []
    for row in home.evaluate([run.id], support=(0, 256, 512), steps=1, should_stop=lambda: len(made) >= 2):
        made.append(row)
    assert 0 < len(made) < 5
    whole = list(home.evaluate([run.id], support=(0, 256, 512), steps=1))
    assert len(whole) == 5
    assert {row.key for row in made} < {row.key for row in whole}
    assert len(home.evaluations([run.id])) == 5


def test_a_row_is_what_scoring_by_hand_gives(home, run):
    [row] = home.evaluate([run.id], support=(0,))
    loaded = home.load(run.id)
    [text] = home.texts(SPLIT, "meta-validation")
    by_hand = score(engine_for(loaded.model), loaded.weights, loaded.tokenizer, b"", text.read(*text.query()))
    assert row.nats == by_hand.nats
    assert (row.tokens, row.bytes, row.chars) == (by_hand.tokens, by_hand.bytes, by_hand.chars)


def test_opening_meta_test_is_counted_and_nothing_else_is(home, run):
    list(home.evaluate([run.id], support=(0,)))
    assert home.openings(SPLIT) == 0
    for opening in (1, 2):
        [row] = home.evaluate([run.id], role="meta-test", support=(0,))
        assert (row.role, row.seen) == ("meta-test", False)
        assert home.openings(SPLIT) == opening


def test_tasks_that_a_run_has_seen_are_marked(home, run):
    assert {row.seen for row in home.evaluate([run.id], role="meta-train", support=(0,))} == {True}
    assert {row.seen for row in home.evaluate([run.id], support=(0,))} == {False}
    tasks = {task.name: task for task in home.tasks()}
    roles = {
        tasks["delta"].id: "meta-train",
        tasks["beta"].id: "meta-validation",
        tasks["gamma"].id: "meta-test",
    }
    turned = home.freeze_split("turned", tasks.values(), roles)
    # gamma chose the run's checkpoint: fair game for choosing, not for the last word.
    for role, seen in (("meta-validation", True), ("meta-test", True), ("meta-train", False)):
        assert {row.seen for row in home.evaluate([run.id], split=turned.name, role=role, support=(0,))} == {
            seen
        }


def test_baselines_meet_the_same_bytes(home, run):
    rows = list(home.evaluate([run.id], support=(512,), steps=1, methods=["adapt", "baselines"]))
    by_method = {}
    for row in rows:
        by_method.setdefault(row.method, []).append(row)
    assert set(by_method) == {"adapt", "uniform", "unigram", "n-gram", "scratch"}
    assert len({row.bytes for row in rows}) == 1
    assert by_method["uniform"][0].nats == pytest.approx(by_method["uniform"][0].bytes * 5.545177444479562)
    assert {row.run_id for method in ("uniform", "unigram") for row in by_method[method]} == {None}
    assert {row.run_id for method in ("adapt", "scratch") for row in by_method[method]} == {run.id}
    again = list(home.evaluate([run.id], support=(512,), steps=1, methods=["adapt", "baselines"]))
    assert len(home.evaluations()) == len(again) == len(rows)


def test_the_online_track_stands_apart(home, run):
    rows = list(home.evaluate([run.id], support=(512,), steps=1, methods=["adapt", "online"]))
    tracks = {row.method: row.track for row in rows}
    online = ["dynamic evaluation", "cache", "dynamic evaluation + cache", "PPMd", "PPMd primed", "xz"]
    assert tracks == {"adapt": "static", **dict.fromkeys(online, "online")}
    assert {row.run_id for row in rows if row.method.startswith(("PPMd", "xz"))} == {None}
    assert len({row.bytes for row in rows}) == 1
    assert all(row.nats > 0 for row in rows)
    again = list(home.evaluate([run.id], support=(512,), steps=1, methods=["adapt", "online"]))
    assert len(home.evaluations()) == len(again) == len(rows)
    with pytest.raises(SplitError, match="of one track"):
        by_task(home.evaluations().assign(series="all"))


def test_before_and_after_are_those_of_the_whole_curve(home, run):
    ends = {row.key: row.nats for row in home.evaluate([run.id], support=(512,), steps=3, ends=True)}
    assert {key[-1] for key in ends} == {0, 3}
    curve = {row.key: row.nats for row in home.evaluate([run.id], support=(512,), steps=3)}
    assert {key[-1] for key in curve} == {0, 1, 2, 3}
    assert all(curve[key] == nats for key, nats in ends.items())


def test_ways_are_tuned_once_and_kept(home, run, monkeypatch):
    rows = list(home.evaluate([run.id], support=(512,), methods=["ways"]))
    assert {row.method for row in rows} == {"head only", "proximal", "Adam"}
    assert {row.run_id for row in rows} == {run.id}
    found = home.store.tunings.of_run(run.id)
    assert set(found) == {"head only", "proximal", "Adam"}
    assert found["head only"]["inner"]["adapts"] == "head"
    monkeypatch.setattr("metalm.evaluate.ways.tuned_way", None)  # nobody tunes again
    again = list(home.evaluate([run.id], support=(512,), methods=["ways"]))
    assert [row.key for row in again] == [row.key for row in rows]


def test_the_articles_formula_makes_its_experts_once(home, run):
    rows = list(home.evaluate([run.id], support=(256,), methods=["formula"]))
    assert {row.method: row.track for row in rows} == {
        "pool": "static",
        "posterior pool": "static",
        "bayes": "online",
    }
    [file] = home.experts_dir(run.id).iterdir()
    before = file.stat().st_mtime_ns
    again = list(home.evaluate([run.id], support=(512,), methods=["formula"]))
    assert {row.method for row in again} == {"pool", "posterior pool", "bayes"}
    assert file.stat().st_mtime_ns == before
    assert set(home.store.tunings.of_run(run.id)) == {"posterior pool"}


def test_a_method_that_does_not_exist_is_named(home, run):
    with pytest.raises(ConfigError, match="a method must be one of adapt.*got 'magic'"):
        list(home.evaluate([run.id], methods=["magic"]))


def test_the_joint_baseline_is_the_joint_run_that_it_started_from(home, new_run):
    config = replace(tiny_config(budget__amount="1"), algorithm=Joint(batch=1, window=16))
    joint = home.train(home.create_run(config, SPLIT, name="joint").id)
    child = home.train(new_run(1, init="joint").id)
    rows = list(home.evaluate([child.id], support=(256,), steps=1, methods=["adapt", "baselines"]))
    owners = {row.method: row.run_id for row in rows}
    assert owners["joint zero-shot"] == owners["joint fine-tuning"] == joint.id
    assert owners["adapt"] == child.id


def test_a_run_without_weights_is_of_no_use(home, new_run):
    new_run(name="young")
    with pytest.raises(RunStateError, match="'young' must have been trained to be used, it is queued"):
        home.load("young")
    with pytest.raises(NotFoundError):
        list(home.evaluate(["nobody"]))


def test_a_live_adaptation_begins_with_the_run_as_it_is(home, run):
    steps = list(home.adapt(run.id, TEXT, TEXT[:300], steps=3, lr=0.2))
    assert [step.step for step in steps] == [0, 1, 2, 3]
    loaded = home.load(run.id)
    by_hand = score(engine_for(loaded.model), loaded.weights, loaded.tokenizer, TEXT, TEXT[:300])
    assert steps[0].score.nats == pytest.approx(by_hand.nats)
    assert len(list(home.adapt(run.id, TEXT, TEXT[:300]))) == loaded.inner.steps + 1


def test_a_demo_is_saved_with_its_samples(home, run):
    steps = list(home.adapt(run.id, TEXT, TEXT[:300], steps=2))
    written = Sample(run="", prompt="p", text="t", temperature=1.0, seed=0, adaptation_step=2)
    record = home.save_adaptation(run.id, " demo ", "support", "query", steps, samples=[written])
    assert home.store.adaptations.get(record.id) == record
    assert (record.name, record.run) == ("demo", run.id)
    kept = home.store.adaptations.steps(record.id)
    assert [step.nats for step in kept] == [step.score.nats for step in steps]
    assert kept[1].char_nats == tuple(steps[1].char_nats)
    assert [sample.run for sample in home.store.adaptations.samples(adaptation_id=record.id)] == [run.id]


def test_samples_follow_from_their_seed_and_their_weights(home, run):
    def sample(**options):
        return b"".join(home.sample(run.id, num_bytes=40, **options))

    assert len(sample()) == 40
    assert sample(seed=1) == sample(seed=1)
    assert sample(seed=1) != sample(seed=2)
    *_, last = home.adapt(run.id, TEXT, TEXT[:100], steps=2)
    assert sample(support=TEXT, steps=2) == sample(support=TEXT, weights=last.weights)


def test_scores_of_a_run_under_way_belong_to_the_step_of_the_weights_that_made_them(home, run):
    before = home.load(run.id).checkpoint_step
    # What an extension has told the store by now; the weights of that step are in its memory alone.
    home.store.runs.set_best(run.id, before + 100, 0.1)
    assert home.load(run.id).checkpoint_step == before
    assert {row.checkpoint_step for row in home.evaluate([run.id], support=(0,))} == {before}


@pytest.mark.parametrize("methods", [["adapt"], ["adapt", "baselines"]])
def test_the_share_of_an_evaluation_that_is_done_rises_to_one(home, run, methods):
    for _ in range(2):  # the second time every row is there already
        shares = []
        options = {"support": (0, 512), "steps": 1, "methods": methods, "on_progress": shares.append}
        rows = list(home.evaluate([run.id, run.name], **options))

        assert len(shares) == len(rows)
        assert shares == sorted(shares)
        assert 0 < shares[0] < shares[-1] == pytest.approx(1.0)


def test_what_a_text_looks_like_is_told_by_experts_that_are_made_once(home, run):
    assert not home.has_experts(run.id)
    assert home.expert_tokens(run.id) >= 2 * 200 * 8 * 64
    shares = []
    looks = home.resembles("run", TEXT, TEXT[:300], on_progress=shares.append)
    assert home.has_experts(run.name)
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert looks.names == ("alpha", "beta")
    assert looks.weights_TC.shape == (2, len(TEXT) + 300)
    assert looks.weights_TC.sum(axis=0) == pytest.approx(1.0)
    assert looks.after_support_T[0] > 0.5  # TEXT has letters of alpha alone
    again = home.resembles(run.id, TEXT, TEXT[:300], on_progress=shares.append)
    assert again.weights_TC == pytest.approx(looks.weights_TC)
    assert shares.count(1.0) == 1


def test_experts_that_are_stopped_half_made_are_not_kept(home, run):
    heard = []
    with pytest.raises(Stopped):
        home.resembles(run.id, TEXT, b"", on_progress=heard.append, should_stop=lambda: len(heard) > 3)
    assert not home.has_experts(run.id)
    with pytest.raises(NotFoundError):
        home.has_experts("nobody")
