"""A row of the table: one figure, its target, and whether it is met."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

HEADER = "| work | value | target | met |\n|---|---|---|---|"
NOT_INSTALLED, NOT_DRAWN = "not installed", "not drawn in time"


@dataclass(frozen=True)
class Row:
    """One figure. target: at most so much; None where there is nothing to meet, as for a peer.

    value: None where nothing could be measured; why, says `met`.
    """

    work: str
    value: float | None
    unit: str
    target: float | None
    met: bool | str | None

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    def as_line(self) -> str:
        target = "" if self.target is None else f"<= {self.target:g} {self.unit}"
        return f"{self.work:<78} {self._told():>10}  {target:<11} {self._verdict()}".rstrip()

    def as_markdown(self) -> str:
        target = "" if self.target is None else f"<= {self.target:g} {self.unit}"
        return f"| {self.work} | {self._told()} | {target} | {self._verdict()} |"

    def _told(self) -> str:
        return "-" if self.value is None else f"{self.value:,g} {self.unit}"

    def _verdict(self) -> str:
        return {True: "met", False: "MISSED", None: ""}.get(self.met, str(self.met))


def row(work: str, value: float, unit: str, target: float | None = None) -> Row:
    """What was measured, judged before it is rounded to three digits."""
    return Row(work, _rounded(value), unit, target, None if target is None else value <= target)


def absent(work: str, unit: str, why: str = NOT_INSTALLED) -> Row:
    """A peer that is not there, or never got ready."""
    return Row(work, None, unit, None, why)


def _rounded(value: float) -> float:
    """Three digits; whole from a hundred on."""
    return float(round(value)) if abs(value) >= 100 else float(f"{value:.3g}")
