"""Work under way: how far, how long, how to stop it; on the pages that wait for it."""

import pytest
from streamlit.testing.v1 import AppTest

from metalm.dashboard import long_work
from metalm.jobs import service


@pytest.mark.parametrize(
    ("share", "seconds", "begun", "words"),
    [
        (0.0, 5.0, 0.0, "reads"),
        (0.25, 10.0, 0.0, "reads · 30 s to go"),
        (0.75, 10.0, 0.5, "reads · 10 s to go"),  # half was done before these ten seconds
        (0.5, 10.0, 0.5, "reads"),
        (1.0, 10.0, 0.0, "reads"),
        (1.0, 10.0, 1.0, "reads"),
    ],
)
def test_the_time_left_is_told_from_what_was_done_in_this_time(share, seconds, begun, words):
    assert long_work.words("reads", share, seconds, begun) == words


def test_work_of_a_script_run_has_a_bar_and_a_stop_button():
    def script():
        from metalm.dashboard import long_work

        with long_work.under_way("Reading …", key="x") as tell:
            tell(0.5, "half read")
            for i in range(1000):
                tell(0.5 + i / 4000, "not every piece is a message")
            tell(1.0, "all read")

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.status[0].label == "Reading …"
    assert app.button(key="stop.x").label == "Stop"
    assert app.get("progress")[0].text == "all read"
    assert app.get("progress")[0].value == 100


@pytest.mark.usefixtures("split")
def test_a_stopped_audit_rests_until_it_is_asked_for_again(page, told):
    app = page("tasks", split="small")
    [split] = service.current().home.splits()
    app.session_state["results"] = {("audit stopped", split.id): True}  # as the Stop button leaves it
    app.query_params["look"] = "Leakage audit"
    app.run()
    assert not app.exception
    assert "The audit was stopped" in told(app)
    assert service.current().home.kept_audit(split.id) is None
    next(button for button in app.button if button.label == "Begin again").click().run()
    assert not app.exception
    assert service.current().home.kept_audit(split.id) is not None
    assert "The audit was stopped" not in told(app)


def test_an_evaluation_that_waits_shows_where_its_results_will_stand(finished, page, told):
    job = service.current().jobs.evaluate([finished.id])
    for name, choices in (("runs", {"look": "Results"}), ("compare", {"view": "Tasks"})):
        app = page(name, runs=[finished.name], **choices)
        assert not app.exception
        assert "An evaluation waits in the queue." in told(app)
    app.button(key=f"beside.{job.id}").click().run()
    assert service.current().jobs.queue() == []
