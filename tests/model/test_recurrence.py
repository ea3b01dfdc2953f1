"""One GRU layer over time: the compiled loop, the torch loop and torch's own GRU say the same."""

import sys
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.model import gates, recurrence, replay
from metalm.model.recurrence import Inputs

# Sizes around the vector width, so that tails of every length occur.
sizes = st.tuples(*(st.integers(1, top) for top in (3, 6, 19, 40, 9)))


def drawn(generator, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=generator, dtype=dtype)


def in_torch(function, *arguments, **options):
    """Call a function of the recurrence without the compiled code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrence, "_library", lambda _like: None)
        return function(*arguments, **options)


@pytest.fixture(autouse=True)
def compiled():
    if recurrence._library(torch.zeros(1)) is None:
        pytest.skip("no C compiler here: there is one path only")


def layer(tasks, steps, texts, hidden, rows, dtype=torch.float64, seed=0):
    """(inputs, w, bias, first state) of random sizes."""
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(0, rows, (tasks, steps, texts), generator=generator)
    inputs = Inputs(drawn(generator, tasks, rows, 3 * hidden, dtype=dtype), index)
    w = drawn(generator, tasks, 3 * hidden, hidden, dtype=dtype) / hidden**0.5
    bias = drawn(generator, tasks, 3 * hidden, dtype=dtype)
    return inputs, w, bias, drawn(generator, tasks, texts, hidden, dtype=dtype)


def all_functions(tasks, steps, texts, hidden, rows, *, dtype, seed, shares=False, device="cpu"):
    """What calls every function on the same layer by `call`, and gives all that they find."""
    inputs, w, bias, first = layer(tasks, steps, texts, hidden, rows, dtype=dtype, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    above, above_dot = drawn(generator, 2, tasks, steps, texts, hidden, dtype=dtype).to(device)
    w_dot, bias_dot = (drawn(generator, *x.shape, dtype=dtype).to(device) for x in (w, bias))
    rows_dot = drawn(generator, *inputs.rows_TN3H.shape, dtype=dtype)
    w, bias, first = (x.to(device) for x in (w, bias, first))
    if shares:
        w, bias = (x[:1].expand(x.shape) for x in (w, bias))
    inputs, inputs_dot = (
        Inputs(x.to(device), inputs.index_TSR.to(device)) for x in (inputs.rows_TN3H, rows_dot)
    )

    def everything(call):
        hs, gates = call(recurrence.forward, inputs, steps, w, bias, first, keep=True)
        d = call(recurrence.backward, w, hs, gates.clone(), above)
        hs_dot, gates_dot = call(recurrence.tangent, inputs_dot, w, w_dot, bias_dot, hs, gates)
        pairs = (hs, hs_dot), (gates.clone(), gates_dot.clone()), (above, above_dot)
        both = call(recurrence.backward_tangent, w, w_dot, *pairs)
        rows_d = call(recurrence.row_derivatives, d, inputs.index_TSR, rows)
        return hs, gates, d, hs_dot, gates_dot, *both, rows_d

    return everything


@settings(max_examples=40)
@given(sizes=sizes, seed=st.integers(0, 99))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-6)])
def test_compiled_functions_equal_those_in_torch(dtype, tolerance, sizes, seed):
    everything = all_functions(*sizes, dtype=dtype, seed=seed)
    ours = everything(lambda function, *a, **k: function(*a, **k))
    for x, y in zip(ours, everything(in_torch), strict=True):
        assert (x - y).norm() <= tolerance * (1 + y.norm())


def test_states_are_those_of_torchs_gru():
    torch.manual_seed(0)
    gru = torch.nn.GRU(6, 21, batch_first=True).double()
    x = torch.randn(4, 9, 6, dtype=torch.float64)  # texts, steps, inputs
    first = torch.randn(1, 4, 21, dtype=torch.float64)
    rows = (x @ gru.weight_ih_l0.T + gru.bias_ih_l0).transpose(0, 1).reshape(1, 36, 63)
    w, bias = gru.weight_hh_l0[None].detach(), gru.bias_hh_l0[None].detach()
    hs, gates = recurrence.forward(Inputs(rows.detach(), None), 9, w, bias, first, keep=False)
    expected, last = gru(x, first)
    assert gates is None
    assert torch.allclose(hs[0, 1:].transpose(0, 1), expected, atol=1e-14)
    assert torch.allclose(hs[0, -1], last[0], atol=1e-14)


@pytest.mark.parametrize("hidden", [33, 150])
def test_a_text_does_not_depend_on_its_neighbours(hidden):
    inputs, w, bias, first = layer(1, 5, 13, hidden, 4, dtype=torch.float32)
    together, _ = recurrence.forward(inputs, 5, w, bias, first, keep=False)
    for text in range(13):
        alone = Inputs(inputs.rows_TN3H, inputs.index_TSR[:, :, text : text + 1].contiguous())
        hs, _ = recurrence.forward(alone, 5, w, bias, first[:, text : text + 1].contiguous(), keep=False)
        assert hs[:, :, 0].equal(together[:, :, text])


@settings(max_examples=40)
@given(sizes=sizes, team=st.integers(2, 5), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_a_team_of_threads_gives_the_same_bits(sizes, team, dtype):
    everything = all_functions(*sizes, dtype=dtype, seed=0)

    alone = everything(lambda function, *a, **k: function(*a, **k))
    by_team = everything(lambda function, *a, **k: function(*a, **k, team=team))
    assert all(one.equal(other) for one, other in zip(alone, by_team, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "value", [0.0, 1e-20, -1e-4, 0.3, 8.0, -30.0, 200.0, -1e30, float("inf"), -float("inf")]
)
def test_nonlinearities_are_torchs_from_the_smallest_to_the_largest(dtype, value):
    inputs = Inputs(torch.full((1, 1, 15), value, dtype=dtype), torch.zeros(1, 1, 1, dtype=torch.int64))
    w, bias, first = (torch.zeros(*shape, dtype=dtype) for shape in ((1, 15, 5), (1, 15), (1, 1, 5)))
    _, gates = recurrence.forward(inputs, 1, w, bias, first, keep=True)
    _, expected = in_torch(recurrence.forward, inputs, 1, w, bias, first, keep=True)
    tiny = torch.finfo(dtype).tiny * 1e5 if abs(value) > 80 else 0.0  # where exp underflows
    assert torch.allclose(gates, expected, rtol=4 * torch.finfo(dtype).eps, atol=tiny)


def test_a_nan_stays_a_nan_and_in_its_text():
    inputs, w, bias, first = layer(1, 3, 9, 20, 5, dtype=torch.float32)
    first[0, 4, 7] = torch.nan
    hs, _ = recurrence.forward(inputs, 3, w, bias, first, keep=False)
    assert hs[0, 1:, 4].isnan().all()
    assert hs[0, :, [0, 1, 2, 3, 5, 6, 7, 8]].isfinite().all()


@pytest.mark.gpu
@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.parametrize("sizes", [(3, 6, 8, 40, 9), (2, 5, 19, 33, 7), (4, 3, 16, 300, 5), (1, 4, 1, 16, 3)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-6)])
def test_on_cuda_each_function_finds_the_same_every_time(dtype, tolerance, sizes, shares):
    def call(function, *arguments, **options):
        return function(*arguments, **options)

    expected = all_functions(*sizes, dtype=dtype, seed=0, shares=shares)(call)
    everything = all_functions(*sizes, dtype=dtype, seed=0, shares=shares, device="cuda")
    first, *more = (everything(call) for _ in range(3))  # the first step by step, the others from recordings
    for x, y in zip(first, expected, strict=True):
        assert (x.cpu() - y).norm() <= tolerance * (1 + y.norm())
    assert all(x.equal(y) for again in more for x, y in zip(again, first, strict=True))


@pytest.mark.gpu
def test_what_a_recording_found_stays_when_it_is_played_again():
    first, other = (
        all_functions(2, 3, 4, 20, 5, dtype=torch.float32, seed=seed, device="cuda") for seed in (1, 2)
    )
    for _ in range(2):
        found = first(lambda function, *a, **k: function(*a, **k))
    copies = [x.clone() for x in found]
    other(lambda function, *a, **k: function(*a, **k))
    assert all(x.equal(y) for x, y in zip(found, copies, strict=True))


@pytest.mark.gpu
def test_where_no_room_is_left_for_recordings_nothing_is_recorded(monkeypatch):
    monkeypatch.setattr(replay, "_recordings", replay._Recordings())
    monkeypatch.setattr(replay, "_SHARE_OF_DEVICE", 1 << 62)
    everything = all_functions(2, 4, 3, 24, 5, dtype=torch.float32, seed=3, device="cuda")
    first, *more = (everything(lambda function, *a, **k: function(*a, **k)) for _ in range(3))
    assert all(x.equal(y) for again in more for x, y in zip(again, first, strict=True))
    assert len(replay._recordings) == 0


@pytest.mark.gpu
def test_recordings_not_played_lately_make_room(monkeypatch):
    monkeypatch.setattr(replay, "_recordings", replay._Recordings())
    monkeypatch.setattr(replay, "_LATELY", 12)

    def call(function, *arguments, **options):
        return function(*arguments, **options)

    for hidden in (24, 28):
        everything = all_functions(2, 4, 3, hidden, 5, dtype=torch.float32, seed=3, device="cuda")
        for _ in range(2):
            everything(call)
    assert len(replay._recordings) == 8  # four functions of two shapes
    room = replay._recordings._taken()
    total = torch.cuda.get_device_properties(0).total_memory
    monkeypatch.setattr(replay, "_SHARE_OF_DEVICE", total // room)
    everything = all_functions(2, 4, 3, 26, 5, dtype=torch.float32, seed=3, device="cuda")
    for _ in range(4):
        everything(call)
    assert replay._recordings._taken() <= room
    assert 4 <= len(replay._recordings) < 8 + 4


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 1e-20, -1e-4, 0.3, 8.0, -30.0, 200.0, -1e30, float("inf")])
def test_on_cuda_nonlinearities_are_torchs_too(dtype, value):
    parts = torch.full((1, 1, 15), value, dtype=dtype), torch.zeros(1, 1, 1, dtype=torch.int64)
    zeros = [torch.zeros(*shape, dtype=dtype) for shape in ((1, 15, 5), (1, 15), (1, 1, 5))]
    _, expected = in_torch(recurrence.forward, Inputs(*parts), 1, *zeros, keep=True)
    here = Inputs(*(x.cuda() for x in parts))
    _, gates = recurrence.forward(here, 1, *(x.cuda() for x in zeros), keep=True)
    tiny = torch.finfo(dtype).tiny * 1e5 if abs(value) > 80 else 0.0
    # exp x is 2 to the x log2 e: the rounding of the exponent, |x| eps, is the relative error of the result.
    tolerance = (8 + min(abs(value), 80)) * torch.finfo(dtype).eps
    assert torch.allclose(gates.cpu(), expected, rtol=tolerance, atol=tiny)


def test_where_triton_does_not_work_torch_does_its_part(monkeypatch, caplog):
    def no_compiler(_gates):
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setitem(sys.modules, "metalm.model.fused", SimpleNamespace(FusedGates=object))
    monkeypatch.setattr(gates, "_try_out", no_compiler)
    gates._fused.cache_clear()
    try:
        assert gates._fused() is gates.Gates
        assert "Failed to find C compiler" in caplog.text
    finally:
        gates._fused.cache_clear()
