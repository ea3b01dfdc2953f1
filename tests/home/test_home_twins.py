"""The equal-compute control of a meta-trained run."""

from dataclasses import replace

import pytest
from homes import SPLIT, tiny_config

from metalm.config import Joint, run_config
from metalm.errors import RunStateError


@pytest.fixture(autouse=True)
def joint(home):
    config = replace(tiny_config(budget__amount="1"), algorithm=Joint(batch=1, window=16))
    return home.train(home.create_run(config, SPLIT, name="joint").id)


def test_a_twin_takes_as_many_gradient_evaluations_from_the_same_start(home, joint, new_run):
    child = home.train(new_run(2, init="joint").id)
    assert home.twin_of(child) is None
    twin = home.train(home.create_twin(child.id).id)
    config = run_config(twin.config)
    assert (twin.algorithm, twin.parent, twin.seed) == ("joint", joint.id, child.seed)
    assert config.algorithm == run_config(joint.config).algorithm
    taken, wanted = home.gradient_evaluations(twin), home.gradient_evaluations(child)
    assert wanted > 0
    assert wanted <= taken < wanted + config.drawing.meta_batch * 16  # it ends with a whole outer step
    assert home.twin_of(child).id == twin.id
    assert home.twin_of(twin) is None


def test_the_twin_is_a_row_beside_its_run(home, new_run):
    child = home.train(new_run(40, init="joint").id)
    twin = home.train(home.create_twin(child.id).id)
    rows = list(home.evaluate([child.id], support=(256,), methods=["joint continued"]))
    assert {(row.method, row.run_id) for row in rows} == {("joint continued", twin.id)}


def test_a_run_from_scratch_has_a_joint_twin_from_scratch(home, new_run):
    run = home.train(new_run(2).id)
    twin = home.create_twin(run.id, name="control")
    assert (twin.name, twin.parent, twin.algorithm) == ("control", None, "joint")


def test_who_can_have_no_twin(home, joint, new_run):
    with pytest.raises(RunStateError, match="'joint' must not be joint to have a joint twin"):
        home.create_twin(joint.id)
    young = new_run(2, name="young")
    with pytest.raises(RunStateError, match="'young' must be finished to have a twin, it is queued"):
        home.create_twin(young.id)
