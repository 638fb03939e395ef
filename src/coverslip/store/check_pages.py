"""Pages PostgreSQL cannot believe: which table, which block, and which entries and records lie there.

Rules kept here:

* Only reads. The bad blocks are found by halving ranges of row addresses, so that a large table with one bad
  page costs a few dozen questions.
* What lies in a page that cannot be read is found by what is missing from the others: entry, record, version.
* ``believe_anyway`` lets a connection read such a page as it is, so that the field can be named. What it read
  stays in the server's memory: only for a server that is stopped afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg import sql

from coverslip.store.findings import Report

UNREADABLE: Final = (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted)
_TABLES: Final = ("entry", "body", "leaf", "tile", "tree", "checkpoint", "anchor")
_NAMED: Final = 50
_FILE: Final = re.compile(r"block (\d+) of relation \"?([^\s\"]+)\"?")
_PLACES: Final = (
    "select l.idx, l.entry_id, e.version, coalesce(n.number, e.kind) from ledger.leaf l"
    " join ledger.entry e on e.log_id = 1 and e.id = l.entry_id"
    " left join projection.number n on n.uid in (e.record_id, e.about)"
    " where l.log_id = 1 and l.entry_id = any(%s) order by l.idx"
)
_HEADS: Final = (
    "select l.idx, l.entry_id, r.version, r.number from ledger.leaf l"
    " left join projection.record r on r.entry_id = l.entry_id where l.log_id = 1 and l.entry_id = any(%s)"
    " order by l.idx"
)

Connection = psycopg.Connection[Any]


def name(conn: Connection, said: str) -> Report:
    """Return a report that names every damaged page of the ledger's tables and what lies in it.

    ``conn`` is an autocommit connection that may read; ``said`` is what PostgreSQL said first. Where no
    table's page is damaged (an index may be), that sentence is the finding.
    """
    report = Report()
    relation = _relation(conn, said)
    for table in _TABLES:
        for block in _bad_blocks(conn, table):
            report.counts["damaged_pages"] += 1
            report.add("page", f"block {block} of ledger.{table} cannot be read", field=f"{table}:{block}")
            _entries(conn, table, block, report)
    if report.holds:
        report.add("page", f"{said}{f' ({relation})' if relation else ''}", field=relation)
    return report


def believe_anyway(conn: Connection) -> None:
    """Read pages whose checksum is wrong into the server's memory, for all its connections.

    ``conn`` is a superuser's. Raises DataCorrupted for a page that is no page at all.
    """
    conn.execute("set ignore_checksum_failure = on")
    for table in _TABLES:
        conn.execute(sql.SQL("select count(t::text) from ledger.{} t").format(sql.Identifier(table)))


def _relation(conn: Connection, said: str) -> str:
    found = _FILE.search(said)
    if found is None:
        return ""
    row = conn.execute(
        "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where pg_relation_filepath(c.oid) = %s",
        (found[2],),
    ).fetchone()
    return "" if row is None else str(row[0])


def _bad_blocks(conn: Connection, table: str) -> Iterator[int]:
    ranges = [(0, _blocks(conn, table))]
    while ranges:
        first, last = ranges.pop()
        if first >= last or _reads(conn, table, first, last):
            continue
        if last - first == 1:
            yield first
            continue
        middle = (first + last) // 2
        ranges += [(middle, last), (first, middle)]


def _blocks(conn: Connection, table: str) -> int:
    row = conn.execute(
        "select pg_relation_size(c.oid) / current_setting('block_size')::int from pg_class c"
        " where c.relnamespace = 'ledger'::regnamespace and c.relname = %s",
        (table,),
    ).fetchone()
    return 0 if row is None else int(row[0])


def _reads(conn: Connection, table: str, first: int, last: int) -> bool:
    """Whether every row of the blocks from ``first`` to before ``last`` can be read to its last byte."""
    # The text form of a row needs all of it, what lies beside the table included.
    query = sql.SQL("select count(t::text) from ledger.{} t where ctid >= {} and ctid < {}").format(
        sql.Identifier(table), _tid(first), _tid(last)
    )
    try:
        conn.execute(query)
    except UNREADABLE:
        return False
    return True


def _tid(block: int) -> sql.Composable:
    return sql.SQL("{}::tid").format(sql.Literal(f"({block},0)"))


def _entries(conn: Connection, table: str, block: int, report: Report) -> None:
    """Name the entries whose rows of ``table`` are in a block that cannot be read."""
    if table not in ("entry", "body", "leaf"):
        return
    column = "id" if table == "entry" else "entry_id"
    lost = sorted(_expected(conn, table) - _readable(conn, table, column))
    try:
        rows = conn.execute(_HEADS if table == "entry" else _PLACES, (lost,)).fetchall()
    except UNREADABLE:
        rows = [(None, one, None, "") for one in lost]
    for index, entry_id, version, number in rows[:_NAMED]:
        report.add(
            "page", f"lies in or beside block {block}, which cannot be read", index=index, entry_id=entry_id,
            record=str(number or ""), version=version, field=table,
        )  # fmt: skip


def _expected(conn: Connection, table: str) -> set[int]:
    """Return the ids of entries that must have a row in ``table``, by another table."""
    other, column = ("entry", "id") if table == "leaf" else ("leaf", "entry_id")
    if table == "body":
        # An entry without sections of its own has no body: only those whose leaf stores one count.
        try:
            found = conn.execute(
                "select id from ledger.entry where log_id = 1"
                " and convert_from(leaf, 'UTF8')::jsonb @? '$.bodies[*] ? (!exists(@.from))'"
            ).fetchall()
            return {int(one) for (one,) in found}
        except UNREADABLE:
            return _readable(conn, other, column)
    return _readable(conn, other, column)


def _readable(conn: Connection, table: str, column: str) -> set[int]:
    """Return the ids in the rows of ``table`` that can be read."""
    found: set[int] = set()
    ranges = [(0, _blocks(conn, table))]
    while ranges:
        first, last = ranges.pop()
        if first >= last:
            continue
        query = sql.SQL("select {}, length(t::text) from ledger.{} t where ctid >= {} and ctid < {}").format(
            sql.Identifier(column), sql.Identifier(table), _tid(first), _tid(last)
        )
        try:
            found |= {int(one) for one, _ in conn.execute(query).fetchall()}
        except UNREADABLE:
            if last - first > 1:
                middle = (first + last) // 2
                ranges += [(first, middle), (middle, last)]
    return found
