import math

import pytest
import torch

from metalm.errors import DivergedError
from metalm.learn.stopping import Stopped, never
from metalm.learn.watch import Watch
from metalm.learn.windows import Visit
from metalm.text.tokenizers import CharacterTokenizer

VISIT = Visit("a1", "sonnets")


def ids(text):
    return torch.tensor(list(text.encode()))[None]


def test_losses_are_summed_with_their_counts(tokenizer):
    watch = Watch(1, tokenizer, never)
    watch.saw(VISIT, "support", 0, torch.ones(1, 4), ids("año"))
    watch.saw(VISIT, "support", 0, torch.ones(1, 3), ids("two"))
    watch.saw(VISIT, "query", 1, torch.full((1, 2), 0.5), ids("x€")[:, :2], trained=False)

    support, query = watch.losses()

    assert (support.task_id, support.part, support.adaptation_step) == ("a1", "support", 0)
    assert (support.nats, support.tokens, support.bytes, support.chars) == (7.0, 7, 7, 6)
    assert (query.nats, query.tokens, query.bytes, query.chars) == (1.0, 2, 2, 2)
    assert watch.tokens == 7


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_step_task_and_adaptation_step(tokenizer, value):
    watch = Watch(12, tokenizer, never)

    with pytest.raises(
        DivergedError, match="query loss of task 'sonnets' .* outer step 12 after 3 adaptation steps"
    ):
        watch.saw(VISIT, "query", 3, torch.full((1, 3), value), ids("abc"))


def test_the_stop_flag_is_read_with_every_loss(tokenizer):
    with pytest.raises(Stopped):
        Watch(1, tokenizer, lambda: True).saw(VISIT, "query", 0, torch.ones(1, 3), ids("abc"))


def test_an_unknown_character_is_charged_with_its_bytes_in_training_too():
    tokenizer = CharacterTokenizer("ab")
    watch = Watch(1, tokenizer, never)
    watch.saw(
        VISIT, "query", 0, torch.ones(1, 3), torch.tensor([tokenizer.encode("aéb".encode()).ids.tolist()])
    )
    [loss] = watch.losses()
    # Counted as its symbol U+FFFD, of 3 bytes: 24 bits beside the symbol's own nats.
    assert (loss.tokens, loss.bytes) == (3, 5)
    assert loss.nats == pytest.approx(3 + 24 * math.log(2))
