"""Folders and .zip archives as files to read, one by one. No name in an archive becomes a path on disk."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from metalm.errors import CorpusError

COPY_BYTES = 1 << 20
_FORMATS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others unpack without a bound on memory


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is refused for its size."""

    max_file_bytes: int = 1 << 30  # of one file, unpacked
    max_text_bytes: int = 2 << 30  # of one stored text: UTF-8 may be longer than the file's own encoding
    max_files: int = 10_000  # of one folder or archive
    max_unpacked_bytes: int = 4 << 30  # of one archive, all files together
    max_groups: int = 10_000  # different values of a group column


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class DiskFile:
    """A file that lies on disk. name: what the user calls it, `novel.txt` or `folder/novel.txt`."""

    name: str
    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def fetch(self, folder: Path, limits: Limits) -> Path:  # noqa: ARG002  (as ZipMember.fetch)
        """Where its bytes can be read. Raises CorpusError unless it is a regular file within the limits."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise CorpusError(f"{self.name!r} cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode):
            raise CorpusError(f"{self.name!r} must be a regular file")
        _check_size(self.name, status.st_size, limits.max_file_bytes)
        return self.path


@dataclass(frozen=True)
class ZipMember:
    """A file within an archive that is open for reading."""

    name: str
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    @property
    def size(self) -> int:
        return self.info.file_size

    def fetch(self, folder: Path, limits: Limits) -> Path:
        """Where its bytes can be read: a copy in `folder`. Raises CorpusError when it cannot be unpacked."""
        self._check(limits)
        copy = folder / "unpacked"
        with zip_errors(self.name), self.archive.open(self.info) as packed, copy.open("wb") as file:
            while chunk := packed.read(COPY_BYTES):  # never more in all than the size that was just checked
                file.write(chunk)
        return copy

    def _check(self, limits: Limits) -> None:
        parts = PurePosixPath(self.info.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or parts.parts[0].endswith(":"):
            raise CorpusError(f"{self.name!r} must be a name inside its archive")
        if stat.S_ISLNK(self.info.external_attr >> 16):
            raise CorpusError(f"{self.name!r} must be a file, got a link")
        if self.info.flag_bits & 1:
            raise CorpusError(f"{self.name!r} must not be encrypted")
        if self.info.compress_type not in _FORMATS:
            raise CorpusError(f"{self.name!r} must be stored or deflated, got another compression")
        _check_size(self.name, self.info.file_size, limits.max_file_bytes)


def folder_files(folder: Path, name: str, limits: Limits) -> list[DiskFile | CorpusError]:
    """Every file below a folder, in order of names, without hidden ones; a link is an error, not followed.

    Raises CorpusError when there are too many.
    """
    found: list[DiskFile | CorpusError] = []

    def note(error: OSError) -> None:
        path = str(error.filename)
        found.append(CorpusError(f"{path!r} cannot be read: {error.strerror}", file=path))

    for parent, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for each in sorted([*files, *folders]):
            path = Path(parent, each)
            known_as = f"{name}/{path.relative_to(folder).as_posix()}"
            if each.startswith("."):
                continue
            if path.is_symlink():
                found.append(CorpusError(f"{known_as!r} must be a file, got a link", file=known_as))
            elif each in files:
                found.append(DiskFile(known_as, path))
        if len(found) > limits.max_files:
            raise CorpusError(f"folder {name!r} must have at most {limits.max_files:,} files, got more")
    return found


def zip_members(path: Path, name: str, limits: Limits) -> Iterator[ZipMember]:
    """Every file in an archive, without folders, hidden files and what macOS adds.

    Raises CorpusError before the first one when the archive is damaged, or is too much in all.
    """
    with zip_errors(name):
        archive = zipfile.ZipFile(path)
    with archive:
        members = [info for info in archive.infolist() if not info.is_dir() and not _is_hidden(info.filename)]
        if len(members) > limits.max_files:
            raise CorpusError(f"{name!r} must have at most {limits.max_files:,} files, got {len(members):,}")
        unpacked = sum(info.file_size for info in members)
        if unpacked > limits.max_unpacked_bytes:
            raise CorpusError(
                f"{name!r} must unpack to at most {limits.max_unpacked_bytes:,} bytes, got {unpacked:,}"
            )
        for info in members:
            yield ZipMember(f"{name}/{info.filename}", archive, info)


def _is_hidden(filename: str) -> bool:
    parts = filename.replace("\\", "/").split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") and part != ".." for part in parts)


def _check_size(name: str, size: int, most: int) -> None:
    if size > most:
        raise CorpusError(f"{name!r} must have at most {most:,} bytes, got {size:,}")


@contextmanager
def zip_errors(name: str) -> Iterator[None]:
    """Turns what zipfile raises for a damaged or unknown kind of archive into a CorpusError."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise CorpusError(f"{name!r} cannot be unpacked: {error}") from None
    except (OSError, EOFError, ValueError, RuntimeError, OverflowError) as error:  # a place outside the file
        raise CorpusError(f"{name!r} cannot be unpacked: {error or 'it ends too early'}") from None
