"""The first meta-batch of a run that has not begun: the very windows that the model will read, decoded."""

from __future__ import annotations

from typing import Any

import streamlit as st

from metalm.config import RunConfig, run_config
from metalm.dashboard import messages, state, widgets, wording
from metalm.errors import MetalmError

_SHOWN = 3  # windows a set; the rest looks alike


def show(split: str, config: RunConfig) -> None:
    """The first meta-batch of `config` on `split`, one card a task."""
    st.markdown("##### The first meta-batch, as the model will read it")
    is_learned = config.tokenizer.kind == "bpe" and config.init is None
    if is_learned and not widgets.flag("Learn the tokenizer now and show it", "batch"):
        st.caption("Its tokens are learned from all meta-train texts, which can take a minute.")
        return
    try:
        visits = _visits(str(state.home().path), state.home().split(split).hash, split, config.to_json())
    except MetalmError as error:
        messages.error(error)
        return
    st.caption(
        f"Outer step 1 with seed {config.seed}, drawn from meta-train tasks, never from a task's tail. "
        f"{wording.things(_SHOWN, 'window')} of each set are shown."
    )
    names = [f"{i}. {visit['task']}" for i, visit in enumerate(visits, start=1)]
    chosen = widgets.switch("Task", names, "first") if len(names) > 1 else names[0]
    visit = visits[names.index(chosen)]
    for part in visit["parts"]:
        st.markdown(f"**{part['name']}** :gray[{part['shape']}]")
        # A window may begin or end inside a character: what is left of it shows as a replacement mark.
        lines = [window.replace("\n", "⏎") for window in part["windows"]]
        st.code("\n".join(lines), language=None, wrap_lines=True)


@st.cache_data(max_entries=20, show_spinner="Drawing the first meta-batch …")
def _visits(
    home_path: str,  # noqa: ARG001 - the cache must not mix up two homes,
    split_hash: str,  # noqa: ARG001 - nor two splits that had the same name
    split: str,
    config_json: dict,
) -> list[dict[str, Any]]:
    """Plain data for every visit of outer step 1."""
    # Here, not above: torch takes seconds to come in, and no other part of the page needs it.
    from metalm.learn.meta_batches import MetaBatches
    from metalm.text.tokenizers import fit

    config = run_config(config_json)
    texts = state.home().texts(split, "meta-train")
    # A warm start reads with its parent's tokenizer, which knows what the parent's texts taught it.
    if config.init:
        tokenizer = state.home().store.tokenizers.get(state.home().run(config.init).tokenizer)
    else:
        tokenizer = fit(config.tokenizer, texts)
    batches = MetaBatches(config, texts, tokenizer, state.home().path / "tokens")
    return [
        {"task": visit.name, "parts": [_part(name, ids, tokenizer) for name, ids in _sets(visit)]}
        for visit in batches.visits(1)
    ]


def _sets(visit: Any) -> list[tuple[str, Any]]:
    """What a visit holds, in the words of the vocabulary: (name, ids (B, T + 1))."""
    from metalm.learn.windows import Batch, Episode, Streams

    match visit:
        case Episode(support=support, query_BT=query_BT):
            return [("Support set", support.windows_NT), ("Query set", query_BT)]
        case Streams(tokens_BT=tokens_BT):
            return [("Parallel streams", tokens_BT)]
        case Batch(windows_BT=windows_BT):
            return [("Windows", windows_BT)]
    raise ValueError(f"unknown kind of visit: {visit!r}")


def _part(name: str, ids: Any, tokenizer: Any) -> dict[str, Any]:
    num_windows, length = ids.shape
    predicted = wording.things(length - 1, "predicted token")
    return {
        "name": name,
        "shape": f"{wording.things(num_windows, 'window')} of {predicted}",
        "windows": [tokenizer.decode(row).decode(errors="replace") for row in ids[:_SHOWN].tolist()],
    }
