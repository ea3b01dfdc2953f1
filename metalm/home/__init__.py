"""A home directory as one object, `home.Home`: here learning and evaluation meet the store, nowhere else.

place         place (ids and folders), owner (one process at a time), versions
texts         texts, splits, samples (what ships)
runs          runs, training, thinning, bin; bundles with bundle_files and bundle_json
kept of them  kept, learned, loading, live (before somebody's eyes)
relatives     lineage (which texts a run has seen), family, grouping, twins (the equal-compute control)
judged        evaluating, contending, coding, tunings, expertise; estimating, what a run would cost
"""

from metalm.home.home import Home
from metalm.home.loading import Loaded
from metalm.home.owner import Owner, read_owner
from metalm.home.texts import Added

__all__ = ["Added", "Home", "Loaded", "Owner", "read_owner"]
