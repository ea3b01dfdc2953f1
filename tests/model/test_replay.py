"""Which calls are recorded and for how long; that recordings find the same: `gpu` tests of the recurrence."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from metalm.model import replay

ROOM = 8_000  # bytes for recordings


class Copied:
    """A recording that was made without a GPU: it calls the function."""

    num_bytes = 2_000

    def __init__(self, function, tensors, numbers):
        if len(tensors[0]) == 13:
            raise torch.cuda.OutOfMemoryError("no room on the device")
        self._call = lambda now: function(*now, *numbers)

    def play(self, tensors):
        PLAYED.append(len(tensors[0]))
        return self._call(tensors)


PLAYED: list[int] = []


@pytest.fixture(autouse=True)
def recordings(monkeypatch):
    properties = SimpleNamespace(total_memory=ROOM * replay._SHARE_OF_DEVICE)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: properties)
    monkeypatch.setattr(torch.cuda, "device_of", lambda _tensor: nullcontext())
    monkeypatch.setattr(replay, "_Recording", Copied)
    monkeypatch.setattr(replay, "_recordings", replay._Recordings())
    PLAYED.clear()
    return replay._recordings


def plus(x, number):
    return (x + number,)


def call(size, number=1):
    x = torch.arange(size, dtype=torch.float32)
    assert replay.replay(plus, (x,), number)[0].equal(x + number)


def test_a_shape_is_recorded_the_second_time_and_numbers_are_part_of_it(recordings):
    call(3)
    call(4)
    call(3, number=2)
    assert not PLAYED
    call(3)
    call(3)
    assert PLAYED == [3, 3]
    assert len(recordings) == 1


def test_recordings_in_use_stay_and_a_new_one_is_not_made_without_room(recordings):
    for _ in range(3):
        for size in range(3, 10):
            call(size)
    assert set(PLAYED) == {3, 4, 5, 6}  # four of 2,000 bytes
    assert recordings._taken() == ROOM


def test_what_was_not_played_lately_makes_room(recordings, monkeypatch):
    monkeypatch.setattr(replay, "_LATELY", 6)
    for size in (3, 4, 5, 6, 3, 4, 5, 6):
        call(size)
    assert len(recordings) == 4
    for _ in range(8):
        call(8)
    assert 8 in PLAYED
    assert len(recordings) == 4  # the oldest has gone, and no more than that


def test_where_the_device_has_no_room_the_function_is_called(recordings):
    for _ in range(3):
        call(13)
    assert not PLAYED
    assert len(recordings) == 0
