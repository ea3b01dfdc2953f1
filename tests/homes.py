"""A tiny home for tests: four short texts, one split, runs that train in seconds."""

from __future__ import annotations

import random
from pathlib import Path

TEXTS = {"alpha": "abcde ", "beta": "bcdef ", "gamma": "cdefg ", "delta": "defgh "}
SPLIT = "small"
# Settings of the smallest run that still does everything.
TINY = {
    "model.hidden": "8",
    "model.embedding": "8",
    "drawing.meta_batch": "2",
    "validation.every": "2",
    "validation.support_bytes": "256",
    "validation.query_bytes": "256",
}


def write_texts(folder: Path) -> list[Path]:
    """Four text files of about 9 kB, each of random words over its own six letters."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (name, letters) in enumerate(TEXTS.items()):
        rng = random.Random(number)
        text = "\n".join("".join(rng.choices(letters, k=60)) for _ in range(150))
        paths.append(folder / f"{name}.txt")
        paths[-1].write_text(text, encoding="utf-8")
    return paths
