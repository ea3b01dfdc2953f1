"""From the words of a command to a config, and back."""

import shlex

import pytest

from metalm.config import PRESETS, RunConfig
from metalm.errors import ConfigError
from metalm.operations.training import command_line, make_config


def test_settings_reach_the_config_of_the_chosen_algorithm():
    config = make_config("reptile", preset="tiny", settings={"inner.lr": "0.25", "seed": "7"})
    assert config.algorithm.name == "reptile"
    assert config.algorithm.inner.lr == 0.25
    assert (config.seed, config.model) == (7, PRESETS["tiny"])


def test_a_warm_start_takes_over_model_and_tokenizer():
    parent = make_config("joint", preset="tiny", settings={"tokenizer.kind": "characters"})
    config = make_config("fomaml", settings={}, parent=parent)
    assert (config.model, config.tokenizer) == (parent.model, parent.tokenizer)


@pytest.mark.parametrize(
    ("algorithm", "preset", "settings", "message"),
    [
        ("nothing", None, {}, "algorithm must be one of sequential, joint, maml, .*, imaml, got 'nothing'"),
        ("joint", "huge", {}, "preset must be one of tiny, small, base, large, got 'huge'"),
        ("joint", None, {"inner.lr": "1"}, "no setting 'inner.lr' for algorithm 'joint'"),
        ("fomaml", None, {"inner.steps": "-1"}, "inner.steps must be 0 or more, got -1"),
    ],
)
def test_what_cannot_be_is_refused(algorithm, preset, settings, message):
    with pytest.raises(ConfigError, match=message):
        make_config(algorithm, preset=preset, settings=settings)


@pytest.mark.parametrize(
    ("algorithm", "preset", "settings"),
    [
        ("fomaml", None, {}),
        ("joint", "tiny", {"budget.unit": "tokens", "budget.amount": "5000", "seed": "3"}),
        ("reptile", None, {"model.hidden": "24", "model.embedding": "24", "model.tied": "true"}),
        ("sequential", "base", {"tokenizer.kind": "bpe", "optimizer.lr": "0.0001"}),
    ],
)
def test_the_command_line_of_a_config_gives_that_config(algorithm, preset, settings):
    config = make_config(algorithm, preset=preset, settings=settings)
    words = shlex.split(command_line(config, "my split", name="a run", init="abc"))
    assert words[:4] == ["python", "-m", "metalm", "train"]
    options = list(zip(words[4::2], words[5::2], strict=True))
    given = dict(options)
    assert (given["--split"], given["--name"], given["--init"]) == ("my split", "a run", "abc")
    pairs = dict(value.split("=", 1) for option, value in options if option == "--set")
    [unit] = {"--steps", "--tokens", "--minutes"} & set(given)
    assert not any(key.startswith("budget.") for key in pairs)
    budget = {"budget.unit": unit[2:], "budget.amount": given[unit]}
    again = make_config(given["--algorithm"], preset=given.get("--preset"), settings={**pairs, **budget})
    assert again == config
    assert isinstance(again, RunConfig)
