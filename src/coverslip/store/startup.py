"""Start-up: is the database the one the signer remembers?

Rules kept here: a database that is shorter than, or differs from, the last signed checkpoint is never
written to; the way out is a signed recovery, not a setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from coverslip.errors import EnvironmentFault
from coverslip.ledger.failure import TreeError
from coverslip.ledger.tree import Frontier
from coverslip.store.signer import Signed, refused
from coverslip.store.tiles import TreeReader


@dataclass(frozen=True, slots=True)
class Comparison:
    """Sizes found: of the tree in the database, and of the last signed one (0 before the first)."""

    size: int
    signed: int


def foreign_roles(conn: psycopg.Connection[Any]) -> list[str]:
    """Return the names, sorted, of database roles that are neither Coverslip's nor PostgreSQL's own.

    PostgreSQL's own are known by their number, not by their name, and can do nothing by themselves.
    """
    rows = conn.execute(
        "select rolname from pg_roles where rolname !~ '^cs_' and (oid >= 16384 or rolcanlogin or rolsuper"
        " or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls) order by rolname"
    )
    return [str(row[0]) for row in rows.fetchall()]


def identity(conn: psycopg.Connection[Any]) -> tuple[str, str, str] | None:
    """Return origin, use and id of the installation as the database has them, if it has any."""
    row = conn.execute("select origin, use, uuid::text from ops.installation where log_id = 1").fetchone()
    return None if row is None else (str(row[0]), str(row[1]), str(row[2]))


def first_entry(conn: psycopg.Connection[Any]) -> tuple[bytes, dict[str, Any]] | None:
    """Return leaf and body columns of the first entry of the log, if both are there."""
    row = conn.execute(
        "select e.leaf, b.fixed, b.fixed_salts, b.erasable, b.erasable_salts from ledger.leaf l"
        " join ledger.entry e on e.id = l.entry_id join ledger.body b on b.entry_id = e.id"
        " where l.log_id = 1 and l.idx = 0"
    ).fetchone()
    if row is None:
        return None
    names = ("fixed", "fixed_salts", "erasable", "erasable_salts")
    return bytes(row[0]), dict(zip(names, row[1:], strict=True))


def tree_root(conn: psycopg.Connection[Any]) -> bytes:
    """Return the root (32 bytes) the stored tree has. Raises ENVIRONMENT when there is no log."""
    row = conn.execute("select root from ledger.tree where log_id = 1").fetchone()
    if row is None:
        raise EnvironmentFault("ENVIRONMENT", what="ledger", expected="an open log", found="none")
    return bytes(row[0])


def newest_software(conn: psycopg.Connection[Any]) -> str:
    """Return the program and release that wrote the newest entry, empty when there is none."""
    row = conn.execute(
        "select convert_from(leaf, 'UTF8')::jsonb ->> 'sw' from ledger.entry where log_id = 1"
        " order by id desc limit 1"
    ).fetchone()
    return "" if row is None else str(row[0])


def compare(conn: psycopg.Connection[Any], last: Signed | None) -> Comparison:
    """Return the sizes when the database extends what was signed last.

    ``conn`` reads ledger (any role that may) and is idle: all is read in one snapshot. Raises
    RECOVERY_REQUIRED, with both sizes in its message and values, when it does not; ENVIRONMENT when there
    is no log.
    """
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read read only")
        return _compare(conn, last)


def _compare(conn: psycopg.Connection[Any], last: Signed | None) -> Comparison:
    row = conn.execute("select size, frontier, root from ledger.tree where log_id = 1").fetchone()
    if row is None:
        raise EnvironmentFault("ENVIRONMENT", what="ledger", expected="an open log", found="none")
    size, root = int(row[0]), bytes(row[2])
    signed = 0 if last is None else last.size
    held = conn.execute("select count(*) from ledger.leaf where log_id = 1").fetchone()
    if held is None or held[0] != size:
        raise refused(f"The tree says {size} leaves and {held[0] if held else 0} are stored", signed, size)
    if size < signed:
        raise refused("The database is smaller", signed, size)
    if Frontier(size, row[1]).root() != root:
        raise refused("The stored tree state contradicts itself", signed, size)
    if last is not None:
        try:
            found = TreeReader(conn).root(last.size)
        except TreeError as error:
            raise refused(f"The database lacks leaves ({error})", signed, size) from error
        if found != last.root:
            raise refused("The database differs from what was signed", signed, size)
    return Comparison(size, signed)
