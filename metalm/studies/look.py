"""The colours of reports: the light ones of the dashboard's palette, which a test keeps the same.

`DARK_TWIN` says what each becomes on a dark page.
"""

from __future__ import annotations

PAGE, INK, MUTED, GRID = "#ffffff", "#1c2230", "#5c6579", "#e6e9f0"
LINES = ("#3742c5", "#c5770f", "#12a195", "#7a0969", "#9d6fe3", "#343d00", "#905943")
MARKERS = ("o", "s", "D", "^", "P", "*", "h")
SEQUENTIAL = ("#fbf7ee", "#fbe3bf", "#f8c48a", "#ef9a5f", "#dc6a50", "#b83f56", "#852a5e", "#4b1c55")
DIVERGING = ("#0a6f6b", "#4fa8a1", "#b5dcd8", "#f7f8fa", "#f3c9c2", "#dd8478", "#ad352a")
DARK_TWIN = {
    PAGE: "#12151c",
    INK: "#e4e8f0",
    MUTED: "#9aa5b8",
    GRID: "#272e3b",
    **dict(
        zip(
            LINES,
            ("#6ea8ff", "#e2ae88", "#48fbf6", "#a95a8c", "#7a5fe6", "#d1ef30", "#e1441a"),
            strict=True,
        )
    ),
}
