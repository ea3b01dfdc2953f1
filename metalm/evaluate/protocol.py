"""A contender meets tasks at several support sizes and draws; one number is one row.

On the static track weights are frozen after the support set; on the online track they may go on learning
while the query is coded. Every contender is judged on the same bytes. A row holds summed nats and counts;
means, intervals and differences are made by `statistics`, keeping rows by the caller.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from metalm.config import Settings, setting
from metalm.errors import ConfigError
from metalm.evaluate.contenders import Case, Contender, Judged, Method, Track
from metalm.learn.inner import blocks
from metalm.learn.stopping import ShouldStop, Stopped, never
from metalm.text.splits import Role
from metalm.text.tasks import TaskText

SUPPORT_BYTES = (0, 2048, 10240)
Key = tuple[str, int, int, int]  # task id, support bytes asked for, draw, adaptation step


@dataclass(frozen=True, kw_only=True)
class Protocol(Settings):
    """What is asked of every contender. Role meta-validation, unless meta-test is asked for."""

    section = "evaluation"
    split_id: str
    role: Role = setting("meta-validation", "whose tasks are met")
    support_bytes: tuple[int, ...] = SUPPORT_BYTES  # sizes of the support sets
    draws: int = setting(
        1, "support sets of each size, each ending 8 kB before the last", at_least=1, at_most=100
    )
    query_bytes: int = setting(
        12_288, "bytes of each query set that are scored, at most", at_least=64, at_most=1_000_000
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = self.support_bytes
        if not sizes or min(sizes) < 0 or len(set(sizes)) < len(sizes):
            raise ConfigError(
                f"evaluation.support_bytes must be different sizes of 0 or more, got {list(sizes)}"
            )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One score of one contender: the columns of `evaluations`.

    support_bytes is what was asked for; the actual size is at most 3 bytes smaller. seconds: spent on
    adaptation up to this step. nats: summed over the query, infinite where the weights diverged. seen: the
    run or an ancestor was trained on the task. run_id and checkpoint_step are the caller's to add.
    """

    split_id: str
    role: Role
    task_id: str
    track: Track = "static"
    method: Method
    adaptation: dict[str, Any] = field(hash=False)
    support_bytes: int
    draw: int
    adaptation_step: int
    seed: int
    nats: float
    tokens: int
    bytes: int
    chars: int
    seconds: float
    seen: bool
    run_id: str | None = None
    checkpoint_step: int | None = None

    @property
    def key(self) -> Key:
        """What tells this row from the others of its contender under one split."""
        return self.task_id, self.support_bytes, self.draw, self.adaptation_step


@dataclass(frozen=True)
class Episode:
    """One meeting with a task: byte ranges of its support and query set. They share no byte."""

    text: TaskText
    support_bytes: int  # asked for
    draw: int
    support: tuple[int, int]
    query: tuple[int, int]


@dataclass(frozen=True)
class Skipped:
    """A support set that the task's text is too short for."""

    task_id: str
    support_bytes: int
    draw: int


def episodes(texts: Sequence[TaskText], protocol: Protocol) -> tuple[list[Episode], list[Skipped]]:
    """Every meeting that the protocol asks for, task by task, and those for which a text is too short.

    No support at all is the same whatever the draw, so it occurs once a task.
    """
    found, skipped = [], []
    for text in texts:
        query = text.query(protocol.query_bytes)
        for size in protocol.support_bytes:
            for draw in range(protocol.draws if size else 1):
                support = text.support(size, draw)
                if support is None:
                    skipped.append(Skipped(text.task.id, size, draw))
                else:
                    found.append(Episode(text, size, draw, support, query))
    return found, skipped


def evaluate(
    contender: Contender,
    texts: Sequence[TaskText],
    protocol: Protocol,
    *,
    seen: Collection[str] = (),
    done: Collection[Key] = (),
    should_stop: ShouldStop = never,
) -> Iterator[Row]:
    """A row a (task, support size, draw, recorded step). Without support there is step 0 only.

    Episodes with as large a support set are met side by side, so that rows come size by size and step by
    step. seen: ids of tasks that the run or an ancestor was trained on. done: keys of this contender's rows
    that are there already; they are not made again. Ends quietly, between two adaptation steps or chunks of a
    score, when `should_stop` says so.
    """
    for block in blocks(_work(contender, texts, protocol, done)):
        read = ([ep.text.read(*piece) for piece in (ep.support, ep.query)] for ep, _ in block)
        cases = [Case(*pair, steps) for pair, (_, steps) in zip(read, block, strict=True)]
        try:
            for judged in contender.judged(cases, should_stop):
                yield _row(contender, protocol, block[judged.case][0], judged, seen)
        except Stopped:
            return


def num_rows(contender: Contender, texts: Sequence[TaskText], protocol: Protocol) -> int:
    """How many rows the protocol asks of a contender; a support set of one token gives fewer."""
    return sum(len(steps) for _, steps in _work(contender, texts, protocol, ()))


def _work(
    contender: Contender, texts: Sequence[TaskText], protocol: Protocol, done: Collection[Key]
) -> list[tuple[Episode, tuple[int, ...]]]:
    """Episodes with the steps after which a row is to be made, those of one support size together."""
    found = [(ep, _steps_to_make(contender, ep, done)) for ep in episodes(texts, protocol)[0]]
    return sorted((pair for pair in found if pair[1]), key=lambda pair: pair[0].support_bytes)


def _steps_to_make(contender: Contender, episode: Episode, done: Collection[Key]) -> tuple[int, ...]:
    steps = contender.steps(episode.support_bytes) if episode.support_bytes else (0,)
    name = episode.text.task.id, episode.support_bytes, episode.draw
    return tuple(step for step in steps if (*name, step) not in done)


def _row(
    contender: Contender, protocol: Protocol, episode: Episode, judged: Judged, seen: Collection[str]
) -> Row:
    score, task = judged.score, episode.text.task
    return Row(
        split_id=protocol.split_id,
        role=protocol.role,
        task_id=task.id,
        track=contender.track,
        method=contender.method,
        adaptation=contender.adaptation,
        support_bytes=episode.support_bytes,
        draw=episode.draw,
        adaptation_step=judged.step,
        seed=contender.seed,
        # Weights that diverged give no number; they could not code the query at any length.
        nats=score.nats if math.isfinite(score.nats) else math.inf,
        tokens=score.tokens,
        bytes=score.bytes,
        chars=score.chars,
        seconds=judged.seconds,
        seen=task.id in seen,
    )
