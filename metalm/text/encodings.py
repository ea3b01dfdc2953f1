"""From the bytes of a file to characters, a piece at a time: no file is ever held whole."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from metalm.errors import CorpusError
from metalm.text.detection import chunks, detect

# What a form offers; `find_encoding` takes every text encoding that Python knows.
# fmt: off
ENCODINGS = (
    "auto", "utf-8", "utf-16", "utf-32", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256",
    "cp1257", "cp1258", "iso8859-1", "iso8859-2", "iso8859-5", "iso8859-7", "iso8859-15", "koi8-r", "koi8-u",
    "gb18030", "big5", "cp932", "shift_jis", "euc_jp", "iso2022_jp", "cp949", "euc_kr", "mac-roman",
)
# fmt: on

_NOT_OF_FILES = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7"}


def find_encoding(path: Path, encoding: str, name: str) -> str:
    """The encoding that a file is to be read in: the one asked for, or what is detected when that is "auto".

    Raises CorpusError when `encoding` names no encoding of text files, and what `detect` raises.
    """
    return detect(path, name) if encoding == "auto" else _spelling(encoding)


def _spelling(encoding: str) -> str:
    name = ""
    try:
        name = codecs.lookup(encoding).name
        b"x".decode(encoding)  # a LookupError where it turns bytes into bytes, as zlib does
    except UnicodeDecodeError:
        is_known = True  # one byte is no character of it
    except (LookupError, ValueError):  # ValueError: the name itself is no text
        is_known = False
    else:
        is_known = True
    if not is_known or name.replace("-", "_") in _NOT_OF_FILES:
        raise CorpusError(f"encoding must be auto or an encoding that Python knows, got {encoding!r}")
    return name


def decode(
    path: Path, encoding: str, name: str, on_read: Callable[[int], None] | None = None
) -> Iterator[str]:
    """The characters of a file in pieces, with every line end as one newline and without a byte order mark.

    encoding: what `find_encoding` gave. name: what the user calls the file. `on_read` is told the bytes of
    each piece. Raises CorpusError at the first byte that the encoding does not allow, and at a NUL character.
    """
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    is_first = True
    for text in _decoded(path, encoding, name, on_read):
        if is_first:
            text, is_first = text.removeprefix("\ufeff"), False
        if "\0" in text:
            raise CorpusError(f"{name!r} must be text, got binary data (a NUL character, read as {encoding})")
        if piece := newlines.decode(text):
            yield piece
    if rest := newlines.decode("", final=True):
        yield rest


def _decoded(path: Path, encoding: str, name: str, on_read: Callable[[int], None] | None) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0
    for chunk in chunks(path):
        held = len(decoder.getstate()[0])
        yield _piece(decoder, chunk, offset - held, encoding, name)
        offset += len(chunk)
        if on_read:
            on_read(len(chunk))
    yield _piece(decoder, b"", offset - len(decoder.getstate()[0]), encoding, name, final=True)


def _piece(decoder, chunk: bytes, offset: int, encoding: str, name: str, final: bool = False) -> str:
    """One piece decoded; `offset` is where in the file the decoder's own buffer begins."""
    try:
        return decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{name!r} must be readable as {encoding}, got byte 0x{error.object[error.start]:02x} "
            f"at offset {offset + error.start:,}; choose another encoding"
        ) from None
    except UnicodeError as error:  # a UTF-16 file without a mark, for one
        raise CorpusError(f"{name!r} must be readable as {encoding}, got: {error}") from None
