import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from metalm.errors import BundleError, NotFoundError, SplitError
from metalm.text.splits import ROLES, Split, folds, freeze, random_roles, roles_by_group
from metalm.text.tasks import Task


def task(name, *, size=5000, relatives=None, corpus_id=None, begin=0, **groups):
    return Task(
        id=f"id-{name}",
        name=name,
        corpus_id=corpus_id or f"corpus-{name}",
        begin=begin,
        end=begin + size,
        groups=groups,
        relatives=relatives or name,
    )


def roles_of(**names):
    return {f"id-{name}": role.replace("_", "-") for name, role in names.items()}


LANGUAGES = [
    task("sv", family="Germanic", script="Latin"),
    task("en", family="Germanic", script="Latin"),
    task("el", family="Hellenic", script="Greek"),
    task("uk", family="Slavic", script="Cyrillic"),
    task("ru", family="Slavic", script="Cyrillic"),
]
ROLES_OF_FIVE = roles_of(
    sv="meta_train", ru="meta_train", en="meta_test", el="meta_test", uk="meta_validation"
)

many_tasks = st.lists(st.integers(1, 4), min_size=3, max_size=12).map(
    lambda sizes: [task(f"{i}.{j}", relatives=f"group {i}") for i, n in enumerate(sizes) for j in range(n)]
)


def test_freeze_orders_tasks_by_role_and_name():
    split = freeze("five", LANGUAGES, ROLES_OF_FIVE)
    assert [t.task.name for t in split.tasks] == ["ru", "sv", "uk", "el", "en"]
    assert [t.name for t in split.of_role("meta-test")] == ["el", "en"]
    assert (split.family, split.fold, split.folds) == ("five", 1, 1)


def test_freeze_leaves_out_tasks_without_a_role():
    roles = roles_of(sv="meta_train", en="meta_test")
    assert len(freeze("two", LANGUAGES, roles).tasks) == 2


def test_meta_test_task_is_near_when_meta_train_has_its_family_or_script():
    split = freeze("five", LANGUAGES, ROLES_OF_FIVE)
    assert split.near("id-en") is True
    assert split.near("id-el") is False
    assert split.near("id-uk") is None  # only meta-test tasks are marked
    script_only = [task("sr", script="Cyrillic", family="South Slavic"), *LANGUAGES]
    roles = roles_of(sr="meta_test", ru="meta_train")
    assert freeze("script", script_only, roles).near("id-sr") is True


def test_near_is_unknown_without_family_and_script():
    tasks = [task("a"), task("b", family="Slavic"), task("c", kind="novel")]
    assert freeze("ab", tasks, roles_of(a="meta_train", b="meta_test")).near("id-b") is None
    assert freeze("ca", tasks, roles_of(b="meta_train", c="meta_test")).near("id-c") is None


def test_near_of_a_task_that_is_not_in_the_split_is_refused():
    with pytest.raises(NotFoundError, match="no task 'id-x' in split 'five'"):
        freeze("five", LANGUAGES, ROLES_OF_FIVE).near("id-x")


def test_hash_depends_on_content_and_roles_not_on_names_or_order():
    split = freeze("five", LANGUAGES, ROLES_OF_FIVE)
    renamed = [replace(t, name=f"{t.name}.txt") for t in reversed(LANGUAGES)]
    assert freeze("other", renamed, ROLES_OF_FIVE).hash == split.hash
    assert freeze("five", LANGUAGES, {**ROLES_OF_FIVE, "id-uk": "meta-test"}).hash != split.hash
    kin = [replace(t, relatives="kin") if t.name == "uk" else t for t in LANGUAGES]
    assert freeze("five", kin, ROLES_OF_FIVE).hash != split.hash
    assert split.id == split.hash[:16]


@pytest.mark.parametrize(
    ("tasks", "roles", "message"),
    [
        (
            [task("sr", relatives="bcms"), task("hr", relatives="bcms")],
            roles_of(sr="meta_train", hr="meta_test"),
            "relatives 'bcms' must not straddle roles, got 'sr' in meta-train and 'hr' in meta-test",
        ),
        (
            [task("sr"), task("hr", relatives="sr")],
            roles_of(sr="meta_train", hr="meta_validation"),
            "relatives 'sr' must not straddle roles, got 'sr' in meta-train and 'hr' in meta-validation",
        ),
        (
            [task("a"), task("haiku", size=80)],
            roles_of(a="meta_train", haiku="meta_test"),
            "task 'haiku' must have 1024 bytes or more, got 80",
        ),
        (
            [task("a"), task("b")],
            roles_of(a="meta_train", b="meta_train"),
            "split 'new' must have a task in meta-train and one in meta-validation or meta-test, "
            "got 2 of 2 in meta-train",
        ),
        (
            [task("a"), task("b")],
            roles_of(a="meta_test", b="meta_validation"),
            "split 'new' must have a task in meta-train and one in meta-validation or meta-test, "
            "got 0 of 2 in meta-train",
        ),
        ([], {}, "must have a task in meta-train"),
        (
            [task("a"), replace(task("b"), name="a")],
            roles_of(a="meta_train", b="meta_test"),
            "names of tasks must differ inside a split, got 'a' twice",
        ),
        (
            [task("whole", corpus_id="c"), task("part", corpus_id="c", begin=4999, size=2000)],
            roles_of(whole="meta_train", part="meta_test"),
            "tasks of a split must not share text, got 'whole' and 'part'",
        ),
        ([task("a")], {"id-z": "meta-train"}, "no task 'id-z' among the tasks of split 'new'"),
        (
            [task("a")],
            {"id-a": "test"},
            "a role must be one of meta-train, meta-validation, meta-test, got 'test'",
        ),
    ],
)
def test_freeze_refuses(tasks, roles, message):
    with pytest.raises(SplitError) as refusal:
        freeze("new", tasks, roles)
    assert message in str(refusal.value)


