"""The import law: a layer imports only what stands to its right, and libraries stay where they belong."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each row may import the rows below it, never one above; siblings in one row do not know each other.
LAYERS = [
    {"app"},
    {"pages"},
    {"metalm.dashboard"},
    {"metalm.cli", "metalm.api", "metalm.notebook"},
    {"metalm.operations"},
    {"metalm.jobs"},
    {"metalm.sharing"},
    {"metalm.studies"},
    # Figures, what they show, what it comes to in words and their colours know no screen: reports are made of
    # them, too.
    {"metalm.dashboard.compare_verdict"},
    {"metalm.dashboard.compare_facets"},
    {"metalm.dashboard.charts", "metalm.dashboard.compare_evidence"},
    {"metalm.dashboard.palette", "metalm.dashboard.wording"},
    {"metalm.home"},
    {"metalm.store", "metalm.evaluate"},
    {"metalm.learn"},
    {"metalm.model", "metalm.text"},
    {"metalm.config", "metalm.units"},
    {"metalm.errors"},
]

# A library, and the only places that may import it.
LIBRARIES = {
    "streamlit": ("app", "pages", "metalm.dashboard"),
    "plotly": ("metalm.dashboard.charts",),
    "duckdb": ("metalm.store",),
    "torch": (
        "metalm.model",
        "metalm.learn",
        "metalm.evaluate",
        "metalm.home",
        "metalm.jobs",
        "metalm.operations",
    ),
    "typer": ("metalm.cli",),
    "matplotlib": ("metalm.studies.figures",),
    "optuna": ("metalm.studies.compute",),
    "tensorboard": ("metalm.sharing.tensorboard",),
    "mlflow": ("metalm.sharing.mlflow",),
    "wandb": ("metalm.sharing.wandb",),
    "prometheus_client": ("metalm.jobs.health",),
    "starlette": (
        "app",
        "metalm.api",
        "metalm.dashboard.components.assets",
        "metalm.dashboard.components.bell",
    ),
}

PLACES = ("app.py", "pages/**/*.py", "metalm/**/*.py")
FILES = sorted(path for place in PLACES for path in ROOT.glob(place))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every dotted name that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module_name(path).split(".")[: -node.level + (path.name == "__init__.py") or None]
            yield ".".join([*package, node.module or ""]).rstrip(".")


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def layer_of(name: str) -> tuple[int, str] | None:
    """(depth, package) of the narrowest package that holds `name`."""
    found = [(depth, p) for depth, row in enumerate(LAYERS) for p in row if within(name, p)]
    return max(found, key=lambda place: len(place[1]), default=None)


def offence(module: str, imported: str) -> str | None:
    """What is wrong with `module` importing `imported`, or None."""
    library = imported.split(".")[0]
    if library in LIBRARIES and not any(within(module, place) for place in LIBRARIES[library]):
        return f"{library} belongs to {', '.join(LIBRARIES[library])}"
    if within(module, "metalm.dashboard.charts") and library == "streamlit":
        return "charts know no screen"
    here, there = layer_of(module), layer_of(imported)
    if here and there and here[1] != there[1] and there[0] <= here[0]:
        return f"{there[1]} stands to the left of {here[1]}, or beside it"
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_layer_may(path):
    for imported in imports(path):
        reason = offence(module_name(path), imported)
        assert reason is None, f"{path.relative_to(ROOT)} imports {imported}: {reason}"


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("pages.runs", "torch"),
        ("metalm.store.runs", "torch.nn"),
        ("metalm.store.runs", "metalm.evaluate.protocol"),
        ("metalm.learn.outer", "metalm.store.runs"),
        ("metalm.text.tasks", "metalm.model.gru"),
        ("metalm.cli", "metalm.api"),
        ("metalm.dashboard.charts.curves", "streamlit"),
        ("metalm.dashboard.charts.curves", "metalm.dashboard.state"),
        ("metalm.notebook.runs", "metalm.api"),
        ("metalm.sharing.report", "metalm.operations.runs"),
        ("metalm.dashboard.state", "plotly.graph_objects"),
    ],
)
def test_the_law_has_teeth(module, imported):
    assert offence(module, imported)
