"""The data study: its splits, and its report against the rows."""

import numpy as np
import pandas as pd
import pytest
from study_homes import SMALL

from metalm.errors import ConfigError
from metalm.studies import data_report, kept
from metalm.studies.carry_out import carry_out, finished_runs
from metalm.studies.data import BYTES, TASKS, Data
from metalm.studies.pretrained import META, TWIN
from metalm.studies.report import Table, read

STUDY = {**SMALL, "support": "256,512", "tasks": "2,9", "task_bytes": "3000,999999"}


def test_splits_have_less_to_learn_from_and_the_same_to_judge_on(home):
    study, whole = Data.of(STUDY), home.split("small")
    study.prepare(home)
    few, short, full = study.points(home)
    assert (few.label, short.label, full.label) == ("2 tasks", "3000 bytes", "all")
    assert (few.sweeps, short.sweeps) == ({TASKS: 2}, {BYTES: pytest.approx(3000, abs=3)})
    assert full.sweeps[TASKS] == len(whole.of_role("meta-train")) == 4
    for point in (few, short, full):
        kept_split = home.split(point.split.id)
        assert kept_split.of_role("meta-validation") == whole.of_role("meta-validation")
        assert kept_split.of_role("meta-test") == whole.of_role("meta-test")
    assert set(few.split.of_role("meta-train")) < set(whole.of_role("meta-train"))
    for task in short.split.of_role("meta-train"):
        text = home.text_of(task)
        assert text.read(0, task.size).decode() == home.corpus_path(task.name).read_text()[: task.size]
    study.prepare(home)
    assert len(home.splits()) == 3


def test_fewer_tasks_are_among_more(home):
    few, more, *_ = Data.of({**STUDY, "tasks": "1,3"}).points(home)
    assert set(few.split.of_role("meta-train")) < set(more.split.of_role("meta-train"))


def test_amounts_that_change_nothing_are_refused(home):
    with pytest.raises(ConfigError, match="tasks must have a number below the 4 there are"):
        kept.begin(home, "data", {**STUDY, "tasks": "9"} | {"task_bytes": "999999"})


def test_the_gain_at_every_amount_is_what_the_rows_say(home):
    study = kept.begin(home, "data", STUDY)
    assert carry_out(home, study.id)
    runs = finished_runs(home, study.id)
    assert len(runs) == 9
    report = read(home.study_dir(study.id))
    table = report.sections[-1].parts[-1]
    assert isinstance(table, Table)
    assert len(table.rows) == 3 * 2
    place = {name: table.columns.index(name) for name in ("data", "support bytes", "difference")}
    for row in table.rows:
        label, size, difference = (row[index] for index in place.values())
        bits = []
        for name in (META, TWIN):
            frame = home.evaluations([runs[f"{label}, {name}"].id])
            frame = frame[(frame["support_bytes"] == size) & frame["run_id"].notna()]
            last = frame[frame["adaptation_step"] == frame["adaptation_step"].max()]
            bits.append((last["nats"] / last["bytes"] / np.log(2)).mean())
        assert difference == pytest.approx(bits[0] - bits[1])


def gains(*lines):
    """Lines of `differences`: (point, support bytes, low, high)."""
    rows = [
        {"point": p, "support_bytes": s, "low": low, "high": high, "relative": (low + high) / 2}
        for p, s, low, high in lines
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("high_at_2048", "told"),
    [
        (-0.1, "There is a gain over joint continued up to the largest support size tried, 2,048 bytes"),
        (0.1, "The gain over joint continued ends between 512 and 2,048 support bytes"),
    ],
)
def test_it_is_said_where_the_gain_ends(high_at_2048, told):
    table = gains(("all", 512, -0.3, -0.1), ("all", 2048, -0.2, high_at_2048))
    [found] = data_report._where_it_ends(table)
    assert found.startswith(told)
    assert "the largest is 20.0 % at 512 support bytes" in found


def test_it_is_said_from_how_much_data_on_there_is_a_gain():
    table = gains(("2 tasks", 512, -0.3, 0.1), ("3 tasks", 512, -0.3, -0.1), ("all", 512, -0.3, -0.1))
    places = {"2 tasks": {TASKS: 2}, "3 tasks": {TASKS: 3}, "all": {TASKS: 4}}
    assert data_report._from_how_much(table, places, [TASKS]) == [
        "Over meta-train tasks, at 512 support bytes: there is a clear gain from 3 on."
    ]
