"""The database as files: every table of one snapshot written out, and read back into an empty database.

Rules kept here:

* One snapshot: what is written is the state of one moment, however long the writing takes and whoever writes
  meanwhile.
* The schema is never copied: migrations of the same numbers make it, and only then are rows put in.
* Everything a row says is kept, but not what belongs to the cluster it lay in: transaction ids are those of
  the restoring transaction. A generated column is computed again, so that no file can state a leaf's hash.
* Text form of COPY: the one that PostgreSQL promises to read across majors and machines.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from coverslip.errors import EnvironmentFault, EvidenceBroken

Connection = psycopg.Connection[Any]
Progress = Callable[[str], None]

SCHEMAS: Final = ("ledger", "ops", "projection")
MIGRATIONS: Final = "ops.migration"
_COMPRESSION: Final = 1
_BLOCK: Final = 1 << 20

_TABLES: Final = """
select n.nspname || '.' || c.relname, array(
    select a.attname::text from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
      and a.atttypid <> 'xid8'::regtype order by a.attnum),
  array(select distinct f.confrelid::regclass::text from pg_constraint f
    where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any(%s) and c.relkind in ('r', 'p') and not c.relispartition
order by 1
"""


@dataclass(frozen=True, slots=True)
class Dumped:
    """One table as written: rows, bytes of the file, its SHA-256 in hex, and the columns in order."""

    rows: int
    size: int
    sha256: str
    columns: tuple[str, ...]

    def value(self) -> dict[str, Any]:
        """Return this as canonical JSON values."""
        return {"rows": self.rows, "size": self.size, "sha256": self.sha256, "columns": list(self.columns)}


@contextmanager
def snapshot(conn: Connection) -> Iterator[None]:
    """Hold one read-only snapshot. ``conn`` is idle; sizes and dumps inside see the same moment."""
    conn.autocommit = False
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    conn.read_only = True
    with conn.transaction():
        yield


def tables(conn: Connection) -> dict[str, tuple[str, ...]]:
    """Return every table with the columns that are written, those referred to by others first.

    The list of migrations is left out: a database that was migrated has its own.
    """
    columns: dict[str, tuple[str, ...]] = {}
    after: dict[str, set[str]] = {}
    for name, names, needs in conn.execute(_TABLES, (list(SCHEMAS),)).fetchall():
        if name != MIGRATIONS:
            columns[str(name)] = tuple(map(str, names))
            after[str(name)] = set(map(str, needs))
    found: dict[str, tuple[str, ...]] = {}
    while len(found) < len(columns):
        ready = [name for name in columns if name not in found and after[name] <= set(found) | {MIGRATIONS}]
        if not ready:
            raise EnvironmentFault(
                "ENVIRONMENT", what="tables of the database", expected="an order of references",
                found="a circle",
            )  # fmt: skip
        found |= {name: columns[name] for name in ready}
    return found


def migrations(conn: Connection) -> list[dict[str, Any]]:
    """Return the applied migrations in order: number, name, sha256."""
    rows = conn.execute("select number, name, sha256 from ops.migration order by number").fetchall()
    return [{"number": int(number), "name": str(name), "sha256": str(sha)} for number, name, sha in rows]


def sequences(conn: Connection) -> dict[str, int]:
    """Return the last value each used sequence gave; read after a snapshot began, never behind it."""
    rows = conn.execute(
        "select schemaname || '.' || sequencename, last_value from pg_sequences"
        " where schemaname = any(%s) and last_value is not null order by 1", (list(SCHEMAS),),
    ).fetchall()  # fmt: skip
    return {str(name): int(value) for name, value in rows}


def tree(conn: Connection) -> tuple[int, str] | None:
    """Return size and root (hex) of the tree, None where there is no log."""
    row = conn.execute("select size, encode(root, 'hex') from ledger.tree where log_id = 1").fetchone()
    return None if row is None else (int(row[0]), str(row[1]))


def size(conn: Connection) -> int:
    """Return how many bytes the database takes on its disk, roughly what a dump can take."""
    row = conn.execute("select pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


def dump(conn: Connection, folder: Path, progress: Progress = lambda _: None) -> dict[str, Dumped]:
    """Write every table into ``folder`` as ``schema.table.copy.gz``; ``conn`` holds a snapshot.

    Memory stays flat. Raises ENVIRONMENT when the disk refuses.
    """
    _plain(conn)
    written: dict[str, Dumped] = {}
    for name, columns in tables(conn).items():
        progress(f"writing table {name}")
        written[name] = _dump(conn, name, columns, file_of(folder, name))
    return written


def file_of(folder: Path, table: str) -> Path:
    """Return where a table's rows lie in a folder of dumped tables."""
    return folder / f"{table}.copy.gz"


def load(
    conn: Connection, folder: Path, written: Mapping[str, Sequence[str]], numbers: Mapping[str, int],
    progress: Progress = lambda _: None,
) -> None:  # fmt: skip
    """Put dumped rows into a database migrated to the same level, in one transaction.

    ``written`` names tables with their columns, ``numbers`` sequences with their last value. ``conn`` is an
    idle superuser or owner. Raises ENVIRONMENT when the tables are not those of this database, or the ledger
    is not empty; EVIDENCE when the rows cannot be read.
    """
    conn.autocommit = False
    with conn.transaction():
        _plain(conn)
        known = tables(conn)
        if {name: tuple(columns) for name, columns in written.items()} != known:
            odd = sorted(set(written) ^ set(known)) or sorted(
                n for n in known if tuple(written[n]) != known[n]
            )
            raise EnvironmentFault(
                "ENVIRONMENT", what="the tables of the backup", expected="those of this release",
                found=f"other columns or tables: {', '.join(odd)}",
                remedy="Restore with the release that made the backup, then migrate.",
            )  # fmt: skip
        _without_triggers(conn)
        _clear(conn, known)
        for name, columns in known.items():
            progress(f"reading table {name}")
            _load(conn, name, columns, file_of(folder, name))
        for name, value in numbers.items():
            conn.execute("select setval(%s::regclass, %s, true)", (_quoted(name), value))
        # A session of then is nobody's now; people sign in again.
        conn.execute(
            "update ops.session set ended_at = clock_timestamp(), ended_why = 'restored from a backup'"
            " where ended_at is null"
        )
    conn.autocommit = True
    conn.execute("analyze")


def _plain(conn: Connection) -> None:
    """Settle how values are written, whatever the server, the database or the role prefers."""
    for name, value in (
        ("datestyle", "ISO, YMD"), ("intervalstyle", "postgres"), ("timezone", "UTC"),
        ("bytea_output", "hex"),
        ("extra_float_digits", "3"), ("client_encoding", "UTF8"), ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"), ("search_path", "pg_catalog"),
    ):  # fmt: skip
        conn.execute("select set_config(%s, %s, true)", (name, value))


def _dump(conn: Connection, name: str, columns: Sequence[str], target: Path) -> Dumped:
    statement = sql.SQL("copy (select {} from {}) to stdout").format(_columns(columns), _table(name))
    try:
        with (
            open(target, "xb", opener=private) as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=_COMPRESSION, mtime=0) as packed,
            conn.cursor() as cursor,
        ):
            with cursor.copy(statement) as copy:
                for block in copy:
                    packed.write(block)
            rows = cursor.rowcount
        durable(target)
    except OSError as error:
        raise EnvironmentFault(
            "ENVIRONMENT", what=str(target), expected="room and permission to write",
            found=error.strerror or str(error),
        ) from error  # fmt: skip
    return Dumped(rows, target.stat().st_size, hash_of(target), tuple(columns))


