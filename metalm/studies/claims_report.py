"""The report of a `claims` study: what was claimed and what was measured, and every table behind it.

Tasks of a family's folds are taken together, each with the runs of the fold that kept it unseen; means and
differences are over tasks, paired, with seeds and support draws pooled within a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pandas as pd

from metalm.config import METHODS
from metalm.evaluate import statistics
from metalm.studies import evidence
from metalm.studies.figures import Line, lines
from metalm.studies.report import Figure, Report, Section, Table

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run
    from metalm.studies.claims import Claims

# (claim, what is measured, against what, per cent that it must at least be better by at each support size)
_AT_ALL: dict[int, float] = {512: 0.0, 2048: 0.0, 10240: 0.0}
_STATIC, _FEW = {512: 3.0, 2048: 3.0, 10240: 1.0}, {512: 8.0, 2048: 8.0, 10240: 8.0}


@dataclass(frozen=True)
class Compared:
    """A claim: `right` needs at least so many per cent fewer bits than `left`, at each support size."""

    claim: str
    tasks: pd.DataFrame
    left: str
    right: str
    targets: Mapping[int, float]
    needs_interval: bool = True


@dataclass(frozen=True)
class Family:
    """One family's evidence. best, control: the series that meta-validation chose."""

    name: str
    rows: pd.DataFrame
    best: str
    control: str

    def tasks(self, what: str) -> pd.DataFrame:
        """`by_task` of what was asked under this name, folds together, after the last step of each."""
        rows = self.rows[self.rows["asked"] == f"{self.name}: {what}"]
        parts = [
            statistics.by_task(part) for _, part in rows.groupby(["split_id", "track"]) if not part.empty
        ]
        return statistics.at_last_step(pd.concat(parts, ignore_index=True))

    def same_seeds(self, what: str, *, as_for: str) -> pd.DataFrame:
        """`tasks` of the very runs that were judged under another name too."""
        keys = self.rows.loc[self.rows["asked"] == f"{self.name}: {as_for}", "key"].unique()
        return Family(self.name, self.rows[self.rows["key"].isin(keys)], self.best, self.control).tasks(what)

    def online(self) -> pd.DataFrame:
        """Those of the online track, bayes among them."""
        return pd.concat([self._track("online", "online"), self._track("formula", "online")])

    def formula(self) -> pd.DataFrame:
        """The article's formula on the static track."""
        return self._track("formula", "static")

    def _track(self, what: str, track: str) -> pd.DataFrame:
        part = self.rows[self.rows["track"] == track]
        return Family(self.name, part, self.best, self.control).tasks(what)


