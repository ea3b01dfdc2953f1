"""Choices live in the address and in the session's memory."""

import pytest
from streamlit.testing.v1 import AppTest


def chooser():
    import streamlit as st

    from metalm.dashboard import state, widgets

    fruit = widgets.select("Fruit", ["apple", "pear", "plum"], "fruit", pinned=True)
    widgets.select("Size", ["small", "large"], "size")
    view = widgets.switch("View", ["list", "table"], "view")
    many = widgets.select_many("Colours", ["red", "green", "blue"], "colours")
    is_on = widgets.flag("Archived", "archived")
    typed = widgets.text("Search", "search")
    st.write(f"{fruit}|{view}|{','.join(many)}|{is_on}|{typed}")
    st.button("choose plum", on_click=state.choose_all, args=({"fruit": "plum", "view": None},))


def test_the_first_option_is_the_default_and_stands_in_the_address():
    app = AppTest.from_function(chooser).run()
    assert app.markdown[0].value == "apple|list||False|"
    assert app.query_params == {"fruit": "apple"}


def test_the_address_decides_what_is_chosen():
    app = AppTest.from_function(chooser)
    wanted = {"fruit": "pear", "view": "table", "colours": ["red", "blue"], "archived": "yes", "search": "x"}
    for name, value in wanted.items():
        app.query_params[name] = value
    app.run()
    assert app.markdown[0].value == "pear|table|red,blue|True|x"


def test_a_change_of_a_widget_goes_into_the_address():
    app = AppTest.from_function(chooser).run()
    app.selectbox[0].set_value("plum").run()
    app.multiselect[0].set_value(["green"]).run()
    app.toggle[0].set_value(True).run()
    app.text_input[0].input("abc").run()
    app.segmented_control[0].set_value("table").run()
    assert app.markdown[0].value == "plum|table|green|True|abc"
    wanted = {"fruit": "plum", "colours": "green", "archived": "yes", "search": "abc", "view": "table"}
    assert app.query_params == wanted
    app.toggle[0].set_value(False).run()
    app.text_input[0].input("").run()
    app.multiselect[0].set_value([]).run()
    app.segmented_control[0].set_value("list").run()
    assert app.query_params == {"fruit": "plum"}


def test_a_choice_outlives_an_address_without_it():
    app = AppTest.from_function(chooser).run()
    app.selectbox[0].set_value("plum").run()
    app.query_params.clear()
    app.run()
    assert app.markdown[0].value.startswith("plum")
    assert app.query_params["fruit"] == "plum"


def test_a_value_of_the_address_that_is_no_option_gives_way_to_the_default():
    app = AppTest.from_function(chooser)
    app.query_params["fruit"] = "stone"
    app.run()
    assert not app.exception
    assert app.query_params["fruit"] == "apple"


def test_a_button_can_choose_for_a_widget():
    app = AppTest.from_function(chooser)
    app.query_params["view"] = "table"
    app.run()
    app.button[0].click().run()
    assert app.markdown[0].value == "plum|list||False|"
    assert app.query_params == {"fruit": "plum"}


def test_a_choice_that_came_by_the_address_is_remembered_on_the_way_to_another_page():
    app = AppTest.from_function(chooser)
    app.query_params["colours"] = ["red", "blue"]
    app.run()
    app.query_params.clear()
    app.run()
    assert app.multiselect[0].value == ["red", "blue"]
    assert app.query_params["colours"] == ["red", "blue"]


def two_pages():
    import streamlit as st

    from metalm.dashboard import widgets

    if widgets.flag("narrow", "narrow"):
        offered = {"options": ["red", "green"], "elsewhere": ["red", "green", "blue"], "max_selections": 1}
    else:
        offered = {"options": ["red", "green", "blue"]}
    st.write(",".join(widgets.select_many("Colours", name="colours", **offered)))


