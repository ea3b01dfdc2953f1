"""What can be looked at inside trainings: each diagnostic, the measures it is made of, and what it tells.

Data only, no streamlit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from metalm.store.metrics import Axis, Metrics, Within


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One choice of "Diagnostics".

    measures: metric name -> the title of its plot, "" where weights and adaptation steps are title enough.
    axis: of the values. lacking: which runs have none of it, and why.
    """

    name: str
    measures: Mapping[str, str]
    axis: str
    told: str
    lacking: str


_RATES = "learned_rate"
_OLD = "runs of an older metalm did not measure it"
DIAGNOSTICS = {
    each.name: each
    for each in (
        Diagnostic(
            name="Speed",
            measures={"tokens_per_second": "tokens a second", "seconds_per_step": "seconds an outer step"},
            axis="",
            told="How fast it learns, meta-validation left out. A bend means that other work shared the "
            "machine, or that the algorithm does more from there on.",
            lacking=_OLD,
        ),
        Diagnostic(
            name="Gradient norms",
            measures={"gradient_norm": "outer loop", "inner_gradient_norm": "inner loop"},
            axis="gradient norm",
            told="Before clipping. Outer: what moves the slow weights. Inner: what moves the fast "
            "weights, a mean over tasks, step by step; where adaptation comes to rest it falls from step to "
            "step. A spike that recurs asks for a smaller lr or a clip.",
            lacking=_OLD,
        ),
        Diagnostic(
            name="Learned rates",
            measures={_RATES: ""},
            axis="rate",
            told="The step size of adaptation that the run has learned for each weight, a mean over its "
            "numbers. A rate near 0 keeps that weight where it is; a negative one was never meant, and "
            "hints at a too large outer lr. Here at the rate of training; the run page has them at the "
            "rate that was tuned afterwards.",
            lacking="only meta-sgd (a rate a weight) and maml++ (a rate a layer and step) learn rates",
        ),
        Diagnostic(
            name="Drift",
            measures={"drift": ""},
            axis="|θ − θ₀| / |θ₀|",
            told="How far each weight has moved from where the run began, relative to its size there, "
            "at every meta-validation and at the end. What still rises steeply then would go on learning.",
            lacking=_OLD,
        ),
        Diagnostic(
            name="Effective rank",
            measures={"effective_rank": ""},
            axis="effective rank",
            told="How many directions a matrix really uses: the exponential of the entropy of its "
            "singular values (watched in arXiv:2508.02189), at every meta-validation and at the end. A fall "
            "warns of a network that forgets how to adapt.",
            lacking=_OLD,
        ),
        Diagnostic(
            name="Task agreement",
            measures={"gradient_cosine": "cosine between task gradients"},
            axis="cosine",
            told="The mean cosine between the gradients of two tasks of a meta-batch. 1: all tasks want "
            "the same; 0: they have nothing in common; below 0: they pull against each other.",
            lacking="algorithms that meet tasks in episodes have it, joint and sequential do not",
        ),
    )
}


def available(diagnostic: Diagnostic, measured: Collection[str]) -> bool:
    """Whether a run with these measures has something to show."""
    return any(name in measured for name in diagnostic.measures)


def gather(
    metrics: Metrics,
    run_ids: Collection[str],
    diagnostic: Diagnostic,
    x: Axis,
    within: Within | None = None,
) -> pd.DataFrame:
    """Its points: run, panel, weight, adaptation_step (from 1, or missing), x, and as `Metrics.scalar_curve`.

    within: a range of x in which they are as fine as there are reports.
    """
    curves = []
    for name, title in diagnostic.measures.items():
        curve = metrics.measure_curve(run_ids, name, x=x, within=within)
        panel = curve["weight"].where(curve["weight"] != "", title)
        curves.append(curve.assign(panel=panel, adaptation_step=_steps(curve)))
    return pd.concat(curves, ignore_index=True)


def _steps(curve: pd.DataFrame) -> pd.Series:
    """Adaptation steps from 1; missing where a run has one value for all of them, as of meta-sgd's rates."""
    steps = curve["adaptation_step"].astype("Int64") + 1
    return steps.where(steps.groupby(curve["run"]).transform("max") > 1, pd.NA)


def by_step(points: pd.DataFrame) -> pd.DataFrame:
    """Points of several runs, a panel an adaptation step: lines tell runs apart, so that steps must not."""
    has_step = points["adaptation_step"].notna()
    titles = points["panel"] + ", step " + points["adaptation_step"].astype("string")
    return points.assign(panel=points["panel"].where(~has_step, titles))


def last_rates(points: pd.DataFrame, run_id: str) -> pd.DataFrame:
    """The newest value of each weight and adaptation step of a run: weights x steps, in words."""
    own = points[points["run"] == run_id]
    newest = own[own["step"] == own["step"].max()]
    return rates_by_step(newest, "value")


def rates_by_step(rates: pd.DataFrame, value: str) -> pd.DataFrame:
    """Columns weight, adaptation_step and `value` as weights x steps; a missing step stands for all."""
    words = ("step " + rates["adaptation_step"].astype("string")).fillna("every step")
    return rates.assign(words=words).pivot_table(index="weight", columns="words", values=value, sort=False)
