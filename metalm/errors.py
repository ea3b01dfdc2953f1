"""Every error that metalm raises on purpose. Pages and the command line catch `MetalmError`, no wider.

A message names the thing, the rule and the value: `inner.steps must be 0 or more, got -1`.
"""


class MetalmError(Exception):
    """The root: something a user can understand and mend."""


class ConfigError(MetalmError, ValueError):
    """A setting is out of range or unknown."""


class CorpusError(MetalmError):
    """A file cannot become a corpus: empty, binary, undecodable, too small, too large, no such column.

    `file` is its name, as the user knows it, where it is one of a folder or an archive.
    """

    def __init__(self, message: str, *, file: str = "") -> None:
        super().__init__(message)
        self.file = file


class SplitError(MetalmError):
    """A split breaks a rule: relatives straddle roles, a role is empty, a task is too short."""


class FilterError(MetalmError, ValueError):
    """A filter of runs cannot be read, or names a column that there is not."""


class NotFoundError(MetalmError):
    """No such corpus, split, run, job or record, or more than one answers to the same prefix."""


class InUseError(MetalmError):
    """A thing cannot be deleted or changed while another stands on it."""


class LineageError(MetalmError):
    """A warm start would carry a text of the split's meta-test into training."""


class RunStateError(MetalmError):
    """The run's status does not allow what was asked (resume a running run, extend an unfinished one)."""


class DivergedError(MetalmError):
    """The loss became NaN or infinite; the message names step, task and adaptation step."""


class BundleError(MetalmError):
    """A directory is not a run bundle, or a bundle contradicts what the home already holds."""


class HomeError(MetalmError):
    """The home cannot be opened: another process owns it, or its files cannot be read."""
