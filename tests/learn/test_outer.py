import itertools
import math
import threading

import pytest
import torch

from metalm.config import TokenizerConfig
from metalm.errors import ConfigError, DivergedError, NotFoundError, SplitError
from metalm.learn.algorithms import RECIPES
from metalm.learn.inner import SupportSet, adapt
from metalm.learn.learner import LEARNED
from metalm.learn.outer import Training
from metalm.learn.rules import Rule
from metalm.learn.score import score
from metalm.learn.validation import mean_bits_per_byte
from metalm.learn.windows import Batch, Episode, Streams
from metalm.model.engines import engine_for
from metalm.model.task_weights import of_task, shared
from metalm.text import tokenizers

ALGORITHMS = list(RECIPES)
EPISODIC = [name for name in ALGORITHMS if name not in ("sequential", "joint")]


CLOCK = ("seconds_per_step", "tokens_per_second")


def tensors(training):
    """All that a run has learned, optimiser state and best weights too."""
    best = {f"best/{name}": weight for name, weight in (training.best_weights or {}).items()}
    best |= {f"best/{LEARNED}{name}": tensor for name, tensor in (training.best_learned or {}).items()}
    return {name: t.clone() for name, t in {**training._learner.tensors(), **best}.items()}


def assert_same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


def told(reports):
    """What reports say but for the clock; a step and the validation that it owed are joined."""
    steps = {}
    for report in reports:
        losses, scalars, measures, _ = steps.get(report.step, ((), {}, (), 0))
        timeless = tuple(measure for measure in report.measures if measure.name not in CLOCK)
        counts = report.tokens, report.gradient_evaluations, report.flops
        steps[report.step] = (
            losses + report.losses,
            {**scalars, **report.scalars},
            measures + timeless,
            counts,
        )
    return steps


def stop_at_reading(number):
    """A stop flag that is up from its `number`th reading on."""
    readings = itertools.count(1)
    return lambda: next(readings) >= number


def trained_with_stops(start, resume, config, folder, readings, initial_weights=None):
    """(run, reports) of a run that is stopped at every so many readings of the flag, saved and resumed."""
    training, reports, stops = start(config, initial_weights), [], 0
    while not training.is_finished:
        # Every restart allows one reading more, so that a long step is finished too.
        reports += training.run(stop_at_reading(readings + stops))
        training.save(folder)
        training = resume(folder)
        stops += 1
    assert stops > 2
    return training, reports


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("dropout", "layers", "readings"), [(0.0, 1, 2), (0.0, 1, 7), (0.3, 2, 4)])
def test_resume_equals_no_interruption_bit_for_bit(
    config, start, resume, tmp_path, algorithm, dropout, layers, readings
):
    config = config(algorithm, dropout=dropout, layers=layers)
    whole = start(config)
    reports = list(whole.run())

    pieces, in_pieces = trained_with_stops(start, resume, config, tmp_path / "checkpoint", readings)

    assert_same(tensors(pieces), tensors(whole))
    assert told(in_pieces) == told(reports)
    for name in ("step", "tokens", "best_step", "best_value"):
        assert getattr(pieces.state, name) == getattr(whole.state, name)


@pytest.mark.parametrize("kind", ["characters", "bpe"])
def test_resume_is_exact_with_every_tokenizer(config, train, validation, tmp_path, kind):
    texts, cpu = (train, validation), torch.device("cpu")
    tokenizer = tokenizers.fit(TokenizerConfig(kind=kind, vocabulary=300), train)
    data = *texts, tokenizer, tmp_path / "tokens", cpu
    config = config("maml++")
    whole = Training.start(config, *data)
    reports = list(whole.run())

    pieces, in_pieces = trained_with_stops(
        lambda config, *_: Training.start(config, *data),
        lambda folder: Training.resume(folder, *data),
        config,
        tmp_path / "checkpoint",
        5,
    )

    assert_same(tensors(pieces), tensors(whole))
    assert told(in_pieces) == told(reports)


@pytest.mark.gpu
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_on_cuda_learns_what_it_learns_on_the_cpu(
    config, train, validation, tokenizer, tmp_path, algorithm
):
    if not torch.cuda.is_available():
        pytest.skip("this machine has no cuda")
    data = train, validation, tokenizer, tmp_path / "tokens"
    here, there = (
        Training.start(config(algorithm, steps=3), *data, torch.device(kind)) for kind in ("cpu", "cuda")
    )
    list(here.run())
    list(there.run())

    for name, weight in here.weights.items():
        assert torch.allclose(there.weights[name].cpu(), weight, atol=1e-3), name
    assert there.state.best_value == pytest.approx(here.state.best_value, rel=1e-3)


