"""A bundle takes a run elsewhere whole; what is no bundle leaves no trace."""

import json
import random
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch
from article import LanguageModel
from homes import SPLIT

from metalm import units
from metalm.errors import BundleError, RunStateError
from metalm.model.weight_files import load_weights
from metalm.text.samples import SAMPLES_DIR


@pytest.fixture
def copy(bundle, tmp_path):
    """The bundle where it may be damaged."""
    return shutil.copytree(bundle[2], tmp_path / "copy")


@pytest.fixture
def change(copy):
    """Changes the run.json of the copy."""

    def apply(edit):
        data = json.loads((copy / "run.json").read_text())
        edit(data)
        (copy / "run.json").write_text(json.dumps(data))

    return apply


def trace(home):
    """All that an import could leave."""
    home.store.flush()
    database = home.store._database
    tables = [name for (name,) in database.rows("SELECT table_name FROM duckdb_tables()")]
    files = sorted(str(file) for file in home.path.rglob("*") if "metalm.duckdb" not in file.name)
    return {name: len(database.rows(f"FROM {name}")) for name in tables}, files


def test_a_run_comes_out_of_its_bundle_as_it_went_in(bundle, another_home):
    home, run, directory = bundle
    assert {file.name for file in directory.iterdir()} == {
        "run.json",
        "weights.safetensors",
        "metrics.parquet",
        "evaluations.parquet",
    }
    imported = another_home.import_run(directory)
    # The process that trained it is not the run's.
    assert imported.heartbeat is None
    fields = set(vars(run)) - {"heartbeat"}
    assert {name: getattr(imported, name) for name in fields} == {name: getattr(run, name) for name in fields}
    left, right = (load_weights(each.weights_path(run.id)) for each in (home, another_home))
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
    for section in ("metrics", "evaluations"):
        theirs, ours = (getattr(each.store, section).table(run.id) for each in (another_home, home))
        assert ours.num_rows > 0
        assert theirs.equals(ours)
    assert another_home.split(SPLIT) == home.split(SPLIT)
    pd.testing.assert_frame_equal(another_home.run_table(), home.run_table())


def test_an_imported_run_is_ready_without_its_texts(bundle, another_home):
    home, run, directory = bundle
    another_home.import_run(directory)
    here, there = (list(each.adapt(run.id, b"abc " * 99, b"bcd " * 9)) for each in (another_home, home))
    assert [step.score.nats for step in here] == [step.score.nats for step in there]
    again = another_home.export_run(run.id, another_home.path.parent / "again")
    for name in ("weights.safetensors", "metrics.parquet", "evaluations.parquet", "run.json"):
        assert (again / name).read_bytes() == (directory / name).read_bytes(), name


def test_a_bundle_in_half_precision_is_half_as_large_and_adapts_alike(bundle, another_home, tmp_path):
    home, run, directory = bundle
    half = home.export_run(run.id, tmp_path / "half", half=True)
    sizes = [(folder / "weights.safetensors").stat().st_size for folder in (half, directory)]
    assert sizes[0] < 0.6 * sizes[1]
    another_home.import_run(half)
    assert {each.dtype for each in load_weights(another_home.weights_path(run.id)).values()} == {
        torch.float32
    }
    for name in ("el", "en", "ta", "zh-CN"):
        text = (SAMPLES_DIR / "languages" / f"{name}.txt").read_text("utf-8")[:1500]
        support, query = text[:1000].encode(), text[1000:].encode()
        here, there = (list(each.adapt(run.id, support, query, steps=3)) for each in (another_home, home))
        for ours, theirs in zip(here, there, strict=True):
            bits = [units.bits_per_byte(step.score.nats, step.score.bytes) for step in (ours, theirs)]
            assert bits[0] == pytest.approx(bits[1], abs=1e-3)
    again = another_home.export_run(run.id, another_home.path.parent / "again")
    for name in ("weights.safetensors", "metrics.parquet", "evaluations.parquet", "run.json"):
        assert (again / name).read_bytes() == (half / name).read_bytes(), name


