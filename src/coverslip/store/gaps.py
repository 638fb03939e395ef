"""Gaps: numbers never issued, entry ids never used, leaves that are missing.

Rules kept here:

* A leaf index that is missing is a finding; an entry id that is missing belongs to a transaction that was
  rolled back, and is harmless: the tree's order is its own.
* A number that is missing is shown with what the ledger knows of it: refused creations between its
  neighbours, a recovery that moved numbers on, or nothing. What is not known is said to be not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql

from coverslip.errors import EvidenceBroken
from coverslip.ledger import canonical, leaf
from coverslip.ledger.failure import LedgerError
from coverslip.store import recovered
from coverslip.store.pool import Pool
from coverslip.store.sections import sections_of

LIMIT: Final = 1000
UNKNOWN: Final = "drawn by a preview, a rolled back change or a restart of the server; no entry tells"
_ISSUED: Final = """
with issued as (
  select distinct on (p, v) p, v, number, at from (
    select split_part(n.number, '-', 1) as p, substring(n.number from '([0-9]+)$')::bigint as v, n.number,
      r.created_at as at
    from projection.number n join projection.record r on r.type = n.type and r.uid = n.uid
    where n.number ~ '^[A-Z]+(-[0-9]{4})?-[0-9]{1,18}$') x order by p, v),
placed as (
  select p, v, number, at, lag(v) over w as before, lag(number) over w as before_number,
    lag(at) over w as before_at from issued window w as (partition by p order by v))
select p, coalesce(before, 0) + 1 as first, v - 1 as last, before_number, before_at, number, at from placed
where v > coalesce(before, 0) + 1
union all
select p, v + 1, null, number, at, null, null from (select distinct on (p) p, v, number, at from issued
  order by p, v desc) newest
order by 1, 2
"""
_IDS: Final = """
select before + 1 as first, id - 1 as last from (
  select id, coalesce(lag(id) over (order by id), 0) as before from ledger.entry where log_id = 1) x
where id > before + 1 order by 1 limit %s
"""
_LEAVES: Final = """
select before + 1 as first, idx - 1 as last from (
  select idx, coalesce(lag(idx) over (order by idx), -1) as before from ledger.leaf where log_id = 1) x
where idx > before + 1 order by 1 limit %s
"""
_REFUSED: Final = (
    "select l.idx, e.id, e.leaf, b.fixed, b.fixed_salts, b.erasable, b.erasable_salts from ledger.entry e"
    " join ledger.body b on b.entry_id = e.id left join ledger.leaf l on l.entry_id = e.id"
    " where e.log_id = 1 and e.kind = 'session' and position('\"type\":\"refusal\"'::bytea in e.leaf) > 0"
    " and e.at >= %s and e.at <= %s order by e.id limit 200"
)


@dataclass(frozen=True, slots=True)
class NumberGap:
    """Numbers of a prefix, ``first`` to ``last``, that no record has; ``why`` are sentences."""

    prefix: str
    first: int
    last: int
    after: str
    before: str
    why: tuple[str, ...]

    def value(self) -> dict[str, Any]:
        """Return the gap for JSON output."""
        return {
            "prefix": self.prefix, "first": self.first, "last": self.last, "after": self.after,
            "before": self.before, "why": list(self.why),
        }  # fmt: skip


@dataclass(slots=True)
class Gaps:
    """All gaps of one snapshot. ``leaves`` are findings; at most 1 000 of each kind are listed."""

    numbers: list[NumberGap] = field(default_factory=list)
    entry_ids: list[tuple[int, int]] = field(default_factory=list)
    leaves: list[tuple[int, int]] = field(default_factory=list)

    def value(self) -> dict[str, Any]:
        """Return the gaps for JSON output."""
        return {
            "numbers": [one.value() for one in self.numbers],
            "entry_ids": [{"first": first, "last": last} for first, last in self.entry_ids],
            "leaves": [{"first": first, "last": last} for first, last in self.leaves],
            "unissued_numbers": sum(one.last - one.first + 1 for one in self.numbers),
            "unused_entry_ids": sum(last - first + 1 for first, last in self.entry_ids),
            "missing_leaves": sum(last - first + 1 for first, last in self.leaves),
        }


def gaps(conn: psycopg.Connection[Any]) -> Gaps:
    """Return the gaps. ``conn`` is an idle connection of a role that may read; nothing is written."""
    found = Gaps()
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read read only")
        drawn = _drawn(conn)
        moved = _moved(conn)
        for prefix, first, last, after, after_at, before, before_at in conn.execute(_ISSUED).fetchall():
            last = drawn.get(str(prefix), 0) if last is None else last
            if last >= first and len(found.numbers) < LIMIT:
                why = _why(conn, after_at, before_at, moved)
                found.numbers.append(
                    NumberGap(str(prefix), int(first), int(last), after or "", before or "", why)
                )
        found.entry_ids = [(int(a), int(b)) for a, b in conn.execute(_IDS, (LIMIT,))]
        found.leaves = [(int(a), int(b)) for a, b in conn.execute(_LEAVES, (LIMIT,))]
    return found


def pooled(pool: Pool) -> dict[str, Any]:
    """Return the gaps as JSON, over a connection of a pool."""
    with pool.connection() as conn:
        return gaps(conn).value()


def _drawn(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """Return the last number drawn of each prefix."""
    names = conn.execute(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'ops' and c.relkind = 'S' and c.relname like 'number\\_%'"
    ).fetchall()
    found = {}
    for (name,) in names:
        place = sql.Identifier("ops", str(name))
        row = conn.execute(
            sql.SQL("select case when is_called then last_value else 0 end from {}").format(place)
        ).fetchone()
        found[str(name).removeprefix("number_").upper()] = 0 if row is None else int(row[0])
    counters = conn.execute("select prefix, last from ops.counter").fetchall()
    return found | {str(prefix): int(last) for prefix, last in counters}


def _moved(conn: psycopg.Connection[Any]) -> list[tuple[str, int | None]]:
    """Return (time prepared, tree index) of each recovery that can be read."""
    return [
        (str(detail["statement"]["prepared_at"]), index)
        for index, detail in recovered.entries(conn)
        if isinstance(detail, dict) and isinstance(detail.get("statement"), dict)
    ]


def _why(
    conn: psycopg.Connection[Any],
    after: datetime | None,
    before: datetime | None,
    moved: Sequence[tuple[str, int | None]],
) -> tuple[str, ...]:
    start = after or datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    end = before or datetime.fromisoformat("9999-12-31T00:00:00+00:00")
    found = [
        f"a recovery at index {index} moved numbers on past those of lost records"
        for at, index in moved
        if start <= datetime.fromisoformat(at) <= end
    ]
    found += [
        f"refused creation, index {index if index is not None else 'pending'}: {detail['code']}"
        f" {detail.get('message', '')}".strip()
        for index, detail in _refusals(conn, start, end)
        if str(detail.get("action", "")).startswith("create")
    ]
    return tuple(found) or (UNKNOWN,)


def _refusals(
    conn: psycopg.Connection[Any], start: datetime, end: datetime
) -> list[tuple[int | None, dict[str, Any]]]:
    names = ("fixed", "fixed_salts", "erasable", "erasable_salts")
    found = []
    for index, _, data, *body in conn.execute(_REFUSED, (start, end)).fetchall():
        try:
            opened = sections_of(leaf.parse(bytes(data)), dict(zip(names, body, strict=True)))
            detail = canonical.decode(opened["detail"][1])
        except (LedgerError, EvidenceBroken, KeyError):
            continue
        if isinstance(detail, dict) and "code" in detail:
            found.append((index, detail))
    return found
