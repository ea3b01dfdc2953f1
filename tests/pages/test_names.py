"""Names are what their authors typed: nobody's markdown, on no page."""

import dataclasses
import re

import pytest
from homes import tiny_config
from streamlit.testing.v1 import AppTest

NAME = "a*b*c :red[x] $y$ `z` [k](http://example.org) <b>&"
MARKUP = re.compile(r"(?<!\\)(\*b\*|:red\[|\$y\$|`z`|\[k\])")
PAGES = [
    ("overview", {}),
    ("train", {"view": "Watch", "watch": NAME}),
    ("train", {"view": "Queue"}),
    ("train", {"view": "Watch", "watch": "other"}),
    ("run", {"run": "other"}),
    ("runs", {"filter": f"{NAME} = 1"}),
    ("runs", {"runs": NAME, "baseline": NAME}),
    ("runs", {"runs": [NAME, "other"], "together": "Lineage"}),
    *[("run", {"run": NAME, "look": look}) for look in ("Curves", "Results", "Settings", "Diagnostics")],
    *[
        ("compare", {"runs": [NAME, "other"], "view": view})
        for view in ("Curves", "Tasks", "Means", "Over training", "Diagnostics", "Settings")
    ],
    *[
        ("task", {"split": NAME, "task": NAME, "run": NAME, "look": look})
        for look in ("Results", "Samples", "Text", "Leakage")
    ],
    ("tasks", {"split": NAME}),
    ("corpora", {"corpus": NAME}),
    ("adapt", {"runs": NAME}),
]


@pytest.fixture
def named(texts):
    """A home in which everything is called that: a corpus with its task, a split, a run beside `other`."""
    texts.rename_corpus("clocks", NAME)
    tasks = texts.tasks(by="corpus")
    roles = dict.fromkeys([task.id for task in tasks], "meta-train")
    roles |= {next(task.id for task in tasks if task.name == NAME): "meta-validation"}
    texts.freeze_split(NAME, tasks, roles)
    run = texts.train(
        texts.create_run(tiny_config(budget__amount="2", validation__every="1"), NAME, name=NAME).id
    )
    texts.set_tags(run.id, [NAME])
    texts.store.runs.add(
        dataclasses.replace(run, id="e" * 12, name="other", parent=run.id, status="failed", error=NAME)
    )
    return texts


def shown_as_markdown(app):
    """Every text of a page that markdown reads."""
    texts = [*app.title, *app.header, *app.subheader, *app.markdown, *app.caption]
    notes = [*app.info, *app.warning, *app.error, *app.success, *app.toast]
    return [element.value for element in (*texts, *notes)] + [
        element.label for element in (*app.button, *app.metric, *app.expander)
    ]


@pytest.mark.usefixtures("named")
def test_names_are_shown_as_they_were_typed(page):
    marked = []
    for name, choices in PAGES:
        app = page(name, **choices)
        assert not app.exception, (name, choices)
        marked += [(name, choices, text) for text in shown_as_markdown(app) if MARKUP.search(text)]
    assert not marked


def uncounted(name):
    from types import SimpleNamespace

    import pandas as pd

    from metalm.dashboard import curve_controls
    from metalm.dashboard.charts.lines import CurveView

    run, points = SimpleNamespace(id="r", name=name), pd.DataFrame({"run": ["another"]})
    curve_controls.tell_uncounted([run], points, CurveView(x="flops"))


def test_a_run_that_did_not_measure_an_axis_is_named_as_it_was_typed():
    app = AppTest.from_function(uncounted, args=(NAME,)).run()
    assert not app.exception
    assert [text for text in shown_as_markdown(app) if "no count of" in text]
    assert not [text for text in shown_as_markdown(app) if MARKUP.search(text)]
