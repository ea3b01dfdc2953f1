"""The table of all corpora: search, sort, choose one."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from metalm.dashboard import empty, state, widgets, wording
from metalm.text.corpora import Corpus


def show(corpora: list[Corpus]) -> str | None:
    """The table; gives the name of the chosen corpus, None when there is nothing to choose."""
    if not corpora:
        empty.nothing(
            "No text yet.",
            "Add files, a folder or a path to begin.",
            page="Corpora",
            label="Add texts",
            view="Add texts",
        )
        return None
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        wanted = widgets.text("Search", "search", placeholder="name, language, family, script …").casefold()
    found = [corpus for corpus in corpora if wanted in _haystack(corpus)]
    right.caption(
        f"{wording.things(len(found), 'corpus')} · {wording.size(sum(c.bytes for c in found))}"
        + (f" of {wording.count(len(corpora))}" if wanted else "")
    )
    if not found:
        empty.nothing(f"No corpus matches “{wanted}”.", "Search for a part of a name, a language or a group.")
        return None
    names = [corpus.name for corpus in found]
    widgets.tell_gone("Corpus", {corpus.name for corpus in corpora}, "corpus")
    chosen = state.choice("corpus")
    picked = st.dataframe(
        _table(found),
        key=f"corpora.{hash(tuple(names))}",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [names.index(chosen) if chosen in names else 0]}},
        height=min(38 + 35 * len(found), 318),
        column_config={
            "corpus": st.column_config.TextColumn(pinned=True, width="medium"),
            "bytes": st.column_config.NumberColumn(format="localized"),
            "characters": st.column_config.NumberColumn(format="localized"),
            "lines": st.column_config.NumberColumn(format="localized"),
            "added": st.column_config.DatetimeColumn(format="distance"),
        },
        alt="All corpora",
    )
    name = names[picked.selection.rows[0]]
    state.choose("corpus", name)
    return name


def _haystack(corpus: Corpus) -> str:
    return " ".join(
        [corpus.name, corpus.language, corpus.licence, corpus.source, *corpus.groups.values()]
    ).casefold()


def _table(corpora: list[Corpus]) -> pd.DataFrame:
    keys = sorted({key for corpus in corpora for key in corpus.groups} - {"relatives"})
    return pd.DataFrame(
        {
            "corpus": [c.name for c in corpora],
            "language": [c.language for c in corpora],
            **{key: [c.groups.get(key, "") for c in corpora] for key in keys},
            "bytes": [c.bytes for c in corpora],
            "characters": [c.chars for c in corpora],
            "lines": [c.lines for c in corpora],
            "licence": [c.licence for c in corpora],
            "added": [c.created_at for c in corpora],
        }
    )
