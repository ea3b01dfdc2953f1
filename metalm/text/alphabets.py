"""The letters beyond a to z of languages in Latin script: they tell code pages apart that all decode a file.

Spanish in cp1252 is also readable as cp1250, where its ñ turns into ń: no one language has
both ń and á.
"""

from collections import Counter

_ALPHABETS = tuple(
    frozenset(letters + letters.upper())
    for letters in (
        "áéíóúüñçàèïòºª",  # Spanish, Catalan, Galician
        "àâæçéèêëîïôœùûüÿ",  # French
        "áàâãçéêíóôõúü",  # Portuguese
        "àèéìíîòóùú",  # Italian
        "äöüßé",  # German
        "åäöéü",  # Swedish, Finnish
        "æøåéèêòó",  # Danish, Norwegian
        "áéëïíóöúüèà",  # Dutch
        "áðéíóúýþæö",  # Icelandic
        "âîășțşţ",  # Romanian
        "ąćęłńóśźż",  # Polish
        "áčďéěíňóřšťúůýžäĺľŕô",  # Czech, Slovak
        "áéíóöőúüű",  # Hungarian
        "čćđšž",  # Croatian, Serbian, Slovenian
        "çğıöşüâîûİ",  # Turkish
        "āčēģīķļņšūž",  # Latvian
        "ąčęėįšųūž",  # Lithuanian
        "äõöüšž",  # Estonian
        "ăâđêôơưàáãèéìíòóùúýõ\u0300\u0301\u0303\u0309\u0323",  # Vietnamese, its tones apart
    )
)
_SIGNS = frozenset("\xa0«»‹›„“”‘’‚–—…•·¿¡©®°§€£")


def best_fit(text: str) -> float:
    """Share of a text's characters beyond ASCII that are common signs or letters of the one best alphabet."""
    counts = Counter(c for c in text if not c.isascii())
    total = counts.total()
    if not total:
        return 1.0
    signs = sum(n for c, n in counts.items() if c in _SIGNS)
    return (signs + max(sum(n for c, n in counts.items() if c in letters) for letters in _ALPHABETS)) / total


def is_latin(text: str) -> bool:
    """Whether letters beyond those of Latin scripts are few."""
    letters = [c for c in text if c.isalpha()]
    return sum(c >= "\u0250" for c in letters) <= 0.1 * len(letters)
