"""What a run learned about adaptation, as a table: its rates are those that adaptation takes."""

import pytest
from homes import SPLIT, TINY_FOMAML

from metalm.home.learned import COLUMNS, learned_table
from metalm.operations.training import make_config


@pytest.fixture
def trained(home):
    """A finished run of the named algorithm."""

    def train(algorithm, **settings):
        more = {key.replace("__", "."): value for key, value in settings.items()}
        config = make_config(algorithm, settings={**TINY_FOMAML, "budget.amount": "2", **more})
        return home.train(home.create_run(config, SPLIT).id)

    return train


def test_rates_have_a_row_for_each_weight_and_step(home, trained):
    run = trained("maml++", optimizer__warmup="0")
    table = learned_table(home, run.id)
    loaded = home.load(run.id)
    assert set(table["kind"]) == {"rate"}
    assert set(table["adaptation_step"]) == {1, 2}
    for row in table.itertuples():
        expected = loaded.rule.rate(row.weight, row.adaptation_step - 1)
        assert row.mean == pytest.approx(float(expected.mean()), rel=1e-5)


def test_rates_of_single_weights_belong_to_every_step(home, trained):
    table = learned_table(home, trained("meta-sgd").id)
    assert table["adaptation_step"].isna().all()
    assert table["numbers"].sum() == sum(w.numel() for w in home.load(home.runs()[0].id).weights.values())
    assert (table["smallest"] <= table["largest"]).all()


def test_a_context_is_one_row(home, trained):
    table = learned_table(home, trained("cavia", cavia__context="3").id)
    assert table[["kind", "weight", "numbers"]].values.tolist() == [["context", "", 8 * 3]]


def test_a_run_that_learned_nothing_of_the_sort_has_an_empty_table(home, trained):
    table = learned_table(home, trained("fomaml").id)
    assert table.empty
    assert tuple(table.columns) == COLUMNS