def private(path: str, flags: int) -> int:
    """Open a file for ``open(..., opener=private)`` so that only its owner can read what is made."""
    return os.open(path, flags, 0o600)


def durable(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the device."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex, read in blocks."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _load(conn: Connection, name: str, columns: Sequence[str], source: Path) -> None:
    statement = sql.SQL("copy {} ({}) from stdin").format(_table(name), _columns(columns))
    try:
        with (
            gzip.open(source, "rb") as packed,
            conn.cursor() as cursor,
            cursor.copy(statement) as copy,
        ):
            while block := packed.read(_BLOCK):
                copy.write(block)
    except (OSError, EOFError, psycopg.errors.DataError, psycopg.errors.IntegrityError) as error:
        raise EvidenceBroken(
            "EVIDENCE", what=f"table {name} of the backup", expected="rows this database takes",
            found=str(error).splitlines()[0][:300] if str(error) else type(error).__name__,
        ) from error  # fmt: skip


def _without_triggers(conn: Connection) -> None:
    """Let rows in as they are, where this login may say so; guards that are always on stay on."""
    row = conn.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
    if row is not None and row[0]:
        conn.execute("set local session_replication_role = replica")


def _clear(conn: Connection, known: Mapping[str, Sequence[str]]) -> None:
    """Take out what migrations put into working tables; a ledger with anything in it is refused."""
    for name in reversed(list(known)):
        row = conn.execute(sql.SQL("select exists (select 1 from {})").format(_table(name))).fetchone()
        if row is None or not row[0]:
            continue
        if name.startswith("ledger."):
            raise EnvironmentFault(
                "ENVIRONMENT", what=name, expected="an empty ledger", found="rows",
                remedy="Restore into an empty folder and an empty database.",
            )  # fmt: skip
        conn.execute(sql.SQL("delete from {}").format(_table(name)))


def _table(name: str) -> sql.Composable:
    return sql.Identifier(*name.split(".", 1))


def _quoted(name: str) -> str:
    schema, _, relation = name.partition(".")
    return f'"{schema}"."{relation}"'


def _columns(columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
