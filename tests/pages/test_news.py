"""What a toast says of work that has ended; whether it comes at all is tried in a real browser."""

import pytest

from metalm.dashboard import news
from metalm.jobs.endings import Ending
from metalm.studies import kept


def ending(kind: str, subjects: list[str], status: str = "finished", **others: str) -> Ending:
    return Ending(number=1, kind=kind, status=status, subjects=tuple(subjects), **others)


def test_a_finished_run_is_told_with_its_score(finished):
    told = news.words(ending("training", [finished.id]))
    assert told == f"**good** has finished: {finished.tuned_value:.3f} bits per byte after adaptation."


def test_a_stopped_run_is_told_without(finished):
    assert news.words(ending("training", [finished.id], "cancelled")) == (
        "**good** has stopped; what was done is kept."
    )


def test_a_failure_says_why_in_one_plain_line(failed):
    told = news.words(ending("training", [failed.id], "failed", error="no text of 'a*b'\nand more."))
    assert told == "**bad** failed: no text of 'a\\*b'."
    assert "its page says why" in news.words(ending("training", [failed.id], "failed"))


@pytest.mark.usefixtures("home")
def test_what_was_deleted_meanwhile_has_no_name():
    assert news.words(ending("training", ["gone"])) == "A run that was deleted has finished."
    assert "**that was deleted**" in news.words(ending("study", ["gone"]))
    assert "**a deleted run**" in news.words(ending("evaluation", ["gone"]))


def test_an_evaluation_names_its_runs_three_at_most(finished):
    assert "**good**" in news.words(ending("evaluation", [finished.id]))
    many = news.words(ending("evaluation", [finished.id] * 5))
    assert many.startswith("The evaluation of **good, good, good and 2 more**")


def test_a_study_and_a_demo_are_told_by_their_names(home, split):
    study = kept.begin(home, "speed", {"split": split.name}, name="how fast")
    assert news.words(ending("study", [study.id])) == (
        "The study **how fast** is done: its report stands on Studies."
    )
    told = news.words(ending("demo", ["record"], name="ett, två"))
    assert told == "The demo of **ett, två** is done, and kept on Adapt."


@pytest.mark.parametrize("status", ["finished", "cancelled", "failed"])
def test_every_end_has_a_sign(status):
    assert news._ICONS[status].startswith(":material/")