def test_what_another_page_cannot_offer_stays_chosen():
    app = AppTest.from_function(two_pages)
    app.query_params["colours"] = ["blue", "red", "green", "gone"]
    app.run()
    app.toggle[0].set_value(True).run()
    assert not app.exception
    assert app.markdown[0].value == "red"
    assert app.query_params["colours"] == ["blue", "red", "green"]
    app.multiselect[0].set_value(["green"]).run()
    assert app.query_params["colours"] == ["green", "blue"]
    app.toggle[0].set_value(False).run()
    assert app.markdown[0].value == "green,blue"


def test_what_an_address_says_twice_is_chosen_once():
    app = AppTest.from_function(chooser)
    app.query_params["colours"] = ["red", "red", "blue", "red"]
    app.run()
    assert not app.exception
    assert app.multiselect[0].value == ["red", "blue"]


def places():
    import streamlit as st

    from metalm.dashboard import state, widgets

    st.write(f"{widgets.page(7, 'page')} {state.looked_at('seen')}")


@pytest.mark.parametrize(
    ("page", "seen", "told"),
    [
        ("3", "1~2.5", "3 (1.0, 2.5)"),
        ("0", "2~1", "1 None"),
        ("-2", "-inf~inf", "1 None"),
        ("9" * 6000, "nan~1", "7 None"),
        ("two", "~", "1 None"),
    ],
)
def test_places_of_an_address_are_taken_as_far_as_they_mean_something(page, seen, told):
    app = AppTest.from_function(places)
    app.query_params["page"], app.query_params["seen"] = page, seen
    app.run()
    assert not app.exception
    assert app.markdown[0].value == told


def numbers():
    import streamlit as st

    from metalm.dashboard import widgets

    whole = widgets.number("Seed", 0, 2**31 - 1, "seed", default=0)
    part = widgets.number("Rate", 0.0, 1.0, "rate")
    st.write(f"{whole!r} {part!r}")


@pytest.mark.parametrize(
    ("seed", "rate", "shown"),
    [
        (None, None, "0 None"),
        ("2147483647", "0.05", "2147483647 0.05"),
        ("1.5", "nan", "0 None"),
        ("9" * 19, "inf", "0 None"),
        ("9" * 5000, "x", "0 None"),
    ],
)
def test_a_number_of_the_address_is_taken_where_it_fits(seed, rate, shown):
    app = AppTest.from_function(numbers)
    app.query_params |= {name: value for name, value in (("seed", seed), ("rate", rate)) if value}
    app.run()
    assert not app.exception
    assert app.markdown[0].value == shown


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ({"seed": "-1"}, "Seed must be 0 to 2147483647, got -1"),
        ({"rate": "2"}, "Rate must be 0 to 1, got 2"),
    ],
)
def test_a_number_of_the_address_out_of_its_range_is_refused(address, told):
    app = AppTest.from_function(numbers)
    app.query_params |= address
    assert app.run().exception[0].message == told


@pytest.mark.parametrize(
    ("place", "entered", "told"),
    [(0, -1, "Seed must be 0 to 2147483647, got -1"), (1, 2.0, "Rate must be 0 to 1, got 2")],
)
def test_a_number_out_of_its_range_stays_in_sight_and_is_refused(place, entered, told):
    app = AppTest.from_function(numbers).run()
    app.number_input[place].set_value(entered).run()
    assert app.exception[0].message == told
    assert app.number_input[place].value == entered
    assert not app.markdown
    app.number_input[place].set_value(1).run()
    assert not app.exception


def test_a_number_that_was_entered_stands_in_the_address():
    app = AppTest.from_function(numbers).run()
    app.number_input[0].set_value(1234567890).run()
    app.number_input[1].set_value(0.125).run()
    assert dict(app.query_params) == {"seed": "1234567890", "rate": "0.125"}
    app.number_input[0].set_value(0).run()
    app.number_input[1].set_value(None).run()
    assert not app.query_params
