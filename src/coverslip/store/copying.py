"""Copying: every row of an installation's database, from one server to another or into a folder.

Rules kept here:

* One snapshot is read, one transaction is written: the copy is whole or it is not there.
* The schema is never copied. It comes from the published migrations, applied up to the one the rows were
  written under, so that a copy cannot bring a guard that was weakened.
* Values are copied as they are; generated columns are computed again by the server that receives them.
  Only the numbers of transactions, which mean nothing on another server, become that of one long past:
  copied as they are, a later transaction of the same number would pass for the old one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from coverslip.errors import EnvironmentFault, EvidenceBroken

Connection = psycopg.Connection[Any]

CONTENTS: Final = "contents.json"
_OWN: Final = ("ops", "migration")  # what was applied is a fact of each server
_PAST: Final = "2"  # PostgreSQL's own number for "committed before anything you can ask about"

_TABLES: Final = """
select n.nspname, c.relname,
  array_agg(a.attname::text order by a.attnum), array_agg(a.atttypid = 'xid8'::regtype order by a.attnum)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
where n.nspname in ('ledger', 'projection', 'ops') and c.relkind in ('r', 'p') and not c.relispartition
group by n.nspname, c.relname order by n.nspname, c.relname
"""
_NEEDS: Final = """
select distinct n.nspname, c.relname, fn.nspname, f.relname
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
join pg_class f on f.oid = k.confrelid join pg_namespace fn on fn.oid = f.relnamespace
where k.contype = 'f' and c.oid <> f.oid and n.nspname in ('ledger', 'projection', 'ops')
"""
_SEQUENCES: Final = """
select schemaname, sequencename, last_value from pg_sequences
where schemaname in ('ledger', 'projection', 'ops') order by 1, 2
"""
_SETTINGS: Final = (
    "set timezone to 'UTC'", "set datestyle to 'ISO, YMD'", "set bytea_output to hex",
    "set intervalstyle to 'postgres'", "set extra_float_digits to 3", "set client_encoding to 'UTF8'",
    "set statement_timeout to 0",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the columns that are copied; ``xids`` says which of them are transaction numbers."""

    schema: str
    name: str
    columns: tuple[str, ...]
    xids: tuple[bool, ...]

    @property
    def label(self) -> str:
        """``schema.name``."""
        return f"{self.schema}.{self.name}"

    def reading(self) -> sql.Composed:
        """Return the statement that gives all rows."""
        columns = [
            sql.SQL("{}::xid8").format(sql.Literal(_PAST)) if xid else sql.Identifier(name)
            for name, xid in zip(self.columns, self.xids, strict=True)
        ]
        return sql.SQL("copy (select {} from {}) to stdout").format(
            sql.SQL(", ").join(columns), sql.Identifier(self.schema, self.name)
        )

    def writing(self) -> sql.Composed:
        """Return the statement that takes all rows."""
        return sql.SQL("copy {} ({}) from stdin").format(
            sql.Identifier(self.schema, self.name), sql.SQL(", ").join(map(sql.Identifier, self.columns))
        )


def tables(conn: Connection) -> list[Table]:
    """Return every table in an order in which no row is written before the one it refers to."""
    found = [Table(s, n, tuple(c), tuple(x)) for s, n, c, x in conn.execute(_TABLES.encode()).fetchall()]
    left = {(t.schema, t.name): t for t in found if (t.schema, t.name) != _OWN}
    needs: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for schema, name, other_schema, other in conn.execute(_NEEDS.encode()).fetchall():
        needs.setdefault((schema, name), set()).add((other_schema, other))
    ordered: list[Table] = []
    while left:
        free = [key for key in left if not needs.get(key, set()) & left.keys()]
        if not free:
            raise _fault("tables", "references without a circle", ", ".join(".".join(k) for k in left))
        ordered += [left.pop(key) for key in free]
    return ordered


def applied_through(conn: Connection) -> int:
    """Return the number of the last migration this database has."""
    row = conn.execute("select max(number) from ops.migration").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def transfer(source: Connection, target: Connection, progress: Callable[[str], None] = lambda _: None) -> int:
    """Copy all rows of ``source`` into the empty ``target``; return how many.

    Both are idle connections of superusers, ``target`` with the same migrations applied. Raises
    ENVIRONMENT when the schemas differ or the target holds rows.
    """
    count = 0
    with _reading(source), target.transaction():
        _settle(source, target)
        if applied_through(source) != applied_through(target):
            raise _fault("the new database", f"migration {applied_through(source)}", "another")
        for table in _same(tables(source), target):
            progress(f"copying {table.label}")
            with source.cursor().copy(table.reading()) as out:
                count += _write(target, table, out)
        _migrated(target, _migrations(source))
        _count_on(target, source.execute(_SEQUENCES.encode()).fetchall())
    return count


