"""The report of a `claims` study: what was claimed and what was measured, and every table behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from metalm.config import METHODS
from metalm.evaluate import statistics
from metalm.studies import evidence
from metalm.studies.claims_evidence import Family, claims_table, near_far_table
from metalm.studies.figures import Line, lines
from metalm.studies.report import Figure, Report, Section, Table

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run
    from metalm.studies.claims import Claims


def report(study: Claims, home: Home, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Report:
    """The whole report."""
    families = []
    for name, folds in study.families(home).items():
        best = study.best(folds, runs)
        control = study.control_of(best, folds, runs)
        families.append(Family(name, rows[rows["asked"].str.startswith(f"{name}: ")], best, control))
    claims = {family.name: claims_table(family, study.support_bytes) for family in families}
    sections = [
        Section(
            title="Claims and measurements",
            parts=(
                "Below zero the first needs fewer bits. A claim is met where the mean difference is as large "
                "as the target and, where it must, its 95 % bootstrap interval over tasks lies below zero.",
                *(Table.of(f"Claims on {name}.", table) for name, table in claims.items()),
            ),
        )
    ]
    for family in families:
        sections += _sections(family, home, study)
    sections.append(_tuning(home, runs))
    return Report(
        title=study.question,
        findings=tuple(_finding(family, claims[family.name]) for family in families),
        sections=tuple(sections),
    )


def _finding(family: Family, claims: pd.DataFrame) -> str:
    met = int((claims["met"] == "yes").sum()) if len(claims) else 0
    static = claims[claims["claim"] == "static, at as much compute"] if len(claims) else claims
    told = "; ".join(
        f"{line['fewer bits %']:+.1f} % at {line['support bytes']:,} bytes (95 % interval of the difference "
        f"{line[evidence.LOW]:.3f} to {line[evidence.HIGH]:.3f} bits per byte)"
        for line in static.to_dict("records")
    )
    return (
        f"On {family.name} meta-validation chose {family.best}, and {family.control} as its control. On "
        f"meta-test it saves {told}. {met} of {len(claims)} claims are met."
    )


# ---- tables ----


def _sections(family: Family, home: Home, study: Claims) -> list[Section]:
    static = family.tasks("static")
    baselines = family.tasks("baselines")
    beside = pd.concat([static, baselines, family.tasks("ways"), family.formula()], ignore_index=True)
    chosen = [family.best, family.control, "joint", f"{family.best}: posterior pool", "n-gram"]
    sections = [
        Section(
            title=f"{family.name}: static track, weights frozen after the support set",
            parts=(
                _who(family, home, study),
                *_drawn(beside, chosen, f"{family.name}-static"),
                *_along_the_way(family),
                Table.of("Every method: means over tasks.", _means(beside)),
                *_near_far(family),
                Table.of(
                    "Every task: bits per byte of the chosen run, its control, and joint pre-training.",
                    _by_task(family, static, [family.best, family.control, "joint"]),
                ),
                *_hurt(family),
            ),
        )
    ]
    online = family.online()
    if online.empty:  # asked of costly splits alone
        return sections
    drawn = [f"{family.best}: {method}" for method in METHODS] + ["PPMd", "PPMd primed", "xz"]
    track = Section(
        title=f"{family.name}: online track, learning while it codes",
        parts=(
            "Compressors and GRUs on the very same bytes. Primed means that a compressor has read the "
            "meta-train texts and then the support set.",
            *_drawn(online, drawn, f"{family.name}-online"),
            Table.of("Every method: means over tasks.", _means(online)),
        ),
    )
    return [*sections, track]


def _who(family: Family, home: Home, study: Claims) -> str:
    folds = study.families(home)[family.name]
    tasks = sum(len(home.split(name).of_role("meta-test")) for name in folds)
    return (
        f"{tasks} meta-test tasks in {len(folds)} fold{'s' * (len(folds) > 1)}, {study.seeds} seeds. Chosen "
        f"on meta-validation: {family.best}; its control: {family.control}."
    )


def _means(tasks: pd.DataFrame) -> pd.DataFrame:
    """Means of each series over the tasks that all series have at that size."""
    parts = []
    for _, group in tasks.groupby("support_bytes"):
        parts.append(statistics.summary(statistics.balanced(group)))
    table = pd.concat(parts, ignore_index=True).sort_values(["support_bytes", "mean"])
    return evidence.means_table(table)


def _by_task(family: Family, tasks: pd.DataFrame, series: Sequence[str]) -> pd.DataFrame:
    rows = family.rows.drop_duplicates("task_id").set_index("task_id")
    named = tasks[tasks["series"].isin(series)].assign(
        task=lambda lines_: lines_["task_id"].map(rows["task"]),
        near=lambda lines_: lines_["task_id"].map(rows["near"]).map({True: "near", False: "far"}),
    )
    wide = named.pivot(index=["task", "near", "support_bytes"], columns="series", values="value")
    wide = wide[[name for name in series if name in wide]]
    return wide.reset_index().rename(columns={"support_bytes": "support bytes"}).rename_axis(columns=None)


def _near_far(family: Family) -> list[Table]:
    table = near_far_table(family)
    caption = f"{family.best} minus {family.control}, where a meta-train task is near and where none is."
    return [] if table.empty else [Table.of(caption, table)]


def _hurt(family: Family) -> list[Table | str]:
    """Where adaptation makes a score worse than it was before."""
    rows = family.rows[family.rows["asked"] == f"{family.name}: static"]
    parts = [statistics.hurt(statistics.by_task(part)) for _, part in rows.groupby("split_id")]
    table = pd.concat(parts, ignore_index=True)
    names = rows.drop_duplicates("task_id").set_index("task_id")["task"]
    if table.empty:
        return ["Adaptation made no task's score worse than it was before."]
    table.insert(0, "task", table.pop("task_id").map(names))
    return [Table.of("Where adaptation hurts: worse after its last step than before.", table)]


def _drawn(tasks: pd.DataFrame, series: Sequence[str], name: str) -> list[Figure]:
    """Bits per byte over support bytes, of those of the series that there are."""
    there = [each for each in dict.fromkeys(series) if each in set(tasks["series"])]
    shown = statistics.balanced(statistics.at_last_step(tasks[tasks["series"].isin(there)]))
    table = statistics.summary(shown)
    drawn = [
        Line(
            name=each,
            points=table[table["series"] == each].rename(columns={"support_bytes": "x", "mean": "y"})[
                ["x", "y", "low", "high"]
            ],
        )
        for each in there
    ]
    caption = "Means over tasks; the band is the 95 % bootstrap interval over tasks."
    return [lines(name, drawn, x="support bytes", y=evidence.BITS, caption=caption, log_x=True)]


def _along_the_way(family: Family) -> list[Figure]:
    """Bits per byte over adaptation steps, a figure a support size."""
    table = family.along_the_way().rename(columns={"adaptation_step": "x", "mean": "y"})
    caption = "The first seed after adaptation steps, as far as it was tuned to go; support sets of "
    return [
        lines(
            f"{family.name}-steps-{size}",
            [
                Line(name=each, points=part.loc[part["series"] == each, ["x", "y", "low", "high"]])
                for each in dict.fromkeys([family.best, family.control])
            ],
            x="adaptation steps",
            y=evidence.BITS,
            caption=f"{caption}{size:,} bytes.",
        )
        for size, part in table[table["support_bytes"] > 0].groupby("support_bytes")
    ]


def _tuning(home: Home, runs: Mapping[str, Run]) -> Section:
    """What each run cost, how it adapts, and whether that lies at an edge of what was tried."""
    found = []
    for key, run in runs.items():
        adaptation = evidence.adaptation(run)
        lengths = adaptation.get("lengths") or {"": adaptation["steps"]}
        found.append(
            {
                "run": key,
                "gradient evaluations": home.gradient_evaluations(run),
                "seconds": run.seconds,
                f"steps at {', '.join(lengths)} bytes": ", ".join(map(str, lengths.values())),
                "rate": adaptation["lr"],
                "at an edge": ", ".join(run.adaptation["edges"]) or "no",
                "meta-validation": evidence.tuned_bits(run),
            }
        )
    return Section(
        title="Compute and tuning",
        parts=(
            "Every run tries the same number of rates and steps on meta-validation tasks only. Gradient "
            "evaluations are those of training, a token each, Hessian products counted as what they cost.",
            Table.of("Every run.", pd.DataFrame(found)),
        ),
    )
