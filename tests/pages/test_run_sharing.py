"""Runs on their way out of the dashboard: the report on Compare."""

import pytest

from metalm.dashboard import run_sharing


@pytest.mark.usefixtures("shipped")
def test_compare_offers_its_runs_as_a_report(page, home):
    app = page("compare")
    assert not app.exception
    labels = [button.label for button in app.get("download_button")]
    assert labels[:2] == ["HTML", "Markdown"]
    runs = [home.run(name) for name in app.multiselect[0].value]
    text = run_sharing._text(runs, ".md")
    assert text.startswith("# Runs base fomaml, base joint\n")
