"""Which characters gained most by adaptation: a table, one row a character as readers count them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import regex
import streamlit as st

from metalm.dashboard import widgets
from metalm.dashboard.adapt_shown import Adapted

_SHOWN = 12
_SIGNS = {"\n": "↵", "\r\n": "↵", "\t": "⇥", " ": "space", "\u00a0": "no-break space"}
_CLUSTER = regex.compile(r"\X")


def gains(query: str, bits: np.ndarray) -> pd.DataFrame:
    """A row a distinct character (grapheme cluster), those that saved most first.

    bits: (S, C) of the code points of `query`. Columns: character, times, before and after (bits of one, on
    average), saved (bits in all).
    """
    clusters = [match.group() for match in _CLUSTER.finditer(query)]
    if not clusters:
        return pd.DataFrame(columns=["character", "times", "before", "after", "saved"])
    begins = np.cumsum([0, *(len(cluster) for cluster in clusters[:-1])])
    sums = [np.add.reduceat(bits[step], begins) for step in (0, -1)]
    rows = pd.DataFrame({"character": clusters, "before": sums[0], "after": sums[1]})
    rows["saved"] = rows["before"] - rows["after"]
    found = rows.groupby("character", sort=False).agg(
        times=("saved", "size"), before=("before", "mean"), after=("after", "mean"), saved=("saved", "sum")
    )
    return found.sort_values("saved", ascending=False, kind="stable").reset_index()


def show(runs: Sequence[Adapted], query: str) -> None:
    """The characters that gained most and those that lost, of the run that the reader chooses."""
    adapted = [one for one in runs if one.last_step]
    if not adapted:
        return
    st.markdown("**The characters that gained most**")
    names = [one.style.name for one in adapted]
    name = widgets.switch("Run", names, "gains") if len(names) > 1 else names[0]
    found = gains(query, adapted[names.index(name)].bits)
    best = found[found["saved"] > 0].head(_SHOWN)
    st.dataframe(
        best.assign(character=best["character"].map(shown)),
        hide_index=True,
        column_config={
            "character": st.column_config.TextColumn("character", width="small"),
            "times": st.column_config.NumberColumn("times", width="small"),
            "before": st.column_config.NumberColumn("bits before", format="%.2f", help="mean of one"),
            "after": st.column_config.NumberColumn("bits after", format="%.2f", help="mean of one"),
            "saved": st.column_config.ProgressColumn(
                "bits saved in all",
                format="%.0f",
                min_value=0.0,
                max_value=float(best["saved"].max()) if len(best) else 1.0,
            ),
        },
        alt=f"The characters on which {name} saved most bits by adapting",
    )
    lost = found[found["saved"] < 0].tail(5)[::-1]
    if len(lost):
        told = ", ".join(
            f"{shown(row.character)} ({-row.saved:.1f} bits)" for row in lost.itertuples(index=False)
        )
        st.text(f"Cost more than before: {told}")


def shown(character: str) -> str:
    """A character that can be seen in a table."""
    if character in _SIGNS:
        return _SIGNS[character]
    if regex.fullmatch(r"[\p{C}\p{Z}]+", character):
        return " ".join(f"U+{ord(point):04X}" for point in character)
    return f"◌{character}" if regex.match(r"\p{M}", character) else character
