"""What the study of languages found: matrices of train group x test group, near against far, each task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from metalm.evaluate import statistics
from metalm.studies import evidence
from metalm.studies.figures import matrix
from metalm.studies.pretrained import META, TWIN, told_split
from metalm.studies.report import Figure, Report, Section, Table
from metalm.text.splits import Split, is_near

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.studies.languages import Languages

_NO_GROUP = "no group"


def made(home: Home, study: Languages, rows: pd.DataFrame, splits: Mapping[str, Split]) -> Report:
    """The report. splits: what was learned from, by group."""
    tasks = {group: _by_task(rows, group) for group in splits}
    judged = home.split(study.split).of_role(study.role)
    kin = {task.id: task.groups.get(study.by, _NO_GROUP) for task in judged}
    distances = pd.DataFrame(
        [line for group, split in splits.items() for line in _distances(group, split, tasks[group], study)]
    )
    counted = ", ".join(f"{group}: {len(split.of_role('meta-train'))}" for group, split in splits.items())
    return Report(
        title=study.question,
        findings=tuple(
            _finding(line)
            for line in distances.to_dict("records")
            if line["judged on"] != "all" and line["support bytes"] == study.support_bytes[0]
        ),
        sections=(
            Section(
                title="Near and far",
                parts=(
                    f"{told_split(home, study.split, study.role)} Meta-train tasks by what was learned from: "
                    f"{counted}. A judged task is near when it shares its family or its script with one of "
                    f"them, else far. {TWIN.capitalize()} is the control of {META}: joint training on the "
                    "same texts, from the same start, for as much compute.",
                    Table.of(
                        f"Bits per byte after adaptation; difference: {META} minus {TWIN}, paired.",
                        distances,
                    ),
                ),
            ),
            *(_matrices(study, tasks, kin, size) for size in study.support_bytes),
            Section(title="Every task", parts=(_every_task(tasks, rows, kin, study.by),)),
        ),
    )


def _by_task(rows: pd.DataFrame, group: str) -> pd.DataFrame:
    """Each task after the last step, of the two series that learned from `group`."""
    names = {f"{group}, {name}": name for name in (META, TWIN)}
    own = rows[rows["series"].isin(names)]
    return statistics.at_last_step(statistics.by_task(own.assign(series=own["series"].map(names))))


def _distances(group: str, split: Split, tasks: pd.DataFrame, study: Languages) -> list[dict[str, Any]]:
    """Near tasks, far ones, and all: the paired difference to the control, a line a support size."""
    train = split.of_role("meta-train")
    marks = {task.id: is_near(task, train) for task in split.of_role(study.role)}
    near = tasks["task_id"].map(lambda id: {True: "near", False: "far"}.get(marks[id], "unknown"))
    lines = []
    for name, own in (("all", tasks), *((name, tasks[near == name]) for name in ("near", "far"))):
        for difference in statistics.paired(statistics.balanced(own), TWIN, META) if len(own) else []:
            control = own[(own["series"] == TWIN) & (own["support_bytes"] == difference.support_bytes)]
            lines.append(
                {
                    "learned from": group,
                    "judged on": name,
                    "support bytes": difference.support_bytes,
                    "tasks": difference.tasks,
                    META: control["value"].mean() + difference.mean,
                    TWIN: control["value"].mean(),
                    "difference": difference.mean,
                    evidence.LOW: difference.low,
                    evidence.HIGH: difference.high,
                    "relative %": 100 * difference.relative,
                    "wins": difference.wins,
                    "losses": difference.losses,
                    "verdict": evidence.verdict(asdict(difference)),
                }
            )
    return lines


def _finding(line: Mapping[str, Any]) -> str:
    if line["tasks"] < 2:
        told = f"{line['relative %']:+.1f} %, of one task, which has no interval"
    else:
        ends = f"{line[evidence.LOW]:+.3f} to {line[evidence.HIGH]:+.3f}"
        told = f"{line['relative %']:+.1f} %, {line['verdict']} (95 % interval {ends} bits per byte)"
    return (
        f"Learned from {line['learned from']}, judged on {line['judged on']} tasks ({line['tasks']}) at "
        f"{line['support bytes']:,} support bytes: {told}."
    )


def _matrices(
    study: Languages, tasks: Mapping[str, pd.DataFrame], kin: Mapping[str, str], size: int
) -> Section:
    names = {"x": f"judged on {study.by}", "y": f"learned from {study.by}"}
    bits, change = _wide(tasks, kin, size)
    parts: list[str | Figure] = [
        "A row a group that was learned from, a column a group that was judged on; means over its tasks, "
        "which are few: the numbers beside each name.",
        matrix(
            f"bits-{size}",
            bits,
            caption=f"Bits per byte of {META} runs after adaptation on {size:,} support bytes",
            is_difference=False,
            **names,
        ),
        matrix(
            f"difference-{size}",
            change,
            caption=f"{META.capitalize()} minus {TWIN}, bits per byte, {size:,} support bytes",
            is_difference=True,
            **names,
        ),
    ]
    return Section(title=f"Train group by test group, {size:,} support bytes", parts=tuple(parts))


def _wide(
    tasks: Mapping[str, pd.DataFrame], kin: Mapping[str, str], size: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(bits per byte of meta-trained runs, difference to the control): train groups x test groups."""
    bits, change = {}, {}
    for group, own in tasks.items():
        wide = own[own["support_bytes"] == size].pivot(index="task_id", columns="series", values="value")
        test = wide.index.map(kin)
        counts = test.value_counts()
        named = test.map(lambda name, counts=counts: f"{name} ({counts[name]})")
        bits[group] = wide[META].groupby(named).mean()
        change[group] = (wide[META] - wide[TWIN]).groupby(named).mean()
    return pd.DataFrame(bits).T, pd.DataFrame(change).T


def _every_task(
    tasks: Mapping[str, pd.DataFrame], rows: pd.DataFrame, kin: Mapping[str, str], by: str
) -> Table:
    names = rows.drop_duplicates("task_id").set_index("task_id")["task"]
    frames = []
    for group, own in tasks.items():
        wide = own.pivot(index=["task_id", "support_bytes"], columns="series", values="value").reset_index()
        frames.append(
            pd.DataFrame(
                {
                    "task": wide["task_id"].map(names),
                    by: wide["task_id"].map(kin),
                    "learned from": group,
                    "support bytes": wide["support_bytes"],
                    META: wide[META],
                    TWIN: wide[TWIN],
                    "difference": wide[META] - wide[TWIN],
                }
            )
        )
    table = pd.concat(frames).sort_values(["task", "support bytes"], kind="stable")
    return Table.of("Bits per byte after adaptation.", table)
