"""Where runs come from and what came of them: warm starts, twins, studies, as a graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pandas as pd

from metalm.config import Joint
from metalm.home.twins import Twins


@dataclass(frozen=True)
class Family:
    """Relatives of some runs, themselves among them.

    members: columns id, name, kind (run, study or gone: a run that is not in this home), told (in words what
    it is), depth (0 for what started from nothing; a study stands beside its runs). ties: columns source,
    target (ids), tie (warm start, twin or study). left_out: how many relatives there were no room for.
    """

    members: pd.DataFrame
    ties: pd.DataFrame
    left_out: int = 0


class Families(Twins):
    """The part of a home that knows who stems from whom."""

    def family(self, refs: Collection[str], *, most: int = 60) -> Family:
        """The ancestors and descendants of runs, their twins, the studies that they are in."""
        kin = self.store.run_table.kin().set_index("id", drop=False)
        chosen = [self.run(ref).id for ref in refs]
        found = list(dict.fromkeys([*chosen, *self._related(kin, chosen)]))
        twins = self._twins(kin, found[:most])
        found = list(dict.fromkeys([*found, *(run_id for pair in twins for run_id in pair)]))
        kept = found[:most]
        ties = [*_warm_starts(kin, kept), *((*pair, "twin") for pair in twins if set(pair) <= set(kept))]
        members = [_member(kin, run_id, ties) for run_id in dict.fromkeys([*kept, *(tie[0] for tie in ties)])]
        depths = {row[0]: row[4] for row in members}
        for study_id, (name, run_ids) in self._studies(chosen[:most]).items():
            depth = max(0, min(depths[run_id] for run_id in run_ids) - 1)
            members.append((study_id, name, "study", "study", depth))
            ties += [(study_id, run_id, "study") for run_id in run_ids]
        return Family(
            pd.DataFrame(members, columns=["id", "name", "kind", "told", "depth"]),
            pd.DataFrame(ties, columns=["source", "target", "tie"]),
            len(found) - len(kept),
        )

    def _related(self, kin: pd.DataFrame, chosen: Iterable[str]) -> Iterable[str]:
        """Ancestors, nearest first, then descendants, generation by generation."""
        ancestors: list[str] = []
        for run_id in chosen:
            parent = kin.at[run_id, "parent"]
            while parent and parent in kin.index and parent not in ancestors:
                ancestors.append(parent)
                parent = kin.at[parent, "parent"]
        children = kin.groupby("parent")["id"].agg(list).to_dict()
        generation, descendants = list(chosen), []
        while generation:
            generation = [child for run_id in generation for child in children.get(run_id, ())]
            descendants += generation
        return [*ancestors, *descendants]

    def _twins(self, kin: pd.DataFrame, run_ids: Iterable[str]) -> list[tuple[str, str]]:
        """(run, twin) for each of the runs that has one or is one."""
        finished = kin[kin["status"] == "finished"]
        beside = finished.groupby(["split_id", "parent", "seed"])
        pairs: dict[tuple[str, str], None] = {}
        for run_id in run_ids:
            if run_id not in finished.index:
                continue
            row = finished.loc[run_id]
            candidates = beside.get_group((row["split_id"], row["parent"], row["seed"]))
            is_joint = row["algorithm"] == Joint.name
            others = candidates[(candidates["algorithm"] == Joint.name) != is_joint]["id"]
            for other in others:
                pair = (other, run_id) if is_joint else (run_id, other)
                if pair not in pairs and self._are_twins(*pair):
                    pairs[pair] = None
        return list(pairs)

    def _are_twins(self, run_id: str, twin_id: str) -> bool:
        run, twin = self.store.runs.get(run_id), self.store.runs.get(twin_id)
        wanted = self.gradient_evaluations(run)
        return wanted > 0 and self.is_twin(run, twin, wanted)

    def _studies(self, run_ids: Collection[str]) -> dict[str, tuple[str, list[str]]]:
        """Study id -> (name, those of the runs that it has)."""
        found = {}
        for study in self.store.studies.all():
            has = [run_id for run_id in self.store.studies.runs(study.id).values() if run_id in run_ids]
            if has:
                found[study.id] = study.name, has
        return found


def _warm_starts(kin: pd.DataFrame, run_ids: Collection[str]) -> list[tuple[str, str, str]]:
    """From each run's parent to it, where the parent is among them, or in this home no more."""
    pairs = [(kin.at[run_id, "parent"], run_id) for run_id in run_ids]
    return [
        (parent, run_id, "warm start")
        for parent, run_id in pairs
        if parent and (parent in run_ids or parent not in kin.index)
    ]


def _member(kin: pd.DataFrame, run_id: str, ties: Collection[tuple[str, str, str]]) -> tuple:
    depth = _depth(run_id, {target: source for source, target, tie in ties if tie == "warm start"})
    if run_id not in kin.index:
        return run_id, run_id, "gone", "not in this home", depth
    row = kin.loc[run_id]
    bits = f", {row['bits_per_byte']:.3f} bits per byte" if pd.notna(row["bits_per_byte"]) else ""
    return run_id, row["name"], "run", f"{row['algorithm']}, {row['status']}{bits}", depth


def _depth(run_id: str, parents: dict[str, str]) -> int:
    depth = 0
    while run_id in parents:
        run_id, depth = parents[run_id], depth + 1
    return depth
