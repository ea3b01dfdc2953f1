"""A tiny home for tests: four short texts, one split, runs that train in seconds."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

TEXTS = {"alpha": "abcde ", "beta": "bcdef ", "gamma": "cdefg ", "delta": "defgh "}
SPLIT = "small"
# Settings of the smallest run that still does everything.
TINY = {
    "model.hidden": "8",
    "model.embedding": "8",
    "drawing.meta_batch": "2",
    "validation.every": "2",
    "validation.support_bytes": "256",
    "validation.query_bytes": "256",
}
TINY_JOINT = {**TINY, "joint.batch": "2", "joint.window": "16"}
TINY_FOMAML = {**TINY, "inner.steps": "2", "inner.batch": "1", "inner.window": "16"}


def write_texts(folder: Path) -> list[Path]:
    """Four text files of about 9 kB, each of random words over its own six letters."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (name, letters) in enumerate(TEXTS.items()):
        rng = random.Random(number)
        text = "\n".join("".join(rng.choices(letters, k=60)) for _ in range(150))
        paths.append(folder / f"{name}.txt")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def small_home(path: Path, texts: Path):
    """An open home with the four texts and one split of them."""
    from metalm.home import Home

    home = Home.open(path, doing="test", samples=False)
    for file in write_texts(texts):
        home.add_corpus(file)
    tasks = home.tasks()
    roles = {task.id: "meta-train" for task in tasks}
    roles |= {task.id: role for task in tasks for role in _ROLES if task.name == _ROLES[role]}
    home.freeze_split(SPLIT, tasks, roles)
    return home


def tiny_config(**settings: str):
    """The config of a tiny fomaml run; `settings` with __ for the dots."""
    from metalm.operations.training import make_config

    more = {key.replace("__", "."): value for key, value in settings.items()}
    return make_config("fomaml", settings={**TINY_FOMAML, **more})


def ship_models(home, folder: Path):
    """(run, twin): meta-trained from a joint run on `languages`, and its control, as bundles in a folder.

    home: a new one; it gets the sample texts. Both are evaluated on meta-test; the joint run that they start
    from stays out.
    """
    from metalm.operations.training import make_config

    home.add_samples(folder / "nothing")

    joint = make_config("joint", settings={**TINY_JOINT, "joint.batch": "1", "budget.amount": "1"})
    parent = home.train(home.create_run(joint, "languages", name="base").id)
    config = replace(tiny_config(budget__amount="40", validation__every="20"), init=parent.id)
    run = home.train(home.create_run(config, "languages", name="base fomaml").id)
    twin = home.train(home.create_twin(run.id, name="base joint").id)
    list(home.evaluate([run.id, twin.id], role="meta-test", support=(0, 512), steps=1))
    for each in (run, twin):
        home.export_run(each.id, folder / each.name.replace(" ", "-"), half=True, max_points=500)
    return run, twin


_ROLES = {"meta-validation": "gamma", "meta-test": "delta"}


@contextmanager
def running_app(home_dir: Path) -> Iterator:
    """What an app is to others, without its pages: it owns the home, and its local API answers."""
    import uvicorn
    from starlette.applications import Starlette

    from metalm import api
    from metalm.jobs import service

    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=api.routes()), port=0, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    opened = service.open_for_app(home_dir, f"http://127.0.0.1:{port}")
    service.use(opened)
    try:
        yield opened
    finally:
        opened.jobs.halt()
        server.should_exit = True
        thread.join()
        service.use(None)
        opened.close()
