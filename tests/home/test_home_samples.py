"""What ships is in a home at its first start, once: texts, splits, and runs that are ready to be used."""

import shutil
import subprocess
import sys

import pytest
from article import LanguageModel

from metalm.errors import BundleError
from metalm.home import Home
from metalm.home.samples import MODELS_DIR, SAMPLE_TAG
from metalm.model.weight_files import load_weights
from metalm.text.samples import SAMPLES_DIR

NO_TORCH = """
import sys
from pathlib import Path
from metalm.home import Home
with Home.open(sys.argv[1], samples=False) as home:
    home.add_samples(Path(sys.argv[2]))
    print(len(home.runs()), "torch" in sys.modules)
"""
MAX_WEIGHTS, MAX_REST = 4 << 20, 1 << 20  # bytes of a shipped bundle


@pytest.fixture
def fresh(tmp_path):
    """Opens a home without samples; the same one again when it was closed."""
    return lambda: Home.open(tmp_path / "fresh", doing="test", samples=False)


def test_a_new_home_has_the_shipped_runs_with_what_they_were_evaluated_to(shipped, fresh):
    theirs, run, twin, models = shipped
    with fresh() as home:
        home.add_samples(models)
        assert {each.id for each in home.runs()} == {run.id, twin.id}
        assert all(each.tags == (SAMPLE_TAG,) for each in home.runs())
        assert home.twin_of(home.run(run.id)).id == twin.id
        assert [split.name for split in home.splits()] == [split.name for split in theirs.splits()]
        for each in (run, twin):
            rows, wanted = (one.store.evaluations.table(each.id) for one in (home, theirs))
            assert rows.num_rows > 0
            assert rows.equals(wanted)
        assert home.openings("languages") == theirs.openings("languages") == 2
        text = (SAMPLES_DIR / "languages" / "el.txt").read_text("utf-8")[:900]
        assert len(list(home.adapt(run.id, text[:600].encode(), text[600:].encode(), steps=1))) == 2


def test_a_run_that_was_deleted_does_not_come_back(shipped, fresh):
    with fresh() as home:
        home.add_samples(shipped[3])
        for run in home.runs():
            home.delete_run(run.id)
    with fresh() as home:
        home.add_samples(shipped[3])
        assert home.runs() == []


def test_a_home_of_a_version_without_models_gets_none(shipped, fresh, tmp_path):
    with fresh() as home:
        home.add_samples(tmp_path / "nowhere")
        assert len(home.corpora()) == 47
    with fresh() as home:
        home.add_samples(shipped[3])
        assert home.runs() == []


def test_a_first_start_that_was_broken_off_is_taken_up(shipped, fresh, tmp_path):
    models = shutil.copytree(shipped[3], tmp_path / "models")
    weights = models / "base-joint" / "weights.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(b"half of it")
    with fresh() as home, pytest.raises(BundleError, match="must have the hash"):
        home.add_samples(models)
    weights.write_bytes(data)
    with fresh() as home:
        home.add_samples(models)
        assert len(home.runs()) == 2
        assert len(home.corpora()) == 47


def test_the_first_start_does_not_wait_for_torch(shipped, tmp_path):
    command = [sys.executable, "-c", NO_TORCH, str(tmp_path / "fresh"), str(shipped[3])]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert process.stdout == "2 False\n", process.stderr


def test_what_ships_is_small_fits_its_split_and_loads_into_the_articles_class(fresh):
    folders = sorted(MODELS_DIR.glob("*/"))
    if not folders:
        pytest.skip("no trained run ships yet")
    with fresh() as home:
        home.add_samples()
        runs = [home.import_run(folder) for folder in folders]
        assert {run.id for run in runs} == {run.id for run in home.runs()}
        assert any(home.twin_of(run) in runs for run in runs)
        for folder, run in zip(folders, runs, strict=True):
            assert home.split(run.split_id).name == "languages"
            sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
            weights = sum(size for name, size in sizes.items() if name.endswith(".safetensors"))
            assert weights <= MAX_WEIGHTS
            assert sum(sizes.values()) - weights <= MAX_REST
            model = home.load(run.id).model
            theirs = LanguageModel(model.vocab_size, model.config.embedding, model.config.hidden)
            theirs.load_state_dict(load_weights(folder / "weights.safetensors"), strict=True)
            assert len(home.store.evaluations.frame([run.id], role="meta-test")) > 0
