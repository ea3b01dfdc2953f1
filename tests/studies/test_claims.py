"""The claims study: what is chosen on meta-validation, and that its figures are those of the rows."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from study_homes import QUICK, SMALL, study_home

from metalm.errors import ConfigError
from metalm.learn.tuning import Adaptation
from metalm.studies import kept
from metalm.studies.carry_out import carry_out, finished_runs
from metalm.studies.claims import CONTROL, Claims
from metalm.studies.claims_evidence import Family, along, near_far_table
from metalm.studies.claims_keys import key_of
from metalm.studies.evidence import rows_of, tuned_bits
from metalm.studies.report import read
from metalm.units import bits_per_byte

TINY = {
    "splits": "small",
    "algorithms": "fomaml,meta-sgd",
    "preset": "tiny",
    "seeds": 2,
    "joint_tokens": 600,
    "meta_tokens": 600,
    "support": "512",
    "joint_set": SMALL["joint_set"],
    "meta_set": f"{SMALL['meta_set']},meta-sgd.first_order=true",
    "meta_tried": "inner.lr=0.1",
    "controls": "optimizer.lr=0.0001",
    "costly_seeds": 2,
    "costly_splits": "small",
}
VARIANT = f"{CONTROL}, optimizer.lr=0.0001"


def lengths_of(run):
    return Adaptation.from_json(run.adaptation).lengths


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One home for all tests here, which only read what the study left."""
    with study_home(tmp_path_factory.mktemp("claims")) as opened:
        yield opened


@pytest.fixture(scope="module")
def study(home):
    kept_ = kept.begin(home, "claims", TINY)
    assert carry_out(home, kept_.id)
    return kept_


def test_what_is_chosen_is_the_best_on_meta_validation(home, study):
    runs = finished_runs(home, study.id)
    claims = Claims.of(study.settings)

    def bits(series, seeds):
        return np.mean([tuned_bits(runs[key_of(series, "small", seed)]) for seed in seeds])

    chosen = [
        min((name, f"{name}, inner.lr=0.1"), key=lambda series: bits(series, (0,)))
        for name in ("fomaml", "meta-sgd")
    ]
    best = min(chosen, key=lambda series: bits(series, (0, 1)))
    control = min((CONTROL, VARIANT), key=lambda name: bits(name, (0,)))
    assert claims.best(["small"], runs) == best
    assert claims.chosen(CONTROL, ["small"], runs) == claims.control_of(best, ["small"], runs) == control
    # The first seed tries every control, the others only the one that was chosen.
    tried = {key for key in runs if key.startswith(CONTROL)}
    assert tried == {
        key_of(CONTROL, "small", 0),
        key_of(VARIANT, "small", 0),
        key_of(control, "small", 1),
    }
    assert {key for key in runs if key.startswith(("fomaml", "meta-sgd"))} == {
        key_of(series, "small", seed)
        for name in ("fomaml", "meta-sgd")
        for series, seed in [(name, 0), (f"{name}, inner.lr=0.1", 0), *((each, 1) for each in chosen)]
        if series.startswith(name)
    }
    wanted = home.gradient_evaluations(runs[key_of(chosen[0], "small", 1)])
    assert home.gradient_evaluations(runs[key_of(control, "small", 1)]) >= wanted


def test_a_claim_is_the_paired_difference_of_the_rows(home, study):
    report, runs = read(home.study_dir(study.id)), finished_runs(home, study.id)
    claims = Claims.of(study.settings)
    best, control = claims.best(["small"], runs), claims.chosen(CONTROL, ["small"], runs)
    table = report.sections[0].parts[1]
    lines = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    [line] = [line for line in lines if line["claim"].startswith("static, at as much")]
    assert (line["measured"], line["against"]) == (best, control)

    def mean_of(series):
        """Both seeds of the one meta-test task, pooled; counted anew from what the store holds."""
        found = []
        for seed in (0, 1):
            run = runs[key_of(series, "small", seed)]
            frame = home.evaluations([run.id], role="meta-test")
            own = frame[(frame["run_id"] == run.id) & (frame["method"] == "adapt")]
            told = {"lengths": {str(size): n for size, n in lengths_of(run).items()}}
            tuned = own["adaptation"].map(json.loads) == {**run.adaptation["inner"], **told}
            found.append(own[tuned].sort_values("adaptation_step").iloc[-1])
        return bits_per_byte(sum(row["nats"] for row in found), sum(row["bytes"] for row in found))

    difference = mean_of(best) - mean_of(control)
    assert line["difference"] == pytest.approx(difference, abs=1e-9)
    assert line["fewer bits %"] == pytest.approx(-100 * difference / mean_of(control))


def test_what_was_not_asked_stands_beside_what_was():
    rows = pd.DataFrame({"asked": ["f: static"], "split_id": ["s"], "track": ["static"]})
    nothing = Family("f", rows, best="a", control="b").tasks("ways")
    some = pd.DataFrame(
        {"series": ["a"], "task_id": ["t"], "support_bytes": [512], "adaptation_step": [3], "value": [2.5]}
    )
    both = pd.concat([some, nothing], ignore_index=True)
    assert both.dtypes.equals(some.dtypes)
    assert len(both) == 1


