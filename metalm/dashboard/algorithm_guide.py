"""Which algorithm to take: one line each, for whoever chooses. In full it is told by the doc of its config.

Costs are those of an outer step at the default settings, on the same tasks and windows, as multiples of
fomaml's.
"""

from __future__ import annotations

from dataclasses import dataclass

from metalm.config import ALGORITHMS


@dataclass(frozen=True)
class Guide:
    """What an algorithm does, when it is the one to take, and what it costs: each a few words."""

    does: str
    when: str
    cost: str


GUIDES = {
    "sequential": Guide("the article's loop, task after task", "to repeat the article", "0.7 ×"),
    "joint": Guide("plain pre-training on all tasks", "the baseline to beat; warm starts", "0.2 ×"),
    "maml": Guide("exact derivative through the adaptation", "few steps, compute to spare", "4 ×"),
    "fomaml": Guide("MAML without second derivatives", "the first to try", "1 ×"),
    "reptile": Guide("moves to the mean of the adapted weights", "many steps, Adam inside", "0.9 ×"),
    "anil": Guide("only the head adapts", "short support sets, quick adaptation", "2 ×"),
    "meta-sgd": Guide("learns a rate for every single weight", "one rate does not suit all", "4 ×"),
    "maml++": Guide("learns a rate for each layer and step", "maml is unstable", "4 ×"),
    "cavia": Guide("only a short context adapts", "many tasks to keep, tiny support sets", "3 ×"),
    "imaml": Guide("the derivative ignores the way of the steps", "many adaptation steps", "3 ×"),
}


def line(name: str) -> str:
    """An algorithm in one line."""
    guide = GUIDES[name]
    return f"{name} · {guide.does} · {guide.when} · {guide.cost}"


def advice(name: str) -> str:
    """The same in sentences, below the chooser."""
    told = " ".join((ALGORITHMS[name].__doc__ or "").split())
    guide = GUIDES[name]
    cost = "the measure" if name == "fomaml" else f"about {guide.cost} fomaml"
    return f"{told} **Take it for:** {guide.when}. **An outer step costs:** {cost}."