@pytest.mark.parametrize("half", [False, True])
def test_the_weights_of_a_bundle_load_into_the_articles_class(bundle, another_home, tmp_path, half):
    home, run, _ = bundle
    directory = home.export_run(run.id, tmp_path / "out", half=half)
    theirs = LanguageModel(256, 8, 8)
    theirs.load_state_dict(load_weights(directory / "weights.safetensors"), strict=True)
    another_home.import_run(directory)
    text = (SAMPLES_DIR / "languages" / "el.txt").read_bytes()[:300]
    tokens_TB = torch.frombuffer(bytearray(text), dtype=torch.uint8).long()[:, None]
    assert torch.equal(theirs(tokens_TB, None)[0], another_home.load(run.id).model(tokens_TB)[0])


@pytest.mark.parametrize(("is_told", "counted"), [(True, 2), (False, 1)], ids=["told", "older version"])
def test_a_bundle_counts_the_openings_of_meta_test(home, new_run, another_home, tmp_path, is_told, counted):
    run = home.train(new_run().id)
    for _ in range(2):
        list(home.evaluate([run.id], role="meta-test", support=(0,), steps=1))
    directory = home.export_run(run.id, tmp_path / "opened")
    data = json.loads((directory / "run.json").read_text())
    assert data["openings"] == {run.split_id: 2}
    if not is_told:  # then its rows tell of one
        del data["openings"]
        (directory / "run.json").write_text(json.dumps(data))
    another_home.import_run(directory)
    another_home.import_run(directory)
    assert another_home.openings(SPLIT) == counted


def test_importing_twice_is_importing_once(bundle, another_home):
    directory = bundle[2]
    first = another_home.import_run(directory)
    left = trace(another_home)
    assert another_home.import_run(directory) == first
    assert bundle[0].import_run(directory) == bundle[1]
    assert trace(another_home) == left


def test_a_name_that_is_taken_gets_a_number(bundle, home, new_run):
    new_run(name="exported")
    # The texts are the same in both homes, so the split is the one that is here.
    imported = home.import_run(bundle[2])
    assert imported.name == "exported-2"
    assert imported.split_id == home.split(SPLIT).id


def test_a_split_whose_name_is_taken_gets_a_number(bundle, another_home, home):
    tasks = home.tasks()
    roles = dict(zip((task.id for task in tasks), ("meta-train", "meta-test"), strict=False))
    other = home.freeze_split("other", tasks, roles)
    another_home.store.splits.add(replace(other, name=SPLIT))
    imported = another_home.import_run(bundle[2])
    assert another_home.split(imported.split_id).name == f"{SPLIT}-2"


def test_another_run_of_the_same_id_is_refused(bundle, another_home):
    run, directory = bundle[1:]
    another_home.import_run(directory)
    with another_home.weights_path(run.id).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="must be new or the same as here"):
        another_home.import_run(directory)


def test_an_unfinished_run_is_not_exported(home, new_run, tmp_path):
    with pytest.raises(RunStateError, match="must be finished to be exported, it is queued"):
        home.export_run(new_run().id, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(bundle, tmp_path):
    home, run, _ = bundle
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    for target in (tmp_path / "full", tmp_path / "full" / "file"):
        with pytest.raises(BundleError, match="must be a new or empty directory"):
            home.export_run(run.id, target)
    assert [file.name for file in tmp_path.rglob("*")] == ["full", "file"]
    (tmp_path / "empty").mkdir()
    assert home.export_run(run.id, tmp_path / "empty").joinpath("run.json").exists()


def test_an_imported_run_has_no_checkpoint_to_go_on_from(bundle, another_home):
    run = another_home.import_run(bundle[2])
    with pytest.raises(RunStateError, match="must have a checkpoint to go on"):
        another_home.extend_run(run.id, 5)
    assert another_home.run(run.id).status == "finished"


@pytest.mark.parametrize(
    "name", ["run.json", "weights.safetensors", "metrics.parquet", "evaluations.parquet"]
)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "noise", "flipped"])
def test_a_damaged_file_is_refused_and_leaves_no_trace(copy, another_home, name, damage):
    file = copy / name
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "flipped":
        place = len(data) // 2
        file.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
    else:
        file.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "noise": b"\x00\xff" * 500}[damage])
    before = trace(another_home)
    try:
        another_home.import_run(copy)
    except BundleError:
        assert trace(another_home) == before
    else:
        # Parquet has no checksum over its values: a flipped one is another value.
        assert (damage, file.suffix) == ("flipped", ".parquet")