def test_near_and_far_tasks_are_compared_apart():
    bits = {
        ("a", "n1"): 2.0,
        ("a", "n2"): 3.0,
        ("a", "f1"): 5.0,
        ("b", "n1"): 3.0,
        ("b", "n2"): 3.5,
        ("b", "f1"): 4.0,
    }
    common = {
        "asked": "f: static",
        "split_id": "s",
        "role": "meta-test",
        "track": "static",
        "method": "adapt",
    }
    common |= {
        "checkpoint_step": 1,
        "adaptation": "{}",
        "support_bytes": 512,
        "adaptation_step": 0,
        "seen": False,
    }
    common |= {"bytes": 1000, "chars": 1000, "tokens": 1000}
    rows = [
        {"series": name, "run_id": name, "task_id": task, "nats": value * 1000 * math.log(2)} | common
        for (name, task), value in bits.items()
    ]
    frame = pd.DataFrame(rows).assign(near=lambda lines: lines["task_id"].str.startswith("n"))

    table = near_far_table(Family("f", frame, best="a", control="b"))

    assert table["tasks"].tolist() == ["2 near", "1 far"]
    assert table["difference"].tolist() == pytest.approx([-0.75, 1.0])
    assert table["fewer bits %"].tolist() == pytest.approx([100 * 0.75 / 3.25, -25.0])


def test_learned_rates_are_compared_with_one_rate_whatever_was_chosen(home, study):
    report, runs = read(home.study_dir(study.id)), finished_runs(home, study.id)
    table = report.sections[0].parts[1]
    lines = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    [line] = [line for line in lines if line["claim"] == "learned rates"]
    rated = Claims.of(study.settings).chosen("meta-sgd", ["small"], runs)
    assert (line["measured"], line["against"]) == (rated, f"{rated}: one rate")


def test_along_the_way_a_task_stays_as_it_is_after_its_last_step():
    values = {"one": {0: 4.0, 1: 3.0, 2: 2.0}, "two": {0: 6.0, 1: 5.0, 3: 4.0, 5: 1.0}}
    tasks = pd.DataFrame(
        [
            {"series": "a", "task_id": task, "support_bytes": 512, "adaptation_step": step, "value": value}
            for task, steps in values.items()
            for step, value in steps.items()
        ]
    )
    table = along(tasks)
    # After step 2 one of them was not judged, though it went on.
    assert dict(zip(table["adaptation_step"], table["mean"], strict=True)) == {0: 5.0, 1: 4.0, 3: 3.0, 5: 1.5}
    assert set(table["tasks"]) == {2}


def test_every_method_has_a_row(home, study):
    report = read(home.study_dir(study.id))
    tables = [part for section in report.sections for part in section.parts if hasattr(part, "columns")]
    named = {row[0] for table in tables if table.columns[0] == "series" for row in table.rows}
    best = Claims.of(study.settings).best(["small"], finished_runs(home, study.id))
    for method in ("head only", "proximal", "Adam", "pool", "posterior pool", "bayes", "dynamic evaluation"):
        assert f"{best}: {method}" in named
    assert {"PPMd", "PPMd primed", "xz", "uniform", "unigram", "n-gram", "joint", "sequential"} <= named


@pytest.mark.parametrize(("name", "value"), [("algorithms", "magic"), ("algorithms", ""), ("support", "x")])
def test_settings_are_checked_at_birth(name, value):
    with pytest.raises(ConfigError, match=name):
        Claims.of({name: value})


def test_settings_of_another_algorithm_are_not_told(home):
    claims = Claims.of({**TINY, "meta_set": f"maml++.msl=0, {QUICK}", "algorithms": "fomaml,maml++"})
    planned = {each.series: each.settings for each in claims.runs(home, {})}
    assert "maml++.msl" in planned["maml++"]
    assert "maml++.msl" not in planned["fomaml"]


def test_the_first_seeds_alone_train_sequentially(home):
    planned = Claims.of({**TINY, "costly_seeds": 1}).runs(home, {})
    assert [each.seed for each in planned if each.series == "sequential"] == [0]
    assert [each.seed for each in planned if each.series == "joint"] == [0, 1]


def test_no_meta_test_is_opened_for_what_was_tried_in_vain(home, study):
    claims, runs = Claims.of(study.settings), finished_runs(home, study.id)
    asked = {key for each in claims.evaluations(home, runs) for key in each.keys}
    vain = {
        key_of(series, "small", 0)
        for base in (CONTROL, "fomaml", "meta-sgd")
        for series in claims.tried(base)
    }
    vain -= {
        key_of(claims.chosen(base, ["small"], runs), "small", 0) for base in (CONTROL, "fomaml", "meta-sgd")
    }
    assert len(vain) == 3
    assert not asked & vain
    rows = home.evaluations([runs[key].id for key in vain], role="meta-test")
    # The twin of the best run is one of its baselines, chosen or not.
    judged = rows[rows["run_id"].isin([runs[key].id for key in vain])]
    assert set(judged["method"]) <= {"joint continued"}


def test_a_split_that_is_not_costly_has_a_report_without_its_costly_parts(home, study):
    runs = finished_runs(home, study.id)
    sparing = Claims.of({**study.settings, "costly_splits": ""})
    asked = sparing.evaluations(home, runs)
    assert not {"online", "ways", "formula", "along the way"} & {
        each.name.partition(": ")[2] for each in asked
    }
    series = {each.key: each.series for each in sparing.runs(home, runs)}
    report = sparing.report(home, rows_of(home, asked, runs, series), runs)
    titles = [section.title for section in report.sections]
    assert "small: static track, weights frozen after the support set" in titles
    assert not [title for title in titles if "online" in title]
