"""The speed study's numbers, computed again from the rows by hand."""

import json
import math
from collections import defaultdict

import numpy as np
import pytest
from study_homes import SMALL

from metalm.studies import kept
from metalm.studies.carry_out import carry_out, finished_runs
from metalm.studies.pretrained import META, TWIN
from metalm.studies.report import Table, read


@pytest.fixture
def done(home):
    study = kept.begin(home, "speed", {**SMALL, "beyond": 8, "seeds": 2, "draws": 2, "support": "256"})
    # What else is in the store of these runs must not count.
    carry_out(home, study.id)
    for run in finished_runs(home, study.id).values():
        list(home.evaluate([run.id], support=(256,), steps=3))
    carry_out(home, study.id)
    return study


def by_hand(home, study_id):
    """(series, step) -> each task's bits per byte, nats and bytes of seeds and draws added up."""
    sums = defaultdict(lambda: [0.0, 0])
    for key, run in finished_runs(home, study_id).items():
        frame = home.evaluations([run.id], role="meta-validation")
        for row in frame[frame["adaptation"].map(lambda text: json.loads(text)["steps"] == 8)].itertuples():
            place = key.split(" seed")[0], row.adaptation_step, row.task
            sums[place][0] += row.nats
            sums[place][1] += row.bytes
    found = defaultdict(dict)
    for (series, step, task), (nats, num_bytes) in sums.items():
        found[series, step][task] = nats / math.log(2) / num_bytes
    return found


def test_every_number_is_what_the_rows_say(home, done):
    report, found = read(home.study_dir(done.id)), by_hand(home, done.id)
    tables = [part for section in report.sections for part in section.parts if isinstance(part, Table)]
    _, gains, every = tables
    assert len(every.rows) == 2 * len({step for _, step in found})
    for series, size, step, count, mean, low, high, median, _ in every.rows:
        values = found[series, step]
        assert (size, count) == (256, len(values)) == (256, 3)
        assert mean == pytest.approx(np.mean(list(values.values())))
        assert median == pytest.approx(np.median(list(values.values())))
        assert low <= mean <= high
    for _, step, count, difference, *_, wins, losses in gains.rows:
        change = [found[META, step][task] - found[TWIN, step][task] for task in found[META, step]]
        assert count == 3
        assert difference == pytest.approx(np.mean(change))
        assert (wins, losses) == (sum(c < 0 for c in change), sum(c > 0 for c in change))
