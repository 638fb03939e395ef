"""Connections: a bounded pool per role, autocommit, with the hot statements prepared.

Rules kept here: one statement is one transaction unless a caller opens one; a pool never grows beyond
its bound; a connection that waits too long is an UNAVAILABLE, not a hang.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend one connection. Raises UNAVAILABLE when none is free in time."""
        try:
            with self._pool.connection() as conn:
                yield conn
        except (PoolTimeout, PoolClosed) as error:
            raise EnvironmentFault("UNAVAILABLE", what="The database") from error
