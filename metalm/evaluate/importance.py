"""How much of an outcome's differences between runs goes along with a setting, and whether chance does that.

By ranks, so that neither an outlier nor a log scale decides. A number explains the square of its rank
correlation (Spearman) with the outcome; a word the share of the ranks' variance between its values (the
correlation ratio, as in the Kruskal-Wallis test). Each setting is judged alone: settings that were changed
together share what they explain. A permutation test says how often shuffled outcomes are explained as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

PERMUTATIONS = 999
MIN_RUNS = 4
_MAX_CELLS = 2_000_000  # of shuffled ranks at once: with many runs fewer shuffles tell as much


def importance(settings: pd.DataFrame, outcome: pd.Series, *, seed: int = 0) -> pd.DataFrame:
    """A row a setting that varies, the most important first: setting, explains (0..1), direction (+1 where
    larger values come with larger outcomes, -1 the other way, 0 for words), chance, runs.

    settings: a column each, a row a run; runs without the setting or without a finite outcome stay out of
    that setting's figures, and settings with fewer than MIN_RUNS runs or a single value are left out.
    chance: the share of shuffles that explain at least as much.
    """
    rng = np.random.default_rng(seed)
    shuffled: dict[bytes, np.ndarray] = {}
    finite = np.isfinite(outcome.to_numpy(float, na_value=np.nan))
    rows = []
    for name in settings:
        there = finite & settings[name].notna().to_numpy()
        values = settings.loc[there, name]
        if there.sum() < MIN_RUNS or values.nunique() < 2:
            continue
        ranks = _standard(outcome[there].rank().to_numpy(float))
        if ranks is None:
            continue
        if there.tobytes() not in shuffled:
            num = max(99, min(PERMUTATIONS, _MAX_CELLS // len(ranks)))
            shuffled[there.tobytes()] = rng.permuted(np.tile(ranks, (num, 1)), axis=1)
        rows.append((name, *_judged(values, ranks, shuffled[there.tobytes()]), int(there.sum())))
    table = pd.DataFrame(rows, columns=["setting", "explains", "direction", "chance", "runs"])
    return table.sort_values("explains", ascending=False, kind="stable").reset_index(drop=True)


def _judged(values: pd.Series, ranks: np.ndarray, shuffles: np.ndarray) -> tuple[float, int, float]:
    """(explains, direction, chance) of one setting."""
    if pd.api.types.is_numeric_dtype(values):
        design = _standard(values.rank().to_numpy(float))
        columns: Sequence[np.ndarray] = [] if design is None else [design]
        direction = int(np.sign(round(float(design @ ranks), 9))) if design is not None else 0
    else:
        columns, direction = _indicators(values), 0
    explained = float(sum((column @ ranks) ** 2 for column in columns))
    by_chance = sum((shuffles @ column) ** 2 for column in columns)
    as_much = int((by_chance >= explained - 1e-12).sum())
    return min(1.0, explained), direction, (1 + as_much) / (1 + len(shuffles))


def _indicators(values: pd.Series) -> list[np.ndarray]:
    """For each value of a word a vector of length 1 over its runs: projections on them are group means."""
    codes, _ = pd.factorize(values)
    return [(codes == code) / np.sqrt((codes == code).sum()) for code in range(codes.max() + 1)]


def _standard(ranks: np.ndarray) -> np.ndarray | None:
    """Centred and of length 1; None where all are equal."""
    centred = ranks - ranks.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1e-12 else None
