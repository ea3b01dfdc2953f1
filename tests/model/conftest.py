"""The article's class, as printed, and small models of ours."""

import pytest
import torch.nn as nn

from metalm.config import ModelConfig
from metalm.model.gru import GRULM, new_model


class LanguageModel(nn.Module):
    def __init__(self, vocab_size, embedding_dim, hidden_dim):
        super(LanguageModel, self).__init__()  # noqa: UP008 (as printed)
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.rnn = nn.GRU(embedding_dim, hidden_dim)
        self.linear = nn.Linear(hidden_dim, vocab_size)

    def forward(self, x, hidden):
        embedded = self.embedding(x)
        output, hidden = self.rnn(embedded, hidden)
        output = self.linear(output)
        return output, hidden


@pytest.fixture
def language_model():
    """The class of the article's section 4."""
    return LanguageModel


@pytest.fixture
def model() -> GRULM:
    """A 7-token vocabulary, 5 hidden units."""
    return new_model(ModelConfig(embedding=3, hidden=5), 7, seed=1)
