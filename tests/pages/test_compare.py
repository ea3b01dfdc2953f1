"""The page Compare: empty, curves, results of runs that may and may not be compared, settings."""

import dataclasses
import math

import plotly.graph_objects as go
import pytest
import streamlit as st

from metalm.config import AdamW, MamlPlusPlus, MetaSgd, TokenizerConfig, run_config
from metalm.dashboard import compare_curves, diagnostics
from metalm.dashboard.measures import DIAGNOSTICS


@pytest.fixture
def second(home, finished):
    """Another finished run, `other`: characters instead of bytes, another seed."""
    config = dataclasses.replace(
        run_config(finished.config), seed=1, tokenizer=TokenizerConfig(kind="characters")
    )
    return home.train(home.create_run(config, finished.split_id, name="other").id)


@pytest.fixture
def evaluated(home, finished, second):
    """Both runs, evaluated on meta-validation."""
    assert len(list(home.evaluate([finished.id, second.id], support=(0, 512), steps=2))) > 0
    return [finished.name, second.name]


@pytest.mark.usefixtures("home")
def test_without_a_run_compare_says_where_to_launch_one(page, told):
    app = page("compare")
    assert not app.exception
    assert "No run to look at yet." in told(app)


@pytest.mark.usefixtures("shipped")
def test_the_runs_that_ship_are_compared_at_first(page, told):
    app = page("compare", view="Means")
    assert not app.exception
    assert app.multiselect[0].value == ["base fomaml", "base joint"]
    assert "the band is the 95 % bootstrap interval over tasks" in told(app)
    for view in ("Curves", "Tasks", "Diagnostics", "Settings"):
        assert not page("compare", view=view).exception


@pytest.mark.usefixtures("finished")
def test_before_a_choice_compare_offers_the_newest_runs(page, told):
    app = page("compare")
    assert "Choose the runs above." in told(app)
    app.button[0].click().run()
    assert not app.exception
    assert app.query_params["runs"] == "good"
    assert app.multiselect[0].value == ["good"]


@pytest.mark.usefixtures("finished", "second")
def test_curves_of_two_runs_stand_on_one_chart(page, told):
    app = page("compare", runs=["good", "other"])
    assert not app.exception
    assert len(app.main.get("bidi_component")) == 1
    assert "vocabularies" not in told(app)


@pytest.mark.usefixtures("finished", "second")
def test_perplexities_of_two_vocabularies_are_kept_apart_and_it_says_why(page, told):
    app = page("compare", runs=["good", "other"], unit="perplexity")
    assert not app.exception
    assert "Perplexity counts tokens, and these runs have different vocabularies" in told(app)


@pytest.mark.usefixtures("finished", "failed")
def test_a_failed_run_that_never_took_a_step_is_not_offered(page):
    app = page("compare", runs=["good"])
    assert not app.exception
    assert app.multiselect[0].options == ["good"]


@pytest.mark.parametrize("view", ["Tasks", "Means"])
@pytest.mark.usefixtures("finished")
def test_without_an_evaluation_compare_offers_one(page, told, view):
    app = page("compare", runs=["good"], view=view)
    assert not app.exception
    assert "None of these runs was evaluated yet." in told(app)
    app.button(key="compare.evaluate").click().run()
    assert not app.exception


@pytest.mark.parametrize("look", ["Before and after", "Heat map", "Difference", "Forest", "Table"])
def test_tasks_are_shown_before_and_after_adaptation(evaluated, page, told, look):
    app = page("compare", runs=evaluated, view="Tasks", look=look)
    assert not app.exception
    assert "meta-validation tasks of the split **small**" in told(app)
    assert len(app.main.get("bidi_component")) == (0 if look == "Table" else 1)
    paired = app.dataframe[-1].value
    assert set(paired["name"]) == {"other"}
    assert list(paired["support_bytes"]) == [0, 512]
    clear = (paired["low"] > 0) | (paired["high"] < 0)
    assert list(paired["significant"]) == list(clear)


