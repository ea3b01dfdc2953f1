"""Lineage as a graph: warm starts, twins and studies of real runs."""

from dataclasses import replace

import pytest
from homes import SPLIT, TINY_JOINT, small_home, tiny_config

from metalm.operations.training import make_config


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """`base` (joint), `child` from it with its twin, `lone` beside; a study has `child`."""
    folder = tmp_path_factory.mktemp("family")
    with small_home(folder / "home", folder / "texts") as opened:
        joint = make_config("joint", settings={**TINY_JOINT, "joint.batch": "1", "budget.amount": "2"})
        opened.train(opened.create_run(joint, SPLIT, name="base").id)
        config = replace(tiny_config(budget__amount="40"), init="base")
        child = opened.train(opened.create_run(config, SPLIT, name="child").id)
        opened.train(opened.create_twin(child.id, name="twin").id)
        opened.create_run(tiny_config(budget__amount="1"), SPLIT, name="lone")
        study = opened.store.studies.add("claims", "a study", {})
        opened.store.studies.add_run(study.id, "k", child.id)
        yield opened


def ties(family):
    names = dict(zip(family.members["id"], family.members["name"], strict=True))
    return {(names[a], names[b], tie) for a, b, tie in family.ties.itertuples(index=False)}


@pytest.mark.parametrize("refs", [["child"], ["base", "child"]])
def test_a_family_is_ancestors_descendants_twins_and_studies(home, refs):
    family = home.family(refs)
    assert ties(family) == {
        ("base", "child", "warm start"),
        ("base", "twin", "warm start"),
        ("child", "twin", "twin"),
        ("a study", "child", "study"),
    }
    depths = dict(zip(family.members["name"], family.members["depth"], strict=True))
    assert depths == {"base": 0, "child": 1, "twin": 1, "a study": 0}
    assert family.left_out == 0


def test_a_twin_finds_whose_it_is(home):
    assert ("child", "twin", "twin") in ties(home.family(["twin"]))


def test_a_run_without_relatives_is_alone(home):
    family = home.family(["lone"])
    assert list(family.members["name"]) == ["lone"]
    assert family.ties.empty


def test_what_has_no_room_is_counted(home):
    family = home.family(["child"], most=1)
    assert set(family.members["kind"]) <= {"run", "study"}
    assert family.left_out == 2


def test_an_ancestor_that_is_gone_is_said_to_be(home):
    home.discard_runs(["base"])
    try:
        family = home.family(["child"])
        gone = family.members.set_index("kind").loc["gone"]
        assert gone["told"] == "not in this home"
        assert "warm start" in set(family.ties["tie"])
    finally:
        home.restore_runs(list(home.store.bin.table()["id"]))
