"""The glossary explains every word that the documents agree on, and the screen says no second word."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from metalm.config import ALGORITHMS
from metalm.dashboard import contents, glossary, wording

ROOT = Path(__file__).parents[2]
SCREEN = sorted([*ROOT.glob("pages/*.py"), *ROOT.glob("metalm/dashboard/**/*.py")])

# A word that is not said, and what is said instead.
OTHER_WORDS = {
    r"epochs?": "outer step",
    r"iterations?": "outer step or adaptation step",
    r"data ?sets?": "task or corpus",
    r"experiments?": "run or study",
    r"hyper-?param\w*": "setting",
    r"(test|training|train|validation) sets?": "support set, query set, or a role",
    r"held[- ]out": "meta-test",
    r"ppl|bpc|bpb": "perplexity, bits per character, bits per byte",
    r"meta-learners?|learners?": "run",
    r"model files?": "checkpoint or weights",
    r"learning rates?": "rate or step size",
    r"(meta-)?params?": "weights or settings",
    r"shots?(?<!zero-shot)": "support set of so many bytes",
}


def listed(path: str, pattern: str) -> list[str]:
    """The terms that a document lists behind "One word a thing"."""
    text = " ".join((ROOT / path).read_text(encoding="utf-8").split())
    names = re.search(pattern, text)[1].replace("slow and fast weights", "slow weights, fast weights")
    return [name.strip() for name in names.split(",")]


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("CONTRIBUTING.md", r"One word a thing, in code, screen and docs: ([^.]+)\."),
        ("docs/design.md", r"One word a thing: ([^.]+)\."),
    ],
)
def test_every_word_of_the_documents_is_explained(path, pattern):
    names = listed(path, pattern)
    assert len(names) > 10
    assert [name for name in names if name not in glossary.TERMS] == []


def test_every_status_that_needs_a_word_and_every_unit_has_one():
    assert {"stopped", "failed", "interrupted", "imported"} <= set(glossary.TERMS) & set(
        wording.STATUS_COLOURS
    )
    assert {"bits per byte", "bits per character", "nats per token", "perplexity"} <= set(glossary.TERMS)
    assert "joint" in set(glossary.TERMS) & set(ALGORITHMS)


def test_an_explanation_is_one_plain_line():
    for term, told in glossary.TERMS.items():
        assert "\n" not in told
        assert 10 < len(told) <= 110, term
        assert not told.endswith("."), f"{term}: a line, no sentence"


def test_no_term_stands_in_two_sections():
    assert sum(map(len, glossary.SECTIONS.values())) == len(glossary.TERMS)


def test_what_is_searched_for_stands_in_the_name_or_the_explanation():
    assert list(glossary.found("  TWIN ")["Learning"])[0] == "twin"
    assert "slow weights" in glossary.found("outer loop learns")["Learning"]
    assert glossary.found("") == glossary.SECTIONS
    assert glossary.found("zyzzyva") == {}


def test_lines_are_a_list_that_hover_shows():
    assert glossary.lines("task", "run").splitlines()[1] == f"- **run**: {glossary.TERMS['run']}"
    with pytest.raises(KeyError):
        glossary.lines("a word that nobody explained")


def test_every_page_has_words_of_its_own():
    assert set(glossary._OF_PAGES) == set(contents.PAGES)
    for page in contents.PAGES:
        assert glossary.of_page(page).startswith("- **")


def spoken(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every text with a space in it that is no docstring: what a reader may come to see."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bodies = [
        node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
    ]
    docstrings = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if (
            is_text
            and id(node) not in docstrings
            and " " in node.value.strip()
            and "<style>" not in node.value
            and "!important" not in node.value  # a style of several parts
        ):
            yield node.lineno, node.value


@pytest.mark.parametrize("path", SCREEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_screen_has_one_word_for_a_thing(path):
    for line, text in spoken(path):
        for word, instead in OTHER_WORDS.items():
            hit = re.search(rf"\b({word})\b", text, flags=re.IGNORECASE)
            assert hit is None, f"{path.name}:{line} says {hit[0]!r}; {instead} is the word"


@pytest.mark.parametrize(
    "text",
    ["after two epochs", "the test set", "its hyperparameters", "a learning rate of 0.1", "five-shot runs"],
)
def test_the_list_of_other_words_has_teeth(text):
    assert any(re.search(rf"\b({word})\b", text, flags=re.IGNORECASE) for word in OTHER_WORDS)
