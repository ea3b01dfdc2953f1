import json

import pytest
import torch

from metalm.errors import NotFoundError, RunStateError
from metalm.learn.checkpoints import FILE_NAME, read_checkpoint, write_checkpoint

STATE = {"state": {"step": 3, "best_value": None, "seconds": 0.1}, "tasks": ["a", "b"]}
TENSORS = {"linear.bias": torch.randn(4), "optimizer/linear.bias/step": torch.tensor(3.0)}


def test_a_checkpoint_comes_back_as_it_was_written(tmp_path):
    write_checkpoint(tmp_path / "checkpoint", {"older": True}, {"w": torch.ones(2)})
    write_checkpoint(tmp_path / "checkpoint", STATE, TENSORS)

    state, tensors = read_checkpoint(tmp_path / "checkpoint")

    assert state == STATE
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensor, TENSORS[name]) for name, tensor in tensors.items())
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == [FILE_NAME]


def test_a_write_that_was_cut_off_leaves_the_checkpoint_before(tmp_path):
    write_checkpoint(tmp_path, STATE, TENSORS)
    (tmp_path / (FILE_NAME + ".new")).write_bytes(b"half a ch")

    assert read_checkpoint(tmp_path)[0] == STATE
    write_checkpoint(tmp_path, {"newer": True}, TENSORS)
    assert read_checkpoint(tmp_path)[0] == {"newer": True}


def test_its_json_can_be_read_without_torch(tmp_path):
    write_checkpoint(tmp_path, STATE, TENSORS)

    data = (tmp_path / FILE_NAME).read_bytes()

    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["state"]) == STATE


def test_no_checkpoint_is_told(tmp_path):
    with pytest.raises(NotFoundError, match=f"no checkpoint in {tmp_path}"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("data", [b"", b"pickled", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_damaged_checkpoint_is_refused(tmp_path, data):
    (tmp_path / FILE_NAME).write_bytes(data)

    with pytest.raises(RunStateError, match="must be a whole checkpoint"):
        read_checkpoint(tmp_path)
