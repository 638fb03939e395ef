"""Readings: what sources say of a clock, and what may be concluded from several of them.

Rules kept here:

* A reading carries its error bound; an offset without one is no reading.
* Sources that contradict each other leave the clock unknown: no side is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """The clock read minus the source's time, in microseconds (positive: our clock is ahead).

    ``error_us`` bounds how wrong the offset may be; ``kind`` is ``chrony`` or ``sntp``.
    """

    kind: str
    source: str
    offset_us: int
    error_us: int

    @property
    def low(self) -> int:
        """Smallest offset this reading allows."""
        return self.offset_us - self.error_us

    @property
    def high(self) -> int:
        """Largest offset this reading allows."""
        return self.offset_us + self.error_us


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why nothing is known of the clock."""

    why: str


def conclude(readings: Sequence[Reading], asked: int) -> Reading | Unknown:
    """Return the reading with the middle offset, if more than half of the sources asked agree with it.

    ``asked`` counts the sources configured: a source that did not answer agrees with nobody.
    """
    if not asked:
        return Unknown("no time source is configured")
    if not readings:
        return Unknown(f"none of {asked} time sources gave a usable answer")
    ordered = sorted(readings, key=lambda one: one.offset_us)
    middle = ordered[(len(ordered) - 1) // 2]
    agreeing = [one for one in ordered if one.low <= middle.high and middle.low <= one.high]
    if 2 * len(agreeing) <= asked:
        said = ", ".join(f"{one.source} {one.offset_us / 1e6:+.3f} s" for one in ordered)
        return Unknown(f"{len(agreeing)} of {asked} time sources agree ({said})")
    return middle
