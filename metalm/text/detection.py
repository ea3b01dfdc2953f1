"""Which encoding a file is in: guessed from samples, then proved by decoding the whole file."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import CharsetMatch, from_bytes

from metalm.errors import CorpusError
from metalm.text.alphabets import best_fit, is_latin

CHUNK_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 16  # of the beginning, the middle and the end of a file

_BOMS = (  # UTF-32 first: its mark begins with the mark of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Where a file's samples fit the small encoding, the whole may need the larger one.
_LARGER = {"gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932", "tis_620": "cp874"}
_LATIN = (
    "cp1252",
    "cp1250",
    "iso8859_2",
    "cp1257",
    "cp1254",
    "cp1258",
    "mac_roman",
    "cp850",
)  # commonest first
_CONTROLS = bytes(set(range(1, 32)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"
_PLAIN = bytes(range(32, 127)) + b"\t\n\r"
_MAX_CONTROLS = 0.02  # share of a sample's bytes; text has next to none, random bytes have a tenth


def detect(path: Path, name: str) -> str:
    """The encoding of a file: its byte order mark's, UTF-8 if every byte allows it, else the likeliest one.

    Raises CorpusError when the file is binary, is UTF-8 with broken bytes, or fits no encoding.
    """
    sample, head = _samples(path)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    if wide := _wide(head):
        return wide
    if b"\0" in sample or len(sample) - len(sample.translate(None, _CONTROLS)) > _MAX_CONTROLS * len(sample):
        raise CorpusError(f"{name!r} must be text, got binary data")
    offset, is_utf8 = _first_break(path)
    if offset is None:
        return "utf-8"
    if is_utf8:
        raise CorpusError(
            f"{name!r} must be in one encoding, got UTF-8 with a broken byte at offset {offset:,}; "
            "mend that byte or choose the encoding by hand"
        )
    for encoding in _likely(sample):
        if _allows(path, encoding):
            return encoding
    raise CorpusError(f"no encoding found for {name!r}; choose it by hand")


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, at most CHUNK_BYTES at a time."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _samples(path: Path) -> tuple[bytes, bytes]:
    """(what is looked at to guess the encoding, the file's first bytes)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= 3 * SAMPLE_BYTES:
            sample = file.read()
            return sample, sample[:SAMPLE_BYTES]
        windows = []
        for begin in (0, size // 2, size - SAMPLE_BYTES):
            file.seek(begin)
            windows.append(file.read(SAMPLE_BYTES))
    return b"".join(map(_whole_characters, windows)), windows[0]


def _whole_characters(window: bytes) -> bytes:
    """A window without the characters that its ends may cut.

    No byte below 0x30 is ever the second half of a character, in any encoding but the wide ones.
    """
    inner = [at for at, byte in enumerate(window) if byte < 0x30]
    return window[inner[0] : inner[-1] + 1] if inner else window


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: the byte order that gives assigned characters, nearly without exception.

    Half of the bytes of wide ASCII are zeros; in plain ASCII with a few zeros, which is binary, most are not.
    """
    if b"\0" not in head or len(head.translate(None, _PLAIN)) < 0.25 * len(head):
        return None
    found = {}
    for encoding in ("utf-16-le", "utf-16-be"):
        text = head[: len(head) // 2 * 2].decode(encoding, "replace")[:4096]
        odd = sum(unicodedata.category(c) in ("Cc", "Cn", "Co") and c not in "\t\n\r\f" for c in text)
        if odd + text.count("\ufffd") <= 0.01 * len(text):
            found[encoding] = sum(c.isascii() for c in text)
    return max(found, key=found.__getitem__) if found else None


def _first_break(path: Path) -> tuple[int | None, bool]:
    """(offset of the first byte that is not UTF-8 or None, whether the file is UTF-8 all the same).

    Around the break, text in another encoding has more bytes that break UTF-8 than it has characters that
    happen to be right; broken UTF-8 has fewer.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = good = 0
    for chunk in chunks(path):
        held = decoder.getstate()[0]
        try:
            good += len(chunk) - len(decoder.decode(chunk))
        except UnicodeDecodeError as error:
            text = error.object.decode("utf-8", "replace")
            bad = text.count("\ufffd")
            good += sum(not character.isascii() for character in text) - bad
            return offset - len(held) + error.start, good > bad
        offset += len(chunk)
    held = decoder.getstate()[0]
    return (offset - len(held), good > 0) if held else (None, True)


def _likely(sample: bytes) -> list[str]:
    """Encodings that may be a sample's, likeliest first; Latin ones by how well letters fit a language."""
    excluded = ["utf_8", "utf_7", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"]
    matches = list(from_bytes(sample, cp_exclusion=excluded))
    names = _spellings(matches)
    if matches and is_latin(sample.decode(matches[0].encoding, "replace")):
        nearly_best = [match for match in matches if match.chaos <= matches[0].chaos + 0.05]
        names = [*sorted(_spellings(nearly_best), key=lambda name: _unlikeliness(sample, name)), *names]
    return list(dict.fromkeys(spelling for name in names for spelling in (name, _LARGER.get(name, name))))


def _unlikeliness(sample: bytes, encoding: str) -> tuple[float, int]:
    place = _LATIN.index(encoding) if encoding in _LATIN else len(_LATIN)
    return -round(best_fit(sample.decode(encoding, "replace")), 2), place


def _spellings(matches: list[CharsetMatch]) -> list[str]:
    """The encodings of matches, with those that decode the sample alike."""
    return [name for match in matches for name in (match.encoding, *match.could_be_from_charset)]


def _allows(path: Path, encoding: str) -> bool:
    """Whether a whole file can be decoded."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in chunks(path):
            decoder.decode(chunk)
        decoder.decode(b"", True)
    except UnicodeError:
        return False
    return True
