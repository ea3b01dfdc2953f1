"""The article's class, as printed, and small models of ours."""

import pytest
from article import LanguageModel

from metalm.config import ModelConfig
from metalm.model.gru import GRULM, new_model


@pytest.fixture
def language_model():
    """The class of the article's section 4."""
    return LanguageModel


@pytest.fixture
def model() -> GRULM:
    """A 7-token vocabulary, 5 hidden units."""
    return new_model(ModelConfig(embedding=3, hidden=5), 7, seed=1)
