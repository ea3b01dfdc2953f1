"""A tiny home, called in this process (`local`) or by its local API (`remote`), as an app would be."""

import pytest
from homes import running_app, small_home

from metalm.operations.session import open_session


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """As in the root's conftest, for workers that set their own number; and equal for apps and commands."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def home_dir(tmp_path):
    """A home with four texts and a split, owned by nobody."""
    small_home(tmp_path / "home", tmp_path / "texts").close()
    return tmp_path / "home"


@pytest.fixture
def app(home_dir):
    """The service of a process that owns the home and answers."""
    with running_app(home_dir) as opened:
        yield opened


@pytest.fixture
def local(home_dir):
    with open_session(home_dir, doing="test") as session:
        assert not session.is_remote
        yield session


@pytest.fixture
def remote(app):
    with open_session(app.home.path, doing="test") as session:
        assert session.is_remote
        yield session
