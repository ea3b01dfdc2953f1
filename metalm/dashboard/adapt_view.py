"""The heart of a demo, while it runs and after: verdict, scores, coloured characters, curves, gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from metalm.dashboard import adapt_gains, adapt_present, adapt_verdict, state, widgets, wording
from metalm.dashboard.adapt_shown import Adapted, of_baselines, online
from metalm.dashboard.charts.adaptation import adaptation_curves, saved_along_text
from metalm.dashboard.components.character_view import character_view
from metalm.dashboard.components.chart import chart
from metalm.evaluate.live import BASELINES


def chosen_baselines() -> list[str]:
    """Which baselines stand beside the runs; the choice stands in the URL."""
    state.suggest("beside", ["n-gram"])
    return widgets.select_many(
        "Baselines beside the runs",
        list(BASELINES),
        "beside",
        placeholder="none",
        help="What counting the bytes of the support set alone makes of the query set. n-gram: Witten and "
        "Bell's, up to five bytes; unigram: each byte's share; uniform: 8 bits a byte.",
    )


def known_baselines() -> list[str]:
    """Those of the choice that there are, without the widget: an address may say anything."""
    return [name for name in state.choices("beside") if name in BASELINES]


def show(
    runs: Sequence[Adapted], baselines: Sequence[str], support: str, query: str, *, is_live: bool = False
) -> None:
    """All that is known of these runs and baselines. is_live: steps still arrive."""
    beside = of_baselines(baselines, support, query)
    say(runs, beside, query, is_live=is_live)
    _figures(runs)
    st.subheader(
        "What each character costs",
        help="Hover a character, or walk with the arrow keys: its bits and its chance before and after, and "
        "the five best guesses of the run in its place.",
    )
    character_view(query, [one.panel() for one in (*runs, *beside)], key="characters")
    if not is_live or any(one.last_step for one in runs):  # of one step a curve is a point, and costs as much
        _curves(runs, beside, online(support, query))
    if not is_live:
        adapt_gains.show(runs, query)


def say(runs: Sequence[Adapted], beside: Sequence[Adapted], query: str, *, is_live: bool = False) -> None:
    """The verdict, with how it is found on hover."""
    told = adapt_verdict.verdict(runs, beside, query, is_live=is_live)
    st.markdown(told, help=adapt_verdict.ABOUT)


def _figures(runs: Sequence[Adapted]) -> None:
    """Bits per byte before and after, a card a run."""
    for column, one in zip(st.columns(max(2, len(runs))), runs, strict=False):
        before, after = one.bits_per_byte[0], one.bits_per_byte[-1]
        column.metric(
            f"{wording.plain(one.style.name)}: bits per byte",
            f"{after:.3f}",
            delta=f"{after - before:+.3f} from {before:.3f}" if one.last_step else None,
            delta_color="inverse" if after != before else "off",
            chart_data=one.bits_per_byte if one.last_step else None,
            chart_type="area",
            border=True,
            help=f"after {wording.things(one.last_step, 'adaptation step')} in {one.seconds:.1f} s",
        )


def _curves(runs: Sequence[Adapted], beside: Sequence[Adapted], learning: Mapping[str, float]) -> None:
    left, right = st.columns(2)
    key = "presented" if adapt_present.is_on() else "demo"  # drawn anew: the page is wider without its frame
    with left:
        st.markdown("**Over adaptation steps**")
        styles = {one.key: one.style for one in (*runs, *beside)}
        figure = adaptation_curves(over_steps([*runs, *beside]), styles, "adaptation_step")
        chart(figure, key=f"{key}.steps", label="Bits per byte of the query set over adaptation steps")
        told = ", ".join(f"{name} {value:.2f}" for name, value in learning.items())
        st.caption(
            f"On the online track, which is never on this axis: {told} bits per byte.",
            help="Compressors go on learning while they code the query set; what is drawn here does not.",
        )
    with right:
        st.markdown("**Where in the text adaptation pays**")
        figure = saved_along_text(_along(runs), {one.key: one.style for one in runs})
        chart(figure, key=f"{key}.saved", label="Bits saved along the query set")


def over_steps(shown: Sequence[Adapted]) -> pd.DataFrame:
    """A row a step: series, adaptation_step, mean (bits per byte)."""
    return pd.DataFrame(
        {"series": one.key, "adaptation_step": step, "mean": value}
        for one in shown
        for step, value in enumerate(one.bits_per_byte)
    )


def _along(runs: Sequence[Adapted]) -> pd.DataFrame:
    parts = []
    for one in runs:
        columns = {"character": np.arange(1, one.bits.shape[1] + 1)}
        columns |= {"before": one.bits[0], "after": one.bits[-1]}
        parts.append(pd.DataFrame(columns).assign(series=one.key))
    return pd.concat(parts)
