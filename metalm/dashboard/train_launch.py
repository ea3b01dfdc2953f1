"""Setting up a run: what to learn from, how, for how long; the first meta-batch; the command line; launch."""

from __future__ import annotations

import dataclasses

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from metalm.config import ALGORITHMS, PRESETS, RunConfig, run_config
from metalm.dashboard import (
    algorithm_guide,
    empty,
    first_batch,
    messages,
    state,
    train_estimate,
    train_settings,
    widgets,
    wording,
)
from metalm.errors import ConfigError, MetalmError
from metalm.operations.training import command_line
from metalm.store.runs import Run
from metalm.text.splits import ROLES

_NO_INIT = "random weights"


def show() -> None:
    """The whole of setting up a run."""
    splits = state.home().splits()
    if not splits:
        empty.nothing(
            "No split yet.",
            "A run learns from a split: freeze one first.",
            page="Tasks",
            label="Make a split",
            view="New split",
        )
        return
    split, base, parent, network = _choices([split.name for split in splits])
    changed = train_settings.changed_settings(base)
    train_settings.essentials(base)
    config, refusal = base, ""
    try:
        config = base.with_settings(changed)
    except ConfigError as error:
        refusal = str(error)
    network.caption(_network(config, parent))
    if refusal:
        messages.error(refusal)
    label = f"Every setting · {_changes(len(changed))}"
    with st.expander(label, icon=":material/tune:", expanded=bool(refusal)):
        train_settings.details(base)
        st.button("Reset to the defaults", on_click=train_settings.reset, disabled=not changed)
    if refusal:
        return
    config = dataclasses.replace(config, init=parent.id if parent else None)
    name, seeds = _launch_form(split, config)
    train_estimate.show(split, config, seeds)
    left, right = st.columns([3, 2], gap="large")
    with left:
        first_batch.show(split, config)
    with right:
        st.markdown("##### The same on the command line")
        st.code(_command_lines(split, config, parent, name, seeds), language=None, wrap_lines=True)


def _choices(splits: list[str]) -> tuple[str, RunConfig, Run | None, DeltaGenerator]:
    """Split, the defaults of what is chosen, the run to start from, and a place to tell of the network."""
    algorithm = _algorithm()
    columns = st.columns(3)
    with columns[0]:
        told = "Which tasks are learned from, chosen by and judged on."
        split = widgets.select("Split", splits, "split", index=_usual(splits), pinned=True, help=told)
        _roles(split)
    with columns[1]:
        parent = _parent()
    with columns[2]:
        preset = widgets.select(
            "Network",
            list(PRESETS),
            "preset",
            index=list(PRESETS).index("small"),
            disabled=parent is not None,
            help="How large it is; a run that starts from another has that one's.",
        )
        taken = run_config(parent.config) if parent else None
        base = train_settings.base_config(algorithm, preset, taken)
        network = st.empty()  # settings below may change it
    return split, base, parent, network


def _network(config: RunConfig, parent: Run | None) -> str:
    model = config.model
    of = f"as in {parent.name}: " if parent else ""
    return f"{of}embedding {model.embedding}, hidden {model.hidden}, {wording.things(model.layers, 'layer')}"


def _algorithm() -> str:
    name = widgets.select(
        "Algorithm",
        list(ALGORITHMS),
        "algorithm",
        index=list(ALGORITHMS).index("fomaml"),
        format_func=algorithm_guide.line,
        help="What it does · when to take it · what an outer step costs, as a multiple of fomaml's.",
    )
    st.caption(algorithm_guide.advice(name))
    return name


def _usual(splits: list[str]) -> int:
    """Where the split stands that is offered first: that of the newest run, else the shipped languages."""
    known = {split.id: split.name for split in state.home().splits()}
    used = (known.get(run.split_id) for run in state.home().run_heads())
    name = next((name for name in used if name), "languages")
    return splits.index(name) if name in splits else 0


def _roles(split: str) -> None:
    frozen = state.home().split(split)
    st.caption(" · ".join(f"{len(frozen.of_role(role))} {role}" for role in ROLES))


def _parent() -> Run | None:
    finished = {run.name: run.id for run in state.home().run_heads() if run.status == "finished"}
    name = widgets.select(
        "Start from", [_NO_INIT, *finished], "init", help="Warm start: a finished run's weights."
    )
    st.caption(
        "A finished run makes it a warm start." if name == _NO_INIT else "With its network and tokenizer."
    )
    return state.home().run(finished[name]) if name in finished else None


def _command_lines(split: str, config: RunConfig, parent: Run | None, name: str, seeds: int) -> str:
    """One command a seed."""
    each = (dataclasses.replace(config, init=None, seed=config.seed + i) for i in range(seeds))
    lines = [command_line(one, split, name=name, init=parent.name if parent else "") for one in each]
    return "\n".join(line.replace(" --", " \\\n  --") for line in lines)


def _changes(num: int) -> str:
    return "all at their defaults" if num == 0 else f"{wording.things(num, 'setting')} changed"


def _launch_form(split: str, config: RunConfig) -> tuple[str, int]:
    """Name and number of seeds; launches when asked to."""
    with st.container(border=True):
        left, middle, right = st.columns([3, 1, 1], vertical_alignment="bottom")
        name = left.text_input(
            "Name", key="launch.name", placeholder="left empty, a name is made from the settings"
        )
        seeds = middle.number_input(
            "Seeds", 1, 20, key="launch.seeds", help="So many runs, alike but for the seed: seed, seed + 1, …"
        )
        label = "Launch run" if seeds == 1 else f"Launch {seeds} runs"
        if right.button(label, type="primary", width="stretch", icon=":material/play_arrow:"):
            _launch(split, config, name.strip(), seeds)
    return name.strip(), seeds


def _launch(split: str, config: RunConfig, name: str, seeds: int) -> None:
    try:
        runs = state.home().create_runs(config, split, num_seeds=seeds, name=name)
        for run in runs:
            state.jobs().train(run.id)
    except MetalmError as error:
        messages.error(error)
        return
    messages.notice(f"{wording.things(len(runs), 'run')} in the queue.")
    state.choose_all({"view": "Watch", "watch": runs[0].name})
    st.rerun()
