"""Which runs a reader asks for: search, filter, status, archived; all of it in the address."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import widgets, wording
from metalm.store.run_table import RunQuery

_STATUSES = list(wording.STATUS_COLOURS)
CHOICES = ("search", "filter", "status", "archived")
_HELP = """Compares columns of the table, settings, metrics and results:

- `algorithm = maml and inner.lr >= 0.1`
- ``` status != failed and `bits per byte` < 3 ```
- `tags = keep or notes ~ "worth a look"`
- `algorithm in (maml, fomaml) and not seed > 2`
- `meta-test@512 < 2.9` (role @ support bytes)
- `metric.gradient_norm > 1` (its last value)
- `inner.lr is missing`, `created >= 2026-01-31`

`~` means contains. A column is called by its heading, in backquotes or with `_` for spaces; time is in
minutes. **Columns** lists them."""


def ask() -> RunQuery:
    """A row of controls; what they ask for. A filter that cannot be read raises only when it is used."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        hint = "name, tag, algorithm, split …"
        search = widgets.text("Search", "search", placeholder=hint, width=230)
        where = widgets.text(
            "Filter", "filter", placeholder="inner.lr >= 0.1 and status != failed", width=340, help=_HELP
        )
        statuses = widgets.select_many("Status", _STATUSES, "status", placeholder="any", width=210)
        archived = widgets.flag("Archived too", "archived")
    return RunQuery(where=where, search=search, statuses=tuple(statuses), archived=archived)
