"""The bin of a home: files stay while a run lies in it, and go when it is emptied."""

from datetime import timedelta

import pytest
from homes import SPLIT, small_home, tiny_config

from metalm.errors import NotFoundError
from metalm.home import Home
from metalm.home.bin import KEPT_DAYS
from metalm.store.values import naive, now


@pytest.fixture
def trained(tmp_path):
    """A home with one finished run, and the run."""
    with small_home(tmp_path / "home", tmp_path / "texts") as home:
        yield home, home.train(home.create_run(tiny_config(budget__amount="2"), SPLIT, name="good").id)


def test_a_deleted_run_outlives_a_restart_and_comes_back_whole(trained):
    home, run = trained
    assert home.discard_runs(["good"]) == [run.id]
    assert home.runs(archived=True) == []
    with pytest.raises(NotFoundError, match="no run 'good'"):
        home.run("good")
    path = home.path
    home.close()
    with Home.open(path, samples=False) as again:
        assert again.weights_path(run.id).exists()
        assert again.restore_runs([run.id]) == ["good"]
        assert again.run("good") == run
        assert again.load(run.id).run == run


def test_an_emptied_bin_leaves_no_file_and_no_other_run_goes(trained):
    home, run = trained
    other = home.train(home.create_run(tiny_config(budget__amount="2", seed="5"), SPLIT).id)
    home.discard_runs([run.id, other.id])
    assert home.empty_bin(older_than=1) == 0
    assert home.empty_bin([run.id]) == 1
    assert not home.run_dir(run.id).exists()
    assert home.run_dir(other.id).exists()
    assert home.restore_runs([other.id]) == [other.name]


def test_what_lies_in_the_bin_for_long_goes_at_the_next_start(trained):
    home, run = trained
    home.discard_runs([run.id])
    long_ago = naive(now() - timedelta(days=KEPT_DAYS + 1))
    home.store._database.execute("UPDATE runs SET deleted_at = ?", [long_ago])
    path = home.path
    home.close()
    with Home.open(path, samples=False) as again:
        assert again.store.bin.table().empty
        assert not again.run_dir(run.id).exists()


def test_a_run_that_is_imported_again_comes_out_of_the_bin(trained, tmp_path):
    home, run = trained
    home.export_run(run.id, tmp_path / "bundle")
    home.discard_runs([run.id])
    assert home.import_run(tmp_path / "bundle") == run
    assert home.runs() == [run]
