"""The compiled recurrence is built once for a source and a processor, and its absence is no error."""

import logging

import pytest
import torch

from metalm.model import compiled, native


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    """An own cache folder; what was loaded before is forgotten."""
    if compiled._compiler() is None:
        pytest.skip("no C compiler here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    native.library.cache_clear()
    yield
    native.library.cache_clear()


def built(tmp_path):
    return sorted(path.name for path in (tmp_path / "metalm").iterdir())


def test_library_is_built_once_for_each_type(tmp_path):
    assert native.library(torch.float32) is not None
    [name] = built(tmp_path)
    before = (tmp_path / "metalm" / name).stat().st_mtime_ns
    native.library.cache_clear()
    assert native.library(torch.float32) is not None
    assert (tmp_path / "metalm" / name).stat().st_mtime_ns == before
    assert native.library(torch.float64) is not None
    assert len(built(tmp_path)) == 2


def test_types_that_it_does_not_know_have_no_library():
    assert native.library(torch.float16) is None


def test_another_source_is_another_file(tmp_path, monkeypatch):
    native.library(torch.float32)
    monkeypatch.setattr(native.SOURCE, "text", native.SOURCE.text + "\n/* changed */\n")
    native.library.cache_clear()
    assert native.library(torch.float32) is not None
    assert len(built(tmp_path)) == 2


def test_without_a_compiler_there_is_none(monkeypatch):
    monkeypatch.setattr(compiled, "_compiler", lambda: None)
    assert native.library(torch.float32) is None


def test_a_source_that_does_not_compile_is_told_and_leaves_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(native.SOURCE, "text", "int f( {")
    with caplog.at_level(logging.WARNING):
        assert native.library(torch.float32) is None
    assert "gru_scan.c could not be built" in caplog.text
    assert built(tmp_path) == []


def test_a_cache_folder_that_cannot_be_made_is_told(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        assert native.library(torch.float32) is None
    assert "gru_scan.c could not be built" in caplog.text


def test_the_users_compiler_comes_first(monkeypatch, tmp_path):
    own = tmp_path / "my-cc"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("CC", str(own))
    assert compiled._compiler() == [str(own)]
