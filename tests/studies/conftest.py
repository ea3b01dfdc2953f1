"""A home with eight short texts, three of them to judge on."""

from __future__ import annotations

import pytest
from study_homes import study_home


@pytest.fixture
def home(tmp_path):
    """An open home, see `study_home`."""
    with study_home(tmp_path) as opened:
        yield opened
