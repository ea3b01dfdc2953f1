"""Corpora and splits of a home: found by name or prefix, kept while in use, cached where it costs."""

import pytest

from metalm.errors import CorpusError, InUseError, NotFoundError, SplitError


@pytest.fixture
def folder(tmp_path):
    """Two good files and one too small to be a corpus."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, line in (("good", "some words here\n"), ("better", "other words there\n")):
        (folder / f"{name}.txt").write_text(line * 200)
    (folder / "tiny.txt").write_text("x")
    return folder


def test_each_file_of_a_folder_has_its_result(home, folder):
    added = {each.corpus.name if each.corpus else None: each for each in home.add_corpus(folder)}
    assert set(added) == {"good", "better", None}
    assert added["good"].is_new
    assert isinstance(added[None].error, CorpusError)
    again = home.add_corpus(folder / "good.txt", language="English")
    assert [(each.is_new, each.corpus) for each in again] == [(False, added["good"].corpus)]


def test_a_single_bad_file_raises_and_leaves_nothing(home, folder):
    before = home.corpora(), sorted(home.corpora_dir.iterdir())
    with pytest.raises(CorpusError, match=r"tiny\.txt"):
        home.add_corpus(folder / "tiny.txt")
    assert (home.corpora(), sorted(home.corpora_dir.iterdir())) == before


def test_what_is_noted_with_a_corpus_is_kept(home, folder):
    noted = {
        "language": "English",
        "licence": "CC0",
        "source": "me",
        "groups": {"family": "Germanic", "script": "Runic"},
    }
    [added] = home.add_corpus(folder / "good.txt", **noted)
    corpus = home.corpus("good")
    assert corpus == added.corpus
    assert {key: getattr(corpus, key) for key in noted} == noted


def test_the_script_of_a_new_corpus_is_told_from_its_letters(home, tmp_path):
    words = {"Cyrillic": "река и море ", "Han": "河流和大海", "Kana and Han": "川は海へ流れる", "": "1 2 3 "}
    for script, text in words.items():
        (tmp_path / f"text {script}.txt").write_text(text * 300, encoding="utf-8")
        [added] = home.add_corpus(tmp_path / f"text {script}.txt")
        assert added.corpus.groups == ({"script": script} if script else {})


def test_what_is_known_of_a_corpus_can_be_noted_later(home):
    before = home.corpus("alpha")
    after = home.note_corpus(
        "alpha", language=" Toki ", licence="CC0", source="", family="Isolate", script=""
    )
    assert (after.language, after.licence, after.source) == ("Toki", "CC0", "")
    assert after.groups == {"family": "Isolate"}
    assert (after.name, after.sha256, after.created_at) == (before.name, before.sha256, before.created_at)
    assert home.corpus("alpha") == after


def test_reading_tells_every_byte_and_refused_files_by_their_names(home, folder):
    told = []
    results = home.add_corpus(folder, on_read=told.append)
    assert sum(told) == sum(file.stat().st_size for file in folder.iterdir())
    assert [each.name for each in results if each.error] == ["folder/tiny.txt"]


def test_a_corpus_answers_to_its_name_its_id_and_the_beginning_of_it(home):
    corpus = home.corpus("alpha")
    assert home.corpus(corpus.id) == home.corpus(corpus.id[:8]) == corpus


@pytest.mark.parametrize("ref", ["nothing", "", "alph"])
def test_a_corpus_that_is_not_there_is_named(home, ref):
    with pytest.raises(NotFoundError, match=f"no corpus {ref!r} in the home"):
        home.corpus(ref)


def test_a_prefix_of_several_names_the_candidates(home, new_run):
    runs = [new_run(name=f"run {i}") for i in range(17)]  # two ids begin alike among 17
    first = {run.id[0] for run in runs}
    digit = next(d for d in first if sum(run.id[0] == d for run in runs) > 1)
    with pytest.raises(NotFoundError, match=f"no single run '{digit}' in the home; it may be run"):
        home.run(digit)


def test_renaming_a_corpus(home):
    assert home.rename_corpus("alpha", " first ").name == "first"
    with pytest.raises(InUseError, match="'beta' must be free"):
        home.rename_corpus("first", "beta")
    with pytest.raises(CorpusError, match="must not be empty"):
        home.rename_corpus("first", "  ")


def test_a_corpus_goes_with_its_text_when_no_split_uses_it(home, folder):
    with pytest.raises(InUseError, match="splits 'small' use it"):
        home.delete_corpus("alpha")
    [added] = home.add_corpus(folder / "good.txt")
    path = home.corpus_path("good")
    assert path.exists()
    home.delete_corpus("good")
    assert not path.exists()
    assert added.corpus not in home.corpora()


def test_statistics_are_measured_once_and_kept(home):
    measured = home.statistics("alpha")
    home.corpus_path("alpha").unlink()
    assert home.statistics("alpha") == measured


def test_tasks_come_from_all_corpora_or_from_those_named(home):
    assert {task.name for task in home.tasks()} == {"alpha", "beta", "gamma", "delta"}
    assert [task.name for task in home.tasks(corpora=["beta"])] == ["beta"]
    assert len(home.tasks(by="chunks", corpora=["beta"], chunk_bytes=2000)) == 4


def test_a_split_is_frozen_once(home):
    split = home.split("small")
    roles = {member.task.id: member.role for member in split.tasks}
    assert home.freeze_split("another name", home.tasks(), roles) == split
    with pytest.raises(SplitError, match="'small' is taken"):
        home.freeze_split("small", home.tasks(), dict(list(roles.items())[:-1]))


def test_the_texts_of_a_role_are_those_of_the_files(home, tmp_path):
    for text in home.texts("small", "meta-train"):
        file = tmp_path / "texts" / f"{text.task.name}.txt"
        assert text.read(0, text.size) == file.read_bytes()


def test_an_audit_is_made_once(home):
    assert home.audit("small") is home.audit("small")


def test_one_text_read_as_two_corpora_cannot_stand_in_two_roles(home, tmp_path):
    rows = "".join(f"{kind},some words of the kind {kind} {i}\n" for kind in "ab" for i in range(100))
    for name, options in (("whole", {}), ("parts", {"group_column": "kind"})):
        (tmp_path / f"{name}.csv").write_text("kind,text\n" + rows)
        home.add_corpus(tmp_path / f"{name}.csv", text_column="text", **options)
    assert home.corpus("whole").sha256 == home.corpus("parts").sha256
    tasks = home.tasks(by="group", corpora=["whole", "parts", "alpha"])
    roles = {"whole": "meta-train", "parts/a": "meta-test", "alpha": "meta-train"}
    with pytest.raises(SplitError, match="must not share text, got 'parts/a' and 'whole'"):
        home.freeze_split("leaky", tasks, {t.id: roles[t.name] for t in tasks if t.name in roles})
