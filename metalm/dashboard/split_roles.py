"""The second step to a split: a role for every task, by hand, by group or at random; then it is frozen."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from metalm.dashboard import messages, state, widgets, wording
from metalm.errors import MetalmError, SplitError
from metalm.text.splits import ROLES, Role, random_roles, roles_by_group
from metalm.text.tasks import Task

_UNUSED = "not used"
_WAYS = ["by hand", "by group", "at random"]


def role_table(tasks: list[Task]) -> dict[str, Role]:
    """The table in which roles are given; a role for each task id that has one."""
    st.markdown("#### 2 · Give each task a role")
    way = widgets.switch("Give roles", _WAYS, "roles")
    # In one place, whatever is asked: what is typed below, before the page is redrawn, would else be lost.
    with st.container():
        try:
            draft = _drafted(tasks, way)
        except SplitError as error:
            messages.error(error)
            draft = {}
    table = pd.DataFrame(
        {
            "task": [task.name for task in tasks],
            "role": [draft.get(task.id, _UNUSED if draft else "meta-train") for task in tasks],
            "relatives": [task.relatives if task.relatives != task.name else "" for task in tasks],
            **{key: [task.groups.get(key, "") for task in tasks] for key in group_keys(tasks)},
            "bytes": [task.size for task in tasks],
        }
    )
    # A new draft is a new table: edits by hand belong to the draft that they were made on.
    edition = hash((way, *((task.id, draft.get(task.id)) for task in tasks)))
    edited = st.data_editor(
        table,
        key=f"roles.{edition}",
        hide_index=True,
        disabled=[column for column in table if column != "role"],
        column_config={
            "task": st.column_config.TextColumn("task", pinned=True, width="medium"),
            "role": st.column_config.SelectboxColumn(
                "role", options=[*ROLES, _UNUSED], required=True, width="medium"
            ),
            "relatives": st.column_config.TextColumn(
                "relatives", help="tasks of one group must share a role"
            ),
            "bytes": st.column_config.NumberColumn("bytes", format="localized"),
        },
        height=min(38 + 35 * len(table), 458),
        alt="Role of each task",
    )
    return {task.id: role for task, role in zip(tasks, edited["role"], strict=True) if role != _UNUSED}


def group_keys(tasks: list[Task]) -> list[str]:
    """What tasks can be grouped by, relatives aside."""
    keys = {key for task in tasks for key in task.groups}
    return sorted(keys - {"relatives"})


def _drafted(tasks: list[Task], way: str) -> dict[str, Role]:
    if way == "at random":
        return _at_random(tasks)
    if way == "by group":
        return _by_group(tasks)
    st.caption("Choose in the role column; several cells can be pasted or filled down at once.")
    return {}


def _at_random(tasks: list[Task]) -> dict[str, Role]:
    third = max(1, len(tasks) // 6)
    with st.form("random roles", border=False):
        validation, test, seed, button = st.columns([2, 2, 2, 1], vertical_alignment="bottom")
        values = (
            _number(validation, "meta-validation tasks", "validation", len(tasks), third),
            _number(test, "meta-test tasks", "test", len(tasks), third),
            _number(seed, "seed", "draw", 2**31 - 1, 0),
        )
        if button.form_submit_button("Draw", width="stretch"):
            for name, value in zip(("validation", "test", "draw"), values, strict=True):
                state.choose(name, str(value))
    st.caption("Relatives are drawn together, so the numbers must be sums of whole groups.")
    return random_roles(tasks, validation=values[0], test=values[1], seed=values[2])


def _number(place: DeltaGenerator, label: str, name: str, most: int, default: int) -> int:
    """A number from 0 to `most`, that of the address if there can be so many."""
    typed = state.choice(name, "")
    wanted = int(typed[:10]) if typed.isdecimal() else default
    return place.number_input(label, 0, most, min(wanted, most))


def _by_group(tasks: list[Task]) -> dict[str, Role]:
    keys = group_keys(tasks)
    if not keys:
        st.info("These tasks have no groups; give roles by hand or at random.")
        return {}
    key, validation, test = st.columns(3)
    with key:
        group = widgets.select("Group by", keys, "group")
    values = sorted({task.groups[group] for task in tasks if group in task.groups})
    with validation:
        to_validation = widgets.select_many("to meta-validation", values, "group-validation")
    with test:
        to_test = widgets.select_many(
            "to meta-test", [v for v in values if v not in to_validation], "group-test"
        )
    return roles_by_group(tasks, group, validation=to_validation, test=to_test)


def show_counts(tasks: list[Task], roles: dict[str, Role]) -> None:
    """How many tasks and bytes each role has, and which relatives are torn apart."""
    for column, role in zip(st.columns(len(ROLES)), ROLES, strict=True):
        mine = [task for task in tasks if roles.get(task.id) == role]
        column.metric(role, wording.things(len(mine), "task"), border=True)
        column.caption(wording.size(sum(task.size for task in mine)) if mine else "none yet")
    torn = torn_relatives(tasks, roles)
    with st.container():
        if torn:
            st.warning("Relatives must share a role: " + "; ".join(torn))


def torn_relatives(tasks: list[Task], roles: dict[str, Role]) -> list[str]:
    """A text for each group of relatives with more than one role: `sr (hr: meta-train, sr: meta-test)`."""
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        if task.id in roles:
            groups.setdefault(task.relatives, []).append(task)
    return [
        f"{relatives} ({', '.join(f'{task.name}: {roles[task.id]}' for task in members)})"
        for relatives, members in groups.items()
        if len({roles[task.id] for task in members}) > 1
    ]


def freeze_form(tasks: list[Task], roles: dict[str, Role]) -> None:
    """The last step: a name, and the split is frozen and chosen."""
    st.markdown("#### 3 · Freeze it under a name")
    with st.form("freeze", border=False):
        left, right = st.columns([4, 1], vertical_alignment="bottom")
        name = left.text_input("Name of the split", placeholder="for example: far languages")
        if not right.form_submit_button("Freeze split", type="primary", width="stretch"):
            return
    try:
        with st.spinner("Freezing the split …"):
            split = state.home().freeze_split(name.strip(), tasks, roles)
    except MetalmError as error:
        messages.error(error)
        return
    messages.notice(f"Split {split.name} is frozen.")
    state.choose_all({"split": split.name, "view": None})
    st.rerun()
