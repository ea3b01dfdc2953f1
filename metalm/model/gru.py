"""The network: the article's LanguageModel, with layers, dropout and tied embeddings as options.

Shapes: T tokens of a text, B texts side by side, E embedding size, H hidden units, L layers, V vocabulary.
This module alone is time-first, (T, B), as the article is; everybody else holds (B, T) and comes through
`metalm.model.fast_weights.run`, where the axes are turned.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from metalm.config import ModelConfig
from metalm.model.dropout import scales


class GRULM(nn.Module):
    """Embedding -> GRU -> Linear, under the article's parameter names and shapes.

    A one-layer model's weights load into the article's class with `load_state_dict(strict=True)`.
    There is no train or eval mode: activations are dropped exactly where a generator is given.
    """

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, config.embedding)
        self.rnn = nn.GRU(config.embedding, config.hidden, num_layers=config.layers)
        self.linear = nn.Linear(config.hidden, vocab_size)
        if config.tied:
            self.linear.weight = self.embedding.weight

    def forward(
        self, tokens_TB: Tensor, hidden_LBH: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """(logits_TBV, hidden_LBH): what comes after each token, and the state after the last one.

        tokens_TB: int64 token ids. hidden_LBH: the state before the first token; None is the zero state.
        generator: draws the dropout masks, on the tokens' device; without one nothing is dropped.
        """
        embedded_TBE = self.embedding(tokens_TB)
        if generator is None or self.config.dropout == 0:
            output_TBH, hidden_LBH = self.rnn(embedded_TBE, hidden_LBH)
        else:
            output_TBH, hidden_LBH = self._rnn_with_dropout(embedded_TBE, hidden_LBH, generator)
        return self.linear(output_TBH), hidden_LBH

    def _rnn_with_dropout(
        self, input_TBE: Tensor, hidden_LBH: Tensor | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The GRU with its input, what passes between its layers and its output dropped (never its state).

        nn.GRU would draw its masks from the global generator, and a run could not be repeated: so the layers
        run one by one, each through the same kernel.
        """
        if hidden_LBH is None:
            shape = (self.config.layers, input_TBE.shape[1], self.config.hidden)
            hidden_LBH = input_TBE.new_zeros(shape)
        output_TBH, last = self._dropped(input_TBE, generator), []
        for layer in range(self.config.layers):
            weights = [getattr(self.rnn, f"{kind}_l{layer}") for kind in _LAYER_WEIGHTS]
            state_1BH = hidden_LBH[layer : layer + 1].contiguous()
            output_TBH, state_1BH = torch.gru(
                output_TBH, state_1BH, weights, True, 1, 0.0, False, False, False
            )  # biases, layers, dropout, train, bidirectional, batch_first
            output_TBH = self._dropped(output_TBH, generator)
            last.append(state_1BH)
        return output_TBH, torch.cat(last)

    def _dropped(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return x * scales(x, self.config.dropout, generator)


_LAYER_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def new_model(config: ModelConfig, vocab_size: int, seed: int) -> GRULM:
    """A model whose weights follow from `seed` alone, distributed as torch's own layers are at birth.

    The one exception: a tied table starts as small as the output layer's, since unit-normal rows would make
    logits of size sqrt(H).
    """
    model = GRULM(config, vocab_size)
    generator = torch.Generator().manual_seed(seed)
    bound = 1 / math.sqrt(config.hidden)  # what nn.GRU and nn.Linear use for an input or state of H units
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name == "embedding.weight" and not config.tied:
                parameter.normal_(generator=generator)
            else:
                parameter.uniform_(-bound, bound, generator=generator)
    return model
