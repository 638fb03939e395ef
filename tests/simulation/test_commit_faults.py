"""A command whose connection breaks: whole or not at all, and the same answer when it is sent again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from coverslip_lab import Lab

from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.kernel.ports import Batch
from coverslip.ledger.files import uuid7
from coverslip.store.ledger_sql import PostgresStore

TABLES = ("ledger.entry", "ledger.body", "projection.record", "projection.number", "ops.command")


class Breaking:
    """A pool whose connection is ended around the command."""

    def __init__(self, lab: Lab, before: bool = False, after: bool = False) -> None:
        self._lab, self.before, self.after = lab, before, after

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with self._lab.pool.connection() as conn:
            yield _Connection(self, conn) if self.before or self.after else conn

    def end(self, conn: Any) -> None:
        self._lab.one("select pg_terminate_backend(%s, 5000)", conn.info.backend_pid)
        self.before = self.after = False


class _Connection:
    def __init__(self, pool: Breaking, conn: Any) -> None:
        self._pool, self._conn = pool, conn
        self.pgconn = self

    @property
    def status(self) -> Any:
        return self._conn.pgconn.status

    def exec_prepared(self, *args: Any) -> Any:
        pool, conn = self._pool, self._conn
        if pool.after:
            conn.pgconn.exec_prepared(*args)
            pool.end(conn)
            # The answer of a connection that broke while it was awaited.
            return conn.pgconn.exec_(b"select 1")
        pool.end(conn)
        return conn.pgconn.exec_prepared(*args)


@pytest.fixture
def batch(lab: Lab) -> Batch:
    at, command = datetime.now(UTC), uuid7()
    entries = tuple(lab.entry("image", f"IMG-{n}", command=command, at=at)[0] for n in range(3))
    return Batch(command, lab.actor, at, entries, idempotency_key="once", request_hash=b"\x01" * 32)


def counts(lab: Lab) -> list[int]:
    return [lab.one(f"select count(*) from {table}") for table in TABLES]


def test_a_connection_lost_before_the_command_leaves_nothing_and_it_can_be_sent_again(
    lab: Lab, batch: Batch
) -> None:
    store = PostgresStore(Breaking(lab, before=True), lab.key)  # type: ignore[arg-type]
    with pytest.raises(EnvironmentFault) as caught:
        store.commit(batch)
    assert caught.value.code == "TRAIL_UNAVAILABLE" and counts(lab) == [0] * 5
    assert len(store.commit(batch).entries) == 3 and counts(lab) == [3, 3, 3, 3, 1]


def test_a_command_committed_before_the_answer_was_lost_is_answered_and_not_done_twice(
    lab: Lab, batch: Batch
) -> None:
    store = PostgresStore(Breaking(lab, after=True), lab.key)  # type: ignore[arg-type]
    first = store.commit(batch)
    assert len(first.entries) == 3 and counts(lab) == [3, 3, 3, 3, 1]
    again = store.commit(batch)
    assert again.replayed and again.entries == first.entries and counts(lab) == [3, 3, 3, 3, 1]


def test_a_client_that_died_before_the_answer_gets_it_when_it_sends_again(lab: Lab, batch: Batch) -> None:
    first = lab.store.commit(batch)  # and nobody heard
    found = lab.store.earlier(lab.actor, "once")
    assert found is not None and found.command == batch.command
    again = lab.store.commit(batch)
    assert again.replayed and again.entries == first.entries and counts(lab) == [3, 3, 3, 3, 1]


@pytest.mark.parametrize("table", ["ledger.entry", "ledger.body", "projection.record", "ops.command"])
def test_a_server_process_ended_inside_the_transaction_leaves_nothing(
    lab: Lab, batch: Batch, table: str
) -> None:
    """The command waits for a lock on the table, in the middle of its work, and is ended there."""
    with lab.connect(autocommit=False) as blocker:
        blocker.execute(f"lock table {table} in share mode")
        failed: list[CoverslipError] = []

        def commit() -> None:
            try:
                lab.store.commit(batch)
            except CoverslipError as error:
                failed.append(error)

        thread = threading.Thread(target=commit)
        thread.start()
        waiting = f"select pid from pg_locks where not granted and relation = '{table}'::regclass"
        backend = _until(lambda: lab.one(waiting))
        lab.one("select pg_terminate_backend(%s, 5000)", backend)
        thread.join(30)
    assert [one.code for one in failed] == ["TRAIL_UNAVAILABLE"] and counts(lab) == [0] * 5
    lab.store.commit(batch)
    assert counts(lab) == [3, 3, 3, 3, 1]


def _until(ask: Callable[[], Any]) -> Any:
    end = time.monotonic() + 20
    while (found := ask()) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return found