def test_the_control_of_the_differences_is_a_choice_in_the_address(evaluated, page):
    app = page("compare", runs=evaluated, view="Tasks", control="other")
    assert set(app.dataframe[-1].value["name"]) == {"good"}


def test_the_verdict_stands_above_the_charts_in_words(evaluated, page, told):
    app = page("compare", runs=evaluated, view="Tasks")
    said = told(app)
    assert ":gray[All tasks, 512 B of support:] **" in said
    assert "Near and far are told apart among meta-test tasks only." in said
    assert "needs the fewest bits per byte" in said
    assert f"against **{app.selectbox(key='widget.control').value}**" in said or "on one task" in said


@pytest.mark.usefixtures("shipped")
def test_joint_training_is_what_others_are_compared_with_at_first(page):
    app = page("compare", view="Tasks")
    assert app.selectbox(key="widget.control").value == "base joint"
    pinned = page("compare", view="Tasks", baseline="base fomaml")
    assert pinned.selectbox(key="widget.control").value == "base fomaml"


def test_a_run_may_be_named_by_its_id_in_the_address(finished, page):
    app = page("compare", runs=finished.id)
    assert app.multiselect[0].value == [finished.name]
    assert not app.warning


def test_a_forest_of_one_run_asks_for_another(evaluated, page, told):
    app = page("compare", runs=evaluated[:1], view="Tasks", look="Forest")
    assert not app.exception
    assert "Choose a second run" in told(app)


def test_means_are_drawn_over_steps_and_over_support_bytes_with_medians_and_every_task(evaluated, page):
    app = page("compare", runs=evaluated, view="Means")
    assert not app.exception
    assert len(app.main.get("bidi_component")) == 2
    means, every = (table.value for table in app.dataframe)
    assert set(zip(means["name"], means["support_bytes"], strict=True)) == {
        (name, size) for name in evaluated for size in (0, 512)
    }
    assert list(means["median"]) == pytest.approx(list(means["mean"]))  # of a single task
    assert list(every.columns) == evaluated


def test_tables_of_differences_and_of_hurt_tasks_say_near_and_far(shipped, page):
    shipped.store.flush()
    shipped.store.metrics._database.execute(
        "UPDATE evaluations SET nats = 2 * nats WHERE adaptation_step > 0"
    )
    st.cache_resource.clear()  # nobody but tests change rows that are there
    app = page("compare", view="Tasks", place="languages · meta-test")
    *_, paired = (table.value for table in app.dataframe)
    assert {"all tasks", "near", "far"} <= set(paired["group"])
    whole = paired[paired["group"] == "all tasks"].set_index("support_bytes")["tasks"]
    parts = paired[paired["group"] != "all tasks"].groupby("support_bytes")["tasks"].sum()
    assert parts.to_dict() == whole.to_dict()
    hurt = app.dataframe[0].value
    assert list(hurt.columns)[:4] == ["task", "near", "family", "script"]
    assert set(hurt["near"]) <= {"near", "far"}
    by_family = page("compare", view="Tasks", look="Forest", by="family").dataframe[-1].value
    assert "Slavic" in set(by_family["group"])


def test_an_effect_size_stands_beside_every_difference(evaluated, page):
    paired = page("compare", runs=evaluated, view="Tasks").dataframe[-1].value
    assert {"median", "effect_size"} <= set(paired.columns)
    assert paired["effect_size"].isna().all()  # a single task has no spread


def test_where_adaptation_hurts_a_flag_says_so_task_by_task(home, evaluated, page, told):
    assert "Adaptation hurts nowhere" in told(page("compare", runs=evaluated, view="Tasks"))
    home.store.flush()
    home.store.metrics._database.execute(
        "UPDATE evaluations SET nats = 2 * nats WHERE adaptation_step = 2 AND run_id = ?",
        [home.run("good").id],
    )
    st.cache_resource.clear()  # nobody but this test changes rows that are there
    app = page("compare", runs=evaluated, view="Tasks", look="Table")
    assert not app.exception
    assert "**Adaptation hurts** in 1 of 2 scores" in told(app)
    scores, hurt, _ = (table.value for table in app.dataframe)
    assert list(hurt["name"]) == ["good"]
    assert list(hurt["task"]) == ["clocks"]
    assert list(hurt["lost"]) == pytest.approx(list(hurt["after"] - hurt["before"]))
    assert dict(zip(scores["name"], scores["flag"], strict=True)) == {"good": "hurts", "other": "helped"}


