"""Lists of work: what waits for a person, what is overdue, what others did, what stands beside a record.

Rules kept here: reads only; one statement per list, whatever the number of types; what happened is read by
tree index, in which nothing is ever passed over; a call looks at a bounded stretch of the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.rows import dict_row

from coverslip.kernel.rows import Row, row_from
from coverslip.kernel.waiting import Happened, Waits, Want
from coverslip.ledger import leaf
from coverslip.store.pool import Pool

STRETCH = 5000
"""Entries looked at by one call of ``happened``."""

_WAITING = """
with want as (select * from unnest(%(t)s::text[], %(s)s::text[], %(d)s::text[], %(h)s::text[], %(f)s::text[],
                                   %(k)s::text[]) as w(type, state, due, how, field, key)),
found as (
  select distinct on (r.uid) r.type, r.uid, r.changed_at,
         coalesce(left(r.content -> 'fields' ->> nullif(w.due, ''), 10), '9999-12-31') as due
  from want w cross join lateral (
    select x.type, x.uid, x.changed_at, x.content from projection.record x
    where x.type = w.type and x.state = w.state offset 0) r -- by index, whatever the planner thinks of wants
  where case case when starts_with(w.how, 'linked') then 'linked' else w.how end
    when 'role' then true
    when 'self' then r.uid = %(p)s::text::uuid
    when 'people' then r.content -> 'people' -> w.key ? %(p)s::text
    when 'link' then exists (select 1 from projection.link l where l.from_uid = r.uid and l.field = w.field
                             and l.to_uid = %(p)s::text::uuid)
    when 'linked' then exists (
      with recursive walk(type, uid, step, path) as ( -- link by link, as the field names them
        select r.type, r.uid, 0, string_to_array(w.field, '/')
        union all
        select l.to_type, l.to_uid, k.step + 1, k.path from walk k
        join projection.link l on l.from_uid = k.uid and l.field = k.path[k.step + 1])
      select 1 from walk k where k.step = cardinality(k.path) and case w.how
        when 'linked_people' then exists (select 1 from projection.record o where o.type = k.type
                                          and o.uid = k.uid and o.content -> 'people' -> w.key ? %(p)s::text)
        else exists (select 1 from projection.link m where m.from_uid = k.uid and m.field = w.key
                     and m.to_uid = %(p)s::text::uuid) end)
    else false end
  order by r.uid),
page as (
  select f.*, extract(epoch from f.changed_at) as moment from found f
  where %(cd)s = '' or (f.due, -extract(epoch from f.changed_at), f.uid)
        > (%(cd)s, -%(cm)s::numeric, nullif(%(cu)s, '')::uuid)
  order by f.due, f.changed_at desc, f.uid limit %(l)s)
select ops.row_of(type, uid) as row, due, moment::text as moment, uid::text as uid from page
order by due, moment desc, uid
"""

_OVERDUE = """
select ops.row_of(r.type, r.uid) as row, left(r.content -> 'fields' ->> w.due, 10) as due
from unnest(%(t)s::text[], %(s)s::text[], %(d)s::text[]) as w(type, state, due)
cross join lateral (
  select x.type, x.uid, x.content from projection.record x
  where x.type = w.type and x.state = w.state offset 0) r
where left(r.content -> 'fields' ->> w.due, 10) <= %(before)s
order by left(r.content -> 'fields' ->> w.due, 10), r.uid limit %(l)s
"""

_HAPPENED = """
with mine as materialized (
  select distinct w.content -> 'fields' -> 'subject' ->> 'number' as number
  from projection.link l join projection.record w on w.type = l.from_type and w.uid = l.from_uid
  where l.to_uid = %(p)s::text::uuid and l.field = 'person' and l.from_type = %(watcher)s
        and w.state = %(watching)s),
span as materialized (
  select l.idx, e.record_id, e.actor, e.version from ledger.leaf l
  cross join lateral (select * from ledger.entry x where x.log_id = l.log_id and x.id = l.entry_id offset 0) e
  where l.log_id = 1 and l.idx > %(after)s and l.idx <= %(until)s and e.actor <> %(p)s::text::uuid),
told as materialized ( -- a record is looked at once, however many of its entries lie in the stretch
  select r.uid, r.type, r.number, r.revision, r.state, r.title, found.why
  from (select distinct record_id from span) c join projection.number n on n.uid = c.record_id
  join projection.record r on r.type = n.type and r.uid = n.uid
  cross join lateral (select case
    when r.uid = %(p)s::text::uuid then 'you'
    when r.number in (select number from mine) then 'watched'
    when r.created_by = %(p)s::text::uuid then 'yours'
    when exists (select 1 from projection.link l where l.from_uid = r.uid and l.field = 'owner'
                 and l.to_uid = %(p)s::text::uuid) then 'owned'
    when exists (select 1 from projection.link l join projection.record o
                 on o.type = l.to_type and o.uid = l.to_uid
                 where l.from_uid = r.uid and l.field = 'subject' and (
                   o.created_by = %(p)s::text::uuid or o.number in (select number from mine)
                   or exists (select 1 from projection.link k where k.from_uid = o.uid and k.field = 'owner'
                              and k.to_uid = %(p)s::text::uuid))) then 'beside'
    end as why) found
  where found.why is not null),
page as materialized (
  select s.idx, s.record_id, s.actor, s.version from span s join told t on t.uid = s.record_id
  order by s.idx limit %(l)s)
