"""Heads out of the database: what a ``heads`` entry says, the newest of them, and proofs for an export.

Rules kept here:

* Heads are read from the entries of the tree, never from projections: what an editor behind the ledger's
  back wrote cannot enter them.
* Rows stream through a server-side cursor in one snapshot; memory does not grow with records (proofs
  keep 64 bytes for each).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from coverslip.errors import EvidenceBroken
from coverslip.ledger import canonical, heads, leaf
from coverslip.ledger.failure import LedgerError
from coverslip.ledger.heads import Head, HeadProof, Heads
from coverslip.ledger.tree import EMPTY_ROOT
from coverslip.store.pool import Pool
from coverslip.store.sections import sections_of

EVERY_S: Final = 24 * 3600.0
_HEADS: Final = (
    "select distinct on (e.record_id) e.record_id::text, e.version, e.leaf_hash from ledger.leaf l"
    " join ledger.entry e on e.log_id = l.log_id and e.id = l.entry_id where l.log_id = 1 and l.idx < %s"
    " and e.kind not in ('session', 'installation') order by e.record_id, e.version desc"
)
_NEWEST: Final = (
    "select l.idx, e.leaf, b.fixed, b.fixed_salts, b.erasable, b.erasable_salts from ledger.entry e"
    " join ledger.body b on b.entry_id = e.id left join ledger.leaf l on l.entry_id = e.id"
    " where e.log_id = 1 and e.kind = 'installation' and position('\"type\":\"heads\"'::bytea in e.leaf) > 0"
    " and (l.idx < %s or %s) order by e.id desc limit 1"
)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest ``heads`` entry: its tree index (None before it has one), its time and what it says."""

    index: int | None
    at: str
    heads: Heads


def rows(conn: psycopg.Connection[Any], size: int) -> Iterator[Head]:
    """Yield the head of every record among the first ``size`` leaves, by record id.

    ``conn`` must be within a transaction.
    """
    with conn.cursor(name="coverslip_heads", binary=True) as cursor:
        cursor.itersize = 5000
        cursor.execute(_HEADS, (size,))
        for record, version, hashed in cursor:
            yield Head(record, version, bytes(hashed))


class HeadsReading:
    """Reads heads on a pool that may select from ``ledger``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def now(self) -> Heads:
        """Return the heads of everything that is in the tree now."""
        with self._pool.connection() as conn, conn.transaction():
            conn.execute("set transaction isolation level repeatable read read only")
            size = _size(conn)
            return heads.root_over(size, rows(conn, size))

    def newest(self, below: int | None = None) -> Newest | None:
        """Return the newest ``heads`` entry, of those with a tree index under ``below`` where it is given.

        Raises EVIDENCE when its stored bytes do not say what heads say.
        """
        with self._pool.connection() as conn:
            row = conn.execute(_NEWEST, (below or 0, below is None)).fetchone()
        if row is None:
            return None
        names = ("fixed", "fixed_salts", "erasable", "erasable_salts")
        try:
            parsed = leaf.parse(bytes(row[1]))
            detail = canonical.decode(
                sections_of(parsed, dict(zip(names, row[2:], strict=True)))["detail"][1]
            )
            return Newest(row[0], parsed.at, Heads.parse(detail))
        except (LedgerError, KeyError) as error:
            raise EvidenceBroken(
                "EVIDENCE", what="the newest heads entry", expected="what heads say", found=str(error)
            ) from error

    def proofs(self, size: int, wanted: Collection[str]) -> tuple[Heads, list[HeadProof]]:
        """Return the heads of the first ``size`` leaves and the proofs of the records ``wanted`` (ids)."""
        with self._pool.connection() as conn, conn.transaction():
            conn.execute("set transaction isolation level repeatable read read only")
            return heads.build(size, rows(conn, size), wanted)


def _size(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute("select size from ledger.tree where log_id = 1").fetchone()
    return 0 if row is None else int(row[0])


@dataclass
class HeadsDuty:
    """A ``heads`` entry each night: at start when the newest is a day old, then every hour it looks again.

    ``append`` writes the detail given as an entry of the installation.
    """

    reading: HeadsReading
    append: Callable[[dict[str, Any]], object]
    now: Callable[[], str]
    name: str = "heads"
    every_s: float = 3600.0

    def do(self) -> None:
        """Append heads when the newest are a day old or there are none; nothing on an empty log."""
        newest = self.reading.newest()
        if newest is not None and _age_s(newest.at, self.now()) < EVERY_S:
            return
        self.enter()

    def enter(self) -> Heads | None:
        """Append the heads of what is in the tree now, and return them; None on an empty log."""
        found = self.reading.now()
        if found.root == EMPTY_ROOT.hex():
            return None
        self.append(found.value())
        return found


def _age_s(then: str, now: str) -> float:
    return (dt.datetime.fromisoformat(now) - dt.datetime.fromisoformat(then)).total_seconds()
