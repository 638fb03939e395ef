"""The whole ledger in tree order, as fast as PostgreSQL can send it.

Rules kept here:

* Leaves, and entries with their bodies, are each read by their own key, in the caller's snapshot, over
  connections of their own, so that the server reads ahead while what it sent is checked.
* Entries have their places almost in the order of their ids. One that lies far off, as only damage or an
  attacker puts it, is looked up by itself: memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import psycopg
from psycopg.sql import SQL

__all__ = ["Raw", "raw_rows"]

Raw = tuple[
    int, int, int | None, str, int, str, str, str, str | None, bytes, bytes, bool,
    bytes | None, bytes | None, bytes | None, bytes | None, bytes,
]  # fmt: skip
"""The columns of :class:`coverslip.store.rows.Row` in its order, uuids as text, and the admission tag."""

AHEAD: Final = 20_000
"""Rows left behind, at most, for the sake of others out of their order."""
BATCH: Final = 400
"""Rows asked for at once; one such batch is under way while another is checked."""
_COLUMNS: Final = """
select e.id, e.record_id::text, e.version, e.kind, e.actor::text, e.command_id::text, e.about::text,
       e.leaf, e.leaf_hash, b.entry_id is not null, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable,
       e.admit
from ledger.entry e left join ledger.body b on b.entry_id = e.id where e.log_id = 1
"""
_ENTRIES: Final = f"{_COLUMNS} order by e.id"
_ONE: Final = f"{_COLUMNS} and e.id = %s"
_LEAVES: Final = "select l.idx, l.entry_id from ledger.leaf l where l.log_id = 1 order by l.idx"
# Read by their keys, which the planner would otherwise leave for a sort of the whole table.
_PLAN: Final = (
    "set enable_sort = off; set enable_seqscan = off; set enable_bitmapscan = off; set enable_hashjoin = off;"
    " set enable_nestloop = off; set jit = off"
)
_NO_ENTRY: Final = (None, "", 0, "", "", "", None, b"", b"", False, None, None, None, None, b"")


def raw_rows(conn: psycopg.Connection[Any]) -> Iterator[Raw]:
    """Yield every leaf of log 1 in order with its entry and body.

    ``conn`` must be within a transaction of isolation REPEATABLE READ; it may be used meanwhile.
    """
    row = conn.execute("select pg_export_snapshot()").fetchone()
    assert row is not None  # noqa: S101 -- a select without a table has one row
    with ExitStack() as stack:
        entries = _flat(_batches(stack, conn, row[0], _ENTRIES))
        late = _Late(conn, entries)
        following = next(entries, None)
        for leaves in _batches(stack, conn, row[0], _LEAVES):
            for leaf in leaves:
                if following is not None and following[0] == leaf[1]:
                    yield leaf + following
                    following = next(entries, None)
                else:
                    found, following = late.get(leaf[1], following)
                    yield leaf + (found or _NO_ENTRY)


def _batches(
    stack: ExitStack, conn: psycopg.Connection[Any], snapshot: str, query: str
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a query in batches, the next of which is asked for before one is given."""
    reader = stack.enter_context(psycopg.connect(conn.info.dsn, password=conn.info.password, autocommit=True))
    reader.execute(_PLAN)
    reader.execute("begin isolation level repeatable read read only")
    reader.execute(SQL("set transaction snapshot {}").format(snapshot))
    reader.execute(SQL("declare rows no scroll cursor for ") + SQL(query))
    stack.enter_context(reader.pipeline())

    def ask() -> psycopg.Cursor[Any]:
        return reader.cursor(binary=True).execute(f"fetch {BATCH} from rows")

    under_way = ask()
    while True:
        waiting, under_way = under_way, ask()
        found = waiting.fetchall()
        if not found:
            return
        yield found


def _flat(batches: Iterator[list[tuple[Any, ...]]]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield from batch


class _Late:
    """Finds entries that are not the next one: skipped before, further on, far off, or nowhere."""

    def __init__(self, conn: psycopg.Connection[Any], entries: Iterator[tuple[Any, ...]]) -> None:
        self._conn, self._entries = conn, entries
        self._held: dict[int, tuple[Any, ...]] = {}

    def get(
        self, key: int, following: tuple[Any, ...] | None
    ) -> tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]:
        """Return the entry of a key, None if there is none, and the entry that then follows."""
        found = self._held.pop(key, None)
        if found is not None:
            return found, following
        while following is not None and following[0] <= key and len(self._held) < AHEAD:
            row, following = following, next(self._entries, None)
            if row[0] == key:
                return row, following
            self._held[row[0]] = row
        with self._conn.cursor(binary=True) as cursor:
            return cursor.execute(_ONE, (key,)).fetchone(), following
