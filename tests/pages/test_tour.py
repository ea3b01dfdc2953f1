"""The tour over the pages, and the glossary that opens from each of them."""

import pytest
from streamlit.testing.v1 import AppTest

from metalm.dashboard import contents, glossary, tour

pytestmark = pytest.mark.usefixtures("home")


def click(app: AppTest, key: str) -> AppTest:
    return app.button(key=key).click().run()


def has(app: AppTest, key: str) -> bool:
    return any(button.key == key for button in app.button)


def test_the_tour_leads_over_every_page_that_stands_in_the_navigation():
    visible = [page.name for page in contents.PAGES.values() if not page.is_hidden]
    assert [step.page for step in tour.STEPS] == visible


def test_a_first_visit_is_offered_the_tour_on_the_overview_alone(page):
    assert has(page("overview"), "tour.start")
    assert not has(page("corpora"), "tour.start")


def test_the_tour_goes_from_page_to_page_and_ends(page, told):
    app = click(page("overview"), "tour.start")
    for number, step in enumerate(tour.STEPS, start=1):
        assert not app.exception
        assert app.title[0].value == step.page
        assert f"Tour {number} of {len(tour.STEPS)}" in told(app)
        assert step.told in told(app)
        assert app.query_params["tour"] == str(number)
        if number < len(tour.STEPS):
            app = click(app, "tour.next")
    app = click(app, "tour.end")
    assert "Tour 8" not in told(app)
    assert "tour" not in app.query_params
    assert "begins it again" in told(app)


def test_a_step_can_be_gone_back(page):
    app = click(page("tasks", tour="3"), "tour.back")
    assert app.title[0].value == "Corpora"
    assert app.query_params["tour"] == "2"


def test_who_strays_from_the_tour_is_led_back(page, told):
    app = page("runs", tour="3")
    assert "Tour 3 of 8" in told(app)
    assert click(app, "tour.return").title[0].value == "Tasks"


@pytest.mark.parametrize("answer", ["tour.start", "tour.decline"])
def test_an_answered_offer_is_not_made_again_in_this_home(page, answer):
    click(page("overview"), answer)
    assert not has(page("overview"), "tour.start")


def test_the_sidebar_begins_it_again(page, told):
    click(page("overview"), "tour.decline")
    app = click(page("runs"), "frame.tour")
    assert app.title[0].value == "Overview"
    assert "Tour 1 of 8" in told(app)


@pytest.mark.parametrize("nonsense", ["0", "9", "-1", "x", "²"])
def test_an_address_that_says_nonsense_starts_nothing(page, told, nonsense):
    app = page("runs", tour=nonsense)
    assert not app.exception
    assert "Tour" not in told(app)


def test_the_glossary_opens_on_any_page_and_is_searched(page, told):
    app = click(page("compare"), "frame.glossary")
    assert not app.exception
    assert all(f"**{term}**" in told(app) for term in glossary.TERMS)
    app.session_state["glossary.search"] = "ever be found"
    assert "No term has “ever be found”" in told(click(app, "frame.glossary"))


@pytest.mark.parametrize("name", list(contents.PAGES))
def test_the_words_of_a_page_are_explained_on_hover(page, name):
    app = page(contents.PAGES[name].file.removesuffix(".py"))
    assert any(caption.proto.help == glossary.of_page(name) for caption in app.caption)
