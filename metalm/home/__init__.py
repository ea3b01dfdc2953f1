"""A home directory as one object: see `metalm.home.home`."""

from metalm.home.home import Home
from metalm.home.owner import Owner, read_owner
from metalm.home.texts import Added
from metalm.home.using import Loaded

__all__ = ["Added", "Home", "Loaded", "Owner", "read_owner"]
