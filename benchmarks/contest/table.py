"""What was measured as rows: ours beside a peer, their ratio, the target, and whether it is met."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from contest.rounds import Measured, difference
from contest.works import LARGE_GEMM, SMALL_GEMM, Work, gemm_flops, meta_step_flops

REACHABLE = 0.8  # share of the batched sgemm's FLOP/s beyond which no target lies
RISE = 1.1  # how much the cost per task may rise with the number of tasks

HEADER = (
    "| work | peer | ours | peer's | ratio | target | met | memory, ours and peer's |\n"
    "|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line. Seconds and processor seconds are medians; ratio: how many times ours is as fast as the peer;
    cpu_ratio: the same of the processor's seconds, which a busy machine blurs less.

    met: None where there is nothing to meet: for a peer that is not the fastest, and for the limit.
    start_mb: memory before the work began, most of it torch itself. difference: of ours from the peer's
    result, relative to it.
    """

    work: str
    peer: str
    ours_s: float | None = None
    peer_s: float | None = None
    ratio: float | None = None
    target: str | None = None
    met: bool | str | None = None
    ours_cpu_s: float | None = None
    peer_cpu_s: float | None = None
    cpu_ratio: float | None = None
    memory_mb: float | None = None
    peer_memory_mb: float | None = None
    start_mb: float | None = None
    peer_start_mb: float | None = None
    difference: float | None = None
    first_s: float | None = None
    tokens_per_second: float | None = None
    peer_tokens_per_second: float | None = None
    gflops: float | None = None
    share_of_batched_gemm: float | None = None
    share_of_large_gemm: float | None = None
    note: str = ""

    def as_json(self) -> str:
        """Numbers of four digits: more are noise."""
        values = asdict(self).items()
        return json.dumps({n: float(f"{v:.4g}") if isinstance(v, float) else v for n, v in values})

    def as_line(self) -> str:
        facts = [f"{self.work} | {self.peer}:", f"{_time(self.ours_s)} against {_time(self.peer_s)}"]
        facts += [f"{self.ratio:.2f} x"] if self.ratio else []
        facts += [f"(target {self.target}: {_verdict(self.met)})"] if self.target else [_verdict(self.met)]
        facts += [f"memory {_memory(self)}"] if self.memory_mb else []
        facts += [f"apart by {self.difference:.0e}"] if self.difference is not None else []
        return " ".join([*facts, self.note]).strip()

    def as_markdown(self) -> str:
        ratio = f"{self.ratio:.2f}" if self.ratio else ""
        cells = [self.work, self.peer, _time(self.ours_s), _time(self.peer_s), ratio]
        cells += [self.target or "", _verdict(self.met), _memory(self)]
        return "| " + " | ".join(cells) + " |"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _memory(row: Row) -> str:
    return f"{row.memory_mb:.0f} and {row.peer_memory_mb:.0f} MB" if row.memory_mb else ""


def _verdict(met: bool | str | None) -> str:
    return {True: "met", False: "MISSED", None: ""}.get(met, str(met))


def gflops(work: Work, measured: Measured) -> float:
    flops = meta_step_flops(work) if work.kind == "meta-step" else gemm_flops(work)
    return flops / measured.seconds / 1e9


def against_peers(
    work: Work, ours: Measured, peers: Mapping[str, Measured], limits: Mapping[str, Measured]
) -> Iterator[Row]:
    """A row a peer; the target is about the fastest. limits: the products, by their work's name."""
    there = {name: peer for name, peer in peers.items() if not peer.absent}
    fastest = min(there, key=lambda name: there[name].seconds, default=None)
    rates = {of.name: gflops(of, limits[of.name]) for of in (SMALL_GEMM, LARGE_GEMM) if of.name in limits}
    for name, rate in rates.items():
        yield Row(work=f"limit of the {work.name}", peer=name, peer_s=limits[name].seconds, gflops=rate)
    for name, peer in peers.items():
        if ours.absent or peer.absent:
            yield Row(work=work.name, peer=name, met=ours.absent or peer.absent, note=ours.why or peer.why)
        elif name == fastest:
            yield _compared(work, name, ours, peer, rates, **_judged(work, ours, peer, rates))
        else:
            yield _compared(work, name, ours, peer, rates, note=f"{fastest} is the faster peer")


def _judged(work: Work, ours: Measured, peer: Measured, rates: Mapping[str, float]) -> dict[str, object]:
    """The target, and whether it is met."""
    faster, why = work.faster, ""
    if rates:
        bound = REACHABLE * rates[SMALL_GEMM.name] / gflops(work, peer)
        if bound < faster:
            why, faster = f" ({REACHABLE:.0%} of the batched sgemm; {faster:g} lies beyond)", bound
    target = [f">= {faster:.2f}{why}"]
    met = peer.seconds / ours.seconds >= faster
    if work.memory:
        target.append(f"memory <= {work.memory:g}")
        met &= ours.memory_mb <= work.memory * peer.memory_mb
    if work.first_within:
        target.append(f"first result within {work.first_within:g} s")
        met &= ours.first_s <= work.first_within
    return {"target": ", ".join(target), "met": met}


def _compared(
    work: Work, name: str, ours: Measured, peer: Measured, rates: Mapping[str, float], **judged: object
) -> Row:
    optional: dict[str, object] = {"note": "" if ours.device == "cpu" else ours.device} | judged
    if work.first_within:
        optional["first_s"] = ours.first_s
    if work.tokens:
        optional["tokens_per_second"] = work.tokens / ours.seconds
        optional["peer_tokens_per_second"] = work.tokens / peer.seconds
    if work.kind == "meta-step":
        optional["gflops"] = gflops(work, ours)
    if rates:
        optional["share_of_batched_gemm"] = gflops(work, ours) / rates[SMALL_GEMM.name]
        optional["share_of_large_gemm"] = gflops(work, ours) / rates[LARGE_GEMM.name]
    return Row(
        work=work.name,
        peer=name,
        ours_s=ours.seconds,
        peer_s=peer.seconds,
        ratio=peer.seconds / ours.seconds,
        ours_cpu_s=ours.cpu_s,
        peer_cpu_s=peer.cpu_s,
        cpu_ratio=peer.cpu_s / ours.cpu_s,
        memory_mb=ours.memory_mb,
        peer_memory_mb=peer.memory_mb,
        start_mb=ours.start_mb,
        peer_start_mb=peer.start_mb,
        difference=difference(ours, peer),
        **optional,
    )


def over_tasks(work: Work, measured: Mapping[int, Measured]) -> Iterator[Row]:
    """Seconds per task with some tasks, beside those with one. measured: by the number of tasks."""
    one = measured[1]
    for tasks, ours in measured.items():
        ratio = one.seconds * tasks / ours.seconds
        yield Row(
            work=f"{work.name}, {tasks} task{'s' * (tasks > 1)}, seconds per task",
            peer="metalm, 1 task",
            ours_s=ours.seconds / tasks,
            peer_s=one.seconds,
            ratio=ratio,
            target=f">= {1 / RISE:.2f}",
            met=ratio >= 1 / RISE,
            ours_cpu_s=ours.cpu_s / tasks,
            peer_cpu_s=one.cpu_s,
            cpu_ratio=one.cpu_s * tasks / ours.cpu_s,
            memory_mb=ours.memory_mb,
            peer_memory_mb=one.memory_mb,
        )