def test_freeze_refuses_an_empty_name():
    with pytest.raises(SplitError, match="name of a split must not be empty, got ' '"):
        freeze(" ", LANGUAGES, ROLES_OF_FIVE)


def test_neighbouring_chunks_of_one_corpus_may_have_different_roles():
    chunks = [task("c/1", corpus_id="c"), task("c/2", corpus_id="c", begin=5000)]
    split = freeze("chunks", chunks, {"id-c/1": "meta-train", "id-c/2": "meta-test"})
    assert len(split.tasks) == 2


def test_split_comes_back_from_json():
    split = freeze("fold 2", LANGUAGES, ROLES_OF_FIVE, family="folds", fold=2, folds=3)
    again = Split.from_json(json.loads(json.dumps(split.to_json())))
    assert again == split
    assert again.hash == split.hash


def _change_role(data):
    data["tasks"][0]["role"] = "meta-test"


def _unknown_role(data):
    data["tasks"][0]["role"] = "train"


def _drop_name(data):
    del data["name"]


def _unknown_field(data):
    data["tasks"][0]["colour"] = "red"


def _text_as_begin(data):
    data["tasks"][0]["begin"] = "0"


def _tasks_are_numbers(data):
    data["tasks"] = [1, 2]


def _bad_date(data):
    data["created_at"] = "yesterday"


@pytest.mark.parametrize(
    "damage",
    [_change_role, _unknown_role, _drop_name, _unknown_field, _text_as_begin, _tasks_are_numbers, _bad_date],
)
def test_damaged_json_of_a_split_is_refused(damage):
    data = json.loads(json.dumps(freeze("five", LANGUAGES, ROLES_OF_FIVE).to_json()))
    damage(data)
    with pytest.raises(BundleError):
        Split.from_json(data)


@given(tasks=many_tasks, validation=st.integers(0, 6), test=st.integers(0, 6), seed=st.integers(0, 99))
def test_random_roles_give_the_numbers_asked_for_and_tear_no_relatives_apart(tasks, validation, test, seed):
    try:
        roles = random_roles(tasks, validation=validation, test=test, seed=seed)
    except SplitError:
        assume(False)
    count = Counter(roles.values())
    assert (count["meta-validation"], count["meta-test"]) == (validation, test)
    assert len(roles) == len(tasks)
    for relatives in {t.relatives for t in tasks}:
        assert len({roles[t.id] for t in tasks if t.relatives == relatives}) == 1
    assert roles == random_roles(tasks[::-1], validation=validation, test=test, seed=seed)


def test_random_roles_depend_on_the_seed():
    tasks = [task(str(i)) for i in range(20)]
    drawn = {tuple(sorted(random_roles(tasks, validation=4, test=4, seed=s).items())) for s in range(5)}
    assert len(drawn) == 5


def test_random_roles_find_the_groups_that_make_up_the_number():
    tasks = [task(f"{size}.{i}", relatives=str(size)) for size in (7, 5, 3) for i in range(size)]
    for seed in range(10):
        roles = random_roles(tasks, validation=5, test=3, seed=seed)
        assert {roles[t.id] for t in tasks if t.relatives == "3"} == {"meta-test"}
        assert {roles[t.id] for t in tasks if t.relatives == "5"} == {"meta-validation"}


def test_random_roles_refuse_a_number_that_whole_groups_cannot_make():
    tasks = [task(f"{g}.{i}", relatives=g) for g in "abc" for i in range(2)]
    with pytest.raises(SplitError, match="meta-test must be made of whole groups of relatives, got 3 of 6"):
        random_roles(tasks, validation=2, test=3, seed=0)


def test_random_roles_leave_out_tasks_that_are_too_short():
    tasks = [task("haiku", size=80), *(task(str(i)) for i in range(5))]
    assert "id-haiku" not in random_roles(tasks, validation=1, test=1, seed=0)


def test_roles_by_group_follow_the_value_of_the_group():
    roles = roles_by_group(LANGUAGES, "family", validation=["Hellenic"], test=["Slavic"])
    assert roles == roles_of(
        sv="meta_train", en="meta_train", el="meta_validation", uk="meta_test", ru="meta_test"
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"test": ["Uralic"]}, "no task with family 'Uralic'; there are Germanic, Hellenic, Slavic"),
        (
            {"test": ["Slavic"], "validation": ["Slavic"]},
            "family 'Slavic' must have one role, got meta-validation and meta-test",
        ),
    ],
)
def test_roles_by_group_refuse(asked, message):
    with pytest.raises(SplitError) as refusal:
        roles_by_group(LANGUAGES, "family", **asked)
    assert message in str(refusal.value)


@given(tasks=many_tasks, num_folds=st.integers(3, 5), seed=st.integers(0, 99))
def test_folds_make_every_task_meta_test_once_and_meta_validation_once(tasks, num_folds, seed):
    assume(len({t.relatives for t in tasks}) >= num_folds)
    rotated = folds(tasks, num_folds, seed)
    for t in tasks:
        count = Counter(roles[t.id] for roles in rotated)
        assert count == {"meta-test": 1, "meta-validation": 1, "meta-train": num_folds - 2}
    for number, roles in enumerate(rotated, start=1):
        split = freeze(f"fold {number}", tasks, roles, family="folds", fold=number, folds=num_folds)
        assert all(split.of_role(role) for role in ROLES)


@pytest.mark.parametrize("num_folds", [2, 6])
def test_folds_refuse_a_number_out_of_reach(num_folds):
    with pytest.raises(SplitError, match=f"3 or more and at most the 5 groups of relatives, got {num_folds}"):
        folds(LANGUAGES, num_folds, 0)
