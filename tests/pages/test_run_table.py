"""The table of the Runs page: filters, groups, baseline, columns, pages and saved views, by their address."""

import dataclasses

import pytest
from homes import SPLIT

from metalm.dashboard import run_table
from metalm.store.run_table import RunQuery


def click(app, label):
    next(button for button in app.button if button.label == label).click()
    return app.run()


@pytest.fixture
def repeated(home, finished):
    """Beside `good` two seeds of one config, with figures of their own, and one on another split."""
    made = []
    for i, bits in enumerate((2.0, 3.0)):
        config = {**finished.config, "seed": i + 5}
        config["algorithm"] = {**config["algorithm"], "inner": {**config["algorithm"]["inner"], "lr": 0.7}}
        run = dataclasses.replace(
            finished,
            id=str(i) * 12,
            name=f"fast seed {i}",
            seed=i + 5,
            config=config,
            best_value=bits,
            adaptation=None,
            created_at=finished.created_at.replace(year=2030 + i),
        )
        made.append(run)
    made.append(dataclasses.replace(made[0], id="e" * 12, name="elsewhere", split_id="e" * 16))
    home.store.runs.add(*made)
    return home


def rows(app):
    return app.dataframe[0].value


@pytest.mark.usefixtures("repeated")
def test_a_filter_of_the_address_is_applied_and_a_wrong_one_explained(page):
    app = page("runs", filter="inner.lr = 0.7 and seed >= 6")
    assert not app.exception
    assert list(rows(app)["run"]) == ["fast seed 1"]
    app = page("runs", filter="lr = 0.7")
    assert not app.exception
    assert "no single column 'lr' of runs; it may be" in app.error[0].value
    assert not app.dataframe


@pytest.mark.usefixtures("repeated")
def test_rows_are_sorted_by_any_column_shown_or_not(page):
    app = page(
        "runs", sort="bits_per_byte", ascending="yes", filter="inner.lr = 0.7", columns=["run", "inner.lr"]
    )
    assert list(rows(app).columns) == ["run", "inner.lr"]
    assert list(rows(app)["run"])[-1] == "fast seed 1"
    app = page("runs", sort="inner.lr", columns="status")
    assert list(rows(app)["run"])[-1] == "good"


@pytest.mark.usefixtures("repeated")
def test_an_address_with_unknown_columns_is_let_be(page):
    app = page("runs", columns=["nonsense", "seed"], sort="nonsense", page="many")
    assert not app.exception
    assert list(rows(app).columns) == ["run", "seed"]


@pytest.mark.usefixtures("repeated")
def test_repetitions_are_one_row_with_mean_and_deviation(page):
    app = page("runs", rows="Groups")
    assert not app.exception
    table = rows(app).set_index("group")
    assert list(table["runs"]) == [2, 1, 1]
    fast = table.loc["fast"]
    assert (fast["bits per byte"], fast["n"]) == (2.5, 2)
    assert fast["± bits per byte"] == pytest.approx(0.5**0.5)
    alone = rows(page("runs", rows="Groups", filter="seed != 5")).set_index("group")
    assert alone.loc["good"].equals(table.loc["good"])  # what is hidden elsewhere changes nothing here
    by = rows(page("runs", rows="Groups", by="algorithm"))
    assert list(by["runs"]) == [4]


@pytest.mark.usefixtures("repeated")
def test_runs_on_several_splits_have_no_mean_and_no_curve(page, told):
    app = page("runs", rows="Groups", by="algorithm", runs=["fast seed 0", "elsewhere"])
    assert not app.exception
    assert rows(app)[["bits per byte", "± bits per byte"]].isna().all(axis=None)
    assert "their tasks are not the same" in app.info[0].value
    assert "one standard deviation" not in told(app)
    apart = rows(page("runs", rows="Groups", by=["algorithm", "split"]))
    assert apart["bits per byte"].notna().all()


@pytest.mark.usefixtures("repeated")
def test_a_baseline_gives_differences_on_its_own_split_alone(page, told):
    app = page("runs", baseline="fast seed 0")
    assert not app.exception
    assert "Baseline" in told(app)
    differences = rows(app).set_index("run")["Δ bits per byte"]
    assert (differences["fast seed 1"], differences["fast seed 0"]) == (1.0, 0.0)
    assert differences.isna()["elsewhere"]
    groups = rows(page("runs", baseline="fast seed 0", rows="Groups")).set_index("group")
    assert groups.loc["fast", "Δ bits per byte"] == 0.5
    app = click(app, "Unpin")
    assert "Δ bits per byte" not in rows(app)


@pytest.mark.usefixtures("repeated")
def test_a_run_is_pinned_as_baseline(page):
    app = click(page("runs", runs="good"), "Baseline")
    assert app.query_params["baseline"] == "good"
    assert "Δ bits per byte" in rows(app)


@pytest.mark.usefixtures("repeated")
def test_long_tables_come_in_pages_and_the_selection_spans_them(page, monkeypatch):
    monkeypatch.setattr(run_table, "PAGE", 3)
    app = page("runs", runs=["good", "fast seed 1"], page="2")
    assert not app.exception
    assert list(rows(app)["run"]) == ["good"]
    assert "4 to 4 of 4 runs · 2 selected" in "\n".join(caption.value for caption in app.caption)
    assert any("2 runs" in header.value for header in app.subheader)


