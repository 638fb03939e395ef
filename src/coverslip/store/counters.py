"""Counters of failed attempts that are nobody's: removed by themselves, so that typing names fills no disk.

Rules kept here: an account's own counters stay, however old, since a lock is reached by slow guesses too; of
names no account has and of addresses nothing is left a week after the last attempt.
"""

from __future__ import annotations

from typing import Final

from coverslip.store.pool import Pool

KEPT_DAYS: Final = 7
MOST: Final = 5000
"""Rows removed by one statement."""


class Purge:
    """The duty that removes them."""

    name = "counters"
    every_s = 3600.0

    def __init__(self, pool: Pool, most: int = MOST) -> None:
        """``pool`` of role cs_writer."""
        self._pool, self._most = pool, most

    def do(self) -> None:
        """Remove what is old, a bounded number at a time."""
        while self.turn() == self._most:
            pass

    def turn(self) -> int:
        """Remove some; return how many."""
        with self._pool.connection() as conn:
            row = conn.execute("select ops.purge_throttle(%s, %s)", (KEPT_DAYS, self._most)).fetchone()
        return int(row[0]) if row else 0
