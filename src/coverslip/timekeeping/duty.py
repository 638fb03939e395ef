"""The time duty: measure the clock, keep its state fresh for everybody, and write heartbeats.

Rules kept here (LEDGER 5):

* A heartbeat at start, each minute while others write, else each hour; and at once when the clock
  becomes right or wrong.
* A jump of the database's clock against a clock that nobody sets is an anomaly on the ledger, by how much.
  While writing is refused because the clock went back, the anomaly waits.
* A heartbeat names the newest timestamp token: an entry after it is not older than that token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from coverslip.timekeeping.measuring import Measured, measure
from coverslip.timekeeping.sources import Source

EVERY_S = 16.0
ACTIVE_S = 60.0
IDLE_S = 3600.0
JUMP_US = 1_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ClockPort(Protocol):
    """Where the clock's state is kept for every process."""

    def database_s(self) -> float:
        """Return the database's clock in seconds since 1970."""
        ...

    def keep(self, measured: Measured) -> None:
        """Keep what was measured; it goes stale by itself."""
        ...

    def last_entry(self) -> int:
        """Return the id of the newest entry."""
        ...


@dataclass
class Timekeeper:
    """Measures and writes heartbeats.

    ``write(type, act, detail)`` appends an entry to the installation's stream; ``token`` returns the
    hash (hex) of the newest timestamp token, or nothing; ``sources`` is read anew at every turn. ``alarm``
    tells people (what, bucket) of a jump, and of a clock that is not right though sources are named.
    """

    clock: ClockPort
    sources: Callable[[], Sequence[Source]]
    wall_s: Callable[[], float]
    monotonic_s: Callable[[], float]
    write: Callable[[str, str, dict[str, Any]], None]
    token: Callable[[], str] = lambda: ""
    alarm: Callable[[str, str], object] = lambda what, bucket: None
    name: str = "clock"
    every_s: float = EVERY_S
    _last: tuple[float, float] | None = None
    _beat: tuple[float, int] | None = None
    _was_ok: bool | None = None
    _jumps: list[dict[str, Any]] = field(default_factory=list)

    def do(self) -> None:
        """Measure, keep, and write what is due."""
        sources = self.sources()
        measured = measure(sources, self.wall_s, self.clock.database_s)
        self._look_for_jump()
        self.clock.keep(measured)
        while self._jumps:
            self._tell_jump(self._jumps[0], measured)
            self._jumps.pop(0)
        turned = self._was_ok is not False and not measured.ok
        if self._due(measured):
            self._heartbeat(measured)
        if sources and turned:
            why = (
                measured.why
                or f"it is {measured.offset_us / 1e6:+.3f} s off, known to {measured.error_us / 1e6:.3f} s"
            )
            self.alarm(f"The clock is not right, and people cannot sign: {why}."[:1000], self._hour())

    def _tell_jump(self, jump: dict[str, Any], measured: Measured) -> None:
        self.write("anomaly", "clock_jump", {**jump, **measured.value()})
        told = f"The database's clock jumped by {jump['by_us'] / 1e6:+.1f} s."
        self.alarm(told, f"jump/{jump['by_us']}/{jump['within_us']}")

    def _hour(self) -> str:
        return f"not right/{int(self.clock.database_s() // 3600)}"

    def _look_for_jump(self) -> None:
        now = (self.monotonic_s(), self.clock.database_s())
        if self._last is not None:
            by_us = round(((now[1] - self._last[1]) - (now[0] - self._last[0])) * 1e6)
            if abs(by_us) > JUMP_US:
                self._jumps.append({"by_us": by_us, "within_us": round((now[0] - self._last[0]) * 1e6)})
        self._last = now

    def _due(self, measured: Measured) -> bool:
        if self._beat is None or measured.ok != self._was_ok:
            return True
        since, entry = self.monotonic_s() - self._beat[0], self._beat[1]
        return since >= IDLE_S or (since >= ACTIVE_S - EVERY_S / 2 and self.clock.last_entry() > entry)

    def _heartbeat(self, measured: Measured) -> None:
        detail = {**measured.value(), "boot": _boot_id(), "monotonic_us": round(self.monotonic_s() * 1e6)}
        token = self.token()
        self.write("heartbeat", "heartbeat", {**detail, "token": token} if token else detail)
        self._beat, self._was_ok = (self.monotonic_s(), self.clock.last_entry()), measured.ok


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return "unknown"
