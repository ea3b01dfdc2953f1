"""Work in parts changes nothing about how many threads torch uses elsewhere, and an error waits for all."""

import threading

import pytest
import torch

from metalm.model.threads import each, pool, use_threads


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    use_threads(2)
    yield
    use_threads(before)


def threads_of_a_new_thread():
    """What torch uses in a thread that has not used it before."""
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("threads", [2, 5])
def test_a_thread_that_begins_meanwhile_uses_torch_as_before(threads):
    seen = each(lambda _: threads_of_a_new_thread(), range(6), threads)

    assert seen == [2] * 6
    assert threads_of_a_new_thread() == torch.get_num_threads() == 2


def test_each_part_uses_one_torch_thread():
    assert each(lambda _: torch.get_num_threads(), range(8), 2) == [1] * 8


def test_a_number_once_set_stays_whatever_others_set():
    found, is_set, may_go_on = [], threading.Event(), threading.Event()

    def work():
        use_threads(2)
        is_set.set()
        may_go_on.wait()
        found.append(torch.get_num_threads())

    thread = threading.Thread(target=work)
    thread.start()
    is_set.wait()
    use_threads(3)
    may_go_on.set()
    thread.join()
    assert found == [2]


def test_what_one_part_raises_comes_when_all_have_ended():
    ended, is_slow = [], threading.Event()

    def work(number):
        if number == 0:
            raise ValueError("broken")
        is_slow.wait(0.2)
        ended.append(number)

    with pytest.raises(ValueError, match="broken"):
        each(work, range(3), 2)
    assert ended == [1, 2]


def test_threads_of_a_number_are_made_once():
    assert pool(2) is pool(2)