select s.idx, e.leaf, s.version, s.actor::text as actor, coalesce(a.title, '') as actor_name,
       t.type, t.number, t.revision, t.state, t.title, t.why
from page s join told t on t.uid = s.record_id
join ledger.leaf l on l.log_id = 1 and l.idx = s.idx join ledger.entry e on e.log_id = 1 and e.id = l.entry_id
left join projection.number m on m.uid = s.actor
left join projection.record a on a.type = m.type and a.uid = m.uid
order by s.idx
"""


class PostgresWork:
    """Lists of work on a pool that may select from ``ledger`` and ``projection``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _all(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql, values).fetchall()

    def waiting(self, person: str, wants: Sequence[Want], cursor: str, limit: int) -> list[Waits]:
        """Return records that wait for a person: by due date, then the newest change first.

        ``cursor`` is that of the last one had, empty for the first page.
        """
        due, moment, uid = cursor.split("/") if cursor.count("/") == 2 else ("", "0", "")
        rows = self._all(
            _WAITING,
            {
                "p": person,
                "t": [w.type for w in wants],
                "s": [w.state for w in wants],
                "d": [w.due for w in wants],
                "h": [w.how for w in wants],
                "f": [w.field for w in wants],
                "k": [w.key for w in wants],
                "cd": due,
                "cm": moment,
                "cu": uid,
                "l": limit,
            },
        )
        return [
            Waits(
                row_from(r["row"]),
                "" if r["due"] == "9999-12-31" else r["due"],
                f"{r['due']}/{r['moment']}/{r['uid']}",
            )
            for r in rows
        ]

    def overdue(self, wants: Sequence[Want], before: str, limit: int) -> list[tuple[Row, str]]:
        """Return records in the states wanted whose date lies on or before ``before``, and the date."""
        values = {"t": [w.type for w in wants], "s": [w.state for w in wants], "d": [w.due for w in wants]}
        rows = self._all(_OVERDUE, values | {"before": before, "l": limit})
        return [(row_from(r["row"]), str(r["due"])) for r in rows]

    def happened(
        self, person: str, after: int, limit: int, watch: str, watching: str
    ) -> tuple[list[Happened], int, bool]:
        """Return what others did after a tree index, up to which index was looked, and whether that is all.

        ``watch`` is the type whose ``person`` watches its ``subject`` while in the state ``watching``.
        """
        size = int(self._all("select size from ledger.tree where log_id = 1", {})[0]["size"])
        until = min(after + STRETCH, size - 1)
        values = {
            "p": person,
            "after": after,
            "until": until,
            "l": limit,
            "watcher": watch,
            "watching": watching,
        }
        rows = self._all(_HAPPENED, values)
        found = [_happened(row) for row in rows]
        looked = found[-1].index if len(found) == limit else max(until, after)
        return found, looked, looked >= size - 1

    def beside(self, uid: str, types: Sequence[str], limit: int) -> list[tuple[Row, str]]:
        """Return records of types whose ``subject`` is this one, newest first, with who made each.

        At most ``limit`` of each type: a uid carries the moment of making, and the newest are found by it.
        """
        rows = self._all(
            "select ops.row_of(r.type, r.uid) as row, coalesce(a.title, '') as name"
            " from unnest(%(t)s::text[]) w(type) cross join lateral (select l.from_uid from projection.link l"
            " where l.to_uid = %(u)s and l.field = 'subject' and l.from_type = w.type"
            " order by l.from_uid desc limit %(l)s) f"
            " join projection.record r on r.type = w.type and r.uid = f.from_uid"
            " left join projection.number n on n.uid = r.created_by"
            " left join projection.record a on a.type = n.type and a.uid = n.uid"
            " order by r.created_at desc, r.uid",
            {"u": uid, "t": list(types), "l": limit},
        )
        return [(row_from(r["row"]), str(r["name"])) for r in rows]

    def beside_counts(self, uid: str, types: Sequence[str], most: int) -> dict[str, int]:
        """Return by type how many have this one as their ``subject``; ``most`` stands for any more."""
        rows = self._all(
            "select w.type, (select count(*) from (select 1 from projection.link l where l.to_uid = %(u)s"
            " and l.field = 'subject' and l.from_type = w.type limit %(l)s) f) as n"
            " from unnest(%(t)s::text[]) w(type)",
            {"u": uid, "t": list(types), "l": most},
        )
        return {str(r["type"]): int(r["n"]) for r in rows}

    def counted(self, uid: str, type: str, state: str) -> int:
        """Return how many records of a type in a state have this one as their ``subject``."""
        rows = self._all(
            "select count(*) as n from projection.link l join projection.record r on r.type = l.from_type"
            " and r.uid = l.from_uid where l.to_uid = %(u)s and l.field = 'subject' and l.from_type = %(t)s"
            " and r.state = %(s)s",
            {"u": uid, "t": type, "s": state},
        )
        return int(rows[0]["n"])


def _happened(row: dict[str, Any]) -> Happened:
    parsed = leaf.parse(bytes(row["leaf"]))
    return Happened(
        int(row["idx"]),
        parsed.at,
        parsed.act,
        row["actor"],
        row["actor_name"],
        int(row["version"]),
        row["type"],
        row["number"],
        int(row["revision"]),
        row["state"],
        row["title"],
        row["why"],
    )
