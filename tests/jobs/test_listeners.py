"""What a job says reaches everyone who listens, once and in order."""

import threading

from metalm.jobs.listeners import Ended, Listener, Listeners


def never():
    return False


def test_a_listener_hears_everything_in_order_up_to_the_end():
    listener = Listener()
    for item in (1, 2, Ended("finished"), 3):
        listener.say(item)
    assert list(listener.heard(never)) == [1, 2, Ended("finished")]


def test_a_listener_gives_signs_of_life_while_nothing_is_said():
    listener = Listener()
    heard = listener.heard(never)
    assert next(heard) is None
    listener.say("late")
    assert next(item for item in heard if item is not None) == "late"


def test_a_listener_leaves_when_nothing_will_be_said_any_more_but_not_before_it_heard_all():
    listener = Listener()
    listener.say("first")
    assert list(listener.heard(lambda: True)) == ["first"]


def test_all_listeners_of_a_job_hear_it_and_no_other_job():
    listeners = Listeners()
    left, right, other = Listener(), Listener(), Listener()
    for job_id, listener in (("a", left), ("a", right), ("b", other)):
        listeners.add(job_id, listener)
    listeners.tell("a", "hello")
    listeners.tell("a", Ended("finished"))
    assert list(left.heard(never)) == list(right.heard(never)) == ["hello", Ended("finished")]
    assert list(other.heard(lambda: True)) == []


def test_nobody_hears_what_is_said_after_the_end():
    listeners, listener = Listeners(), Listener()
    listeners.add("a", listener)
    listeners.tell("a", Ended("finished"))
    listeners.tell("a", "again")
    assert list(listener.heard(lambda: True)) == [Ended("finished")]


def test_many_threads_may_speak_at_once():
    listeners, listener = Listeners(), Listener()
    listeners.add("a", listener)
    speakers = [
        threading.Thread(target=lambda: [listeners.tell("a", "word") for _ in range(200)]) for _ in range(5)
    ]
    for speaker in speakers:
        speaker.start()
    for speaker in speakers:
        speaker.join()
    listeners.tell("a", Ended("finished"))
    assert sum(item == "word" for item in listener.heard(never)) == 1000
