from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.text.fingerprints import GRAM, MIN_LINE, Fingerprints, examples, fingerprints

lines_of_few_words = st.lists(
    st.lists(st.sampled_from(["to", "be", "Or", "not", "漢", "字漢"]), max_size=30).map(" ".join), max_size=12
)


def runs_of(text):
    """All runs of 13 words by the plainest means: set each Han character apart, then take slices."""
    apart = text.lower().replace("漢", " 漢 ").replace("字", " 字 ").split()
    return [tuple(apart[i : i + GRAM]) for i in range(len(apart) - GRAM + 1)]


def summary(prints: Fingerprints):
    """How often each unit occurs, by the place where it first does."""
    return dict(zip(prints.first.tolist(), prints.counts.tolist(), strict=True))


def expected(units):
    return {units.index(unit): count for unit, count in Counter(units).items()}


@given(lines=lines_of_few_words)
@settings(max_examples=200)
def test_fingerprints_count_the_runs_and_lines_of_a_text(task_text, lines):
    text = task_text("\n".join(lines))
    runs = fingerprints(text, "13-grams", 0, text.size)
    assert summary(runs) == expected(runs_of("\n".join(lines)))
    whole = fingerprints(text, "lines", 0, text.size)
    assert summary(whole) == expected([line for line in lines if len(line) >= MIN_LINE])
    assert (runs.hashes[1:] > runs.hashes[:-1]).all()


def test_runs_reach_from_one_piece_of_a_large_text_into_the_next(task_text):
    words = [f"word{i}" for i in range(250_000)]
    text = task_text("\n".join(words))
    assert len(list(text.pieces(0, text.size))) > 1
    runs = fingerprints(text, "13-grams", 0, text.size)
    assert runs.total == len(runs.hashes) == len(words) - GRAM + 1
    last = int(runs.first.max())
    found = examples(text, "13-grams", 0, text.size, [0, last])
    assert found == {0: " ".join(words[:GRAM]), last: " ".join(words[-GRAM:])}


def test_a_sample_holds_the_same_units_of_every_text(task_text):
    words = [f"word{i}" for i in range(4000)]
    whole, part = task_text(" ".join(words)), task_text(" ".join(words[1000:3000]))
    full = fingerprints(part, "13-grams", 0, part.size)
    sampled = fingerprints(part, "13-grams", 0, part.size, every=8)
    assert sampled.total == pytest.approx(full.total / 8, rel=0.25)
    assert set(sampled.hashes) <= set(fingerprints(whole, "13-grams", 0, whole.size, every=8).hashes)
