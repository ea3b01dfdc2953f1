"""The limit's side: the products that the recurrence needs, and a large one, by themselves."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from contest.plain import Once, Result
from contest.works import LARGE, Work


def small(work: Work) -> Once:
    """For every time step, all tasks at once: state to gates, and back. The next begins when one is done."""
    state = torch.rand(work.tasks, work.batch, work.hidden)
    weight = torch.rand(work.tasks, work.hidden, 3 * work.hidden)
    gates = torch.rand(work.tasks, work.batch, 3 * work.hidden)
    back = torch.rand(work.tasks, 3 * work.hidden, work.hidden)

    def once() -> Iterator[Result]:
        for _ in range(work.window):
            torch.bmm(state, weight, out=gates)
        for _ in range(work.window):
            torch.bmm(gates, back, out=state)
        state.uniform_()  # repeated products would grow without bound
        yield {}

    return once


def large(work: Work) -> Once:
    """One product of square matrices."""
    left, right = (torch.rand(LARGE, LARGE, device=work.device) for _ in range(2))

    def once() -> Iterator[Result]:
        torch.mm(left, right)
        yield {}

    return once


SIDES = {"small-gemm": small, "large-gemm": large}
