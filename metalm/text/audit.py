"""Leakage audit of a split: how much of one text stands in another, word for word.

Tasks of different roles are compared, and each task's support set with its query set, in identical lines and
in runs of 13 words (`metalm.text.fingerprints`). The result warns; it refuses nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalm.text.fingerprints import KINDS, Fingerprints, Kind, examples, fingerprints
from metalm.text.splits import ROLES, Split, SplitTask
from metalm.text.tasks import TaskText

SUPPORT_BYTES = 51_200  # the end of a task's training part, which is compared with its query set
MAX_BYTES = 32 << 20  # a larger split is compared by a sample of its lines and words
MAX_ROWS = 1000  # pairs of tasks listed of each kind, the worst; the matrices hold all
COLUMNS = ["kind", "left", "right", "left_role", "right_role", "shared", "total", "share", "example"]
EXAMPLE_CHARACTERS = 200
_BLOCK = 4096  # hashes compared at once


@dataclass(frozen=True)
class Audit:
    """What an audit found. A share is that of the right text's lines or runs that stand in the left text too.

    rows: COLUMNS; only pairs that share something, worst first. Two tasks of different roles stand with the
    earlier role on the left; where `left` is `right`, the task's support set is compared with its query set.
    tasks, roles: for each kind the shares between all tasks, and between the roles; left in the rows, right
    in the columns. On the diagonal of `tasks` stands support against query, on that of `roles` nan.
    every: 1, or n when the split is large and one unit in n was compared, which `shared` and `total` count.
    """

    rows: pd.DataFrame
    tasks: dict[Kind, pd.DataFrame]
    roles: dict[Kind, pd.DataFrame]
    every: int


def audit(
    split: Split,
    texts: Mapping[str, TaskText],
    *,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Audit:
    """Audit of a split whose texts are given by task id. `on_progress` is told the share done, 0 to 1.

    It reads every text twice, streamed, and may raise whatever `on_progress` raises to stop it.
    """
    ordered = [texts[t.task.id] for t in split.tasks]
    size = sum(text.size for text in ordered)
    every, done = -(-size // MAX_BYTES), 0
    rows, tasks, roles = [], {}, {}
    for kind in KINDS:
        prints, own = [], []
        for split_task, text in zip(split.tasks, ordered, strict=True):
            prints.append(fingerprints(text, kind, 0, text.size, every=every))
            own.append(_own_row(kind, split_task, text))
            done += text.size
            on_progress(done / (len(KINDS) * size))
        overlap = _overlap(prints, np.array([[t.role == role for t in split.tasks] for role in ROLES]))
        np.fill_diagonal(overlap.task_shares, [row["share"] for row in own])
        rows += own + _pair_rows(kind, split.tasks, ordered, overlap)
        names = [t.task.name for t in split.tasks]
        tasks[kind] = pd.DataFrame(overlap.task_shares, index=names, columns=names)
        roles[kind] = pd.DataFrame(overlap.role_shares, index=ROLES, columns=ROLES)
    found = pd.DataFrame([row for row in rows if row["shared"]], columns=COLUMNS)
    worst_first = found.sort_values(["share", "shared"], ascending=False, kind="stable", ignore_index=True)
    return Audit(rows=worst_first, tasks=tasks, roles=roles, every=every)


@dataclass(frozen=True)
class _Overlap:
    """What T texts share: counts and shares, left in the rows. `held`: the units that several texts hold."""

    held: list[Fingerprints]
    totals: np.ndarray
    shared: np.ndarray
    task_shares: np.ndarray
    role_shares: np.ndarray


def _overlap(prints: Sequence[Fingerprints], members: np.ndarray) -> _Overlap:
    """members: bool (R, T), the texts of each role."""
    values, num_texts = np.unique(np.concatenate([p.hashes for p in prints]), return_counts=True)
    values = values[num_texts > 1]
    held = [p.where(np.isin(p.hashes, values, assume_unique=True)) for p in prints]
    shared = np.zeros((len(prints), len(prints)))
    role_shared = np.zeros((len(members), len(members)))
    for begin in range(0, len(values), _BLOCK):
        block = values[begin : begin + _BLOCK]
        counts = np.zeros((len(prints), len(block)))
        for row, p in zip(counts, held, strict=True):
            low, high = np.searchsorted(p.hashes, block[0]), np.searchsorted(p.hashes, block[-1], "right")
            row[np.searchsorted(block, p.hashes[low:high])] = p.counts[low:high]
        shared += (counts > 0).astype(float) @ counts.T
        role_counts = members @ counts
        role_shared += (role_counts > 0).astype(float) @ role_counts.T
    totals = np.array([p.total for p in prints])
    role_shares = role_shared / np.maximum(members @ totals, 1)
    np.fill_diagonal(role_shares, np.nan)
    return _Overlap(held, totals, shared.astype(int), shared / np.maximum(totals, 1), role_shares)


def _pair_rows(
    kind: Kind, tasks: Sequence[SplitTask], texts: Sequence[TaskText], overlap: _Overlap
) -> list[dict[str, object]]:
    """The worst pairs of different roles, with the first unit of the right text that stands in the left."""
    order = np.array([ROLES.index(t.role) for t in tasks])
    left, right = np.nonzero((order[:, None] < order[None, :]) & (overlap.shared > 0))
    worst = np.argsort(-overlap.task_shares[left, right], kind="stable")[:MAX_ROWS]
    places: dict[int, dict[int, int]] = defaultdict(dict)  # right -> left -> place in the right text
    for i, j in zip(left[worst], right[worst], strict=True):
        both = np.isin(overlap.held[j].hashes, overlap.held[i].hashes, assume_unique=True)
        places[j][i] = int(overlap.held[j].first[both].min())
    rows = []
    for j, place_of in places.items():
        found = examples(texts[j], kind, 0, texts[j].size, place_of.values())
        rows += [
            _row(kind, tasks[i], tasks[j], overlap.shared[i, j], overlap.totals[j], found[place])
            for i, place in place_of.items()
        ]
    return rows


def _own_row(kind: Kind, task: SplitTask, text: TaskText) -> dict[str, object]:
    """Support set against query set of one task."""
    train_end, query = text.cut.train_end, text.query()
    support = fingerprints(text, kind, *(text.support(SUPPORT_BYTES) or (0, train_end)))
    judged = fingerprints(text, kind, *query)
    both = judged.where(np.isin(judged.hashes, support.hashes, assume_unique=True))
    first = int(both.first.min()) if both.total else 0
    example = examples(text, kind, *query, [first])[first] if both.total else ""
    return _row(kind, task, task, both.total, judged.total, example)


def _row(
    kind: Kind, left: SplitTask, right: SplitTask, shared: int, total: int, example: str
) -> dict[str, object]:
    values = (left.task.name, right.task.name, left.role, right.role, int(shared), int(total))
    shown = (shared / max(total, 1), example[:EXAMPLE_CHARACTERS])
    return dict(zip(COLUMNS, (kind, *values, *shown), strict=True))
