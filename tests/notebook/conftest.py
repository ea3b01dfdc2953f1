"""A tiny home with a trained and evaluated run, owned by nobody, or by an app."""

import shutil
from pathlib import Path

import pytest
from homes import SPLIT, running_app, small_home, tiny_config


@pytest.fixture(scope="session")
def _trained(tmp_path_factory) -> Path:
    """A home with a finished run, `good`, and one that waits, `next`. To be copied."""
    folder = tmp_path_factory.mktemp("notebook")
    with small_home(folder / "home", folder / "texts") as home:
        run = home.train(home.create_run(tiny_config(budget__amount="4"), SPLIT, name="good", tags=["ä"]).id)
        list(home.evaluate([run.id], support=(0, 512), steps=2, methods=["adapt", "baselines"]))
        home.create_run(tiny_config(budget__amount="4"), SPLIT, name="next")
    return folder / "home"


@pytest.fixture
def home_dir(_trained, tmp_path) -> Path:
    return shutil.copytree(_trained, tmp_path / "home")


@pytest.fixture(params=["nobody", "an app"])
def owned_dir(request, home_dir):
    """The home, owned by nobody and by a running app."""
    if request.param == "nobody":
        yield home_dir
    else:
        with running_app(home_dir):
            yield home_dir
