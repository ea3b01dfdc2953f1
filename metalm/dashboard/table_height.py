"""How tall a table is: its last row is whole, and where it scrolls, half a row says so."""

from __future__ import annotations

from typing import Literal

# Pixels of a row, and of the head: 2.1875 times the font size that .streamlit/config.toml sets.
ROW = 33


def table_height(num: int, most: int = 12) -> int | Literal["content"]:
    """The `height` of a table of `num` rows: all of them, or `most` and half of the next."""
    return "content" if num <= most else (most + 1) * ROW + ROW // 2
