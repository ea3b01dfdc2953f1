import threading

import pytest

from metalm.learn.prefetch import Ahead


def data_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("metalm-data")]


def test_every_step_gets_its_own_whatever_is_asked_for():
    with Ahead(lambda step: step * 10) as ahead:
        assert [ahead.get(step) for step in (1, 2, 3, 7, 8, 2)] == [10, 20, 30, 70, 80, 20]


def test_the_next_step_is_read_while_this_one_is_used():
    begun = threading.Event()

    def of(step):
        if step == 2:
            begun.set()
        return step

    with Ahead(of) as ahead:
        ahead.get(1)
        assert begun.wait(10)


def test_what_goes_wrong_is_raised_where_the_step_is_asked_for():
    def of(step):
        return 1 // (2 - step)

    with Ahead(of) as ahead:
        assert ahead.get(1) == 1
        with pytest.raises(ZeroDivisionError):
            ahead.get(2)


def test_no_thread_is_left_behind():
    with pytest.raises(KeyError), Ahead(lambda step: step) as ahead:  # noqa: PT012
        ahead.get(1)
        assert data_threads()
        raise KeyError

    assert not data_threads()