@pytest.fixture
def learning_on(home, finished):
    """`good`, evaluated on both tracks."""
    rows = list(home.evaluate([finished.id], support=(0, 512), steps=2, methods=["adapt", "online"]))
    assert {row.track for row in rows} == {"static", "online"}
    return {"runs": finished.name, "place": "small · meta-validation · online track"}


@pytest.mark.parametrize(
    "look", ["Task by task", "Heat map", "Difference", "Forest", "Table", "Before and after"]
)
def test_the_online_track_has_one_score_a_task_and_no_word_of_steps(learning_on, page, told, look):
    app = page("compare", view="Tasks", look=look, **learning_on)
    assert not app.exception
    looks = next(group for group in app.button_group if "Heat map" in group.options)
    assert looks.options == ["Task by task", "Heat map", "Difference", "Forest", "Table"]
    assert "goes on learning while it codes" in told(app)
    assert "daptation" not in told(app)
    if look == "Table":
        assert set(app.dataframe[0].value.columns) == {"task", "name", "after"}
        assert {"good", "PPMd", "xz"} <= set(app.dataframe[0].value["name"])
    else:
        assert len(app.main.get("bidi_component")) == 1


def test_means_of_the_online_track_are_drawn_over_support_bytes_only(learning_on, page, told):
    app = page("compare", view="Means", **learning_on)
    assert not app.exception
    assert len(app.main.get("bidi_component")) == 1
    assert "step" not in told(app)
    assert {"mean", "median"} <= set(app.dataframe[0].value.columns)


def test_runs_evaluated_on_different_splits_are_not_put_side_by_side(home, finished, texts, page, told):
    tasks = {task.name: task.id for task in texts.tasks(by="corpus")}
    roles = {"birds": "meta-train", "clocks": "meta-train", "hills": "meta-validation", "rivers": "meta-test"}
    texts.freeze_split(
        "turned", texts.tasks(by="corpus"), {tasks[name]: role for name, role in roles.items()}
    )
    config = run_config(finished.config)
    other = home.train(home.create_run(config, "turned", name="elsewhere").id)
    for run in (finished, other):
        list(home.evaluate([run.id], support=(0,), steps=1))
    app = page("compare", runs=["good", "elsewhere"], view="Tasks")
    assert not app.exception
    assert "another content hash" in told(app)
    assert "No result of" in told(app)
    assert not app.dataframe  # nothing is paired


@pytest.mark.usefixtures("finished", "second")
def test_only_settings_that_differ_are_shown(page, told):
    app = page("compare", runs=["good", "other"], view="Settings")
    assert not app.exception
    table = app.dataframe[0].value
    assert {"seed", "tokenizer.kind"} <= set(table.index)
    assert "model.hidden" not in table.index
    alone = page("compare", runs=["good"], view="Settings")
    assert "Choose a second run" in told(alone)


@pytest.mark.usefixtures("home", "finished")
def test_a_run_that_is_gone_is_no_longer_chosen(page):
    app = page("compare", runs=["good", "deleted long ago"])
    assert not app.exception
    assert app.multiselect[0].value == ["good"]
    assert "called otherwise by now: deleted long ago." in app.warning[0].value


@pytest.fixture
def learning(home, finished):
    """Two runs that learn rates, `layered` for each step and `single`, beside `good` that learns none."""
    config, inner = run_config(finished.config), run_config(finished.config).algorithm.inner
    inner = dataclasses.replace(inner, steps=2)
    optimizer = AdamW(lr=0.01, warmup=0)
    for name, kind in (("layered", MamlPlusPlus), ("single", MetaSgd)):
        algorithm = kind(inner=inner, optimizer=optimizer)
        asked = dataclasses.replace(config, algorithm=algorithm)
        home.train(home.create_run(asked, finished.split_id, name=name).id)
    return ["good", "layered", "single"]


