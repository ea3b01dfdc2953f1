"""How sizes, times and counts are worded."""

from datetime import UTC, datetime, timedelta

import pytest

from metalm.dashboard import wording

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("num_bytes", "worded"),
    [(0, "0 B"), (812, "812 B"), (1234, "1.23 kB"), (299_999, "300 kB"), (12_000_000, "12 MB"), (None, "–")],
)
def test_sizes_have_a_decimal_unit(num_bytes, worded):
    assert wording.size(num_bytes) == worded


@pytest.mark.parametrize(
    ("number", "worded"),
    [(950, "950"), (12400, "12,400"), (3_100_000, "3.1 M"), (2e12, "2.0 T"), (float("nan"), "–")],
)
def test_counts_are_easy_to_read(number, worded):
    assert wording.count(number) == worded


@pytest.mark.parametrize(
    ("seconds", "worded"),
    [(8.4, "8 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (1e12, "more than a year"), (None, "–")],
)
def test_durations_have_at_most_two_units(seconds, worded):
    assert wording.duration(seconds) == worded


@pytest.mark.parametrize(
    ("before", "worded"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=2), "2 d ago"),
        (timedelta(days=30), "2026-01-01"),
    ],
)
def test_moments_are_told_by_their_distance(before, worded):
    assert wording.ago(NOW - before, NOW) == worded


def test_the_time_left_follows_from_time_and_progress():
    assert wording.eta(60, 0.25) == "3 min 0 s"
    assert wording.eta(60, 0) == "–"


def test_nouns_follow_their_number():
    assert [wording.things(n, "corpus") for n in (1, 2)] == ["1 corpus", "2 corpora"]
    assert wording.things(0, "run") == "0 runs"


def test_a_metric_that_is_missing_or_infinite_is_a_dash():
    assert [wording.number(v) for v in (None, float("inf"), 2.3456)] == ["–", "–", "2.346"]


@pytest.mark.parametrize(
    ("seconds", "worded"),
    [(0.0123, "12 ms"), (0.34, "0.34 s"), (8.12, "8.1 s"), (200, "3 min 20 s"), (None, "–")],
)
def test_short_times_keep_their_parts(seconds, worded):
    assert wording.seconds(seconds) == worded
