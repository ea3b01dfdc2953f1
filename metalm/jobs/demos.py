"""Live demos: runs that adapt to a text side by side, in a thread that outlives whoever watches.

A demo knows from the start which records it will leave, so that one address serves while it runs and after.
It is made on the CPU: a run that holds the GPU is not disturbed. Work on the CPU waits while a demo begins,
since somebody looks at the demo (`goes_first`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from metalm.errors import RunStateError
from metalm.jobs.demo import MAX_RUNS, Demo, DemoRequest, Part, Writing, errors_of, samples_of
from metalm.learn.stopping import Stopped, stop_if
from metalm.store.adaptations import AdaptationRecord

if TYPE_CHECKING:
    from metalm.config import InnerLoop
    from metalm.evaluate.live import LiveStep
    from metalm.home import Home
    from metalm.jobs.endings import Endings
    from metalm.model.fast_weights import Weights

MAX_KEPT = 8  # that are over
_GOES_FIRST = 30.0  # seconds
_AT_ONCE = 2  # demos of two people need not wait for one another


class Demos:
    """The demos of `home`. Any thread may call any method; `close` ends what is under way."""

    def __init__(
        self,
        home: Home,
        *,
        threads: int,
        is_halting: Callable[[], bool],
        endings: Endings,
    ) -> None:
        self._home = home
        self._endings = endings
        self._threads = threads
        self._is_halting = is_halting
        self._kept: list[Demo] = []
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="metalm-demo")

    def begin(self, asked: DemoRequest) -> Demo:
        """Starts a demo. RunStateError for no run or more than `MAX_RUNS`, and while the app closes."""
        if not 1 <= len(asked.runs) <= MAX_RUNS:
            raise RunStateError(f"a demo must have 1 to {MAX_RUNS} runs, got {len(asked.runs)}")
        demo = Demo(asked, tuple(Part(run_id) for run_id in asked.runs))
        return self._started(demo, self._work)

    def rewrite(self, record_ids: Sequence[str], writing: Writing) -> Demo:
        """Lets the runs of saved demos adapt again and write anew. NotFoundError when one is gone."""
        records = [self._home.store.adaptations.get(record_id) for record_id in record_ids]
        first = records[0]
        asked = DemoRequest(
            name=first.name,
            support=first.support.encode(),
            query=first.query.encode(),
            runs=tuple(record.run for record in records),
            writing=writing,
        )
        parts = tuple(Part(record.run, record.id, is_saved=True) for record in records)
        return self._started(Demo(asked, parts), lambda demo: self._rewrite(demo, records))

    def find(self, record_ids: Sequence[str]) -> Demo | None:
        """The newest demo that leaves, or writes for, one of these records; None where there is none."""
        with self._lock:
            for demo in reversed(self._kept):
                if any(part.record_id in record_ids for part in demo.parts):
                    return demo
        return None

    def goes_first(self) -> bool:
        """A demo is under way that began less than half a minute ago: other work on the CPU should wait.

        Side by side on two cores they take each other's cache, and both need several times as long.
        """
        with self._lock:
            return any(not demo.is_over and monotonic() - demo.at < _GOES_FIRST for demo in self._kept)

    def close(self) -> None:
        """Ends what is under way, and waits for it."""
        with self._lock:
            for demo in self._kept:
                demo.stop()
        self._workers.shutdown()

    def _started(self, demo: Demo, work: Callable[[Demo], None]) -> Demo:
        with self._lock:
            if self._is_halting():
                raise RunStateError("no demo can begin while the app closes")
            over = [kept for kept in self._kept if kept.is_over]
            self._kept = [kept for kept in self._kept if kept not in over[:-MAX_KEPT]] + [demo]
            demo.outcome = self._workers.submit(self._threaded, demo, work)
        return demo

    def _threaded(self, demo: Demo, work: Callable[[Demo], None]) -> None:
        # As in the queue's workers: here, since torch takes seconds to load.
        from metalm.model.threads import use_threads

        use_threads(self._threads)
        status = "failed"
        try:
            work(demo)
            status = demo.status
        finally:
            for part in demo.parts:
                part.release()
            error = "; ".join(part.error for part in demo.parts if part.error)
            records = [part.record_id for part in demo.parts]
            self._endings.add("demo", status, records, error=error, name=demo.asked.name)

    # A demo, from its first step to its records.

    def _work(self, demo: Demo) -> None:
        asked, inner = demo.asked, {}
        demo.doing = "reads the text"
        with suppress(Stopped):
            self._adapt(demo, inner)
            demo.doing = "looks at what the runs expect"
            for part, step in self._ends(demo):
                with errors_of(part):
                    part.guesses[step.step] = self._home.guesses(
                        part.run_id, asked.support, asked.query, step.weights, should_stop=self._flag(demo)
                    )
            self._write(demo)
        demo.doing = "saves"
        for part in demo.parts:
            if part.steps and not part.error:
                self._save(demo, part, inner[part.record_id])

    def _adapt(self, demo: Demo, inner: dict[str, InnerLoop]) -> None:
        """Step by step, in turn: nobody waits for the first run to end to see the second begin."""
        live: dict[str, tuple[Part, Iterator[LiveStep]]] = {}
        for part in demo.parts:
            with errors_of(part):
                used = inner[part.record_id] = self._inner(demo.asked, part.run_id)
                part.total = used.steps
                steps = self._home.adapt(
                    part.run_id,
                    demo.asked.support,
                    demo.asked.query,
                    steps=used.steps,
                    lr=used.lr,
                    should_stop=self._flag(demo),
                )
                live[part.record_id] = part, steps
        while live:
            for part, steps in list(live.values()):
                stop_if(self._flag(demo))
                step = None
                with errors_of(part):
                    step = next(steps, None)
                if step is None:
                    del live[part.record_id]
                else:
                    part.heed(step)
                    demo.began.set()
            demo.doing = "adapts"

    def _inner(self, asked: DemoRequest, run_id: str) -> InnerLoop:
        """As asked, else as tuned: for a support set of this size, or for so many steps."""
        inner = self._home.load(run_id).rule_at(len(asked.support), asked.steps).inner
        return inner if asked.lr is None else replace(inner, lr=asked.lr)

    def _write(self, demo: Demo) -> None:
        from metalm.evaluate.sampling import as_text

        if not demo.asked.writing.num_bytes:
            return
        demo.doing = "lets the runs write"
        for part, step in self._ends(demo):
            part.written[step.step] = ""
            with errors_of(part):
                for text in as_text(self._pieces(demo, part.run_id, step.weights)):
                    part.written[step.step] += text

    def _pieces(self, demo: Demo, run_id: str, weights: Weights) -> Iterator[bytes]:
        writing = demo.asked.writing
        return self._home.sample(
            run_id,
            support=demo.asked.support,
            num_bytes=writing.num_bytes,
            temperature=writing.temperature,
            top_p=writing.top_p,
            seed=writing.seed,  # the same before and after: they differ by the weights alone
            weights=weights,
            should_stop=self._flag(demo),
        )

    def _save(self, demo: Demo, part: Part, inner: InnerLoop) -> None:
        with errors_of(part):
            self._home.save_adaptation(
                part.run_id,
                demo.asked.name,
                demo.asked.support.decode(),
                demo.asked.query.decode(),
                part.steps,
                inner=replace(inner, steps=len(part.steps) - 1),
                samples=samples_of(part, demo.asked.writing),
                guesses=part.guesses,
                record_id=part.record_id,
                asked_steps=inner.steps,
            )
            part.is_saved = True

    def _rewrite(self, demo: Demo, records: Sequence[AdaptationRecord]) -> None:
        demo.doing = "adapts again"
        with suppress(Stopped):
            for part, record in zip(demo.parts, records, strict=True):
                used = record.adaptation
                with errors_of(part):
                    # The text is all support here: what is judged does not matter, so little is.
                    for step in self._home.adapt(
                        part.run_id,
                        demo.asked.support,
                        demo.asked.query.decode()[:1].encode(),
                        steps=used["steps"],
                        lr=used["lr"],
                        should_stop=self._flag(demo),
                    ):
                        part.heed(step)
            self._write(demo)
            for part in demo.parts:
                if not part.error:
                    samples = [
                        replace(sample, adaptation_id=part.record_id)
                        for sample in samples_of(part, demo.asked.writing)
                    ]
                    self._home.store.adaptations.replace_samples(part.record_id, samples)

    @staticmethod
    def _ends(demo: Demo) -> Iterator[tuple[Part, LiveStep]]:
        return ((part, step) for part in demo.parts if not part.error for step in part.ends())

    def _flag(self, demo: Demo) -> Callable[[], bool]:
        return lambda: demo.stop_asked or self._is_halting()
