"""A home directory as one object: see `metalm.home.home`."""

from metalm.home.home import Home
from metalm.home.loading import Loaded
from metalm.home.owner import Owner, read_owner
from metalm.home.texts import Added

__all__ = ["Added", "Home", "Loaded", "Owner", "read_owner"]
