"""The study of compute: trials that follow from those before, within a budget, whatever stops them."""

import math
from itertools import count

import pytest
from study_homes import SMALL, after

from metalm.errors import DivergedError
from metalm.studies import kept
from metalm.studies.carry_out import Listening, carry_out, ended_runs, finished_runs
from metalm.studies.compute import RANGES, TUNED, Compute, suggested
from metalm.studies.evidence import tuned_bits
from metalm.studies.pretrained import JOINT, META, TWIN
from metalm.studies.report import read

STUDY = {**SMALL, "joint_tokens": 2000, "meta_tokens": 2000}


def asked_of(runs):
    """What each trial was told, by key."""
    configs = {key: run.config for key, run in runs.items() if key.startswith("trial")}
    return {
        key: (config["algorithm"]["optimizer"], config["model"]["dropout"], config["budget"])
        for key, config in configs.items()
    }


def test_trials_take_as_much_compute_as_meta_training_and_follow_from_each_other(home):
    study = kept.begin(home, "compute", STUDY)
    assert carry_out(home, study.id)
    runs, plan = finished_runs(home, study.id), Compute.of(study.settings)
    whole = home.gradient_evaluations(runs[JOINT]) + home.gradient_evaluations(runs[META])
    spent = [trial.compute for trial in plan.trials(home, runs, 0)]
    assert len(spent) >= 2
    shortest = RANGES["share"][0] * whole
    assert sum(spent[:-1]) + shortest <= whole  # there was room for the last
    assert (
        whole - shortest < sum(spent) < whole + 100
    )  # and no more for another; a run ends with a whole step
    assert [each.key for each in plan.runs(home, runs)] == list(runs)
    assert plan.num_runs(home, runs) == len(runs)

    report = read(home.study_dir(study.id))
    table = report.sections[0].parts[-1]
    values = [tuned_bits(runs[f"trial {row[0]}"]) for row in table.rows]
    assert [row[-2] for row in table.rows] == pytest.approx(values)
    assert table.rows[-1][-1] == pytest.approx(min(values))
    means = {row[0]: row for row in report.sections[1].parts[1].rows}
    assert set(means) == {META, TWIN, TUNED}
    best = runs[plan.best(home, runs, 0)]
    frame = home.evaluations([best.id]).dropna(subset="run_id")
    last = frame[frame["adaptation_step"] == frame["adaptation_step"].max()]
    assert means[TUNED][4] == pytest.approx((last["nats"] / last["bytes"]).mean() / math.log(2))

    # The very same trials after a stop in each of them.
    again, looks = kept.begin(home, "compute", STUDY), count(60, 60)
    while not carry_out(home, again.id, should_stop=after(next(looks))):
        pass
    assert asked_of(finished_runs(home, again.id)) == asked_of(runs)


def test_a_trial_that_diverges_is_a_result_and_not_tried_again(home):
    study, current = kept.begin(home, "compute", STUDY), []

    def fail(_report):
        if current[-1].name.endswith("trial 1"):
            raise DivergedError("the loss left all bounds")

    listening = Listening(on_run=lambda run: run and current.append(run), on_report=fail)
    assert carry_out(home, study.id, listening=listening)
    runs = ended_runs(home, study.id)
    assert runs["trial 1"].status == "failed"
    assert "trial 1" not in finished_runs(home, study.id)
    assert Compute.of(study.settings).best(home, runs, 0) != "trial 1"
    assert carry_out(home, study.id)
    assert ended_runs(home, study.id) == runs
    table = read(home.study_dir(study.id)).sections[0].parts[-1]
    assert table.rows[0][-2] is None


def test_what_is_tried_lies_in_its_range_and_depends_on_what_was_found(home):
    study = kept.begin(home, "compute", STUDY)
    carry_out(home, study.id)
    runs = finished_runs(home, study.id)
    trials = Compute.of(study.settings).trials(home, runs, 0)
    assert suggested([], 1000, 0) == {"share": RANGES["share"][1]}
    found = [suggested(trials[:number], 4000, seed) for number in (1, 2) for seed in (0, 1)]
    assert found == [suggested(trials[:number], 4000, seed) for number in (1, 2) for seed in (0, 1)]
    assert len({tuple(each.values()) for each in found}) == 4
    for each in found:
        assert all(RANGES[name][0] <= value <= RANGES[name][1] for name, value in each.items())
