import math

import pytest
import torch

from metalm.errors import DivergedError
from metalm.learn.stopping import Stopped, never
from metalm.learn.watch import Watch
from metalm.learn.windows import Visit
from metalm.model.engine import Windows
from metalm.text.tokenizers import CharacterTokenizer

VISIT, OTHER = Visit("a1", "sonnets"), Visit("b2", "recipes")


def windows_of(*texts, mask=None):
    """One window of each text, whose every byte is a target."""
    tokens = torch.tensor([[[0, *text.encode()]] for text in texts])
    return Windows(tokens, None if mask is None else torch.tensor(mask)[:, None])


def test_losses_are_summed_with_their_counts(tokenizer):
    watch = Watch(1, tokenizer, never)
    watch.saw([VISIT], "support", 0, torch.ones(1, 1, 4), windows_of("año"))
    watch.saw([VISIT], "support", 0, torch.ones(1, 1, 3), windows_of("two"))
    watch.saw_only([VISIT], 1, torch.full((1, 1, 2), 0.5), windows_of("xy"))

    support, query = watch.losses()

    assert (support.task_id, support.part, support.adaptation_step) == ("a1", "support", 0)
    assert (support.nats, support.tokens, support.bytes, support.chars) == (7.0, 7, 7, 6)
    assert (query.part, query.nats, query.tokens, query.bytes, query.chars) == ("query", 1.0, 2, 2, 2)
    assert (watch.tokens, watch.scored) == (7, 2)


def test_tasks_side_by_side_are_told_apart_and_what_is_masked_is_not_counted(tokenizer):
    watch = Watch(1, tokenizer, never)
    nats_TBS = torch.tensor([[[1.0, 1.0, 0.0]], [[2.0, 2.0, 2.0]]])
    masked = windows_of("abc", "def", mask=[[True, True, False], [True, True, True]])
    watch.saw([VISIT, OTHER], "query", 0, nats_TBS, masked)

    first, second = watch.losses()

    assert (first.task_id, first.nats, first.tokens, first.chars) == ("a1", 2.0, 2, 2)
    assert (second.task_id, second.nats, second.tokens, second.chars) == ("b2", 6.0, 3, 3)
    assert watch.tokens == 5


def test_a_hessian_product_is_counted_apart(tokenizer):
    watch = Watch(1, tokenizer, never)
    watch.saw_hessian_product([VISIT, OTHER], 0, windows_of("abc", "def"), torch.ones(2))

    assert (watch.tokens, watch.hessian_tokens) == (0, 6)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_step_task_and_adaptation_step(tokenizer, value):
    watch = Watch(12, tokenizer, never)
    nats_TBS = torch.ones(2, 1, 3)
    nats_TBS[1, 0, 2] = value
    watch.saw([OTHER, VISIT], "query", 3, nats_TBS, windows_of("abc", "def"))

    with pytest.raises(
        DivergedError, match="query loss of task 'sonnets' .* outer step 12 after 3 adaptation steps"
    ):
        watch.settle()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_outer_gradient_that_is_not_finite_names_step_and_task(tokenizer, value):
    watch = Watch(12, tokenizer, never)
    watch.saw_gradient([OTHER, VISIT], torch.tensor([1.0, value]))

    with pytest.raises(DivergedError, match="outer gradient of task 'sonnets' .* outer step 12"):
        watch.settle()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_hessian_product_that_is_not_finite_names_step_task_and_adaptation_step(tokenizer, value):
    watch = Watch(12, tokenizer, never)
    watch.saw_hessian_product([OTHER, VISIT], 2, windows_of("abc", "def"), torch.tensor([1.0, value]))
    watch.saw_gradient([OTHER, VISIT], torch.tensor([1.0, value]))

    what = "Hessian product after 2 adaptation steps of task 'sonnets' .* outer step 12"
    with pytest.raises(DivergedError, match=what):
        watch.settle()


def test_the_stop_flag_is_read_with_every_loss(tokenizer):
    watch = Watch(1, tokenizer, lambda: True)
    with pytest.raises(Stopped):
        watch.saw([VISIT], "query", 0, torch.ones(1, 1, 3), windows_of("abc"))
    with pytest.raises(Stopped):
        watch.saw_hessian_product([VISIT], 0, windows_of("abc"), torch.ones(1))


def test_an_unknown_character_is_charged_with_its_bytes_in_training_too():
    tokenizer = CharacterTokenizer("ab")
    watch = Watch(1, tokenizer, never)
    tokens = torch.tensor([[[0, *tokenizer.encode("aéb".encode()).ids.tolist()]]])
    watch.saw([VISIT], "query", 0, torch.ones(1, 1, 3), Windows(tokens))
    [loss] = watch.losses()
    # Counted as its symbol U+FFFD, of 3 bytes: 24 bits beside the symbol's own nats.
    assert (loss.tokens, loss.bytes) == (3, 5)
    assert loss.nats == pytest.approx(3 + 24 * math.log(2))