@pytest.mark.parametrize("diagnostic", list(DIAGNOSTICS))
def test_every_diagnostic_is_a_chart_also_over_compute(learning, page, told, diagnostic):
    choices = {"diagnostic": diagnostic, "rates": "Over training", "x": "flops"}
    app = page("compare", runs=learning, view="Diagnostics", **choices)
    assert not app.exception
    assert len(app.main.get("bidi_component")) == 1
    assert DIAGNOSTICS[diagnostic].told in told(app)
    assert "no count of" not in told(app)


def test_a_run_keeps_its_colour_where_others_lack_a_measure(learning, page, monkeypatch):
    drawn = []

    def record(*arguments):
        drawn.append(arguments[1])
        return go.Figure()

    monkeypatch.setattr(diagnostics, "measure_curves", record)
    for diagnostic in ("Speed", "Learned rates"):
        choices = {"diagnostic": diagnostic, "rates": "Over training"}
        assert not page("compare", runs=learning, view="Diagnostics", **choices).exception
    every, fewer = drawn
    assert len(fewer) == len(every) - 1
    assert fewer == {run: every[run] for run in fewer}


def test_learned_rates_are_a_heat_map_a_run_and_who_has_none_is_named(learning, page, told):
    app = page("compare", runs=learning, view="Diagnostics", diagnostic="Learned rates")
    assert not app.exception
    assert len(app.main.get("bidi_component")) == 2
    assert "Learned rates not there for good: only meta-sgd" in told(app)


def curves_of(page, monkeypatch, **choices):
    """The Compare page with these choices, and what its learning curves were drawn from."""
    drawn = {}

    def record(*arguments, **more):
        drawn.update(curve=arguments[0], view=arguments[2], **more)
        return go.Figure()

    monkeypatch.setattr(compare_curves, "learning_curves", record)
    app = page("compare", **choices)
    assert not app.exception
    return app, drawn


@pytest.mark.usefixtures("finished")
def test_the_curves_of_one_task_go_along_any_number_that_was_measured(page, monkeypatch, told):
    choices = {"x": "gradient_norm", "curve_task": "clocks", "inliers": "yes"}
    app, drawn = curves_of(page, monkeypatch, runs=["good"], **choices)
    assert "gradient norm" in next(box for box in app.selectbox if box.label == "Along").options
    assert drawn["view"].x == "gradient_norm"
    assert drawn["view"].inliers
    assert drawn["references"] is None
    assert set(drawn["curve"]["part"]) == {"validation"}  # no outer step visits a task that validates
    num = len(drawn["curve"])
    assert f"{num} of {num} reports drawn" in told(app)
    files = [button.label for button in app.get("download_button")]
    assert {"CSV", "Parquet"} <= set(files)


def test_runs_that_differ_in_their_seed_alone_are_one_line_with_a_band(home, finished, page, monkeypatch):
    config = dataclasses.replace(run_config(finished.config), seed=1)
    home.train(home.create_run(config, finished.split_id, name="good-2").id)
    found = {}

    def figure(curve, runs, ways, _view):
        found.update(runs=[run.name for run in runs], parts=set(curve["part"]), ways=ways)
        return go.Figure()

    monkeypatch.setattr(compare_curves.run_group_curves, "figure", figure)
    app = page("compare", runs=["good", "good-2"], lines="groups of seeds", parts="validation")
    assert not app.exception
    assert (found["runs"], found["parts"]) == (["good", "good-2"], {"validation"})
    assert found["ways"].ignoring == ("seed",)


@pytest.mark.usefixtures("second")
def test_curves_less_those_of_the_pinned_baseline_which_need_not_be_chosen(page, monkeypatch, told):
    found = {}

    def differences(curve, baseline, styles, _view):
        found.update(runs=set(curve["run"]), baseline=baseline, names={s.name for s in styles.values()})
        return go.Figure()

    monkeypatch.setattr(compare_curves, "curve_differences", differences)
    app = page("compare", runs=["other"], lines="less the baseline", baseline="good", parts="validation")
    assert not app.exception
    assert found["names"] == {"good", "other"}
    assert len(found["runs"]) == 2
    assert "less those of good" in told(app)
    assert not page("compare", runs=["other"], lines="less the baseline").exception  # nothing is pinned


