"""Connections: a bounded pool per role, autocommit, with the hot statements prepared.

Rules kept here: one statement is one transaction unless a caller opens one; a pool never grows beyond
its bound; a connection that waits too long is an UNAVAILABLE, not a hang.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from coverslip.errors import EnvironmentFault

Connection = psycopg.Connection[Any]


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

    def __exit__(self, *_: object) -> None:
        # The pool takes back a connection in whatever state, and replaces one that is broken.
        self._pool.putconn(self._conn)
