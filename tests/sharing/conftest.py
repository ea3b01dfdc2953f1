"""A tiny home with two trained and evaluated runs. Not to be changed by tests."""

import pytest
from homes import SPLIT, small_home, tiny_config


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory):
    """An open home with `first` and `<second> & "co"`, both evaluated on meta-validation."""
    folder = tmp_path_factory.mktemp("sharing")
    with small_home(folder / "home", folder / "texts") as home:
        for seed, name in enumerate(("first", '<second> & "co"')):
            config = tiny_config(budget__amount="4", seed=str(seed))
            home.train(home.create_run(config, SPLIT, name=name, tags=["ä"], notes="a note").id)
        runs = [run.id for run in home.runs()]
        list(home.evaluate(runs, support=(0, 512), steps=2, methods=["adapt", "unigram"]))
        home.store.flush()
        yield home
