"""The tour: over the pages in the order of work, with what to do on each. Offered once, begun again at will.

It is a frame on top of the page and blocks nothing: what a step tells of can be done while it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from metalm.dashboard import contents, messages, state

_CHOICE = "tour"  # the step, from 1, while the tour goes on
_EVENT = "tour"  # of the home: the offer was answered
_ANSWERED = "tour.answered"


@dataclass(frozen=True)
class Step:
    """One page, what it is for, and what to try there. choices: put into its address."""

    page: str
    told: str
    choices: Mapping[str, str] = field(default_factory=dict)


STEPS = (
    Step(
        "Overview",
        "What runs now, what came last, and on what machine. The sidebar has the pages in the order of work. "
        "**Glossary** there explains every word, and so does a **?** beside a text: point at it, or reach it "
        "with the Tab key.",
    ),
    Step(
        "Corpora",
        "The texts. Select a row to see what a text is made of; **Add texts** brings files, folders or paths "
        "of your own, in any encoding.",
    ),
    Step(
        "Tasks",
        "A task is one text with a support set to adapt on and a query set to be judged on. A split freezes "
        "which tasks are learned from, chosen by and judged on. Select a split, then **Leakage audit**.",
        {"view": "Splits"},
    ),
    Step(
        "Train",
        "Choose a split and an algorithm; **Estimate time and memory** measures before you decide. A run "
        "goes on when every tab is closed: **Watch** shows it, **Queue** has what waits.",
        {"view": "New run"},
    ),
    Step(
        "Runs",
        "Every run, filtered by an expression such as `algorithm = fomaml`. Select one to see its curves and "
        "results, to evaluate it on tasks that it has never seen, or to train its **Twin**: joint training "
        "for as much compute.",
        {"view": "All runs"},
    ),
    Step(
        "Compare",
        "Runs side by side. **Tasks** shows each task before and after adaptation and, below, paired "
        "differences with 95 % intervals: whether a gain is more than chance. Less is better everywhere.",
        {"view": "Tasks"},
    ),
    Step(
        "Studies",
        "A question becomes a set of runs and a report: how much data does meta-learning need, does it beat "
        "tuned fine-tuning, how fast is it on a new task.",
    ),
    Step(
        "Adapt",
        "Paste a text and press **Adapt**: every character is coloured by its bits, step by step, and a line "
        "says what adaptation brought and how sure that is. Two trained runs came with metalm; your own "
        "will do as well.",
        {"view": "Adapt"},
    ),
)


def show(page: str) -> None:
    """The step that the tour has reached, on whatever page; on the Overview, the offer of one, once."""
    at = _at()
    if at is not None:
        state.choose(_CHOICE, str(at))  # in the address of every page on the way
        _step(at, page)
    elif page == "Overview" and not _is_answered():
        _offer()


def begin() -> None:
    """From the first step on. Ends this script run: another page opens."""
    _answer()
    _go(1)


def _at() -> int | None:
    """The number of the step, from 1; None when the tour is not on, or the address says nonsense."""
    chosen = state.choice(_CHOICE, "")
    return int(chosen) if chosen in {str(at) for at in range(1, len(STEPS) + 1)} else None


def _is_answered() -> bool:
    if not state.kept_result(_ANSWERED):
        state.keep_result(_ANSWERED, state.home().store.events.has(_EVENT))
    return state.kept_result(_ANSWERED)


def _answer() -> None:
    """The home remembers that the tour was begun or declined: nobody is asked again."""
    if not _is_answered():
        state.home().store.events.add(_EVENT, "", "the tour was offered and answered")
        state.keep_result(_ANSWERED, True)


def _offer() -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**New here?** :gray[A tour of {len(STEPS)} pages, in two minutes. It can be left at any step.]",
            width="stretch",
        )
        if st.button("Start the tour", type="primary", icon=":material/tour:", key="tour.start"):
            begin()
        st.button("Not now", type="tertiary", key="tour.decline", on_click=_answer)


def _step(at: int, page: str) -> None:
    """What this step tells, and the ways on: back, forth, out."""
    step, is_last = STEPS[at - 1], at == len(STEPS)
    with st.container(border=True):
        st.markdown(f":blue-badge[Tour {at} of {len(STEPS)}] **{step.page}**  \n{step.told}")
        with st.container(horizontal=True, vertical_alignment="center"):
            if page != step.page and st.button(f"Go to {step.page}", type="primary", key="tour.return"):
                _go(at)
            if at > 1 and st.button("Back", icon=":material/arrow_back:", key="tour.back"):
                _go(at - 1)
            look = {"type": "primary" if page == step.page else "secondary", "icon_position": "right"}
            if not is_last:
                label = f"Next: {STEPS[at].page}"
                if st.button(label, icon=":material/arrow_forward:", key="tour.next", **look):
                    _go(at + 1)
            st.button("Done" if is_last else "End the tour", key="tour.end", on_click=_end, type="tertiary")


def _go(at: int) -> None:
    """Opens the page of a step."""
    step = STEPS[at - 1]
    chosen = {**step.choices, _CHOICE: str(at)}
    state.choose_all(chosen)
    st.switch_page(contents.PAGES[step.page].file, query_params=chosen)


def _end() -> None:
    state.choose(_CHOICE, None)
    messages.notice("The tour is over. Tour in the sidebar begins it again.")