def test_a_directory_that_is_none_is_refused(tmp_path, another_home):
    with pytest.raises(BundleError, match=r"no run\.json in"):
        another_home.import_run(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(format="metalm run bundle 9"), "must be of the format"),
        (lambda d: d["run"].update(id="../../../etc"), "id of 12 hex digits"),
        (lambda d: d["run"].update(id="A" * 12), "id of 12 hex digits"),
        (lambda d: d["run"].update(status="running"), "must be finished"),
        (lambda d: d["run"].update(status="lost"), "must be as metalm writes it"),
        (lambda d: d["run"].update(name=" "), "with a name"),
        (lambda d: d["run"].update(step=10**30), "must be as metalm writes it"),
        (lambda d: d["run"].update(seen=["everything"]), "lineage"),
        (lambda d: d["run"].update(seen=[]), "lineage of run .* must tell of task 'alpha'"),
        (lambda d: d["run"].update(validated=[]), "lineage of run .* must tell of task 'gamma'"),
        (lambda d: d["run"].update(seen="x"), "must be as metalm writes it"),
        (lambda d: d["run"].update(created_at="yesterday"), "must be as metalm writes it"),
        (lambda d: d["run"].pop("seed"), "exactly the fields"),
        (lambda d: d["run"].update(extra=1), "exactly the fields"),
        (lambda d: d["run"]["config"]["model"].update(hidden=16), "must fit this model"),
        (lambda d: d["run"]["config"].update(model=5), "must be as metalm writes it"),
        (lambda d: d["run"]["config"].update(surprise=5), "no setting 'surprise'"),
        (lambda d: d["run"].update(adaptation={"inner": 5}), "adaptation"),
        (lambda d: d["run"].update(split_id="0" * 16), "the split of run"),
        (lambda d: d["split"]["tasks"].pop(), "must have the hash"),
        (lambda d: d["split"]["tasks"][0].update(name=5), "must be as metalm writes it"),
        (lambda d: d["tokenizer"].update(hash="0" * 64), "tokenizer"),
        (lambda d: d.update(weights_sha256="0" * 64), "must have the hash"),
        (lambda d: d.update(summary={"a": 1}), "summary"),
        (lambda d: d.update(openings=[1]), "must have an object 'openings'"),
        (lambda d: d.update(openings={"a" * 16: 0}), "'openings' in run.json must be whole numbers"),
        (lambda d: d.update(openings={"a" * 16: 10**9}), "'openings' in run.json must be whole numbers"),
    ],
)
def test_a_bundle_that_contradicts_itself_is_refused(change, copy, another_home, edit, message):
    change(edit)
    before = trace(another_home)
    with pytest.raises(BundleError, match=message):
        another_home.import_run(copy)
    assert trace(another_home) == before


def test_rows_of_another_run_are_refused(copy, another_home):
    frame = pd.read_parquet(copy / "evaluations.parquet")
    frame["run_id"] = "f" * 12
    frame.to_parquet(copy / "evaluations.parquet")
    with pytest.raises(BundleError, match="rows of run"):
        another_home.import_run(copy)


def test_a_table_with_other_columns_is_refused(copy, another_home):
    frame = pd.read_parquet(copy / "metrics.parquet")
    frame.rename(columns={"value": "loss"}).to_parquet(copy / "metrics.parquet")
    with pytest.raises(BundleError, match="must have the columns"):
        another_home.import_run(copy)


def test_hundreds_of_odd_run_files_are_refused_or_harmless(copy, another_home):
    text = (copy / "run.json").read_text()
    rng = random.Random(0)
    for _ in range(300):
        data = json.loads(text)
        holder, key = rng.choice(list(_places(data)))
        odd = [None, 0, -1, 1e300, "", "x" * 10, [], {}, True, [1, "a", None], {"a": {"b": []}}]
        holder[key] = rng.choice(odd)
        (copy / "run.json").write_text(json.dumps(data))
        before = trace(another_home)
        try:
            imported = another_home.import_run(copy)
        except BundleError:
            assert trace(another_home) == before
        else:
            another_home.load(imported.id)
            another_home.delete_run(imported.id)


def _places(data):
    """Every (container, key) of JSON data."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield data, key
        if isinstance(value, dict | list):
            yield from _places(value)
