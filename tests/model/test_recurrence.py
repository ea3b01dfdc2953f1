"""One GRU layer over time: the compiled loop, the torch loop and torch's own GRU say the same."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.model import recurrence
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


def all_functions(tasks, steps, texts, hidden, rows, *, dtype, seed):
    """What calls every function on the same layer by `call`, and gives all that they find."""
    inputs, w, bias, first = layer(tasks, steps, texts, hidden, rows, dtype=dtype, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    above, above_dot = drawn(generator, 2, tasks, steps, texts, hidden, dtype=dtype)
    w_dot, bias_dot = (drawn(generator, *x.shape, dtype=dtype) for x in (w, bias))
    inputs_dot = Inputs(drawn(generator, *inputs.rows_TN3H.shape, dtype=dtype), inputs.index_TSR)

    def everything(call):
        hs, gates = call(recurrence.forward, inputs, steps, w, bias, first, keep=True)
        d = call(recurrence.backward, w, hs, gates.clone(), above)
        hs_dot, gates_dot = call(recurrence.tangent, inputs_dot, w, w_dot, bias_dot, hs, gates)
        pairs = (hs, hs_dot), (gates.clone(), gates_dot.clone()), (above, above_dot)
        both = call(recurrence.backward_tangent, w, w_dot, *pairs)
        rows_d = call(recurrence.row_derivatives, d, inputs.index_TSR, rows)
        return hs, gates, d, hs_dot, gates_dot, *both, rows_d

    return everything


@settings(deadline=None, max_examples=40)
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


@settings(deadline=None, max_examples=40)
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
