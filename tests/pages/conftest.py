"""Pages on a real home in a temporary folder: empty, with a split, with a finished and a failed run."""

import dataclasses
from pathlib import Path

import pytest
import streamlit as st
from homes import ship_models
from streamlit.testing.v1 import AppTest

from metalm.config import Budget, Fomaml, InnerLoop, ModelConfig, RunConfig, Validation
from metalm.home import Home
from metalm.jobs import service
from metalm.jobs.manager import JobManager

NAVIGATION = Path(__file__).parents[2] / "pages" / "navigation.py"
TINY = RunConfig(
    algorithm=Fomaml(inner=InnerLoop(steps=1, batch=2, window=16)),
    model=ModelConfig(embedding=4, hidden=5),
    budget=Budget(amount=2),
    validation=Validation(every=1, support_bytes=128, query_bytes=128, steps=1),
    device="cpu",
)
WORDS = {
    "rivers": "the river runs to the sea and the sea runs to the shore",
    "hills": "over the hills and far away the wind sings a song of rain",
    "clocks": "tick said the clock and tock said the other clock at noon",
    "birds": "a bird in the hand is worth two birds in any bush at all",
}


@pytest.fixture
def home(tmp_path):
    """An empty home that the pages find, with a queue whose workers have not been started."""
    opened = Home.open(tmp_path / "home", samples=False)
    service.use(service.Service(home=opened, jobs=JobManager(opened, slots=("cpu",))))
    yield opened
    service.current().close()
    service.use(None)
    st.cache_data.clear()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder of bundles: a meta-trained run, `base fomaml`, and its control, `base joint`."""
    folder = tmp_path_factory.mktemp("models")
    with Home.open(folder / "home", samples=False) as opened:
        ship_models(opened, folder / "models")
    return folder / "models"


@pytest.fixture
def shipped(home, models):
    """The home as a first start leaves it, with these runs as those that ship."""
    home.add_samples(models)
    return home


@pytest.fixture
def own(shipped):
    """A finished run beside those that ship, `mine`."""
    return shipped.train(shipped.create_run(TINY, "languages", name="mine").id)


@pytest.fixture
def texts(home, tmp_path):
    """The home with four corpora."""
    for name, sentence in WORDS.items():
        path = tmp_path / f"{name}.txt"
        path.write_text("\n".join(f"{sentence} {i}" for i in range(120)), encoding="utf-8")
        home.add_corpus(path)
    return home


@pytest.fixture
def split(texts):
    """The split `small`: two tasks to learn from, one to choose by, one to judge on."""
    tasks = texts.tasks(by="corpus")
    roles = dict(
        zip(sorted(WORDS), ("meta-test", "meta-validation", "meta-train", "meta-train"), strict=True)
    )
    return texts.freeze_split("small", tasks, {task.id: roles[task.name] for task in tasks})


@pytest.fixture
def finished(home, split):
    """A finished run, `good`."""
    return home.train(home.create_run(TINY, split.name, name="good").id)


@pytest.fixture
def queued(home, split):
    """A run that waits in the queue, `next`."""
    run = home.create_run(TINY, split.name, name="next")
    service.current().jobs.train(run.id)
    return home.run(run.id)


@pytest.fixture
def failed(home, split):
    """A failed run, `bad`: its text was taken away under it."""
    run = home.create_run(dataclasses.replace(TINY, seed=1), split.name, name="bad")
    paths = [home.corpus_path(name) for name in WORDS]
    for path in paths:
        path.rename(path.with_suffix(".gone"))
    with pytest.raises(Exception, match="no text"):
        home.train(run.id)
    for path in paths:
        path.with_suffix(".gone").rename(path)
    return home.run(run.id)


@pytest.fixture
def page():
    """Opens a page by its file's name, with choices in its address."""

    def open_page(name: str, **choices: str | list[str]) -> AppTest:
        app = AppTest.from_file(str(NAVIGATION), default_timeout=30)
        app.run()
        app.switch_page(f"{name}.py")
        for key, value in choices.items():
            app.query_params[key] = value
        return app.run()

    return open_page


@pytest.fixture
def told():
    """All that a page says in words, in one text."""

    def words(app: AppTest) -> str:
        elements = [*app.title, *app.subheader, *app.markdown, *app.caption, *app.info, *app.warning]
        elements += [*app.error, *app.success, *app.code, *app.metric]
        elements += [*app.toast]
        bars = [bar.text for bar in app.get("progress")]
        return "\n".join([*(f"{getattr(e, 'label', '')} {e.value}" for e in elements), *bars])

    return words
