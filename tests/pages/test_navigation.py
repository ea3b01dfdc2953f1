"""The table of contents, and what happens when the home cannot be used."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from metalm.dashboard import contents
from metalm.jobs import service

NAVIGATION = Path(__file__).parents[2] / "pages" / "navigation.py"


def test_every_entry_is_a_page_with_an_icon_that_needs_no_other_host():
    for page in contents.PAGES.values():
        assert (NAVIGATION.parent / page.file).is_file()
        assert page.title.startswith("![](data:image/svg+xml;base64,")
        assert page.title.endswith(page.name)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", list(contents.PAGES))
def test_every_page_opens_in_an_empty_home(page, name):
    app = page(contents.PAGES[name].file.removesuffix(".py"))
    assert not app.exception
    assert app.title[0].value == name


def test_a_process_without_a_home_says_so_instead_of_failing():
    service.use(None)
    app = AppTest.from_file(str(NAVIGATION), default_timeout=30).run()
    assert not app.exception
    assert "no home is open" in app.error[0].value
