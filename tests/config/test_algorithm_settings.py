import json
from dataclasses import fields

import pytest

from metalm.config import ALGORITHMS, InnerLoop, Joint, MetaSgd, RunConfig, Validation, run_config
from metalm.errors import ConfigError


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_comes_back_from_json_and_can_be_set(name):
    config = RunConfig(algorithm=ALGORITHMS[name]())

    assert run_config(json.loads(json.dumps(config.to_json()))) == config
    for key, value, field, _ in config.keys():  # noqa: SIM118 (no dict)
        assert field.metadata["help"]
        assert config.with_settings({key: str(value)}) == config


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_says_what_it_does_in_a_line(name):
    assert "\n" not in ALGORITHMS[name].__doc__
    assert ALGORITHMS[name].section == name


@pytest.mark.parametrize(
    ("algorithm", "settings", "message"),
    [
        ("maml", {"inner.optimizer": "adam"}, "inner.optimizer must be sgd where maml differentiates"),
        ("anil", {"inner.optimizer": "adam"}, "inner.optimizer must be sgd where anil differentiates"),
        ("meta-sgd", {"inner.optimizer": "adam"}, "must be sgd where meta-sgd differentiates .*, got 'adam'"),
        ("fomaml", {"inner.adapts": "context"}, "for fomaml, got 'context', which is cavia's"),
        ("anil", {"inner.adapts": "all"}, "inner.adapts must be head or head.embedding for anil, got 'all'"),
        ("cavia", {"inner.adapts": "biases"}, "inner.adapts must be context for cavia, got 'biases'"),
        ("maml", {"inner.fisher": "true"}, "inner.fisher needs inner.proximal above 0, got 0"),
        ("cavia", {"inner.fisher": "true"}, "inner.fisher must be false for cavia, got True"),
        ("imaml", {"inner.proximal": "0"}, "inner.proximal must be more than 0 for imaml, got 0.0"),
        ("reptile", {"inner.steps": "0", "reptile.joint_weight": "1"}, "reptile.joint_weight must be 0 when"),
        ("maml++", {"maml++.msl": "1.5"}, r"maml\+\+.msl must be 1 or less, got 1.5"),
        ("joint", {"inner.lr": "1"}, "no setting 'inner.lr' for algorithm 'joint'; it has joint.batch"),
    ],
)
def test_what_does_not_go_together_is_refused(algorithm, settings, message):
    with pytest.raises(ConfigError, match=message):
        RunConfig(algorithm=ALGORITHMS[algorithm]()).with_settings(settings)


def test_settings_are_judged_together_in_whatever_order_they_come():
    config = RunConfig(algorithm=ALGORITHMS["anil"]())
    settings = {"inner.optimizer": "adam", "anil.first_order": "true"}

    for items in (settings.items(), reversed(settings.items())):
        algorithm = config.with_settings(dict(items)).algorithm
        assert (algorithm.inner.optimizer, algorithm.first_order) == ("adam", True)


def test_a_run_adapts_as_its_algorithm_does_or_as_it_is_validated():
    inner = InnerLoop(steps=3, adapts="head", proximal=0.5)
    assert RunConfig(algorithm=MetaSgd(inner=inner)).adaptation == inner

    joint = RunConfig(algorithm=Joint(window=9), validation=Validation(steps=7, lr=0.2, batch=3))
    assert joint.adaptation == InnerLoop(steps=7, lr=0.2, batch=3, window=9)


@pytest.mark.parametrize("value", ["", 3, None, [], "inner"])
def test_a_section_that_is_none_is_refused(value):
    data = RunConfig().to_json()
    data["algorithm"]["inner"] = value

    with pytest.raises(ConfigError, match="section 'inner' must have settings by name, got "):
        run_config(data)


def test_settings_of_the_inner_loop_stand_alike_in_all_that_adapt():
    names = {field.name for field in fields(InnerLoop)}
    assert names == {
        "steps", "lr", "batch", "window", "clip", "adapts", "optimizer", "proximal", "fisher",
    }  # fmt: skip
