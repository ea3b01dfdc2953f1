"""The command line, called as `python -m metalm` calls it, but inside the test's process."""

import json
import sys

import pytest

from metalm.cli.main import main
from metalm.home.samples import SAMPLE_TAG


class Terminal:
    """Runs commands and keeps what the last one left: `code`, `out`, `err`."""

    def __init__(self, monkeypatch, capsys, home):
        self._monkeypatch, self._capsys, self.home = monkeypatch, capsys, home

    def run(self, *words):
        self._monkeypatch.setattr(sys, "argv", ["metalm", "--home", str(self.home), *map(str, words)])
        try:
            self.code = main()
        except SystemExit as end:
            self.code = end.code
        self.out, self.err = self._capsys.readouterr()
        return self

    def lines(self, *words):
        """The JSON lines of a command that must succeed."""
        self.run(*words, "--json")
        assert self.code == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]

    def runs(self):
        """The lines of the listed runs that were trained here: those that ship stay out."""
        return [line for line in self.lines("runs", "list") if SAMPLE_TAG not in line["tags"]]


@pytest.fixture
def terminal(monkeypatch, capsys, tmp_path):
    return Terminal(monkeypatch, capsys, tmp_path / "home")
