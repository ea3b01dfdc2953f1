import torch

from metalm.model.task_weights import of_task, of_tasks, shared, side_by_side

WEIGHTS = [{"w": torch.randn(2, 3), "b": torch.randn(3)} for _ in range(4)]


def test_each_task_has_its_own_weights():
    beside = side_by_side(WEIGHTS)

    for task, weights in enumerate(WEIGHTS):
        assert all(torch.equal(of_task(beside, task)[name], weight) for name, weight in weights.items())


def test_shared_weights_take_no_memory():
    same = shared(WEIGHTS[0], 5)

    assert all(weight.stride(0) == 0 and len(weight) == 5 for weight in same.values())
    assert all(weight.data_ptr() == WEIGHTS[0][name].data_ptr() for name, weight in same.items())


def test_some_tasks_are_chosen_in_the_order_asked_for_and_what_is_shared_stays_so():
    mixed = {"w": shared(WEIGHTS[0], 4)["w"], "b": side_by_side(WEIGHTS)["b"]}

    chosen = of_tasks(mixed, [3, 1])

    assert chosen["w"].stride(0) == 0
    assert torch.equal(chosen["w"][1], WEIGHTS[0]["w"])
    assert torch.equal(chosen["b"], torch.stack([WEIGHTS[3]["b"], WEIGHTS[1]["b"]]))
