"""What an adapted text looks like to a run: which of its meta-train tasks, and where in the text.

It is asked for run by run, because a run's experts may have to be made first; the answer lasts as long as the
session.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from metalm import units
from metalm.dashboard import long_work, messages, state, wording
from metalm.dashboard.charts.resemblance import resemblance_along_text
from metalm.dashboard.components.chart import chart
from metalm.errors import MetalmError
from metalm.evaluate.resemblance import Resemblance
from metalm.text.tasks import Task

_LEAST = 0.05  # of the belief: below it a task is not worth a word
_MOST_WORDS = 3  # tasks in the sentence
_ALIKE = 0.05  # of its bits: what an expert saves on a text like its task; on its own it saves 15 % or more
_READING = "reading the text"

_ABOUT = (
    "An expert is the run moved to one meta-train task as a whole. The better a task's expert reads a text, "
    "the more the text looks like that task. The chart tells by the line or two around each character."
)


def show(runs: Mapping[str, str], support: str, query: str) -> None:
    """A button for each run (id -> name), and what came of it: a sentence and a chart."""
    st.subheader("What it looks like", help=_ABOUT)
    for run_id, name in runs.items():
        # No fragment: its own buttons could not interrupt it.
        _of_run(run_id, name, support.encode(), query.encode())


def _of_run(run_id: str, name: str, support: bytes, query: bytes) -> None:
    key = ("resemblance", run_id, support, query)
    found = state.kept_result(key)
    place = st.empty()  # the button, then the progress, then the answer
    if found is None:
        with place.container():
            is_asked = _ask(run_id, name)
        if not is_asked:
            return
        with place.container():
            found = _compared(run_id, name, support, query, key)
    if found is not None:
        with place.container(border=True):
            _answer(run_id, name, found)


def _ask(run_id: str, name: str) -> bool:
    """The button, with what it costs; whether it was pressed."""
    try:
        cost = _cost(run_id)
    except MetalmError as error:
        st.caption(f"**{wording.plain(name)}** has nothing to compare with: {wording.plain(str(error))}")
        return False
    label = f"Compare with the tasks that {wording.plain(name)} knows"
    is_asked = st.button(label, key=f"resemblance.{run_id}", icon=":material/travel_explore:")
    if cost:
        st.caption(cost)
    return is_asked


def _cost(run_id: str) -> str:
    """What must be made first, in words; nothing where the experts are there."""
    home = state.home()
    if home.has_experts(run_id):
        return ""
    run = home.run(run_id)
    tasks = home.split(run.split_id).of_role("meta-train")
    told = f"First an expert of each of its {wording.things(len(tasks), 'meta-train task')} is made, once"
    tokens = home.expert_tokens(run_id)
    if run.device == "cpu" and run.tokens:
        minutes = wording.things(math.ceil(tokens * run.seconds / run.tokens / 60), "minute")
        return f"{told}: about {minutes}, if this machine is as fast as the one that trained the run."
    return f"{told}: it takes as long as training on {wording.count(tokens)} tokens."


def _compared(run_id: str, name: str, support: bytes, query: bytes, key: Hashable) -> Resemblance | None:
    """What the run makes of the text, kept for this session; None, with the reason, when it cannot."""
    home = state.home()
    label = f"Comparing with the tasks that {wording.plain(name)} knows …"
    unkept = "experts that are not all made are not kept"
    with long_work.under_way(label, key=f"resemblance.{run_id}", stop_help=unkept) as tell:

        def on_progress(share: float) -> None:
            tell(share, f"making experts: {100 * share:.0f} %" if share < 1 else _READING)

        try:
            found = home.resembles(run_id, support, query, on_progress=on_progress)
        except MetalmError as error:
            messages.error(error)
            return None
    state.keep_result(key, found)
    return found


def _answer(run_id: str, name: str, found: Resemblance) -> None:
    labels = _labels(run_id, found)
    st.markdown(
        f"{wording.plain(name)}: **{looks_like(labels, found.after_support_T)}** "
        f":gray[(after {found.support_bytes:,} bytes)]"
    )
    if doubt := doubtful(labels, found):
        st.caption(doubt)
    weights = pd.DataFrame(found.weights_TC.T, columns=labels)
    figure = resemblance_along_text(weights, support_chars=found.support_chars)
    label = f"How much the text looks like each task that {name} knows, from place to place"
    chart(figure, key=f"resemblance.chart.{run_id}", label=label)
    st.caption("Left of the dashed line is the support set, right of it the query set.")


def _labels(run_id: str, found: Resemblance) -> list[str]:
    """The tasks' names, and their languages where these tell them apart."""
    home = state.home()
    languages = {corpus.id: corpus.language for corpus in home.corpora()}
    tasks: Sequence[Task] = home.split(home.run(run_id).split_id).of_role("meta-train")
    spoken = {task.id: languages.get(task.corpus_id, "") for task in tasks}
    times = Counter(spoken.values())
    labels = []
    for task_id, name in zip(found.task_ids, found.names, strict=True):
        language = spoken.get(task_id, "")
        tells = language and language != name and times[language] == 1
        labels.append(f"{language} ({name})" if tells else name)
    return labels


def looks_like(labels: Sequence[str], weights: Sequence[float]) -> str:
    """`This looks 62 % Spanish, 30 % Portuguese`: the tasks believed most, as markdown."""
    ranked = sorted(zip(weights, labels, strict=True), key=lambda pair: -pair[0])
    told = [
        f"{100 * weight:.0f} % {wording.plain(label)}"
        for i, (weight, label) in enumerate(ranked[:_MOST_WORDS])
        if weight >= _LEAST or i == 0
    ]
    return f"This looks {', '.join(told)}"


def doubtful(labels: Sequence[str], found: Resemblance) -> str:
    """Why the answer says little, where the best expert reads the support set hardly better than the run."""
    best = int(np.argmin(found.support_nats_T))
    if not found.support_bytes or found.support_nats_T[best] <= (1 - _ALIKE) * found.slow_nats:
        return ""
    expert = units.bits_per_byte(float(found.support_nats_T[best]), found.support_bytes)
    run = units.bits_per_byte(found.slow_nats, found.support_bytes)
    return (
        f"Much like none of them: the best expert, that of {wording.plain(labels[best])}, reads the support "
        f"set at {expert:.2f} bits per byte, the run itself at {run:.2f}."
    )
