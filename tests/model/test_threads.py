"""Work in parts changes nothing about how many threads torch uses elsewhere, and an error waits for all."""

import threading

import pytest
import torch

from metalm.model import native, recurrence
from metalm.model.recurrence import Inputs
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


def starting_only(count, monkeypatch):
    """From now on so many threads start, then none does."""
    start, left = threading.Thread.start, [count]

    def limited(thread):
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)


def test_a_pool_whose_threads_cannot_all_start_leaves_none_that_waits(monkeypatch):
    before = set(threading.enumerate())
    starting_only(2, monkeypatch)
    with pytest.raises(RuntimeError, match="can't start"):
        each(lambda item: item, range(7), 7)
    monkeypatch.undo()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
    assert torch.get_num_threads() == 2
    assert each(lambda item: item, range(7), 7) == list(range(7))


@pytest.mark.parametrize("count", [0, 1])
def test_a_team_that_cannot_start_leaves_no_member_at_work(monkeypatch, count):
    if native.library(torch.float32) is None:
        pytest.skip("no C compiler here")
    w, bias, first = torch.randn(1, 600, 200), torch.randn(1, 600), torch.zeros(1, 4, 200)
    inputs = Inputs(torch.randn(1, 4 * 300, 600), None)
    starting_only(count, monkeypatch)
    with pytest.raises(RuntimeError, match="can't start"):
        recurrence.forward(inputs, 300, w, bias, first, keep=False, team=3)
    assert not [thread for thread in threading.enumerate() if thread.name == "team"]
    monkeypatch.undo()
    alone, shared = (recurrence.forward(inputs, 300, w, bias, first, keep=False, team=n)[0] for n in (1, 3))
    assert alone.equal(shared)


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
