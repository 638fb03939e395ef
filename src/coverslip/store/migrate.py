"""Migrations: numbered plain SQL, forward only, each in one transaction.

Rules kept here:

* A published file never changes: its SHA-256 is compared with the one recorded when it was applied.
* Numbers are 1, 2, 3 … without gaps, and a database that is ahead of the program is refused.
* The row in ``ops.migration`` is written first: it is what the DDL guard accepts as announcement.
* Each file starts with four lines: why, beside (the release before), locks, undo.
* A file that works as ``cs_owner`` throughout is applied by ``cs_migrator``; only one that cannot (roles,
  event triggers) by the superuser.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from coverslip.errors import EnvironmentFault, EvidenceBroken

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_HEADER = ("-- why: ", "-- beside: ", "-- locks: ", "-- undo: ")
_ADVISORY = 0x636F7673  # one migration at a time
LOCK_TIMEOUT = "5s"


@dataclass(frozen=True, slots=True)
class Migration:
    """One published file; ``sha256`` in hex over its bytes."""

    number: int
    name: str
    sql: str
    sha256: str

    @property
    def needs_superuser(self) -> bool:
        """Whether the file does what ``cs_owner`` may not: its first statement does not become that role."""
        lines = (line.strip() for line in self.sql.splitlines())
        first = next((line for line in lines if line and not line.startswith("--")), "")
        return first != "set local role cs_owner;" or "reset role" in self.sql

    @property
    def header(self) -> dict[str, str]:
        """The four header lines by their word."""
        lines = self.sql.splitlines()[: len(_HEADER)]
        return {line[3:].split(":", 1)[0]: line.split(": ", 1)[1] for line in lines}


def published(folder: Path | None = None) -> list[Migration]:
    """Return the migrations of this release in order, or those of ``folder``.

    Raises ENVIRONMENT for a gap, an unknown file or a missing header line.
    """
    root = folder if folder is not None else files("coverslip.store") / "migrations"
    found = []
    for entry in sorted(root.iterdir(), key=lambda item: item.name):
        if entry.name.startswith(("_", ".")):
            continue
        match = _NAME.fullmatch(entry.name)
        if match is None:
            raise _fault("migration file name", "NNNN_words.sql", entry.name)
        data = entry.read_bytes()
        found.append(
            Migration(int(match[1]), match[2], data.decode("utf-8"), hashlib.sha256(data).hexdigest())
        )
    for expected, migration in enumerate(found, 1):
        if migration.number != expected:
            raise _fault("migration number", str(expected), str(migration.number))
        lines = migration.sql.splitlines()
        for position, word in enumerate(_HEADER):
            if (
                position >= len(lines)
                or len(lines[position]) <= len(word)
                or not lines[position].startswith(word)
            ):
                raise _fault(
                    f"line {position + 1} of migration {migration.number}", word.strip(), "something else"
                )
    return found


def applied(conn: psycopg.Connection[Any]) -> dict[int, tuple[str, str]]:
    """Return what the database has: number -> (name, sha256)."""
    row = conn.execute("select to_regclass('ops.migration') is not null").fetchone()
    if row is None or not row[0]:
        return {}
    rows = conn.execute("select number, name, sha256 from ops.migration order by number").fetchall()
    return {int(number): (str(name), str(sha)) for number, name, sha in rows}


def pending(conn: psycopg.Connection[Any], folder: Path | None = None) -> list[Migration]:
    """Return the migrations still to be applied.

    Raises EVIDENCE when an applied file was changed and ENVIRONMENT when the database is ahead.
    """
    known, have = published(folder), applied(conn)
    if have and max(have) > len(known):
        raise _fault("database schema", f"at most migration {len(known)}", f"migration {max(have)}")
    for migration in known:
        before = have.get(migration.number)
        if before is not None and before[1] != migration.sha256:
            raise EvidenceBroken(
                "EVIDENCE", what=f"migration {migration.number} {migration.name}", expected=before[1],
                found=migration.sha256,
            )  # fmt: skip
    return [migration for migration in known if migration.number not in have]


def migrate(
    dsn: str, folder: Path | None = None, level: int | None = None, *, migrator: str | None = None
) -> list[Migration]:
    """Apply what is pending as the superuser of ``dsn``; return what was applied.

    ``level`` stops after the migration of that number: a backup is read into the schema it came from.
    ``migrator`` is a login of ``cs_migrator``, used wherever the superuser is not needed. Each file is a
    transaction of its own: after an interruption the rest is still pending. Raises ENVIRONMENT when a
    lock is not had within 5 s; nothing of that migration is then done.
    """
    done = []
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(%s)", (_ADVISORY,))
        for migration in pending(conn, folder):
            if level is not None and migration.number > level:
                break
            if migrator is None or migration.needs_superuser:
                _apply(conn, migration)
            else:
                with psycopg.connect(migrator, autocommit=True) as lesser:
                    _apply(lesser, migration)
            done.append(migration)
    return done


def _apply(conn: psycopg.Connection[Any], migration: Migration) -> None:
    record = "insert into ops.migration(number, name, sha256) values (%s, %s, %s)"
    values = (migration.number, migration.name, migration.sha256)
    try:
        with conn.transaction():
            conn.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
            if migration.number > 1:
                conn.execute(record, values)
            # Split by the server, not by us: without parameters one string may hold many statements.
            conn.execute(migration.sql.encode("utf-8"))
            if migration.number == 1:
                conn.execute(record, values)
    except psycopg.errors.LockNotAvailable as error:
        raise _fault(
            f"migration {migration.number}", f"its locks within {LOCK_TIMEOUT}", "a busy table"
        ) from error


def open_installation(dsn: str, *, origin: str, use: str, uuid: UUID, created_at: datetime) -> None:
    """Open log 1 for this installation. Raises ENVIRONMENT when it is open already."""
    with psycopg.connect(dsn) as conn:
        try:
            conn.execute("select ops.open_installation(%s, %s, %s, %s)", (origin, use, uuid, created_at))
        except psycopg.errors.UniqueViolation as error:
            raise _fault("installation", "a database without a log", "an open log") from error


def _fault(what: str, expected: str, found: str) -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found)
