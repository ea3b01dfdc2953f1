"""One corpus: its figures, what it is made of, how it reads, and what can be done with it."""

from __future__ import annotations

import unicodedata

import pandas as pd
import streamlit as st

from metalm.dashboard import long_work, state, widgets, wording
from metalm.dashboard.charts import texts
from metalm.dashboard.components.chart import chart
from metalm.text.corpora import Corpus
from metalm.text.statistics import Statistics

_LONG = 4 << 20  # bytes: from here on, reading a text takes seconds
_HELP = {
    "family": "A meta-test task of a family, or script, that meta-train has too is near, else far.",
    "script": "Told from the letters of the text when it was added.",
}


def show(corpus: Corpus) -> None:
    """The entry of `corpus` below the table."""
    st.divider()
    title, actions = st.columns([4, 2], vertical_alignment="bottom")
    language = f" :gray[· {wording.plain(corpus.language)}]" if corpus.language else ""
    title.subheader(f"{wording.plain(corpus.name)}{language}", anchor=False)
    with actions.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Edit", icon=":material/edit:", help="name, language, family, script, licence, source"):
            _edit(corpus)
        if st.button("Delete", icon=":material/delete:"):
            _delete(corpus)
    _provenance(corpus)
    statistics = _statistics(corpus)
    if statistics is None:
        return
    _figures(corpus, statistics)
    what = widgets.switch("Look at", ["Words", "Characters", "Preview"], "look")
    {"Words": _words, "Characters": _characters, "Preview": _preview}[what](statistics)


def _statistics(corpus: Corpus) -> Statistics | None:
    """What the text looks like, read once; None when that was stopped. A short text takes a moment only."""
    label = "Reading the text once to describe it …"
    if corpus.bytes < _LONG or state.home().is_described(corpus.id):
        with st.spinner(label):
            return state.home().statistics(corpus.id)

    def work(tell: long_work.Tell) -> Statistics:
        return state.home().statistics(corpus.id, on_progress=lambda share: tell(share, "read"))

    return long_work.once("description", corpus.id, label, work, key="statistics")


def _provenance(corpus: Corpus) -> None:
    groups = " ".join(f":gray-badge[{key}: {wording.plain(value)}]" for key, value in corpus.groups.items())
    facts = {
        "Licence": corpus.licence,
        "Source": corpus.source,
        "Encoding of the file": corpus.encoding,
    }
    st.markdown(groups)
    st.caption(" · ".join(f"{label}: {wording.plain(value)}" for label, value in facts.items() if value))


def _figures(corpus: Corpus, statistics: Statistics) -> None:
    figures = {
        "Size": (wording.size(corpus.bytes), f"{corpus.bytes:,} bytes of UTF-8"),
        "Characters": (wording.count(corpus.chars), "Unicode code points"),
        "Lines": (wording.count(corpus.lines), None),
        "Alphabet": (wording.count(statistics.alphabet_size), "different characters"),
        "xz bits / character": (f"{statistics.xz_bits_per_char:.2f}", _xz_help(statistics)),
    }
    for column, (label, (value, help)) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(label, value, help=help, border=True)
    scripts = " · ".join(f"{name} {share:.1%}" for name, share in list(statistics.scripts.items())[:6])
    told = [f"Scripts: {scripts}"] if scripts else []
    if statistics.xz_bytes < statistics.bytes:
        told.append(f"xz measured on the first {wording.size(statistics.xz_bytes)}")
    st.caption(" · ".join(told))


def _xz_help(statistics: Statistics) -> str:
    part = (
        "the text"
        if statistics.xz_bytes >= statistics.bytes
        else f"its first {wording.size(statistics.xz_bytes)}"
    )
    return f"how small xz packs {part}: the less, the more it repeats itself"


def _words(statistics: Statistics) -> None:
    left, right = st.columns([3, 2])
    with left:
        st.markdown("**How frequent words are**")
        chart(texts.zipf_plot(pd.DataFrame(statistics.zipf)), key="zipf", label="Zipf plot of the words")
    with right:
        st.markdown("**Most frequent words**")
        st.dataframe(
            pd.DataFrame(statistics.top_words, columns=["word", "times"]),
            hide_index=True,
            height=320,
            alt="The most frequent words, and how often each stands in the text",
        )


def _characters(statistics: Statistics) -> None:
    st.markdown("**Most frequent characters**")
    table = pd.DataFrame(statistics.top_characters, columns=["character", "times"])
    table.insert(1, "name", table["character"].map(_character_name))
    table["share"] = table["times"] / statistics.chars
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "share": st.column_config.ProgressColumn(format="percent", max_value=float(table["share"].max()))
        },
        alt="The most frequent characters, with their names and shares",
    )


def _character_name(character: str) -> str:
    """`LATIN SMALL LETTER E` in lower case; control characters have no name, only a number."""
    return unicodedata.name(character, f"U+{ord(character):04X}").lower()


def _preview(statistics: Statistics) -> None:
    for column, (place, piece) in zip(
        st.columns(3),
        {"Head": statistics.head, "Middle": statistics.middle, "Tail": statistics.tail}.items(),
        strict=True,
    ):
        column.markdown(f"**{place}**")
        column.code(piece, language=None, wrap_lines=True, height=360)


@st.dialog("Edit corpus")
def _edit(corpus: Corpus) -> None:
    with st.form("edit corpus", border=False):
        st.text_input("Name", corpus.name, key="corpus.name")
        facts = {
            "language": corpus.language,
            "family": corpus.groups.get("family", ""),
            "script": corpus.groups.get("script", ""),
            "licence": corpus.licence,
            "source": corpus.source,
        }
        for key, value in facts.items():
            st.text_input(key.capitalize(), value, key=f"corpus.{key}", help=_HELP.get(key))
        st.caption("Splits that are frozen already keep the family and script that they were frozen with.")
        # The callback does the work, so that closing the dialog shows the page as it is afterwards.
        if st.form_submit_button("Save", type="primary", on_click=_edit_now, args=(corpus, list(facts))):
            st.rerun()


def _edit_now(corpus: Corpus, keys: list[str]) -> None:
    name = state.entered("corpus.name").strip()
    facts = {key: state.entered(f"corpus.{key}") for key in keys}

    def action() -> str:
        if name != corpus.name:
            state.home().rename_corpus(corpus.id, name)
        state.home().note_corpus(corpus.id, **facts)
        return f"{name} is saved."

    state.attempt(action, corpus=name)


@st.dialog("Delete corpus")
def _delete(corpus: Corpus) -> None:
    st.markdown(
        f"**{wording.plain(corpus.name)}** ({wording.size(corpus.bytes)}) is removed from this home with "
        "its text."
    )
    icon = ":material/delete:"
    if st.button("Delete for good", type="primary", icon=icon, on_click=_delete_now, args=(corpus,)):
        st.rerun()


def _delete_now(corpus: Corpus) -> None:
    def action() -> str:
        state.home().delete_corpus(corpus.id)
        return f"{corpus.name} is deleted."

    state.attempt(action, corpus=None)
