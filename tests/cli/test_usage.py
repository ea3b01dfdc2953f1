"""Wrong usage ends with 2 and says why; it never opens the home."""

import subprocess
import sys
from pathlib import Path

import pytest

from metalm.cli.budget import one_budget
from metalm.cli.perform import comma_separated
from metalm.cli.runs import place


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["corpora", "add"], "Missing argument"),
        (["no-such-command"], "No such command"),
        (["train"], "--split"),
        (["train", "--split", "s", "--steps", "1", "--tokens", "2"], "exclude each other"),
        (["train", "--split", "s", "--steps", "0"], "--steps"),
        (["train", "--split", "s", "--steps", "many"], "--steps"),
        (["train", "--split", "s", "--set", "inner.lr"], "key=value"),
        (["train", "--split", "s", "--set", "=1"], "key=value"),
        (["runs", "extend", "r"], "say how much more"),
        (["runs", "extend", "r", "--steps", "1", "--minutes", "2"], "exclude each other"),
        (["evaluate", "r", "--support", "1,x"], "--support"),
        (["evaluate", "r", "--support", "-1"], "--support"),
        (["evaluate", "r", "--role", "test"], "--role"),
        (["sample", "r", "--bytes", "0"], "--bytes"),
        (["app", "--port", "70000"], "--port"),
        (["report"], "Missing argument"),
        (["runs", "export", "r", "d", "--to", "wandb", "--half"], "of bundles"),
        (["runs", "import", "d", "--loss", "validation=x"], "--from"),
        (["runs", "import", "d", "--from", "mlflow", "--loss", "loss"], "validation="),
        (["report", "r", "--out", "report.pdf"], "--out"),
        (["corpora", "add", "a.txt", "b.txt", "--name", "x"], "only one file"),
    ],
)
def test_wrong_usage_ends_with_2_and_touches_nothing(terminal, words, message):
    terminal.run(*words)
    assert terminal.code == 2
    assert message in " ".join(terminal.err.split())
    assert terminal.out == ""
    assert not terminal.home.exists()


def test_a_budget_has_one_unit_or_none():
    assert one_budget(steps=None, tokens=None, minutes=None) is None
    assert one_budget(steps=None, tokens=5000, minutes=None) == ("tokens", 5000)


def test_lists_are_split_at_commas():
    assert comma_separated(" a, b,,c ") == ["a", "b", "c"]
    assert comma_separated(None) == []


@pytest.mark.parametrize("address", ["https://host:5000/x", "sqlite:///data/mlflow.db"])
def test_an_address_of_a_store_stays_as_it_is_and_a_folder_becomes_absolute(address):
    assert place(address) == address
    assert place("a:/logs") == str(Path.cwd() / "a:/logs")


def test_help_loads_nothing_heavy():
    program = (
        "import sys; sys.argv = ['metalm', '--help']\n"
        "from metalm.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'duckdb', 'pandas', 'streamlit', 'httpx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "corpora" in done.stdout
