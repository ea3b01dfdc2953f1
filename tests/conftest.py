"""Shared fixtures. One torch thread: on a busy two-core machine two threads are up to ten times slower."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

torch.set_num_threads(1)
# No test is timed: on a busy machine any example may take a while.
settings.register_profile("metalm", deadline=None)
settings.load_profile("metalm")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Chromium's own background requests would be refused by a closed network, many at a time.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(autouse=True)
def _on_a_gpu(request: pytest.FixtureRequest):
    if request.node.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser test that fails is tried once more, and told as R: clicks race with redrawing under load."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


# One at a time in a process: playwright's event loop runs as long as it is open.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real chromium. Without one the tests fail: a skipped browser test would look like a passed one."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, f"the browser tests need one of {', '.join(BROWSERS)}; `make chromium` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
