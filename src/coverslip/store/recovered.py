"""What a recovery reads of the database found, and the little it changes before the entry is written.

Rules kept here: trees and tags are read as they lie; numbers only go forward; sessions end, none is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import psycopg
from psycopg import sql

from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.ledger import canonical, leaf
from coverslip.ledger.failure import LedgerError
from coverslip.store.pool import Pool
from coverslip.store.sections import sections_of

_RECOVERIES: Final = (
    "select l.idx, e.leaf, b.fixed, b.fixed_salts, b.erasable, b.erasable_salts from ledger.entry e"
    " left join ledger.leaf l on l.log_id = 1 and l.entry_id = e.id left join ledger.body b"
    " on b.entry_id = e.id where e.log_id = 1 and e.kind = 'installation'"
    ' and position(\'"type":"recovery"\'::bytea in e.leaf) > 0 order by e.id'
)


def leaves(pool: Pool) -> int:
    """Return how many leaves lie without a gap from index 0."""
    row = _row(pool, "select count(*), coalesce(max(idx) + 1, 0) from ledger.leaf where log_id = 1")
    if row[0] != row[1]:
        raise EvidenceBroken(
            "EVIDENCE", what="the leaves found", expected=f"{row[1]} without a gap", found=str(row[0]),
            remedy="Restore a copy of the database that is of one piece.",
        )  # fmt: skip
    return int(row[0])


def tree(pool: Pool) -> tuple[int, bytes]:
    """Return size and root of the stored tree state."""
    size, root = _row(pool, "select size, root from ledger.tree where log_id = 1")
    return int(size), bytes(root)


def admissions(pool: Pool, first: int, last: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (tree index, leaf hash, admission tag) of the leaves from ``first`` to before ``last``."""
    with pool.connection() as conn:
        yield from (
            (int(index), bytes(hashed), bytes(tag))
            for index, hashed, tag in conn.execute(
                "select l.idx, e.leaf_hash, e.admit from ledger.leaf l join ledger.entry e"
                " on e.log_id = l.log_id and e.id = l.entry_id"
                " where l.log_id = 1 and l.idx >= %s and l.idx < %s order by l.idx",
                (first, last),
            ).fetchall()
        )


def entries(conn: psycopg.Connection[Any]) -> Iterator[tuple[int | None, Any]]:
    """Yield (tree index, detail) of every recovery entry; the detail is None where it cannot be read."""
    names = ("fixed", "fixed_salts", "erasable", "erasable_salts")
    for index, data, *body in conn.execute(_RECOVERIES).fetchall():
        try:
            opened = sections_of(leaf.parse(bytes(data)), dict(zip(names, body, strict=True)))
            yield index, canonical.decode(opened["detail"][1])
        except (LedgerError, EvidenceBroken, KeyError):
            yield index, None


def entered(pool: Pool, detail: Mapping[str, Any]) -> bool:
    """Return whether an entry says what ``detail`` says."""
    with pool.connection() as conn:
        return any(found == dict(detail) for _, found in entries(conn))


def leave_behind(conn: psycopg.Connection[Any], lost: int) -> None:
    """Move every number on by as many as records can have been lost, and end every session.

    ``conn`` is an autocommit connection of the superuser: sequences are nobody else's to set.
    """
    names = conn.execute(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'ops' and c.relkind = 'S' and c.relname like 'number\\_%'"
    ).fetchall()
    with conn.transaction():
        for (name,) in names:
            place = sql.Identifier("ops", str(name))
            conn.execute(
                sql.SQL("select setval({}, last_value + %s) from {}").format(
                    sql.Literal(f"ops.{name}"), place
                ),
                (lost,),
            )
        conn.execute("update ops.counter set last = last + %s", (lost,))
        conn.execute(
            "update ops.session set ended_at = clock_timestamp(), ended_why = 'recovery'"
            " where ended_at is null"
        )


def _row(pool: Pool, query: str) -> tuple[Any, ...]:
    with pool.connection() as conn:
        found: tuple[Any, ...] | None = conn.execute(query.encode()).fetchone()
    if found is None:
        raise EnvironmentFault("ENVIRONMENT", what="ledger", expected="an open log", found="none")
    return found
