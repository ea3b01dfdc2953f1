"""What is drawn has a text for those who cannot see it, and every widget has a label."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCREEN = sorted([*ROOT.glob("pages/*.py"), *ROOT.glob("metalm/dashboard/**/*.py")])
DRAWN = {"dataframe", "data_editor", "image"}
WIDGETS = {"button", "form_submit_button", "toggle", "pills", "segmented_control", "selectbox", "multiselect"}
WIDGETS |= {"text_input", "text_area", "number_input", "slider", "select_slider", "file_uploader"}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """(name of the method, call) of everything that is called on something, as `st.dataframe(...)`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, node


def has(call: ast.Call, keyword: str) -> bool:
    """The call names this argument, or unpacks some that may."""
    return any(given.arg in (keyword, None) for given in call.keywords)


@pytest.mark.parametrize("path", SCREEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_tables_and_images_say_what_they_show(path):
    for name, call in calls(path):
        if name in DRAWN:
            assert has(call, "alt"), f"{path.name}:{call.lineno}: {name} without alt"


@pytest.mark.parametrize("path", SCREEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_widgets_have_a_label_or_words_on_hover(path):
    for name, call in calls(path):
        if name not in WIDGETS or not call.args or not isinstance(call.args[0], ast.Constant):
            continue
        assert call.args[0].value or has(call, "help"), f"{path.name}:{call.lineno}: {name} without a label"


def test_the_scan_finds_what_it_looks_for():
    found = [name for path in SCREEN for name, _ in calls(path)]
    assert sum(name in DRAWN for name in found) > 20
    assert sum(name in WIDGETS for name in found) > 60
