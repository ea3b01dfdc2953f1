"""The shipped corpora are what their metadata says, and the shipped splits keep the rules of splits."""

from collections import Counter
from dataclasses import replace

import pytest

from metalm.text.ingest import ingest
from metalm.text.samples import SAMPLE_SPLITS, SAMPLES_DIR, sample_corpora
from metalm.text.splits import freeze
from metalm.text.statistics import describe
from metalm.text.tasks import tasks_of


@pytest.fixture(scope="module")
def corpora():
    return {corpus.name: corpus for _, corpus in sample_corpora()}


def frozen(sample, corpora):
    """A shipped split as the home will freeze it."""
    tasks = tasks_of([corpora[name] for name in sample.roles], by="corpus")
    roles = {task.id: sample.roles[task.name] for task in tasks}
    return freeze(sample.name, tasks, roles, family=sample.family, fold=sample.fold, folds=sample.folds)


def test_every_shipped_file_has_its_metadata(corpora):
    files = sorted(path.stem for path in SAMPLES_DIR.glob("*/*.txt"))
    assert files == sorted(corpora)
    kinds = Counter(corpus.groups["kind"] for corpus in corpora.values())
    assert kinds == {"language": 36, "domain": 11}
    assert all(corpus.licence and corpus.source and corpus.language for corpus in corpora.values())
    assert len({corpus.id for corpus in corpora.values()}) == 47


def test_metadata_is_what_reading_the_file_gives(tmp_path):
    for path, corpus in sample_corpora():
        read = next(ingest(path, tmp_path)).corpus
        known = {
            key: getattr(corpus, key) for key in ("language", "licence", "source", "groups", "created_at")
        }
        assert replace(read, **known) == corpus
        assert (tmp_path / f"{corpus.id}.txt").read_bytes() == path.read_bytes()


def test_licences_are_those_of_the_licence_file(corpora):
    told = (SAMPLES_DIR / "LICENSES.md").read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in told.splitlines()
        if line.startswith("|")
    ]
    table = {name: (source, licence) for name, source, licence in rows[2:]}
    domains = {c.name: (c.source, c.licence) for c in corpora.values() if c.groups["kind"] == "domain"}
    assert domains == table
    assert {c.licence for c in corpora.values() if c.groups["kind"] == "language"} == {"CC-BY-SA-3.0"}


def test_named_script_is_the_one_that_the_text_is_in():
    for path, corpus in sample_corpora():
        if corpus.groups["kind"] == "language" and corpus.name != "ja":
            assert next(iter(describe(path).scripts)) == corpus.groups["script"], corpus.name


def test_relatives_of_the_licence_file_are_kept_together(corpora):
    for names in ("sr sr-Latn hr", "nb da sv", "gl es ca pt-BR", "python_source python_docs_rst"):
        assert len({corpora[name].groups["relatives"] for name in names.split()}) == 1
    assert "relatives" not in corpora["hu"].groups


@pytest.mark.parametrize("sample", SAMPLE_SPLITS, ids=lambda sample: sample.name)
def test_shipped_split_can_be_frozen(sample, corpora):
    split = frozen(sample, corpora)
    kind = "language" if sample.family == "languages" else "domain"
    assert {task.task.groups["kind"] for task in split.tasks} == {kind}
    assert len(split.tasks) == len(sample.roles) == (36 if kind == "language" else 11)
    assert len(split.of_role("meta-validation")) >= 2


def test_languages_has_near_and_far_tasks_in_many_scripts(corpora):
    split = frozen(SAMPLE_SPLITS[0], corpora)
    near = {t.task.name: t.near for t in split.tasks if t.role == "meta-test"}
    assert near == {
        **dict.fromkeys(["hu", "id", "ru", "uk"], True),
        **dict.fromkeys(["el", "ko", "ta", "te"], False),
    }
    assert len({corpora[name].groups["script"] for name in near}) == 6
    train = [task.groups for task in split.of_role("meta-train")]
    known = {groups["family"] for groups in train} | {groups["script"] for groups in train}
    unlike = [
        task.name
        for task in split.of_role("meta-validation")
        if not {task.groups["family"], task.groups["script"]} & known
    ]
    assert unlike == ["ja"]


def test_domains_are_in_meta_test_of_one_fold_each_near_and_far_in_each_fold(corpora):
    folds = [frozen(sample, corpora) for sample in SAMPLE_SPLITS[1:]]
    assert [split.name for split in folds] == ["domains", "domains-fold2", "domains-fold3", "domains-fold4"]
    assert [(split.family, split.fold, split.folds) for split in folds] == [
        ("domains", i, 4) for i in (1, 2, 3, 4)
    ]
    tested = Counter(task.name for split in folds for task in split.of_role("meta-test"))
    assert tested == {corpus.name: 1 for corpus in corpora.values() if corpus.groups["kind"] == "domain"}
    for split in folds:
        assert len(split.of_role("meta-validation")) == 2
        marks = [task.near for task in split.tasks if task.role == "meta-test"]
        assert marks.count(False) == 1
        assert marks.count(True) >= 1
