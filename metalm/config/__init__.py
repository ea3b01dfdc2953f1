"""What can be set, once: small frozen dataclasses, checked at birth, each field with its line of help.

`RunConfig` is all that a training run needs beside the split. The Train page and `--set key=value` are
both made from the fields here, so a setting is added in this package and nowhere else. JSON in and out is
`to_json` and `run_config`.

settings    what every config dataclass is: help, types and ranges
descent     the inner loop and the optimisers
algorithms  one class an algorithm
run         the network, the data, the budget, and a run's config as a whole
making      a run's config from names and typed text
methods     the names of what can be judged on a task
places      where a home is when nobody says so
"""

from metalm.config.algorithms import (
    ALGORITHMS,
    Algorithm,
    Anil,
    Cavia,
    Episodic,
    Fomaml,
    Imaml,
    Joint,
    Maml,
    MamlPlusPlus,
    MetaSgd,
    Reptile,
    Sequential,
)
from metalm.config.descent import Adam, AdamW, Adapts, InnerLoop, length_for
from metalm.config.making import make_config
from metalm.config.methods import GROUPS, METHODS, OWN, methods_of
from metalm.config.run import (
    PRESETS,
    Budget,
    BudgetUnit,
    DeviceName,
    Drawing,
    DrawMethod,
    ModelConfig,
    RunConfig,
    TokenizerConfig,
    TokenizerKind,
    Validation,
    run_config,
)
from metalm.config.settings import Settings, setting

__all__ = [
    "ALGORITHMS",
    "GROUPS",
    "METHODS",
    "OWN",
    "PRESETS",
    "Adam",
    "AdamW",
    "Adapts",
    "Algorithm",
    "Anil",
    "Budget",
    "BudgetUnit",
    "Cavia",
    "DeviceName",
    "DrawMethod",
    "Drawing",
    "Episodic",
    "Fomaml",
    "Imaml",
    "InnerLoop",
    "Joint",
    "Maml",
    "MamlPlusPlus",
    "MetaSgd",
    "ModelConfig",
    "Reptile",
    "RunConfig",
    "Sequential",
    "Settings",
    "TokenizerConfig",
    "TokenizerKind",
    "Validation",
    "length_for",
    "make_config",
    "methods_of",
    "run_config",
    "setting",
]
