"""The Corpora page: empty, typical, adding, renaming, deleting."""

import pytest


@pytest.mark.usefixtures("home")
def test_an_empty_home_says_how_to_add_texts(page, told):
    app = page("corpora")
    assert not app.exception
    assert "No text yet" in told(app)


@pytest.mark.usefixtures("texts")
def test_the_entry_of_the_chosen_corpus_is_shown(page):
    app = page("corpora", corpus="hills")
    assert not app.exception
    assert app.subheader[0].value.startswith("hills")
    assert [m.label for m in app.metric] == ["Size", "Characters", "Lines", "Alphabet", "xz bits / character"]
    assert app.query_params["corpus"] == "hills"


@pytest.mark.usefixtures("texts")
def test_a_search_that_finds_nothing_says_so(page, told):
    app = page("corpora", search="nowhere")
    assert not app.exception
    assert "No corpus matches" in told(app)


@pytest.mark.usefixtures("texts")
def test_an_address_of_a_corpus_that_is_gone_is_told_so(page, told):
    app = page("corpora", corpus="nope")
    assert not app.exception
    assert "No corpus 'nope' here: it was deleted, or has another name now." in told(app).replace("\\", "")
    assert app.query_params["corpus"] != "nope"
    assert "No corpus" not in told(app.run())
    assert "No corpus" not in told(page("corpora", corpus="hills", search="hills"))


@pytest.mark.usefixtures("texts")
def test_every_look_at_a_corpus_can_be_opened_by_its_address(page):
    for look in ("Words", "Characters", "Preview"):
        assert not page("corpora", corpus="birds", look=look).exception


def test_a_path_is_added_with_a_result_for_every_file(home, page, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "poem.txt").write_text("a line of a poem that goes on and on\n" * 60, encoding="utf-8")
    (folder / "empty.txt").write_text("", encoding="utf-8")
    app = page("corpora", view="Add texts", **{"from": "A path on this machine"})
    app.text_input(key="upload.path").input(str(folder)).run()
    next(button for button in app.button if button.label.startswith("Add")).click().run()
    assert not app.exception
    assert [corpus.name for corpus in home.corpora()] == ["poem"]
    results = app.dataframe[0].value
    assert sorted(results["result"]) == ["added", "not added"]
    assert sorted(results["file"]) == ["new/empty.txt", "new/poem.txt"]


def test_an_upload_is_added(home, page):
    app = page("corpora", view="Add texts")
    app.file_uploader[0].upload(
        "song.txt", b"la la la, sang the bird, and flew away\n" * 60, "text/plain"
    ).run()
    next(button for button in app.button if button.label.startswith("Add")).click().run()
    assert not app.exception
    assert [corpus.name for corpus in home.corpora()] == ["song"]


def test_a_corpus_is_renamed_and_what_is_known_of_it_noted(texts, page):
    app = page("corpora", corpus="hills")
    next(button for button in app.button if button.label == "Edit").click().run()
    for label, value in (("Name", "mountains"), ("Language", "English"), ("Family", "Germanic")):
        next(field for field in app.text_input if field.label == label).input(value)
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    corpus = texts.corpus("mountains")
    assert (corpus.language, corpus.groups) == ("English", {"script": "Latin", "family": "Germanic"})
    assert app.query_params["corpus"] == "mountains"


def test_tasks_have_the_groups_that_their_corpora_have_now(texts, page):
    page("tasks", view="New split")
    texts.note_corpus("hills", language="", licence="", source="", script="Runic")
    app = page("tasks", view="New split", roles="by group", group="script")
    assert not app.exception
    assert next(box for box in app.multiselect if box.label == "to meta-test").options == ["Latin", "Runic"]


@pytest.mark.usefixtures("split")
def test_a_corpus_of_a_split_is_not_deleted(home, page):
    app = page("corpora", corpus="hills")
    next(button for button in app.button if button.label == "Delete").click().run()
    next(button for button in app.button if button.label == "Delete for good").click().run()
    assert not app.exception
    assert "small" in app.error[0].value
    assert "hills" in [corpus.name for corpus in home.corpora()]


def test_a_corpus_that_nothing_uses_is_deleted(texts, page):
    app = page("corpora", corpus="hills")
    next(button for button in app.button if button.label == "Delete").click().run()
    next(button for button in app.button if button.label == "Delete for good").click().run()
    assert not app.exception
    assert "hills" not in [corpus.name for corpus in texts.corpora()]


def test_the_columns_of_a_table_are_chosen(home, page):
    rows = "\n".join(
        f'{i},"a line that was written by {author}",{author}' for i in range(60) for author in "AB"
    )
    app = page("corpora", view="Add texts")
    app.file_uploader[0].upload("letters.csv", f"number,words,author\n{rows}\n".encode(), "text/csv").run()
    assert not app.exception
    text, group = (next(box for box in app.selectbox if box.label == label) for label in _COLUMNS)
    assert (text.value, group.value) == ("words", "author")
    next(button for button in app.button if button.label.startswith("Add")).click().run()
    assert not app.exception
    assert [segment.name for segment in home.corpus("letters").segments] == ["A", "B"]


_COLUMNS = ("Text column", "Group column")
