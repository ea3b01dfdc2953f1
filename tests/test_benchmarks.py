"""The benchmark of the engine judges rightly, and its sides do the same work."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from contest import plain  # noqa: E402
from contest.rounds import Measured, difference  # noqa: E402
from contest.table import against_peers, over_tasks  # noqa: E402
from contest.works import FIRST_ORDER, LARGE_GEMM, PLAIN, SMALL_GEMM, gemm_flops, meta_step_flops  # noqa: E402

WORK = replace(FIRST_ORDER, peers=(PLAIN, "learn2learn"))


def measured(seconds, memory_mb=100):
    return Measured(seconds=seconds, cpu_s=seconds, memory_mb=memory_mb)


def judged(ours, peers, limits=None):
    return {row.peer: row for row in against_peers(WORK, ours, peers, limits or {})}


def test_the_target_is_about_the_fastest_peer():
    peers = {PLAIN: measured(9), "learn2learn": measured(8)}
    rows = judged(measured(2, 160), peers)
    assert (rows["learn2learn"].ratio, rows["learn2learn"].met) == (4, True)
    assert (rows[PLAIN].ratio, rows[PLAIN].met, rows[PLAIN].target) == (4.5, None, None)


@pytest.mark.parametrize(("seconds", "memory_mb"), [(2.01, 160), (2, 161)])
def test_too_slow_or_too_large_misses(seconds, memory_mb):
    peers = {"learn2learn": measured(8)}
    assert judged(measured(seconds, memory_mb), peers)["learn2learn"].met is False


def test_plain_torch_is_the_peer_where_a_library_is_not_installed():
    peers = {PLAIN: measured(8), "learn2learn": Measured(absent="not installed")}
    rows = judged(measured(2), peers)
    assert rows[PLAIN].met is True
    assert (rows["learn2learn"].met, rows["learn2learn"].peer_s) == ("not installed", None)


@pytest.mark.parametrize(("share", "target"), [(0.1, 4), (0.4, 2)])
def test_no_target_lies_beyond_four_fifths_of_the_batched_product(share, target):
    """share: of the product's FLOP/s that the peer reaches."""
    product = measured(1)
    peer = measured(meta_step_flops(WORK) / gemm_flops(SMALL_GEMM) / share)
    limits = {SMALL_GEMM.name: product, LARGE_GEMM.name: product}
    just = measured(peer.seconds / target * 0.999)
    row = judged(just, {PLAIN: peer}, limits)[PLAIN]
    assert row.met is True
    assert row.target.startswith(f">= {target:.2f}")
    assert row.share_of_batched_gemm == pytest.approx(share * target / 0.999)


def test_the_cost_per_task_may_rise_by_a_tenth():
    rows = list(over_tasks(WORK, {1: measured(1), 2: measured(2.19), 4: measured(5)}))
    assert [row.met for row in rows] == [True, True, False]


def test_results_are_compared_by_name():
    ours, peer = (Measured(result={"a": np.array([3.0, 4.0]), **more}) for more in ({}, {"b": np.zeros(2)}))
    assert difference(ours, peer) == 0
    assert difference(Measured(result={"b": np.ones(1)}), ours) == pytest.approx(np.sqrt(26) / 5)
    assert difference(Measured(), Measured()) is None


@pytest.mark.parametrize("layers", [1, 2])
def test_flops_are_those_that_torch_counts(layers):
    work = replace(
        FIRST_ORDER, tasks=1, steps=0, layers=layers, hidden=32, embedding=8, batch=2, vocabulary=128
    )
    with FlopCounterMode(display=False) as counter:
        list(plain.meta_step(work)())
    # With as many tokens as the vocabulary has, projecting each costs what the table does. Autograd leaves
    # out the gradient by the first state.
    first_state = 2 * layers * work.batch * work.hidden * 3 * work.hidden
    assert counter.get_total_flops() == meta_step_flops(work) - first_state


def test_a_row_is_a_line_of_json():
    command = [sys.executable, str(BENCHMARKS / "engine.py"), "--json", "--reps=1", "--threads=1", "--only"]
    done = subprocess.run(
        [*command, "^sampling, one"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["work"], row["peer"], row["target"]) == ("sampling, one stream", PLAIN, ">= 3.00")
    assert row["ratio"] == pytest.approx(row["peer_s"] / row["ours_s"], rel=1e-3)
    assert isinstance(row["met"], bool)