def report(study: Claims, home: Home, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Report:
    """The whole report."""
    families = []
    for name, folds in study.families(home).items():
        best = study.best(folds, runs)
        control = study.control_of(best, folds, runs)
        families.append(Family(name, rows[rows["asked"].str.startswith(f"{name}: ")], best, control))
    claims = {family.name: _claims_table(family, study.support_bytes) for family in families}
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


# ---- claims ----


def _compared(family: Family) -> list[Compared]:
    """The claims for which there are rows."""
    best, control = family.best, family.control
    static, few, ways = family.tasks("static"), family.tasks("few steps"), family.tasks("ways")
    formula, online = family.formula(), family.online()
    cached = "dynamic evaluation + cache"
    own_rates = pd.concat([family.same_seeds("static", as_for="ways"), ways])
    found = [
        Compared("static, at as much compute", static, control, best, _STATIC),
        Compared("static, at most 5 steps", few, control, best, _FEW),
        Compared("online, GRU alone", online, "PPMd primed", f"{best}: dynamic evaluation", _AT_ALL, False),
        Compared("online, GRU alone", online, "PPMd primed", f"{best}: bayes", _AT_ALL, False),
        Compared("online, with cache mixing", online, "PPMd primed", f"{best}: {cached}", _AT_ALL, False),
        Compared("online, with cache mixing", online, "PPMd", f"{best}: {cached}", _AT_ALL, False),
        Compared(
            "online, with cache mixing", online, f"{control}: {cached}", f"{best}: {cached}", _AT_ALL, False
        ),
        Compared("posterior pool", formula, f"{best}: pool", f"{best}: posterior pool", _AT_ALL),
        Compared("learned rates", own_rates, f"{best}: one rate", best, _AT_ALL),
    ]
    return [each for each in found if {each.left, each.right} <= set(each.tasks["series"])]


def _claims_table(family: Family, sizes: Sequence[int]) -> pd.DataFrame:
    lines_ = []
    for each in _compared(family):
        for line in _differences(each.tasks, each.left, each.right):
            target = each.targets.get(line["support_bytes"])
            if line["support_bytes"] in sizes and target is not None:
                lines_.append(_claim_line(each, line, target))
    return pd.DataFrame(lines_)


def _differences(tasks: pd.DataFrame, left: str, right: str) -> list[dict[str, object]]:
    both = tasks[tasks["series"].isin([left, right])]
    whole = both.groupby(["series", "support_bytes", "task_id"]).ngroups
    assert whole == len(both), "one line a task"
    return [asdict(each) for each in statistics.paired(both, left, right)]


def _claim_line(claim: Compared, line: Mapping[str, object], target: float) -> dict[str, object]:
    gain = -100 * line["relative"]
    is_sure = line["high"] < 0 or not claim.needs_interval
    return {
        "claim": claim.claim,
        "measured": claim.right,
        "against": claim.left,
        "support bytes": line["support_bytes"],
        "tasks": line["tasks"],
        "difference": line["mean"],
        evidence.LOW: line["low"],
        evidence.HIGH: line["high"],
        "median": line["median"],
        "fewer bits %": gain,
        "target %": target,
        "effect size": line["effect_size"],
        "wins": line["wins"],
        "losses": line["losses"],
        "met": "yes" if gain > 0 and gain >= target and is_sure else "no",
    }


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
    titles = {
        "static": f"{family.name}: static track, weights frozen after the support set",
        "online": f"{family.name}: online track, learning while it codes",
    }
    chosen = [family.best, family.control, "joint", f"{family.best}: posterior pool", "n-gram"]
    return [
        Section(
            title=titles["static"],
            parts=(
                _who(family, home, study),
                *_drawn(beside, chosen, f"{family.name}-static"),
                Table.of("Every method: means over tasks.", _means(beside)),
                Table.of(
                    "Every task: bits per byte of the chosen run, its control, and joint pre-training.",
                    _by_task(family, static, [family.best, family.control, "joint"]),
                ),
                *_hurt(family),
            ),
        ),
        Section(
            title=titles["online"],
            parts=(
                "Compressors and GRUs on the very same bytes. Primed means that a compressor has read the "
                "meta-train texts and then the support set.",
                *_drawn(
                    family.online(),
                    [f"{family.best}: {m}" for m in METHODS] + ["PPMd", "PPMd primed", "xz"],
                    f"{family.name}-online",
                ),
                Table.of("Every method: means over tasks.", _means(family.online())),
            ),
        ),
    ]


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


def _tuning(home: Home, runs: Mapping[str, Run]) -> Section:
    """What each run cost, how it adapts, and whether that lies at an edge of what was tried."""
    found = []
    for key, run in runs.items():
        adaptation = run.adaptation or {}
        inner = adaptation.get("inner", {})
        found.append(
            {
                "run": key,
                "gradient evaluations": home.gradient_evaluations(run),
                "seconds": run.seconds,
                "steps": inner.get("steps"),
                "rate": inner.get("lr"),
                "at an edge": ", ".join(adaptation.get("edges", ())) or "no",
                "meta-validation": min(
                    (point["bits_per_byte"] or float("inf") for point in adaptation.get("grid", ())),
                    default=None,
                ),
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
