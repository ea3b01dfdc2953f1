"""README and docs are true: their commands run, their files are there, their links and figures too."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = (ROOT / "docs/python.md").read_text(encoding="utf-8")
# The same commands, over in seconds.
SMALLER = {
    "--steps 500": "--steps 2 --preset tiny",
    "--steps 200": "--steps 1 --set validation.every=0",
    "--online": "--methods PPMd",
    "--methods ways,formula": "--methods unigram",
    "--tokens 300000": "--tokens 3000 --support 512 --set beyond=2",
}
LONG = "python -m metalm demo"  # has a test of its own


def commands() -> list[str]:
    """The indented command lines, in their order: each may need what the one before left."""
    lines = re.findall(r"^    (python -m metalm .+)$", README, flags=re.MULTILINE)
    return [one for line in lines for one in line.split(" && ") if one != LONG]


def test_the_commands_run_in_their_order(tmp_path):
    texts = tmp_path / "my-texts"
    texts.mkdir()
    for name in ("a", "b"):
        texts.joinpath(f"{name}.txt").write_text(f"{name} small text of one's own\n" * 100, encoding="utf-8")
        tmp_path.joinpath(f"{name}.txt").write_text("ett, två, tre\n" * 100, encoding="utf-8")
    assert len(commands()) >= 8
    for command in commands():
        for long, short in SMALLER.items():
            command = command.replace(long, short)
        words = shlex.split(command)[3:]
        if words[0] == "evaluate":
            words += ["--support", "0,512", "--steps", "1"]
            # The scratch baseline trains a network for every task.
            words = [word for word in words if word != "--baselines"]
        run = [sys.executable, "-m", "metalm", "--home", str(tmp_path / "home"), *words]
        done = subprocess.run(
            run, cwd=tmp_path, env=_environment(), capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout.strip(), f"{command} printed nothing"


def test_the_python_of_the_docs_runs(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```$", PYTHON, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 3
    environment = {**_environment(), "METALM_HOME": str(tmp_path / "home")}
    program = "".join(blocks)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "bits_per_byte" in done.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def test_every_file_of_the_list_exists():
    block = README.split("```")[1]
    folder = ""
    for line in block.strip().splitlines():
        names = re.split(r"\s{2,}", line.strip())[0].split()
        folder = "metalm/" if line.startswith("  ") else ""
        for name in names:
            assert (ROOT / folder / name).exists(), f"{folder}{name} is in the README's list only"


def test_every_layer_is_in_the_list():
    parts = {path.name for path in (ROOT / "metalm").iterdir() if not path.name.startswith("__")}
    missing = [part for part in parts if part not in README]
    assert not missing


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *map(str, ROOT.glob("docs/**/*.md"))])
def test_links_lead_somewhere(page):
    path = ROOT / page
    for link in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (path.parent / link).exists(), link


def test_contributing_is_short():
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) < 40


def test_every_dependency_has_its_line_in_the_decisions():
    decisions = (ROOT / "docs/decisions/0001-dependencies.md").read_text(encoding="utf-8")
    pins = [
        line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line
    ]
    assert [name for name in pins if name not in decisions] == []


def untold(package: Path) -> list[str]:
    """The modules that a package's docstring does not name, and what it names that is none."""
    told = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    words = set(re.findall(r"[a-z0-9_]+", told))
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    gone = {word for word in words if "_" in word and not (package / word).is_dir()} - modules
    return sorted(modules - words) + sorted(gone - {"gru_scan"})


@pytest.mark.parametrize(
    "package",
    [one.parent for one in (ROOT / "metalm").rglob("__init__.py") if len(list(one.parent.glob("*.py"))) > 11],
    ids=lambda one: one.name,
)
def test_a_large_package_tells_its_contents(package: Path):
    assert untold(package) == []
