"""Order of times: which entries are dated before entries that stand earlier in the log.

Rules kept here:

* The order of a log is its index, never a time; a time that goes back must still be explained.
* Entries written side by side may be dated up to a minute out of order; the sequencer holds to the same.
* A run of entries dated further back is explained by an anomaly of the clock inside it: the keeper found the
  jump while it lasted. Where there is none, somebody moved the clock and moved it back unseen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

TOLERANCE: Final = timedelta(seconds=60)
_AT: Final = b'"at":"'
_LENGTH: Final = len("2026-11-21T04:00:00.123456Z")
_JUMP: Final = b'"act":"clock_jump"'
_ANOMALY: Final = b'"type":"anomaly"'


@dataclass(slots=True)
class Behind:
    """Entries ``first`` to ``last`` (indexes) are dated up to ``by`` before an earlier entry."""

    first: int
    last: int
    by: timedelta
    explained: bool = False

    def sentence(self) -> str:
        """Say what was found, without the places."""
        entries = "this entry is" if self.first == self.last else f"entries {self.first} to {self.last} are"
        seconds = round(self.by.total_seconds())
        why = (
            "a jump of the clock is recorded among them"
            if self.explained
            else "no jump of the clock is recorded"
        )
        return f"{entries} dated up to {seconds} s before an earlier entry; {why}"


@dataclass(slots=True)
class TimeOrder:
    """Sees every leaf in the order of its index; ``found`` tells what it saw."""

    _latest: bytes = b""
    _runs: list[Behind] = field(default_factory=list)
    _run: Behind | None = None

    def later(self, at: bytes) -> bool:
        """Take in the time of the next leaf, a sound one, if it is as late as any before; else do nothing."""
        if self._run is not None or at < self._latest:
            return False
        self._latest = at
        return True

    def see(self, index: int, data: bytes) -> None:
        """Take in the bytes of the next leaf; what is no leaf is for others to find."""
        # Keys are sorted and no value before this one is text that somebody chose.
        start = data.find(_AT) + len(_AT)
        at = data[start : start + _LENGTH]
        if at >= self._latest:
            if start >= len(_AT) and self._readable(at):
                self._latest = at
                self._close()
            return
        try:
            by = datetime.fromisoformat(self._latest.decode()) - datetime.fromisoformat(at.decode())
        except ValueError:
            return
        if by <= TOLERANCE:
            self._close()
            return
        if self._run is None:
            self._run = Behind(index, index, by)
        self._run.last, self._run.by = index, max(by, self._run.by)
        self._run.explained = self._run.explained or (_JUMP in data and _ANOMALY in data)

    def found(self) -> Iterator[Behind]:
        """Yield every run of entries dated too far back, in order."""
        yield from self._runs
        if self._run is not None:
            yield self._run

    def _readable(self, at: bytes) -> bool:
        # Only a year that changes is looked at in full: what is garbage must not be the latest time for ever.
        if at[:4] == self._latest[:4]:
            return True
        try:
            datetime.fromisoformat(at.decode())
        except ValueError:
            return False
        return True

    def _close(self) -> None:
        if self._run is not None:
            self._runs.append(self._run)
            self._run = None
