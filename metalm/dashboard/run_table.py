"""The table of runs: filter, sort, select; as CSV too."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from metalm.dashboard import empty, state, wording
from metalm.dashboard.table_height import table_height
from metalm.dashboard.train_watch import ACTIVE
from metalm.store.runs import Run
from metalm.text.splits import Split

_STATUSES = list(wording.STATUS_COLOURS)


def show() -> list[Run] | None:
    """The filters and the table; the selected runs, None when there is none to select."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        hint = "name, tag, algorithm, split …"
        wanted = state.text("Search", "search", placeholder=hint, width=320).casefold()
        statuses = state.select_many("Status", _STATUSES, "status", placeholder="any", width=260)
        archived = state.flag("Archived too", "archived")
    runs = state.home().runs(archived=archived)
    if not runs:
        empty.nothing(
            "No run yet.",
            "A run learns slow weights from a split. Set one up, or import one.",
            page="Train",
            label="Set up a run",
            view="New run",
        )
        return None
    splits = {split.id: split for split in state.home().splits()}
    found = [run for run in runs if _matches(run, splits, wanted, statuses)]
    if not found:
        empty.nothing("No run matches the filter.", "Search for a part of a name, or allow every status.")
        return None
    is_live = any(run.status in ACTIVE for run in found)
    draw = st.fragment(run_every=3)(_rows) if is_live else _rows
    draw([run.id for run in found], splits, is_live)
    chosen = state.choices("runs")
    return [run for run in found if run.name in chosen]


def _rows(run_ids: list[str], splits: dict[str, Split], is_live: bool) -> None:
    """The table of these runs as they stand now; what is selected goes into the URL by name."""
    runs = [run for run in state.home().runs(archived=True) if run.id in run_ids]
    names = [run.name for run in runs]
    before = [name for name in state.choices("runs") if name in names]
    # Rows are selected by their place: other runs in the table make another widget, or the selection slips.
    picked = st.dataframe(
        run_table(runs, splits),
        key=f"runs.{hash(tuple(names))}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [names.index(name) for name in before]}},
        height=table_height(len(runs)),
        column_config=_COLUMNS,
        placeholder=wording.NOTHING,
        alt="Runs",
    )
    chosen = [names[row] for row in picked.selection.rows if row < len(names)]
    state.choose("runs", chosen)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        told = f"{wording.things(len(runs), 'run')} · {len(chosen)} selected"
        st.caption(f"{told}. Click a column's head to sort.", width="content")
        icon = ":material/download:"
        st.download_button(
            "CSV", lambda: csv(runs, splits), "runs.csv", "text/csv", on_click="ignore", icon=icon
        )
    if is_live and sorted(chosen) != sorted(before):
        st.rerun()  # what is below the table is about the selection


_COLUMNS = {
    "run": st.column_config.TextColumn(pinned=True, width="medium"),
    "tags": st.column_config.ListColumn(),
    "progress": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100, width="small"),
    "bits per byte": st.column_config.NumberColumn(
        format="%.3f", help="on meta-validation tasks, after adaptation as tuned: less is better"
    ),
    "outer steps": st.column_config.NumberColumn(format="localized"),
    "tokens": st.column_config.NumberColumn(format="compact", help="tokens trained on"),
    "created": st.column_config.DatetimeColumn(format="distance"),
}


def run_table(runs: list[Run], splits: dict[str, Split]) -> pd.DataFrame:
    """A row a run, in the order of `runs`."""
    names = {run.id: run.name for run in runs}
    return pd.DataFrame(
        {
            "run": [run.name for run in runs],
            "status": [run.status for run in runs],
            "progress": [100 * run.progress for run in runs],
            "bits per byte": pd.array([run.tuned_value for run in runs], dtype="Float64"),
            "algorithm": [run.algorithm for run in runs],
            "split": [splits[run.split_id].name if run.split_id in splits else "" for run in runs],
            "network": [_network(run) for run in runs],
            "seed": [run.seed for run in runs],
            "outer steps": [run.step for run in runs],
            "tokens": [run.tokens for run in runs],
            "time": [wording.duration(run.seconds) for run in runs],
            "warm start": [names.get(run.parent, "another run") if run.parent else "" for run in runs],
            "tags": [list(run.tags) for run in runs],
            "notes": [run.notes for run in runs],
            "created": [run.created_at for run in runs],
        }
    )


def _network(run: Run) -> str:
    model = run.config["model"]
    layers = f" × {model['layers']}" if model["layers"] > 1 else ""
    return f"GRU {model['hidden']}{layers}"


def _matches(run: Run, splits: dict[str, Split], wanted: str, statuses: list[str]) -> bool:
    split = splits[run.split_id].name if run.split_id in splits else ""
    words = " ".join([run.name, run.algorithm, split, _network(run), run.notes, *run.tags]).casefold()
    return wanted in words and (not statuses or run.status in statuses)


def csv(runs: list[Run], splits: dict[str, Split]) -> str:
    """The table with every setting of each run, for a spreadsheet."""
    table = run_table(runs, splits).assign(seconds=[run.seconds for run in runs], id=[run.id for run in runs])
    table["tags"] = [", ".join(run.tags) for run in runs]
    settings = pd.json_normalize([run.config for run in runs])
    settings = settings.drop(columns="seed")
    return pd.concat([table, settings], axis=1).to_csv(index=False)
