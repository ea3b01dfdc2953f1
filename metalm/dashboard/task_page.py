"""One task of a split: which it is, who its relatives are, and what there is to look at."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import (
    contents,
    empty,
    glossary,
    state,
    task_results,
    task_samples,
    task_text,
    widgets,
    wording,
)
from metalm.text.splits import Split, SplitTask

_LOOKS = ["Results", "Over training", "Samples", "Text", "Leakage"]
_MOST_RELATIVES = 12
_ROLES = {
    "meta-train": "The slow weights learn from it",
    "meta-validation": "Settings and checkpoints are chosen by it",
    "meta-test": "It is only ever judged on",
}


def show() -> None:
    """Chooses a split and one of its tasks, by the address or by hand, and shows it."""
    splits = {split.name: split for split in state.home().splits()}
    if not splits:
        empty.nothing(
            "No task yet.",
            "Tasks are cut from corpora, and have their roles in a split.",
            page="Tasks",
            label="New split",
            view="New split",
        )
        return
    left, right = st.columns(2)
    with left:
        split = splits[
            widgets.select("Split", list(splits), "split", pinned=True, help=glossary.TERMS["split"])
        ]
    members = {member.task.name: member for member in split.tasks}
    with right:
        member = members[
            widgets.select("Task", list(members), "task", pinned=True, help=glossary.TERMS["task"])
        ]
    _head(split, member)
    looks = (
        _LOOKS if member.role == "meta-validation" else [look for look in _LOOKS if look != "Over training"]
    )
    look = widgets.switch("Look at", looks, "look")
    if look == "Results":
        task_results.show(split, member)
    elif look == "Over training":
        task_results.over_training(split, member)
    elif look == "Samples":
        task_samples.show(split, member)
    elif look == "Text":
        task_text.show(split, member)
    else:
        task_text.leakage(split, member)


def _head(split: Split, member: SplitTask) -> None:
    """Role, groups, size, relatives, and the ways on."""
    task = member.task
    with st.container(border=True):
        title, links = st.columns([4, 2], vertical_alignment="center")
        distance = {True: " :gray-badge[near]", False: " :gray-badge[far]", None: ""}[member.near]
        title.markdown(f"**{wording.plain(task.name)}** :blue-badge[{member.role}]{distance}")
        with links.container(horizontal=True, horizontal_alignment="right"):
            contents.link("Tasks", "Its split", split=split.name)
            corpus = {corpus.id: corpus.name for corpus in state.home().corpora()}.get(task.corpus_id)
            if corpus:
                contents.link("Corpora", "Its corpus", corpus=corpus)
        groups = [f"{key}: {value}" for key, value in sorted(task.groups.items()) if key != "relatives"]
        st.caption(" · ".join([_ROLES[member.role], wording.size(task.size), *map(wording.plain, groups)]))
        _relatives(split, member)


def _relatives(split: Split, member: SplitTask) -> None:
    """The tasks that never stand in another role than this one, each with a link."""
    others = [
        other.task.name
        for other in split.tasks
        if other.task.relatives == member.task.relatives and other.task.id != member.task.id
    ]
    if not others:
        st.caption("No relatives in this split.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Relatives ({wording.plain(member.task.relatives)}):", width="content")
        for name in others[:_MOST_RELATIVES]:
            contents.link("Task", name, split=split.name, task=name)
        if len(others) > _MOST_RELATIVES:
            st.caption(f"and {wording.count(len(others) - _MOST_RELATIVES)} more", width="content")
