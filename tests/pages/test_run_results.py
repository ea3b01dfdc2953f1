"""The results of one run on the page Runs: each track by itself, medians, and where adaptation hurts."""


def results(page, **choices):
    app = page("runs", runs="good", look="Results", **choices)
    assert not app.exception
    return app


def test_means_have_medians_and_every_task_beside_them(finished, home, page, told):
    list(home.evaluate([finished.id], support=(0, 128)))
    app = results(page)
    means, every = (table.value for table in app.dataframe[1:])
    assert list(means["support_bytes"]) == [0, 128]
    assert {"mean", "low", "high", "median"} <= set(means.columns)
    assert set(every["task"]) == {"clocks"}
    assert "Online track" not in told(app)


def test_the_online_track_has_its_own_heading_and_its_own_chart(finished, home, page):
    list(home.evaluate([finished.id], support=(0, 128), methods=["adapt", "online"]))
    app = results(page)
    assert [heading.value for heading in app.subheader] == ["Online track"]
    assert len(app.main.get("bidi_component")) == 3
    online = app.dataframe[-1].value
    assert "before" not in online
    assert list(online["support_bytes"]) == [0, 128]
    rows = home.evaluations([finished.id])
    found = rows[rows["method"] == "dynamic evaluation"]
    assert len(found) == len(online)  # compressors stand on Compare


def test_a_run_with_online_results_only_shows_those(finished, home, page, told):
    list(home.evaluate([finished.id], support=(0,), methods=["dynamic evaluation"]))
    app = results(page)
    assert "Online track" in told(app)
    assert len(app.main.get("bidi_component")) == 1


def test_where_adaptation_hurts_the_run_page_says_so(finished, home, page, told):
    list(home.evaluate([finished.id], support=(0, 128), steps=1))
    home.store.flush()
    change = "UPDATE evaluations SET nats = nats * ? WHERE adaptation_step = 1"
    home.store.metrics._database.execute(change, [0.5])
    assert "Adaptation hurts nowhere" in told(results(page))
    home.store.metrics._database.execute(change, [4.0])
    app = results(page)
    assert "**Adaptation hurts** in 1 of 1 score" in told(app)
    assert list(app.dataframe[-2].value["support_bytes"]) == [128]


def test_tasks_of_a_role_that_has_marks_are_marked_near_or_far(finished, home, page):
    list(home.evaluate([finished.id], support=(0,), role="meta-test"))
    assert "near" in results(page).dataframe[-1].value
    list(home.evaluate([finished.id], support=(0,)))
    assert "near" not in results(page, place="small · meta-validation").dataframe[-1].value


def test_meta_validation_stands_before_meta_test(finished, home, page):
    for role in ("meta-test", "meta-validation"):
        list(home.evaluate([finished.id], support=(0,), steps=1, role=role))
    [choice] = [one for one in results(page).button_group if one.key.endswith("place")]
    assert list(choice.options) == ["small · meta-validation", "small · meta-test"]