def test_tags_are_given_and_taken_from_many_at_once(repeated, page):
    repeated.set_tags("fast seed 0", ["old"])
    app = click(page("runs", runs=["fast seed 0", "fast seed 1"]), "Tag")
    next(field for field in app.multiselect if field.label == "Add").set_value(["new"])
    next(field for field in app.multiselect if field.label == "Take away").set_value(["old"])
    app = click(app, "Save")
    assert not app.exception
    assert [repeated.run(f"fast seed {i}").tags for i in (0, 1)] == [("new",), ("new",)]


def test_a_view_is_saved_opened_by_its_address_changed_and_forgotten(repeated, page):
    app = page("runs", filter="seed > 4", columns=["seed", "run"])
    next(field for field in app.text_input if field.label == "Save what is shown as").input("many seeds")
    app = click(app, "Save view")
    assert not app.exception
    saved = {"filter": ["seed > 4"], "columns": ["seed", "run"]}
    assert repeated.store.views.all("runs") == {"many seeds": saved}
    opened = page("runs", saved="many seeds")
    assert not opened.exception
    assert opened.query_params["filter"] == "seed > 4"
    assert len(rows(opened)) == 3
    changed = page("runs", saved="many seeds", filter="seed > 5")
    assert len(rows(changed)) == 1  # what the address says beside the view is a change of it
    back = click(changed, "many seeds")
    assert len(rows(back)) == 3
    assert len(rows(click(back, "As at first"))) == 4
    assert "No view 'gone' is saved" in "\n".join(each.value for each in page("runs", saved="gone").warning)
    back.button(key="views.delete.many seeds").click().run()
    assert "many seeds" in repeated.store.views.all("runs")
    back.button(key="views.forget").click().run()
    assert repeated.store.views.all("runs") == {}


def test_a_view_is_written_over_only_when_the_reader_says_so(repeated, page):
    def save(app):
        next(field for field in app.text_input if field.label == "Save what is shown as").input("mine")
        return click(app, "Save view")

    save(page("runs", filter="seed > 4"))
    again = save(page("runs", filter="seed > 5"))
    assert not again.exception
    assert repeated.store.views.all("runs")["mine"] == {"filter": ["seed > 4"]}
    again.button(key="views.replace").click().run()
    assert repeated.store.views.all("runs")["mine"] == {"filter": ["seed > 5"]}


def test_what_is_selected_but_filtered_out_is_not_acted_upon(repeated, page):
    app = page("runs", runs=["good", "fast seed 0"], filter="seed = 5")
    assert not app.exception
    assert "Clone" in [button.label for button in app.button]  # one run alone, not two
    assert repeated.store.run_table.count(RunQuery(where="seed = 5")) == 2


def test_the_page_works_beside_a_queue(queued, page):
    app = page("runs", rows="Groups")
    assert not app.exception
    assert list(rows(app)["group"]) == [queued.name]
    assert SPLIT == "small"
    assert rows(page("runs"))["status"][0] == "queued"


@pytest.mark.usefixtures("repeated")
@pytest.mark.parametrize("rows", ["Parallel", "Importance"])
def test_what_settings_do_is_shown_of_the_selection_or_of_all(page, told, rows):
    app = page("runs", rows=rows)
    assert not app.exception
    assert "4 runs: all that the filter has" in told(app)
    assert "are on several splits" in app.warning[0].value
    app = page("runs", rows=rows, runs=["good", "fast seed 0"])
    assert not app.exception
    assert "2 runs: those selected" in told(app)
    assert not app.warning
    if rows == "Importance":
        assert "Nothing to explain" in told(app)
    else:
        assert len(app.main.get("bidi_component")) == 1


@pytest.mark.usefixtures("repeated")
def test_importance_names_the_settings_that_vary(page):
    table = rows(page("runs", rows="Importance"))
    assert {"inner.lr", "seed"} <= set(table["setting"])
    assert "model.hidden" not in set(table["setting"])
    assert table["explains"].between(0, 100).all()


@pytest.mark.usefixtures("repeated")
def test_of_several_selected_runs_only_differing_settings_are_shown(page):
    app = page("runs", runs=["good", "fast seed 0"])
    assert not app.exception
    table = app.dataframe[-1].value
    assert {"inner.lr", "seed"} <= set(table.index)
    assert "model.hidden" not in table.index


def test_lineage_is_drawn_and_told_in_words(home, finished, page, told):
    child = dataclasses.replace(finished, id="c" * 12, name="child", parent=finished.id)
    home.store.runs.add(child)
    for choices in ({"runs": ["good", "child"], "together": "Lineage"}, {"runs": "child", "look": "Lineage"}):
        app = page("runs", **choices)
        assert not app.exception
        assert "child started from good" in told(app)
    home.discard_runs(["child"])
    assert "nothing starts from them" in told(page("runs", runs="good", look="Lineage"))


@pytest.mark.usefixtures("repeated")
def test_selected_groups_have_curves_with_a_band(page, told):
    app = page("runs", rows="Groups", runs=["good", "fast seed 0", "fast seed 1"])
    assert not app.exception
    assert "one standard deviation over the runs of a group" in told(app)
    assert not page("runs", rows="Groups", runs="good").exception
    assert any("3 runs" in header.value for header in app.subheader)
