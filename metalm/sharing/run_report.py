"""Several runs as a report: how they learned, what they come to on unseen tasks, and how sure that is.

The numbers are those of Compare: a series is a run or a baseline, the first run is the control of the paired
differences, and only results on one split, role and track meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from metalm.config import run_config
from metalm.dashboard import compare_evidence, compare_facets, compare_verdict, palette
from metalm.dashboard.compare_evidence import Evidence
from metalm.errors import ConfigError
from metalm.home.versions import versions
from metalm.sharing.live_page import live_html
from metalm.studies.pages import markdown
from metalm.studies.report import Chart, Report, Section, Table

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run
    from metalm.text.splits import Split

MAX_RUNS = 56  # as many as Compare takes
_SUPPORT = "support bytes"
_PARTS = ("validation", "query")
_MEANS = {"mean": "bits per byte", "low": "95 % from", "high": "95 % to"}
_DIFFERENCES = {"low": "95 % from", "high": "95 % to", "relative": "relative %", "effect_size": "effect size"}


def run_report(home: Home, refs: Sequence[str]) -> Report:
    """The report of these runs, in their order. Raises NotFoundError, ConfigError for none or too many."""
    runs = list({run.id: run for run in map(home.run, refs)}.values())
    if not 1 <= len(runs) <= MAX_RUNS:
        raise ConfigError(f"the runs of a report must be 1 to {MAX_RUNS}, got {len(runs)}")
    home.store.flush()
    names = {run.id: run.name for run in runs}
    rows = home.evaluations(list(names))
    gathered = [compare_evidence.gather(rows, p, names) for p in compare_evidence.places(rows, list(names))]
    gathered = [each for each in gathered if not each.tasks.empty]
    what = "Run" if len(runs) == 1 else "Runs"
    return Report(
        title=f"{what} {', '.join(names.values())}",
        findings=tuple(
            told
            for each in gathered
            for told in _findings(each, runs[0], compare_facets.split_of(home, each))
        ),
        sections=(
            Section(title="Runs", parts=(_runs_table(home, runs),)),
            Section(title="Learning curves", parts=_curves(home, names)),
            *(_evidence(each, runs[0]) for each in gathered),
            Section(title="Settings that differ", parts=_settings(runs)),
        ),
        settings={
            "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "runs": ", ".join(names),
            **versions(),
        },
    )


def as_text(report: Report, suffix: str) -> str:
    """The report as .html or .md. Raises ConfigError for another suffix."""
    ways = {".html": live_html, ".md": markdown}
    if suffix not in ways:
        raise ConfigError(f"a report must be written to a file that ends in .html or .md, got {suffix!r}")
    return ways[suffix](report)


def write_report(home: Home, refs: Sequence[str], out: Path) -> Path:
    """Writes it to a file, in the way that its name asks for. Raises ConfigError, also when it cannot."""
    text = as_text(run_report(home, refs), out.suffix)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the report must be written to a place that exists, {out}: {error.strerror}"
        ) from None
    return out


def _runs_table(home: Home, runs: Sequence[Run]) -> Table:
    summaries = {run.id: home.store.runs.summary(run.id) or {} for run in runs}
    rows = [
        {
            "run": run.name,
            "status": run.status,
            "algorithm": run.algorithm,
            "seed": str(run.seed),
            "outer steps": run.step,
            "tokens": run.tokens,
            "seconds": run.seconds,
            "before": summaries[run.id].get("bits_per_byte_before"),
            "after": summaries[run.id].get("bits_per_byte_after"),
            "tuned": run.tuned_value,
        }
        for run in runs
    ]
    told = "Bits per byte before, after, and after tuned adaptation: means over meta-validation."
    return Table.of(told, pd.DataFrame(rows))


def _curves(home: Home, names: Mapping[str, str]) -> tuple[str | Chart, ...]:
    from metalm.dashboard.charts.curves import learning_curves

    curves = [home.store.metrics.curve(list(names), part).assign(part=part) for part in _PARTS]
    curve = pd.concat([each for each in curves if len(each)] or curves[:1])
    if curve.empty:
        return ("None of them has a curve.",)
    chart = Chart(
        name="curves",
        caption="Bits per byte along outer steps. validation: meta-validation tasks after adaptation; query: "
        "what the outer loop learns from.",
        alt=f"Learning curves of {', '.join(names.values())}",
        figure=learning_curves(curve, palette.run_styles(names)).to_json(),
    )
    return (chart,)


def _evidence(found: Evidence, control: Run) -> Section:
    """What was measured at one place: means, paired differences, every task."""
    from metalm.dashboard.charts.adaptation import adaptation_curves
    from metalm.dashboard.charts.matrices import task_heatmap

    size = int(found.tasks["support_bytes"].max())
    points, tasks = compare_evidence.over_support(found.tasks), compare_evidence.wide(found, size)
    after = "learning while coding" if found.place.is_online else "after adaptation"
    means = points.assign(series=[found.styles[series].name for series in points["series"]])
    parts: list[str | Table | Chart] = [
        f"Tasks in {found.place.role} of the split {found.place.split} ({found.place.split_id[:8]}). Bits "
        f"per byte, {after}; less is better. Tasks that a run has seen are left out.",
        Chart(
            name=f"means-{found.place.role}-{found.place.track}",
            caption="Means over the tasks that all have; the band is the 95 % bootstrap interval over tasks.",
            alt=f"Means {after} over support bytes",
            figure=adaptation_curves(points, found.styles, "support_bytes").to_json(),
        ),
        _table(
            "Means and medians over tasks.", means, ("series", "support_bytes", "tasks", *_MEANS, "median")
        ),
    ]
    differences = compare_evidence.differences(found, control.id)
    if len(differences):
        told = (
            f"Paired differences to {control.name}: below zero needs fewer bits. better, equal, worse count "
            "tasks; effect size is Cohen's d_z."
        )
        parts.append(
            _table(told, differences.rename(columns={"name": "series"}), tuple(differences)[1:], "series")
        )
    parts.append(
        Chart(
            name=f"tasks-{found.place.role}-{found.place.track}",
            caption=f"Every task with {size:,} bytes of support; the hardest come first.",
            alt=f"Bits per byte {after} of each task and series",
            figure=task_heatmap(tasks).to_json(),
        )
    )
    parts.append(Table.of(f"Bits per byte of each task with {size:,} bytes of support.", tasks.reset_index()))
    return Section(title=f"Results on {found.place}", parts=tuple(parts))


def _table(caption: str, frame: pd.DataFrame, columns: Sequence[str], *first: str) -> Table:
    shown = frame[[*first, *columns]].sort_values("support_bytes", kind="stable")
    names = {"support_bytes": _SUPPORT, **(_MEANS if "mean" in shown else _DIFFERENCES)}
    return Table.of(caption, shown.rename(columns=names))


def _findings(found: Evidence, control: Run, split: Split | None) -> Iterator[str]:
    """For each support size at one place: who needs the fewest bits, and whether that is clear."""
    sizes = sorted(found.tasks["support_bytes"].unique())
    for size in [size for size in sizes if size > 0] or sizes:
        for each in compare_verdict.verdicts(found, control.id, int(size), split):
            where = "" if each.group == compare_facets.ALL else f", {each.group} tasks"
            yield f"{found.place}, {size:,} bytes of support{where}: {compare_verdict.words(each, found)}"


def _settings(runs: Sequence[Run]) -> tuple[str | Table, ...]:
    if len(runs) == 1:
        return ("There is one run only.",)
    told = {run.name: {key: _shown(value) for key, value in _facts(run).items()} for run in runs}
    keys = dict.fromkeys(key for facts in told.values() for key in facts)
    rows = [{"setting": key, **{name: facts.get(key) for name, facts in told.items()}} for key in keys]
    differing = [row for row in rows if len({row[name] for name in told}) > 1]
    if not differing:
        return ("They were told the same.",)
    return (Table.of("Only what differs; a dash where a run has no such setting.", pd.DataFrame(differing)),)


def _facts(run: Run) -> dict[str, Any]:
    if run.is_foreign:
        settings = dict(run.config["imported"])
    else:
        settings = {key: value for key, value, *_ in run_config(run.config).keys()}  # noqa: SIM118 - no mapping
    return {
        "algorithm": run.algorithm,
        "split": run.split_id[:8],
        "started from": run.parent or "",
        **settings,
    }


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