def save(source: Connection, folder: Path) -> dict[str, Any]:
    """Write all rows of ``source`` as one file per table and ``contents.json``; return the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    listed: list[dict[str, Any]] = []
    with _reading(source):
        _settle(source)
        for table in tables(source):
            name, digest = f"{table.label}.copy", hashlib.sha256()
            with source.cursor().copy(table.reading()) as out, open(folder / name, "wb") as file:
                for data in out:
                    digest.update(data)
                    file.write(data)
            listed.append({"schema": table.schema, "name": table.name, "columns": list(table.columns),
                           "xids": list(table.xids), "file": name, "sha256": digest.hexdigest()})  # fmt: skip
        contents = {
            "migrations": _migrations(source),
            "tables": listed,
            "sequences": [list(row) for row in source.execute(_SEQUENCES.encode()).fetchall()],
        }
    (folder / CONTENTS).write_text(json.dumps(contents, indent=1) + "\n", "utf-8")
    return contents


def saved_through(folder: Path) -> int:
    """Return the number of the last migration that saved rows were written under."""
    return max(int(row[0]) for row in json.loads((folder / CONTENTS).read_text("utf-8"))["migrations"])


def load(folder: Path, target: Connection) -> int:
    """Copy saved rows into the empty ``target``; return how many.

    Raises EVIDENCE when a file is not as it was saved, ENVIRONMENT when the schemas differ or the target
    holds rows.
    """
    contents, count = json.loads((folder / CONTENTS).read_text("utf-8")), 0
    with target.transaction():
        _settle(target)
        if applied_through(target) != saved_through(folder):
            raise _fault("the new database", f"migration {saved_through(folder)}", "another")
        listed = [Table(t["schema"], t["name"], tuple(t["columns"]), tuple(t["xids"]))
                  for t in contents["tables"]]  # fmt: skip
        for table, said in zip(_same(listed, target), contents["tables"], strict=True):
            count += _write(target, table, _blocks(folder / said["file"], str(said["sha256"])))
        _migrated(target, contents["migrations"])
        _count_on(target, contents["sequences"])
    return count


# --- inner ------------------------------------------------------------------------------------------


class _reading:
    """One read-only snapshot for the block."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def __enter__(self) -> None:
        self._conn.execute("begin isolation level repeatable read read only")

    def __exit__(self, *_: object) -> None:
        self._conn.rollback()


def _settle(*connections: Connection) -> None:
    for conn in connections:
        for one in _SETTINGS:
            conn.execute(one.encode())


def _same(wanted: list[Table], target: Connection) -> list[Table]:
    """Return ``wanted``; refuse a target whose tables differ or are not empty."""
    have = {t.label: set(t.columns) for t in tables(target)}
    asked = {t.label: set(t.columns) for t in wanted}
    if have != asked:
        other = sorted(label for label in have.keys() | asked.keys() if have.get(label) != asked.get(label))
        raise _fault("the new database", "the same tables", f"others: {', '.join(other)}")
    for table in wanted:
        row = target.execute(
            sql.SQL("select exists (select 1 from {})").format(sql.Identifier(table.schema, table.name))
        ).fetchone()
        if row is None or row[0]:
            raise _fault("the new database", "no rows yet", f"rows in {table.label}")
    return wanted


def _write(target: Connection, table: Table, blocks: Iterable[Any]) -> int:
    with target.cursor() as cursor:
        with cursor.copy(table.writing()) as into:
            for data in blocks:
                into.write(data)
        return cursor.rowcount


def _blocks(path: Path, sha256: str) -> Iterator[bytes]:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
            yield data
    if digest.hexdigest() != sha256:
        raise EvidenceBroken("EVIDENCE", what=str(path), expected=sha256, found=digest.hexdigest())


def _migrations(source: Connection) -> list[list[str | int]]:
    rows = source.execute(
        "select number, sha256, applied_at::text, applied_by from ops.migration order by number"
    )
    return [[int(n), str(s), str(at), str(by)] for n, s, at, by in rows.fetchall()]


def _migrated(target: Connection, rows: list[list[str | int]]) -> None:
    """Say of each migration when it was applied first; refuse another file of the same number."""
    for number, sha256, at, by in rows:
        done = target.execute(
            "update ops.migration set applied_at = %s::timestamptz, applied_by = %s"
            " where number = %s and sha256 = %s",
            (at, by, number, sha256),
        )
        if done.rowcount != 1:
            raise EvidenceBroken("EVIDENCE", what=f"migration {number}", expected=sha256, found="another")


def _count_on(target: Connection, sequences: Iterable[Any]) -> None:
    for schema, name, last in sequences:
        if last is not None:
            target.execute(
                sql.SQL("select setval({}::regclass, %s)").format(
                    sql.Literal(sql.Identifier(schema, name).as_string(target))
                ),
                (last,),
            )


def _fault(what: str, expected: str, found: str) -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found)
