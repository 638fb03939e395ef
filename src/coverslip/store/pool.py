"""Connections: a bounded pool per role, autocommit, with the hot statements prepared.

Rules kept here: one statement is one transaction unless a caller opens one; a pool never grows beyond
its bound; a connection that waits too long is an UNAVAILABLE, not a hang; so is one lost while it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg import pq
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from coverslip.errors import EnvironmentFault

Connection = psycopg.Connection[Any]

_LAST_WORDS: Final = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown)


class Pool:
    """A bounded pool of autocommit connections of one role."""

    def __init__(
        self, dsn: str, *, name: str, size: int = 8, wait: float = 10.0,
        prepare: Callable[[Connection], None] | None = None,
    ) -> None:  # fmt: skip
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn, min_size=1, max_size=size, timeout=wait, open=False, name=f"coverslip-{name}",
            kwargs={"autocommit": True, "application_name": f"coverslip-{name}"}, configure=prepare,
        )  # fmt: skip

    def open(self) -> Pool:
        """Connect the first time. Raises UNAVAILABLE when the database does not answer."""
        try:
            self._pool.open(wait=True)
        except PoolTimeout as error:
            self._pool.close()
            raise EnvironmentFault("UNAVAILABLE", what="The database") from error
        return self

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def __enter__(self) -> Pool:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def connection(self) -> Lent:
        """Lend one connection. Entering raises UNAVAILABLE when none is free in time."""
        return Lent(self._pool)


class Lent:
    """One connection for the length of a ``with``; what was left open on it is rolled back."""

    __slots__ = ("_conn", "_pool")

    def __init__(self, pool: ConnectionPool[Connection]) -> None:
        self._pool = pool

    def __enter__(self) -> Connection:
        try:
            self._conn = self._pool.getconn()
        except (PoolTimeout, PoolClosed) as error:
            raise EnvironmentFault("UNAVAILABLE", what="The database") from error
        return self._conn

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        lost = _is_lost(self._conn, error)
        # The pool takes back a connection in whatever state, and replaces one that is broken.
        self._pool.putconn(self._conn)
        if lost:
            raise EnvironmentFault("UNAVAILABLE", what="The database") from error


def _is_lost(conn: Connection, error: BaseException | None) -> bool:
    """Return whether the error is that of a connection that ended; a lock or a time limit is not."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    # The server's last words are read before its end is seen: they count as the end.
    return conn.closed or conn.pgconn.status != pq.ConnStatus.OK or isinstance(error, _LAST_WORDS)
