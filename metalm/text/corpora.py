"""What a corpus is: one text, kept once as UTF-8 under its content's id, and what is known about it.

How a file becomes a corpus is `metalm.text.ingest`; how a corpus becomes tasks is `metalm.text.tasks`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ID_DIGITS = 16  # of a sha256 in hexadecimal: 64 bits


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One value of the group column: its rows stand together in the stored text, at bytes [begin, end)."""

    name: str
    begin: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """One text of a home. Sizes are those of the stored text; `encoding` is its file's.

    `groups` holds what tasks can be grouped by, {"kind": "language", "family": "Romance", "script": "Latin"};
    its key "relatives" names a set of corpora that no split may tear apart.
    """

    id: str
    name: str
    sha256: str
    bytes: int
    chars: int
    lines: int
    encoding: str
    language: str = ""
    licence: str = ""
    source: str = ""
    groups: dict[str, str] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def corpus_id(text_sha256: str, segments: tuple[Segment, ...] = ()) -> str:
    """The id of a corpus: from its text alone, or from text and segments where there are any.

    The same table read once as a whole and once by its group column is two corpora.
    """
    if not segments:
        return text_sha256[:ID_DIGITS]
    cuts = [[segment.name, segment.begin, segment.end] for segment in segments]
    return hashlib.sha256(f"{text_sha256}{json.dumps(cuts)}".encode()).hexdigest()[:ID_DIGITS]


def clean_name(name: str) -> str:
    """A name fit for screen and database: no control characters, no lone surrogates, no space around it."""
    return "".join(c if c.isprintable() else "?" for c in name).strip()


def corpus_path(corpora_dir: Path, corpus_id: str) -> Path:
    """Where the text of a corpus is kept."""
    return corpora_dir / f"{corpus_id}.txt"
