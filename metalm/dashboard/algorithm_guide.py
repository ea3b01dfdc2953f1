"""Which algorithm to take: one line each, for whoever chooses. In full it is told by the doc of its config.

Costs are those of an outer step at the default settings, on the same tasks and windows, as multiples of
fomaml's.
"""

from __future__ import annotations

from dataclasses import dataclass

from metalm.config import ALGORITHMS


@dataclass(frozen=True)
class Guide:
    """What an algorithm does, when to take it ("to", "with", "when" ...), what it costs: a few words each."""

    does: str
    when: str
    cost: str


GUIDES = {
    "sequential": Guide("the article's loop, task after task", "to repeat the article", "0.5 ×"),
    "joint": Guide("plain pre-training on all tasks", "as the baseline to beat, and to start from", "0.2 ×"),
    "maml": Guide("exact derivative through the adaptation", "with few steps and compute to spare", "3 ×"),
    "fomaml": Guide("MAML without second derivatives", "first of all", "1 ×"),
    "reptile": Guide("moves to the mean of the adapted weights", "with many steps, or Adam inside", "0.9 ×"),
    "anil": Guide("only the head adapts", "for short support sets and quick adaptation", "2 ×"),
    "meta-sgd": Guide("learns a rate for every single weight", "when one rate does not suit all", "3.5 ×"),
    "maml++": Guide("learns a rate for each layer and step", "when maml is unstable", "3 ×"),
    "cavia": Guide("only a short context adapts", "when many tasks are to be kept", "3 ×"),
    "imaml": Guide("an implicit derivative, blind to the way", "with very many adaptation steps", "4.5 ×"),
}


def line(name: str) -> str:
    """An algorithm in one line."""
    guide = GUIDES[name]
    return f"{name} · {guide.does} · {guide.when} · {guide.cost} fomaml"


def advice(name: str) -> str:
    """The same in sentences, below the chooser."""
    told = " ".join((ALGORITHMS[name].__doc__ or "").split())
    guide = GUIDES[name]
    cost = f" An outer step costs about {guide.cost} fomaml's."
    if name == "fomaml":
        cost = " The others' costs are told as multiples of its outer step."
    return f"{told} **Take it {guide.when}.**{cost}"
