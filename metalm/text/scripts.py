"""Which writing systems a text uses, told from how often it has each character."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache

import regex

MIN_KANA = 0.1  # of the letters of a Japanese text; a Chinese one has next to none
MIN_JAPANESE = 0.5
OTHER = "Other"  # letters of a script that is in none of the names below

# The scripts that living languages are written in, and the ancient ones of which there are texts to read.
# fmt: off
_SCRIPTS = (
    "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Han", "Hiragana", "Katakana", "Hangul",
    "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam",
    "Sinhala", "Thai", "Lao", "Tibetan", "Myanmar", "Khmer", "Georgian", "Armenian", "Ethiopic",
    "Mongolian", "Syriac", "Thaana", "Nko", "Cherokee", "Canadian_Aboriginal", "Bopomofo", "Yi",
    "Tifinagh", "Javanese", "Balinese", "Sundanese", "Buginese", "Batak", "Cham", "Tai_Le", "New_Tai_Lue",
    "Tai_Tham", "Lepcha", "Limbu", "Ol_Chiki", "Vai", "Meetei_Mayek", "Adlam", "Osage", "Tagalog", "Lisu",
    "Bamum", "Chakma", "Newa", "Miao", "Coptic", "Gothic", "Runic", "Ogham", "Glagolitic", "Old_Italic",
    "Brahmi", "Cuneiform", "Egyptian_Hieroglyphs", "Linear_B",
)
# fmt: on


def script_shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Share of each script in a text's letters and marks, largest first; they sum to 1, or there are none.

    counts: how often the text has each character. What all scripts share (digits, signs, white space, accents
    that go with any letter) is not counted.
    """
    found: Counter[str] = Counter()
    for run in _runs().finditer("".join(sorted(counts))):
        found[run.lastgroup or OTHER] += sum(counts[character] for character in run.group())
    total = found.total()
    return {name.replace("_", " "): count / total for name, count in found.most_common()}


def main_script(text: str) -> str:
    """The script of most letters, "Kana and Han" for what mixes them as Japanese does; "" without letters."""
    shares = script_shares(Counter(text))
    kana = shares.get("Hiragana", 0.0) + shares.get("Katakana", 0.0)
    if kana >= MIN_KANA and kana + shares.get("Han", 0.0) > MIN_JAPANESE:
        return "Kana and Han"
    return next(iter(shares), "")


@cache
def _runs() -> regex.Pattern:
    """Matches runs of characters of one script; the name of the group that matched is the script's."""
    named = [rf"(?P<{name}>\p{{Script={name}}}+)" for name in _SCRIPTS]
    return regex.compile("|".join([*named, rf"(?P<{OTHER}>[^\p{{Script=Common}}\p{{Script=Inherited}}])"]))