@pytest.mark.parametrize("smoothing", ["0.5", "nonsense", "nan", "7"])
@pytest.mark.usefixtures("finished")
def test_smoothing_and_parts_come_from_the_address(page, monkeypatch, smoothing):
    app, drawn = curves_of(page, monkeypatch, runs=["good"], smoothing=smoothing, parts=["query", "magic"])
    assert drawn["view"].smoothing == {"0.5": 0.5, "7": 0.98}.get(smoothing, 0.0)
    assert set(drawn["curve"]["part"]) == {"query"}
    assert app.query_params["parts"] == "query"


@pytest.mark.usefixtures("finished")
def test_where_no_baseline_was_evaluated_the_page_says_what_to_do(page, monkeypatch, told):
    app, drawn = curves_of(page, monkeypatch, runs=["good"], references="yes")
    assert drawn["references"] is None
    assert "No baseline to draw: evaluate these runs" in told(app)


def test_baselines_are_drawn_as_they_were_evaluated_on_meta_validation(home, finished, page, monkeypatch):
    methods = ["adapt", "uniform", "unigram"]
    list(home.evaluate([finished.id], role="meta-validation", support=(0, 512), steps=1, methods=methods))
    home.store.flush()
    _, drawn = curves_of(page, monkeypatch, runs=["good"], references="yes")
    lines = drawn["references"].set_index("series")
    assert {"uniform", "unigram"} <= set(lines.index)
    uniform = lines.loc["uniform"]
    assert uniform["nats"] / uniform["bytes"] == pytest.approx(math.log(256))
    assert lines["support_bytes"].nunique() == 1


@pytest.mark.usefixtures("finished")
def test_what_is_no_range_of_x_is_no_range(page, monkeypatch):
    _, drawn = curves_of(page, monkeypatch, runs=["good"], **{"seen.step": "9~x"})
    assert len(drawn["curve"]) > 0


@pytest.mark.usefixtures("finished")
def test_what_no_run_has_is_not_offered_and_it_says_why(page, told):
    app = page("compare", runs=["good"], view="Diagnostics")
    offered = next(group for group in app.button_group if "Speed" in group.options).options
    assert "Learned rates" not in offered
    assert "Drift" in offered
    assert "Not there for this run: learned rates (only meta-sgd" in told(app)


def test_runs_that_counted_no_compute_are_told_along_compute(home, finished, page, told):
    home.store.metrics._database.execute("DELETE FROM metrics WHERE name = 'flops'", [])
    app = page("compare", runs=["good"], x="flops")
    assert not app.exception
    assert f"{finished.name}: no count of estimated FLOPs" in told(app)


def test_tasks_spread_over_outer_steps_and_one_run_is_seen_along_both_axes(finished, second, page, told):
    app = page("compare", runs=[finished.name, second.name], view="Over training", both="other")
    assert not app.exception
    assert len(app.main.get("bidi_component")) == 3
    assert "Ribbon: the middle 80 % of the tasks" in told(app)


def test_perplexities_after_adaptation_are_kept_apart_by_vocabulary_and_it_says_why(evaluated, page, told):
    app = page("compare", runs=evaluated, view="Means", unit="perplexity")
    assert not app.exception
    assert "Perplexity counts tokens, and these have different vocabularies" in told(app)
    assert len(app.main.get("bidi_component")) == 4
    assert (
        len(page("compare", runs=evaluated[:1], view="Means", unit="perplexity").main.get("bidi_component"))
        == 2
    )


def test_one_task_is_a_choice_that_leads_to_its_page(evaluated, page):
    app = page("compare", runs=evaluated, view="Tasks", one="clocks")
    assert not app.exception
    assert any("Open clocks" in link.proto.label for link in app.get("page_link"))
