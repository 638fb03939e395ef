"""Copying: every row of an installation's database from one server to another.

Rules kept here:

* One snapshot is read, one transaction is written: the copy is whole or it is not there.
* The schema is never copied. It comes from the published migrations, applied up to the one the rows were
  written under, so that a copy cannot bring a guard that was weakened.
* Values are copied as they are; generated columns are computed again, and the numbers of transactions, which
  mean nothing on another server, become that of the copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import psycopg
from psycopg import sql

from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.store.backup import sequences, snapshot, tables

Connection = psycopg.Connection[Any]

_SETTINGS: Final = (
    "set timezone to 'UTC'", "set datestyle to 'ISO, YMD'", "set bytea_output to hex",
    "set intervalstyle to 'postgres'", "set extra_float_digits to 3", "set client_encoding to 'UTF8'",
    "set statement_timeout to 0",
)  # fmt: skip


def applied_through(conn: Connection) -> int:
    """Return the number of the last migration this database has."""
    row = conn.execute("select max(number) from ops.migration").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def transfer(source: Connection, target: Connection, progress: Callable[[str], None] = lambda _: None) -> int:
    """Copy all rows of ``source`` into ``target``, whose ledger is empty; return how many.

    Both are idle autocommit connections of superusers, ``target`` with the same migrations applied. Raises
    ENVIRONMENT when the schemas differ or the target's ledger holds rows; EVIDENCE when a migration differs.
    """
    count = 0
    for conn in (source, target):
        settle(conn)
    with target.transaction(), snapshot(source):
        known = tables(source)
        if known != tables(target) or applied_through(source) != applied_through(target):
            raise _fault("the new database", "the tables of the old", "others")
        make_room(target, known)
        for name, columns in known.items():
            progress(f"copying {name}")
            reading = sql.SQL("copy (select {} from {}) to stdout").format(_listed(columns), _named(name))
            with source.cursor().copy(reading) as out:
                count += write(target, name, columns, out)
        told_first(
            target,
            source.execute("select number, sha256, applied_at, applied_by from ops.migration").fetchall(),
        )
        count_on(target, sequences(source).items())
    return count


def settle(conn: Connection) -> None:
    """Settle how values are written, whatever server, database or role prefer."""
    for one in _SETTINGS:
        conn.execute(one.encode())


def make_room(target: Connection, known: Iterable[str]) -> None:
    """Take out what migrations put into working tables; refuse a ledger that is not empty."""
    for name in reversed(list(known)):
        row = target.execute(sql.SQL("select exists (select 1 from {})").format(_named(name))).fetchone()
        if row is not None and row[0]:
            if name.startswith("ledger."):
                raise _fault("the new database", "an empty ledger", f"rows in {name}")
            target.execute(sql.SQL("delete from {}").format(_named(name)))


def write(target: Connection, name: str, columns: Sequence[str], blocks: Iterable[Any]) -> int:
    """Put rows in the text form of COPY into a table; return how many."""
    with target.cursor() as cursor:
        with cursor.copy(sql.SQL("copy {} ({}) from stdin").format(_named(name), _listed(columns))) as into:
            for data in blocks:
                into.write(data)
        return cursor.rowcount


def told_first(target: Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Say of each migration (number, sha256, when, by whom) when it was applied first; refuse others."""
    for number, sha256, at, by in rows:
        done = target.execute(
            "update ops.migration set applied_at = %s::timestamptz, applied_by = %s"
            " where number = %s and sha256 = %s",
            (at, by, number, sha256),
        )
        if done.rowcount != 1:
            raise EvidenceBroken("EVIDENCE", what=f"migration {number}", expected=sha256, found="another")


def count_on(target: Connection, last: Iterable[tuple[str, int]]) -> None:
    """Let each sequence (``schema.name``) go on after the last value it gave."""
    for name, value in last:
        found = _named(name).as_string(target)
        target.execute("select setval(%s::regclass, %s)", (found, value))


def _named(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split(".", 1))


def _listed(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _fault(what: str, expected: str, found: str) -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found)
