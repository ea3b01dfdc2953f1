"""What has ended: numbered, told once a reader, and never to one who came later."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from metalm.jobs.demo import DemoRequest, Writing
from metalm.jobs.endings import Endings


def ended(num: int) -> Endings:
    endings = Endings()
    for i in range(num):
        endings.add("training", "finished", [f"run {i}"])
    return endings


def test_what_ended_before_a_page_was_opened_is_no_news():
    endings = ended(3)
    assert endings.untold("me", endings.last) == []


def test_of_two_tabs_one_is_told():
    endings = ended(2)
    assert [one.subjects for one in endings.untold("me", 0)] == [("run 0",), ("run 1",)]
    assert endings.untold("me", 0) == []


def test_each_reader_is_told():
    endings = ended(1)
    assert endings.untold("me", 0) == endings.untold("you", 0) != []


def test_an_error_and_a_name_are_kept():
    endings = Endings()
    endings.add("demo", "failed", ["a", "b"], error="no weights", name="a poem")
    [one] = endings.untold("me", 0)
    assert (one.kind, one.status, one.subjects) == ("demo", "failed", ("a", "b"))
    assert (one.error, one.name, one.number) == ("no weights", "a poem", 1)


def test_who_was_away_for_long_is_told_of_the_latest():
    endings = ended(150)
    told = endings.untold("me", 0)
    assert [told[0].number, told[-1].number] == [51, 150]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["me", "you"])), max_size=60))
def test_whatever_the_order_everything_is_told_exactly_once(moves):
    endings, heard = Endings(), {"me": [], "you": []}
    for ends, reader in moves:
        if ends:
            endings.add("evaluation", "finished", ["r"])
        else:
            heard[reader] += [one.number for one in endings.untold(reader, 0)]
    for reader, numbers in heard.items():
        numbers += [one.number for one in endings.untold(reader, 0)]
        assert numbers == list(range(1, endings.last + 1))


def test_a_run_that_was_trained_is_news(jobs, new_run, wait_until):
    run = new_run(steps=1)
    jobs.train(run.id)
    jobs.start()
    wait_until(lambda: jobs.endings.last == 1, "the run has ended")
    [ending] = jobs.endings.untold("me", 0)
    assert (ending.kind, ending.status, ending.subjects) == ("training", "finished", (run.id,))


def test_an_evaluation_that_fails_is_news_and_says_why(jobs, new_run, wait_until):
    run = new_run(steps=1)  # it was never trained
    jobs.evaluate([run.id])
    jobs.start()
    wait_until(lambda: jobs.endings.last == 1, "the evaluation has ended")
    [ending] = jobs.endings.untold("me", 0)
    assert (ending.kind, ending.status, ending.subjects) == ("evaluation", "failed", (run.id,))
    assert ending.error


def test_a_demo_is_news_under_the_name_of_its_text(home, jobs, new_run):
    run = home.train(new_run(steps=1).id)
    text = "süß und bunt ".encode() * 20
    asked = DemoRequest(
        name="verse", support=text, query=text, runs=(run.id,), steps=1, writing=Writing(num_bytes=0)
    )
    demo = jobs.demos.begin(asked)
    demo.wait()
    [ending] = jobs.endings.untold("me", 0)
    assert (ending.kind, ending.status, ending.name) == ("demo", "finished", "verse")
    assert ending.subjects == (demo.parts[0].record_id,)


def test_a_demo_in_which_every_run_failed_has_failed(jobs, new_run):
    run = new_run(steps=1)  # it has no weights
    text = "süß und bunt ".encode() * 20
    jobs.demos.begin(DemoRequest(name="verse", support=text, query=text, runs=(run.id,))).wait()
    [ending] = jobs.endings.untold("me", 0)
    assert ending.status == "failed"
    assert ending.error
