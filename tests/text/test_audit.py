import random

import numpy as np
import pytest

from metalm.text import audit as audit_module
from metalm.text.audit import COLUMNS, audit
from metalm.text.splits import ROLES, freeze

ALPHABETS = {
    "latin": "abcdefghijklmnopqrstuvwxyz",
    "greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "tamil": "கஙசஞடணதநபமயரலவழளறன",
    "han": "".join(map(chr, range(0x4E00, 0x4E00 + 800))),
}
LINE = "this very sentence stands in two of the texts"


def prose(seed, *, alphabet="latin", lines=300):
    """Lines of random words: two seeds share nothing long."""
    rng = random.Random(seed)
    letters, space = ALPHABETS[alphabet], "" if alphabet == "han" else " "
    words = ("".join(rng.choices(letters, k=rng.randint(3, 8))) for _ in range(lines * 8))
    return [space.join(next(words) for _ in range(8)) for _ in range(lines)]


@pytest.fixture
def audited(task_text):
    """A function: the audit of a text in each of the three roles, given as its lines."""

    def run(train, validation, test, **options):
        texts = {
            role: task_text("\n".join(lines) + "\n", role.removeprefix("meta-"))
            for role, lines in zip(ROLES, (train, validation, test), strict=True)
        }
        split = freeze("three", [t.task for t in texts.values()], {t.task.id: r for r, t in texts.items()})
        return audit(split, {t.task.id: t for t in texts.values()}, **options)

    return run


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_audit_finds_nothing_in_texts_that_share_nothing(audited, alphabet):
    found = audited(*(prose(seed, alphabet=alphabet) for seed in range(3)))
    assert found.rows.empty
    assert list(found.rows.columns) == COLUMNS
    for kind in ("lines", "13-grams"):
        assert not found.tasks[kind].to_numpy().any()
        assert np.nansum(found.roles[kind].to_numpy()) == 0


def test_audit_finds_a_line_that_two_roles_share(audited):
    train, validation, test = (prose(seed) for seed in range(3))
    train[10] = f"  {LINE}"
    test[20] = test[30] = LINE
    found = audited(train, validation, test)
    (row,) = found.rows.to_dict("records")
    assert (row["kind"], row["left"], row["right"]) == ("lines", "train", "test")
    assert (row["left_role"], row["right_role"]) == ("meta-train", "meta-test")
    assert (row["shared"], row["total"], row["share"]) == (2, 300, 2 / 300)
    assert row["example"] == LINE
    assert found.tasks["lines"].loc["train", "test"] == 2 / 300
    assert found.tasks["lines"].loc["test", "train"] == 1 / 300
    assert found.roles["lines"].loc["meta-train", "meta-test"] == 2 / 300
    assert np.isnan(found.roles["lines"].loc["meta-test", "meta-test"])


def test_audit_leaves_short_lines_out(audited):
    train, validation, test = (prose(seed) for seed in range(3))
    train[10] = test[20] = "chapter the third"
    assert audited(train, validation, test).rows.empty


def test_audit_finds_thirteen_words_in_other_lines_and_case(audited):
    train, validation, test = (prose(seed) for seed in range(3))
    words = [f"word{i}" for i in range(13)]
    train[10] = "Before " + " ".join(words) + " after"
    validation[50] = "and " + " ".join(words[:6]).upper()
    validation[51] = " ".join(words[6:]) + " but"
    test[20] = " ".join(words[:12])
    found = audited(train, validation, test)
    (row,) = found.rows.to_dict("records")
    assert (row["kind"], row["left"], row["right"]) == ("13-grams", "train", "validation")
    assert row["shared"] == 1
    assert row["example"] == " ".join(words)


def test_audit_counts_characters_where_words_are_not_spaced(audited):
    train, validation, test = (prose(seed, alphabet="han") for seed in range(3))
    train[10] = train[10][:5] + "春眠不覚暁処処聞啼鳥夜来風雨声" + train[10][5:]
    test[20] = "春眠不覚暁処処聞啼鳥夜来風" + test[20]
    found = audited(train, validation, test)
    (row,) = found.rows.to_dict("records")
    assert (row["kind"], row["shared"], row["example"]) == ("13-grams", 1, "春眠不覚暁処処聞啼鳥夜来風")


def test_audit_compares_the_support_set_of_a_task_with_its_query_set(audited):
    train, validation, test = (prose(seed) for seed in range(3))
    test[5] = test[-1] = LINE
    found = audited(train, validation, test)
    (row,) = found.rows.to_dict("records")
    assert (row["kind"], row["left"], row["right"]) == ("lines", "test", "test")
    assert row["shared"] == 1
    assert found.tasks["lines"].loc["test", "test"] == row["share"] == 1 / row["total"]


def test_audit_lists_the_worst_first(audited):
    train, validation, test = (prose(seed) for seed in range(3))
    train[:60] = test[100:160] = prose("shared by train and test", lines=60)
    train[60:90] = validation[100:130] = prose("shared by train and validation", lines=30)
    found = audited(train, validation, test)
    assert found.rows["share"].is_monotonic_decreasing
    assert found.rows.iloc[0]["right"] == "test"
    assert set(found.rows["kind"]) == {"lines", "13-grams"}
    assert found.rows.query("kind == 'lines'")["shared"].tolist() == [60, 30]


def test_audit_of_a_long_line_shows_its_beginning(audited):
    train, validation, test = (prose(seed) for seed in range(3))
    train[10] = test[20] = "long " * 1000
    assert max(map(len, audited(train, validation, test).rows["example"])) == audit_module.EXAMPLE_CHARACTERS


def test_audit_of_a_large_split_samples_and_finds_the_share(audited, monkeypatch):
    train, validation, test = (prose(seed, lines=2000) for seed in range(3))
    test[:1000] = train[:1000]
    exact = audited(train, validation, test)
    monkeypatch.setattr(audit_module, "MAX_BYTES", 40_000)
    sampled = audited(train, validation, test)
    assert exact.every == 1
    assert sampled.every > 5
    for kind in ("lines", "13-grams"):
        assert sampled.tasks[kind].loc["train", "test"] == pytest.approx(0.5, abs=0.1)
        assert (
            sampled.rows.query("kind == @kind")["total"].max()
            < exact.rows.query("kind == @kind")["total"].max()
        )


def test_audit_reports_its_progress_up_to_one(audited):
    shares = []
    audited(*(prose(seed) for seed in range(3)), on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert len(shares) == 6
