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
ANOMALY: Final = "anomaly"
JUMP: Final = "clock_jump"


@dataclass(slots=True)
class Behind:
    """Entries ``first`` to ``last`` (indexes) are dated up to ``by`` before an earlier entry."""

    first: int
    last: int
    by: timedelta
    explained: bool = False


@dataclass(slots=True)
class TimeOrder:
    """Sees every entry in the order of its index; ``runs`` and ``open`` are what was found."""

    latest: str = ""
    runs: list[Behind] = field(default_factory=list)
    _run: Behind | None = None

    def see(self, index: int, at: str, kind: str, act: str) -> None:
        """Take in one entry: its time as the leaf has it, its type and act."""
        if at >= self.latest:
            self.latest = at
            self._close()
            return
        by = datetime.fromisoformat(self.latest) - datetime.fromisoformat(at)
        if by <= TOLERANCE:
            self._close()
            return
        if self._run is None:
            self._run = Behind(index, index, by)
        self._run.last, self._run.by = index, max(by, self._run.by)
        self._run.explained = self._run.explained or (kind == ANOMALY and act == JUMP)

    def found(self) -> Iterator[Behind]:
        """Yield every run of entries dated too far back, in order."""
        yield from self.runs
        if self._run is not None:
            yield self._run

    def _close(self) -> None:
        if self._run is not None:
            self.runs.append(self._run)
            self._run = None
