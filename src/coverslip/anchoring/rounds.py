"""Rounds: every target in its turn, each in a thread of its own, for as long as the installation runs.

Rules kept here:

* Nobody waits for an anchor: not the signer, not the sequencer, not another anchor. A target that hangs
  keeps only its own thread, is not asked a second time meanwhile, and shows as old.
* The newest checkpoint goes; those in between are its prefixes. A release that was signed is stamped at once.
* What went wrong is remembered beside the target, for people; a failure is tried again, never dropped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from coverslip.anchoring.targets import Target
from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.ledger.failure import LedgerError

EVERY_S: Final = 1.0
RETRY_S: Final = 60.0
_log = logging.getLogger(__name__)


class Anchor(Protocol):
    """A place that keeps checkpoints."""

    def put(self, note: bytes) -> bytes:
        """Keep a checkpoint note; return the evidence of it. Raises OSError when it cannot."""
        ...


class LogSide(Protocol):
    """What rounds ask of the log; every call may come from another thread."""

    def newest(self) -> tuple[int, bytes] | None:
        """Return size and note of the newest checkpoint."""
        ...

    def keep(self, size: int, kind: str, target: str, evidence: bytes) -> None:
        """Store evidence."""
        ...

    def last_size(self, kind: str, target: str) -> int:
        """Return the size a target kept last."""
        ...

    def released(self, first: int, last: int) -> bool:
        """Whether a release was signed among some leaves."""
        ...

    def close(self) -> None:
        """Let go of what is held between turns."""
        ...


@dataclass
class _Turn:
    """How it stands with one target."""

    anchor: Anchor
    size: int
    due: float = 0.0
    looked: int = 0
    error: str = ""
    thread: threading.Thread | None = None


@dataclass
class Rounds:
    """A duty: looks each second at what is due. ``tell(name, error)`` keeps the last error, or none."""

    targets: Callable[[], Sequence[Target]]
    make: Callable[[Target], Anchor]
    log: LogSide
    monotonic_s: Callable[[], float]
    tell: Callable[[str, str], None] = lambda name, error: None
    name: str = "anchors"
    every_s: float = EVERY_S
    _turns: dict[Target, _Turn] = field(default_factory=dict)
    _said: str = ""

    def do(self) -> None:
        """Start what is due; returns at once."""
        try:
            wanted = tuple(self.targets())
        except EnvironmentFault as error:
            self._say(str(error))
            return
        for gone in self._turns.keys() - set(wanted):
            del self._turns[gone]
        try:
            found = self.log.newest() if wanted else None
        except EnvironmentFault as error:
            self._say(str(error))
            return
        self._said = ""
        if found is None:
            return
        for target in wanted:
            self._consider(target, *found)

    def close(self) -> None:
        """Let go of the log; the turns under way end by themselves."""
        self.log.close()

    def wait(self, timeout_s: float) -> None:
        """Wait for the turns under way, at most so long in all; for a round on command."""
        until = self.monotonic_s() + timeout_s
        for turn in self._turns.values():
            if turn.thread is not None:
                turn.thread.join(max(0.0, until - self.monotonic_s()))

    def _consider(self, target: Target, size: int, note: bytes) -> None:
        turn = self._turns.get(target)
        if turn is None:
            known = self.log.last_size(target.type, target.target)
            try:
                turn = self._turns[target] = _Turn(self.make(target), known, looked=known)
            except (CoverslipError, LedgerError) as error:
                self.tell(target.name, str(error))
                return
        if turn.thread is not None and turn.thread.is_alive():
            return
        if size <= turn.size or not (self.monotonic_s() >= turn.due or self._urgent(target, turn, size)):
            return
        turn.thread = threading.Thread(
            target=self._put, args=(target, turn, size, note), name=f"anchor-{target.name}", daemon=True
        )
        turn.thread.start()

    def _say(self, why: str) -> None:
        """Say once, not every second, why there are no turns."""
        if why != self._said:
            _log.warning("anchors wait: %s", why)
        self._said = why

    def _urgent(self, target: Target, turn: _Turn, size: int) -> bool:
        """Whether a release waits for its stamp: looked at once for each leaf, and only after a success."""
        if target.type != "rfc3161" or turn.error or size <= turn.looked:
            return False
        first, turn.looked = max(turn.looked, turn.size), size
        return self.log.released(first, size)

    def _put(self, target: Target, turn: _Turn, size: int, note: bytes) -> None:
        try:
            evidence = turn.anchor.put(note)
            self.log.keep(size, target.type, target.target, evidence)
        except (OSError, CoverslipError, LedgerError) as error:
            self._failed(target, turn, str(error))
        except Exception as error:  # whatever a library finds to raise must be shown, not end in a thread
            _log.exception("anchor %s failed", target.name)
            self._failed(target, turn, f"{type(error).__name__}: {error}")
        else:
            turn.size, turn.due = size, self.monotonic_s() + target.cadence()
            turn.looked, turn.error = max(turn.looked, size), ""
            self.tell(target.name, "")

    def _failed(self, target: Target, turn: _Turn, why: str) -> None:
        if why != turn.error:
            _log.warning("anchor %s: %s", target.name, why)
        turn.error, turn.due = why, self.monotonic_s() + min(RETRY_S, target.cadence())
        self.tell(target.name, why[:500])