def test_a_warm_start_resumes_bit_for_bit(config, start, resume, tmp_path):
    joint = start(config("joint"))
    list(joint.run())
    weights = {name: weight.clone() for name, weight in joint.weights.items()}
    config = config("fomaml", **{"budget.unit": "tokens", "budget.amount": "700"})
    whole = start(config, weights)
    assert all(torch.equal(weight, weights[name]) for name, weight in whole.weights.items())
    list(whole.run())

    pieces, _ = trained_with_stops(start, resume, config, tmp_path / "checkpoint", 4, weights)

    assert_same(tensors(pieces), tensors(whole))
    assert pieces.state.tokens >= 700


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_seed_gives_the_same_run_and_another_seed_another(config, start, algorithm):
    runs = [start(config(algorithm, seed=seed)) for seed in ("1", "1", "2")]
    torch.manual_seed(9)
    for run in runs:
        list(run.run())

    assert_same(tensors(runs[0]), tensors(runs[1]))
    assert not torch.equal(runs[0].weights["linear.bias"], runs[2].weights["linear.bias"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_step_that_is_stopped_leaves_no_trace(config, start, algorithm):
    training = start(config(algorithm, every=0))
    list(itertools.islice(training.run(), 2))
    before, state = tensors(training), dict(vars(training.state))

    assert list(training.run(stop_at_reading(2))) == []

    assert_same(tensors(training), before)
    assert vars(training.state) == state
    assert not training.is_finished


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_training_lowers_the_loss_on_unseen_tasks(config, start, algorithm):
    settings = {} if algorithm in ("sequential", "reptile") else {"optimizer.lr": "0.03"}
    training = start(config(algorithm, steps=40, every=20, **settings))
    reports = list(training.run())

    values = [
        mean_bits_per_byte([loss for loss in report.losses if loss.part == "validation"], 2)
        for report in reports
        if any(loss.part == "validation" for loss in report.losses)
    ]
    assert len(values) == 3
    assert values[-1] < values[0] - 0.05
    assert training.state.best_value == min(values)


def test_reports_tell_every_part_and_adaptation_step(config, start, train, validation):
    reports = list(start(config("fomaml", steps=3)).run())

    assert [report.step for report in reports] == [0, 1, 2, 3]
    assert [report.progress for report in reports] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    parts = {(loss.part, loss.adaptation_step) for loss in reports[1].losses}
    assert parts == {("support", 0), ("support", 1), ("query", 2)}
    names = {loss.task_id for loss in reports[1].losses}
    assert names <= {text.task.id for text in train}
    assert len(names) == 2
    measured = [loss for loss in reports[3].losses if loss.part == "validation"]
    assert {loss.task_id for loss in measured} == {text.task.id for text in validation}
    assert {loss.adaptation_step for loss in measured} == {0, 2}
    assert reports[1].scalars.keys() == {"lr", "gradient_norm", "gradient_cosine"}
    # Two tasks, two steps of two windows and a query batch of two, eight tokens each.
    assert reports[3].tokens == 3 * 2 * (2 * 2 + 2) * 8


def test_zero_shot_validation_is_the_score_of_the_slow_weights(config, start, validation, tokenizer):
    training = start(config("fomaml", steps=1, every=0))
    (report,) = training.run()

    text = validation[0]
    support, query = (text.read(*cut) for cut in (text.support(200), text.query(100)))
    expected = score(engine_for(training.model), training.weights, tokenizer, support, query)
    (loss,) = [loss for loss in report.losses if loss.task_id == text.task.id and loss.adaptation_step == 0]
    assert (loss.nats, loss.bytes, loss.chars) == (expected.nats, expected.bytes, expected.chars)


def test_windows_never_touch_the_tail(config, start, train):
    # The tail, gap included, is overwritten with other bytes: nothing that a run learns changes.
    runs = []
    for _ in range(2):
        training = start(config("fomaml"))
        list(training.run())
        runs.append(tensors(training))
        for text in train:
            data = bytearray(text.path.read_bytes())
            data[text.cut.train_end :] = b"\x01" * (len(data) - text.cut.train_end)
            text.path.write_bytes(data)
        for path in (text.path.parent / "tokens" for text in train):
            for file in path.iterdir() if path.exists() else ():
                file.unlink()

    assert_same(*runs)


def test_best_weights_are_those_of_the_best_validation(config, start):
    training = start(config("joint", steps=6, every=1))
    best, kept = math.inf, None
    for report in training.run():
        measured = [loss for loss in report.losses if loss.part == "validation"]
        value = mean_bits_per_byte(measured, training.config.adaptation.steps)
        assert report.is_best == (value < best)
        if value < best:
            best, kept = value, {name: weight.clone() for name, weight in training.weights.items()}

    assert_same(training.best_weights, kept)
    assert training.state.best_value == best


def test_a_run_without_validation_tasks_has_no_best(config, train, tokenizer, tmp_path):
    training = Training.start(config(), train, [], tokenizer, tmp_path / "tokens", torch.device("cpu"))

    reports = list(training.run())

    assert training.is_finished
    assert training.best_weights is None
    assert not any(report.is_best for report in reports)


def test_an_extended_run_goes_on_with_its_optimiser(config, start, resume, tmp_path):
    training = start(config("joint", steps=3))
    list(training.run())
    training.save(tmp_path / "checkpoint")
    training = resume(tmp_path / "checkpoint")
    assert training.is_finished
    before = tensors(training)

    training.extend(5)

    assert_same(tensors(training), before)
    assert before["optimizer/linear.bias/step"] == 3
    assert [report.step for report in training.run()] == [4, 5]
    assert tensors(training)["optimizer/linear.bias/step"] == 5
    with pytest.raises(ConfigError, match="budget.amount must be more than 5, got 5"):
        training.extend(5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_diverged_run_stands_at_its_last_good_step(config, start, resume, tmp_path, algorithm):
    training = start(config(algorithm, every=0))
    reports = training.run()
    next(reports)
    good = tensors(training)
    # What a blow-up leaves behind: a table that is not finite any more, in the step after.
    with torch.no_grad():
        kept = training.model.embedding.weight.clone()
        training.model.embedding.weight.mul_(float("inf"))
    with pytest.raises(DivergedError, match=r"task '(one|two|three)'.* nan in outer step 2 after 0 adaptat"):
        next(reports)
    with torch.no_grad():
        training.model.embedding.weight.copy_(kept)

    assert training.state.step == 1
    assert_same(tensors(training), good)
    training.save(tmp_path / "checkpoint")
    assert_same(tensors(resume(tmp_path / "checkpoint")), good)


def test_an_adaptation_that_overflows_names_its_step(config, start):
    settings = {"inner.lr": "100", "inner.clip": "0", "inner.batch": "1", "inner.window": "1"}
    training = start(config("fomaml", every=0, **settings, **{"inner.steps": "20"}))
    # Logits near the largest float: the first step saturates the state, and they overflow.
    with torch.no_grad():
        training.model.linear.weight.mul_(3e38).mul_(2)

    with pytest.raises(DivergedError, match=r"support loss of task .* in outer step 1 after [1-9]\d* adapt"):
        next(training.run())


@pytest.mark.parametrize("algorithm", EPISODIC)
def test_what_is_learned_and_measured_is_told(config, start, algorithm):
    training = start(config(algorithm, steps=4, every=2))
    before = {name: tensor.clone() for name, tensor in training.learned.items()}
    reports = list(training.run())

    assert any(not torch.equal(tensor, before[name]) for name, tensor in training.learned.items()) == bool(
        before
    )
    kinds = {measure.name.partition("/")[0] for measure in reports[1].measures}
    assert kinds == {"inner_gradient_norm", *CLOCK}
    for report in (reports[0], reports[2], reports[4]):
        told = {(m.name, m.adaptation_step): m.value for m in report.measures}
        assert 1 <= told["effective_rank/rnn.weight_hh_l0", None] <= 5
        moved = told["drift/embedding.weight", None]
        assert moved == 0 if report.step == 0 else moved > 0
        rates = {key for key in told if key[0].startswith("learned_rate/")}
        assert bool(rates) == (algorithm in ("meta-sgd", "maml++"))
    assert all(math.isfinite(m.value) for report in reports for m in report.measures)


def test_compute_is_counted_in_gradients(config, start):
    def last(algorithm, **settings):
        return list(start(config(algorithm, steps=3, every=0, **settings)).run())[-1]

    first, second, reptile = last("fomaml"), last("maml"), last("reptile")

    # A Hessian product costs three gradients; maml takes one of every support batch: 2 tasks x 2 steps x 16.
    assert first.gradient_evaluations == first.tokens == second.tokens
    assert second.gradient_evaluations == first.tokens + 3 * (3 * 2 * 2 * 16)
    assert first.flops / first.gradient_evaluations == second.flops / second.gradient_evaluations
    # Reptile scores its query sets besides, at a third of what a gradient costs.
    assert reptile.flops == pytest.approx(first.flops * (4 + 2 / 3) / 6)


def test_a_run_adapts_with_what_it_learned(config, start, validation, tokenizer):
    training = start(config("maml++", steps=3, every=0))
    *_, report = training.run()

    text = validation[0]
    support, query = (text.read(*cut) for cut in (text.support(200), text.query(100)))
    engine = engine_for(training.model)
    windows = SupportSet.of_text(tokenizer, support, 8)
    slow = shared(training.weights, 1)
    expected = score(
        engine, of_task(adapt(engine, slow, [windows], training.rule), 0), tokenizer, support, query
    )
    [loss] = [loss for loss in report.losses if loss.task_id == text.task.id and loss.adaptation_step == 2]
    assert loss.nats == pytest.approx(expected.nats)
    plain = score(
        engine,
        of_task(adapt(engine, slow, [windows], Rule(training.config.adaptation)), 0),
        tokenizer,
        support,
        query,
    )
    assert loss.nats != pytest.approx(plain.nats, rel=1e-9)


def test_what_was_learned_goes_on_in_a_warm_start_where_it_fits(config, start):
    parent = start(config("maml++", steps=3, every=0))
    list(parent.run())
    taken = {"initial_weights": parent.weights, "initial_learned": parent.learned}

    same = start(config("maml++"), **taken)
    longer = start(config("maml++", **{"inner.steps": "3"}), **taken)
    without = start(config("fomaml"), **taken)

    assert_same(same.learned, parent.learned)
    assert all((tensor == 1).all() for tensor in longer.learned.values())
    assert without.learned == {}
    for run in (same, longer, without):
        assert_same(run.weights, parent.weights)


def test_the_drift_of_a_resumed_run_is_from_its_start(config, start, resume, tmp_path):
    whole = [r.measures for r in start(config("joint", every=3)).run()]
    training = start(config("joint", every=3))
    list(itertools.islice(training.run(), 4))
    training.save(tmp_path / "checkpoint")

    *_, last = resume(tmp_path / "checkpoint").run()

    drifts = [[m for m in measures if m.name.startswith("drift/")] for measures in (last.measures, whole[-1])]
    assert drifts[0] == drifts[1] != []


def test_no_thread_outlives_a_run(config, start):
    training = start(config(every=0))
    reports = training.run()
    next(reports)
    reports.close()
    list(start(config(every=0, steps=2)).run())

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("metalm-data")]


def test_minutes_are_a_budget(config, start):
    training = start(config("joint", every=0, **{"budget.unit": "minutes", "budget.amount": "0.01"}))

    last = list(training.run())[-1]

    assert last.progress == 1.0
    assert last.seconds >= 0.6


def test_sequential_visits_the_tasks_in_order(config, start, train):
    reports = list(start(config("sequential", steps=5, every=0)).run())

    ids = [text.task.id for text in train]
    assert [report.losses[0].task_id for report in reports] == (ids * 2)[:5]


def tokens_of(visits):
    """All token ids that visits read, in one row."""
    parts = []
    for visit in visits:
        match visit:
            case Episode(support=support, query_BT=query_BT):
                parts += [support.windows_NT, query_BT]
            case Streams(tokens_BT=tokens_BT) | Batch(windows_BT=tokens_BT):
                parts.append(tokens_BT)
    return torch.cat([part.ravel() for part in parts])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_step_reads_fresh_windows(config, start, algorithm):
    batches = start(config(algorithm))._meta_batches

    read = [tokens_of(batches.visits(step)) for step in range(1, 9)]

    assert not any(torch.equal(a, b) for a, b in itertools.combinations(read, 2))
    assert torch.equal(tokens_of(batches.visits(1)), read[0])


def test_a_checkpoint_of_other_tasks_is_refused(config, start, train, validation, tokenizer, tmp_path):
    start(config()).save(tmp_path / "checkpoint")

    with pytest.raises(ConfigError, match="meta-train tasks of a run must be those of its checkpoint"):
        Training.resume(
            tmp_path / "checkpoint", train[:2], validation, tokenizer, tmp_path, torch.device("cpu")
        )


def test_a_run_without_a_checkpoint_cannot_resume(resume, tmp_path):
    with pytest.raises(NotFoundError, match="no checkpoint in"):
        resume(tmp_path)


def test_a_run_without_tasks_is_refused(config, tokenizer, tmp_path):
    with pytest.raises(SplitError, match="a run must have a meta-train task, got none"):
        Training.start(config(), [], [], tokenizer, tmp_path, torch.device("cpu"))


def test_initial_weights_of_another_size_are_refused(config, start):
    weights = start(config()).weights

    with pytest.raises(ConfigError, match=r"weights of the starting run must fit this model"):
        start(config(**{"model.hidden": "6"}), weights)


@pytest.mark.parametrize("algorithm", ["maml", "anil", "meta-sgd", "imaml"])
def test_a_gradient_that_is_not_finite_where_losses_are_names_its_task(config, start, algorithm):
    training = start(config(algorithm, every=0))
    with torch.no_grad():
        training.model.rnn.weight_hh_l0[0, 3] = 1e30
    before = tensors(training)

    place = (
        "(outer gradient|Hessian product after . adaptation steps) of task '(one|two|three)' .* outer step 1"
    )
    with pytest.raises(DivergedError, match=place):
        list(training.run())
    assert_same(tensors(training), before)
