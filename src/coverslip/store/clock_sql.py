"""The clock's state in PostgreSQL: kept by the keeper, read by everybody who writes entries.

Rules kept here: a state is read at most once a second; one that is older than 150 s, or of the future,
is unknown.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from psycopg.rows import dict_row

from coverslip.kernel.clock import ClockState
from coverslip.store.pool import Pool

REREAD_S = 1.0
_READ = (
    "select offset_us, error_us, source, server, why, ok, ops.iso(measured_at) as measured_at,"
    " ops.clock_is_fresh(measured_at) as fresh from ops.clock"
)


class Kept(Protocol):
    """A measurement as ``timekeeping`` makes it."""

    @property
    def offset_us(self) -> int:
        """Database clock minus source, microseconds."""
        ...

    @property
    def error_us(self) -> int:
        """Bound of its error, microseconds."""
        ...

    @property
    def kind(self) -> str:
        """Kind of source: none, chrony or sntp."""
        ...

    @property
    def server(self) -> str:
        """Which source."""
        ...

    @property
    def why(self) -> str:
        """Why nothing is known, where that is so."""
        ...

    @property
    def ok(self) -> bool:
        """Whether people may sign by it."""
        ...


class PostgresClock:
    """The state on a pool of role cs_writer; safe for many threads."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: tuple[float, ClockState] | None = None

    def state(self) -> ClockState:
        """Return what holds now; unknown where nothing fresh was measured."""
        known = self._known
        if known is not None and time.monotonic() - known[0] < REREAD_S:
            return known[1]
        found = self.read()
        state = ClockState()
        if found is not None and found["fresh"] and found["source"] != "none":
            state = ClockState(int(found["offset_us"]), str(found["source"]), bool(found["ok"]))
        self._known = (time.monotonic(), state)
        return state

    def read(self) -> dict[str, Any] | None:
        """Return what was measured last and whether it is ``fresh``; None before the first time."""
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(_READ).fetchone()

    def database_s(self) -> float:
        """Return the database's clock in seconds since 1970."""
        with self._pool.connection() as conn:
            row = conn.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
        return float(row[0]) if row else 0.0

    def keep(self, measured: Kept) -> None:
        """Keep a measurement; it goes stale by itself."""
        values = (
            measured.offset_us,
            measured.error_us,
            measured.kind,
            measured.server,
            measured.why,
            measured.ok,
        )
        with self._pool.connection() as conn:
            conn.execute("select ops.keep_clock(%s, %s, %s, %s, %s, %s)", values)

    def last_entry(self) -> int:
        """Return the id of the newest entry, 0 before the first."""
        with self._pool.connection() as conn:
            row = conn.execute("select coalesce(max(id), 0) from ledger.entry where log_id = 1").fetchone()
        return int(row[0]) if row else 0
