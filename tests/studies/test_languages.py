"""The study of languages: what each group learns from, and its matrices against the rows."""

import numpy as np
import pytest
from study_homes import ROLES, SMALL

from metalm.errors import SplitError
from metalm.studies import kept
from metalm.studies.carry_out import carry_out, finished_runs
from metalm.studies.languages import EVERYTHING, Languages
from metalm.studies.pretrained import META, TWIN
from metalm.studies.report import read

STUDY = {**SMALL, "groups": 2}


def test_each_group_learns_by_itself_and_all_are_judged_alike(home):
    found = dict(Languages.of(STUDY).splits(home))
    assert list(found) == ["one", "two", EVERYTHING]
    names = {group: [task.name for task in split.of_role("meta-train")] for group, split in found.items()}
    assert names == {
        "one": ["alpha", "beta"],
        "two": ["delta", "gamma"],
        EVERYTHING: [name for name in sorted(ROLES) if ROLES[name] == "meta-train"],
    }
    judged = {tuple(split.of_role("meta-validation")) for split in found.values()}
    assert len(judged) == 1
    assert len(dict(Languages.of({**STUDY, "groups": 1}).splits(home))) == 2


def test_a_split_of_one_group_is_refused(home):
    # Every text is in Latin script.
    with pytest.raises(SplitError, match="must have meta-train tasks of two or more of script"):
        kept.begin(home, "languages", {**STUDY, "by": "script"})


def test_near_and_far_and_every_task_are_what_the_rows_say(home):
    study = kept.begin(home, "languages", STUDY)
    assert carry_out(home, study.id)
    report, runs = read(home.study_dir(study.id)), finished_runs(home, study.id)
    assert len(runs) == 9

    def bits(group, name):
        frame = home.evaluations([runs[f"{group}, {name}"].id]).dropna(subset="run_id")
        last = frame[frame["adaptation_step"] == frame["adaptation_step"].max()].set_index("task")
        return last["nats"] / last["bytes"] / np.log(2)

    every = report.sections[-1].parts[-1]
    assert len(every.rows) == 3 * 3
    for task, family, group, _, meta, twin, difference in every.rows:
        assert family == {"omega": "one", "sigma": "two", "theta": "no group"}[task]
        assert meta == pytest.approx(bits(group, META)[task])
        assert twin == pytest.approx(bits(group, TWIN)[task])
        assert difference == pytest.approx(meta - twin)
    near = report.sections[0].parts[-1]
    lines = {row[:2]: row for row in near.rows}
    # All texts are in Latin script, so that none is far.
    assert set(lines) == {(group, name) for group in ("one", "two", EVERYTHING) for name in ("all", "near")}
    for (group, _), row in lines.items():
        assert row[3] == 3
        assert row[6] == pytest.approx((bits(group, META) - bits(group, TWIN)).mean())
    assert len(report.findings) == 3
    assert len(report.figures) == 2
