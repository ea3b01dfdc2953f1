"""The corpora of a home: from files to stored texts, and what is known about each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from metalm.errors import CorpusError
from metalm.home.place import Place, resolve
from metalm.text.corpora import Corpus, corpus_path
from metalm.text.ingest import ingest
from metalm.text.scripts import main_script
from metalm.text.statistics import Statistics, describe

SCRIPT_BYTES = 1 << 18  # of a new text's beginning: enough to tell the script that it is written in


@dataclass(frozen=True, kw_only=True)
class Added:
    """What became of one file: a corpus, new or known, or the error that says why it is none."""

    name: str
    corpus: Corpus | None = None
    error: CorpusError | None = None
    is_new: bool = False


class Texts(Place):
    """The part of a home that keeps corpora. `ref` is a corpus's id, its name, or the beginning of its id."""

    def add_corpus(
        self,
        path: Path,
        *,
        name: str | None = None,
        encoding: str = "auto",
        text_column: str | None = None,
        group_column: str | None = None,
        language: str = "",
        licence: str = "",
        source: str = "",
        groups: Mapping[str, str] | None = None,
        on_read: Callable[[int], None] = lambda _: None,
    ) -> list[Added]:
        """A corpus of every file at a path (a file, a .zip, a folder), or why it is none, file by file.

        The options of reading are those of `metalm.text.ingest`; the rest is noted with each new corpus. Its
        group "script" is told from its letters, unless `groups` has one: it makes tasks near or far.
        Raises CorpusError when it is a single file and unfit, or when nothing can be read at all.
        """
        noted = {"language": language, "licence": licence, "source": source}
        options = {"encoding": encoding, "text_column": text_column, "group_column": group_column}
        results = []
        for found in ingest(Path(path), self.corpora_dir, name=name, on_read=on_read, **options):
            if isinstance(found, CorpusError):
                results.append(Added(name=found.file or name or Path(path).name, error=found))
                continue
            known = {corpus.id for corpus in self.store.corpora.all()}
            kinds = {**_script(found.path), **(groups or {})}
            [corpus] = self.store.corpora.add(replace(found.corpus, **noted, groups=kinds))
            results.append(Added(name=found.file, corpus=corpus, is_new=corpus.id not in known))
        return results

    def corpora(self) -> list[Corpus]:
        """Every corpus, by name."""
        return self.store.corpora.all()

    def corpus(self, ref: str) -> Corpus:
        """One corpus. Raises NotFoundError."""
        corpora = {corpus.id: corpus for corpus in self.store.corpora.all()}
        return corpora[resolve("corpus", ref, ((c.id, c.name) for c in corpora.values()))]

    def corpus_path(self, ref: str) -> Path:
        """The stored text of a corpus."""
        return corpus_path(self.corpora_dir, self.corpus(ref).id)

    def rename_corpus(self, ref: str, name: str) -> Corpus:
        """Gives a corpus another name. InUseError when another has it, CorpusError when it is empty."""
        corpus = self.corpus(ref)
        if not name.strip():
            raise CorpusError(f"the name of a corpus must not be empty, got {name!r}")
        self.store.corpora.rename(corpus.id, name.strip())
        return self.store.corpora.get(corpus.id)

    def note_corpus(self, ref: str, *, language: str, licence: str, source: str, **groups: str) -> Corpus:
        """Notes what is known about a corpus; `groups`, its family and script say, are set, or removed by "".

        Splits that are frozen keep the groups, and so the near and far marks, that they were frozen with.
        """
        corpus = self.corpus(ref)
        kept = {key: value.strip() for key, value in {**corpus.groups, **groups}.items() if value.strip()}
        facts = {"language": language.strip(), "licence": licence.strip(), "source": source.strip()}
        self.store.corpora.note(replace(corpus, **facts, groups=kept))
        return self.store.corpora.get(corpus.id)

    def delete_corpus(self, ref: str) -> None:
        """Deletes a corpus with its text. Raises InUseError, naming the splits, while one uses it."""
        corpus = self.corpus(ref)
        self.store.corpora.delete(corpus.id)
        corpus_path(self.corpora_dir, corpus.id).unlink(missing_ok=True)
        for task_id in self.store.splits.task_ids_of(corpus.id):
            for tokens in self.tokens_dir.glob(f"{task_id}-*"):
                tokens.unlink(missing_ok=True)

    def is_described(self, ref: str) -> bool:
        """Whether the statistics of a corpus are at hand; else its text must be read."""
        return self.store.corpora.statistics(self.corpus(ref).id) is not None

    def statistics(self, ref: str, *, on_progress: Callable[[float], None] = lambda _: None) -> Statistics:
        """What a corpus's text looks like: measured once, while `on_progress` hears the share, and kept."""
        corpus = self.corpus(ref)
        kept = self.store.corpora.statistics(corpus.id)
        if kept is None:
            statistics = describe(corpus_path(self.corpora_dir, corpus.id), on_progress=on_progress)
            self.store.corpora.keep_statistics(corpus.id, asdict(statistics))
            return statistics
        pairs = {key: [tuple(pair) for pair in kept[key]] for key in ("top_characters", "top_words")}
        return Statistics(**{**kept, **pairs})


def _script(path: Path) -> dict[str, str]:
    """The group "script" of a stored text; none when there is no letter at its beginning."""
    with path.open("rb") as file:
        found = main_script(file.read(SCRIPT_BYTES).decode(errors="ignore"))
    return {"script": found} if found else {}
