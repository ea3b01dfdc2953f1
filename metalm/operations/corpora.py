"""Operations on texts: add, list, show, delete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalm.errors import CorpusError

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.manager import JobManager
    from metalm.text.corpora import Corpus

Line = dict[str, Any]


def add(home: Home, _jobs: JobManager, *, paths: Sequence[str], **options: Any) -> Iterator[Line]:
    """A line a file: `event` is added, known (its text was there) or refused (with `error`).

    options: name, encoding, text_column, group_column, language, licence and source of `Home.add_corpus`.
    Raises CorpusError at the end when files were refused, at once when it is the only one.
    """
    refused = []
    for path in paths:
        try:
            results = home.add_corpus(Path(path), **options)
        except CorpusError as error:
            if len(paths) == 1:
                raise
            refused.append(path)
            yield {"event": "refused", "file": path, "error": str(error)}
            continue
        for result in results:
            if result.corpus is None:
                refused.append(result.name)
                yield {"event": "refused", "file": result.name, "error": str(result.error)}
            else:
                event = "added" if result.is_new else "known"
                yield {"event": event, "file": result.name, **_line(result.corpus)}
    if refused:
        raise CorpusError(f"files refused: {len(refused)}, the first was {refused[0]!r}")


def listing(home: Home, _jobs: JobManager) -> Iterator[Line]:
    """A line a corpus, by name."""
    for corpus in home.corpora():
        yield _line(corpus)


def show(home: Home, _jobs: JobManager, *, corpus: str) -> Iterator[Line]:
    """One line: the corpus and what its statistics say."""
    found = home.corpus(corpus)
    statistics = asdict(home.statistics(found.id))
    del statistics["zipf"]  # the points of a plot
    yield {**_line(found), "groups": found.groups, **statistics}


def delete(home: Home, _jobs: JobManager, *, corpus: str) -> Iterator[Line]:
    """One line. InUseError while a split uses the corpus."""
    found = home.corpus(corpus)
    home.delete_corpus(found.id)
    yield {"event": "deleted", "id": found.id, "name": found.name}


def _line(corpus: Corpus) -> Line:
    return {
        "id": corpus.id,
        "name": corpus.name,
        "bytes": corpus.bytes,
        "chars": corpus.chars,
        "lines": corpus.lines,
        "encoding": corpus.encoding,
        "language": corpus.language,
        "licence": corpus.licence,
        "source": corpus.source,
    }
