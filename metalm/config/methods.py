"""The names of what can be judged on a task, and what can be asked for by one word.

What each is stands in `metalm.evaluate`; how it is made ready for a run, in `metalm.home.contending`.
"""

from __future__ import annotations

from collections.abc import Collection

from metalm.errors import ConfigError

GROUPS: dict[str, tuple[str, ...]] = {
    "ways": ("head only", "proximal", "Adam", "one rate"),
    "baselines": (
        "uniform",
        "unigram",
        "n-gram",
        "joint zero-shot",
        "joint fine-tuning",
        "joint continued",
        "scratch",
    ),
    "formula": ("pool", "posterior pool", "bayes"),
    "online": ("dynamic evaluation", "cache", "dynamic evaluation + cache", "PPMd", "PPMd primed", "xz"),
}
OWN: tuple[str, ...] = ("adapt",)
METHODS: tuple[str, ...] = (*OWN, *(method for group in GROUPS.values() for method in group))


def methods_of(words: Collection[str]) -> tuple[str, ...]:
    """The methods that these words ask for, names or groups, each once and in one order.

    Raises ConfigError for a word that is neither.
    """
    asked = {method for word in words for method in GROUPS.get(word, (word,))}
    unknown = sorted(asked - set(METHODS))
    if unknown:
        raise ConfigError(
            f"a method must be one of {', '.join(METHODS)}, or of the groups {', '.join(GROUPS)}, "
            f"got {unknown[0]!r}"
        )
    return tuple(method for method in METHODS if method in asked)
