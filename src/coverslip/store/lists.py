"""Lists of records: filtered, sorted, a page at a time, and how many there are.

Rules kept here:

* The text of a statement is put together from fixed pieces; whatever comes from outside travels as a value.
* The order is total: every sort ends in the uid, so that pages partition the list.
* Each type is read by an index of its own and the types are merged: a list of all of them costs no more
  with a long ledger. What no index holds (text, fields, people) is looked for among the types asked.
* Up to ``MOST_COUNTED`` are counted; above, the planner estimates, and the answer says so. Where a text is
  found in very many, a thousand are compared and the index says about how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from psycopg.rows import dict_row

from coverslip.errors import Invalid
from coverslip.kernel.queries import MOST_COUNTED, Counted, FieldAt, FieldFilter, Listed, ListPage
from coverslip.kernel.rows import Row, row_from
from coverslip.store import cursors
from coverslip.store.narrowing import narrowing_values
from coverslip.store.pool import Pool
from coverslip.store.search_index import POSITION
from coverslip.store.search_words import pieces

_NUMERIC: Final = r"^-?[0-9]+(\.[0-9]+)?$"
_COMPARED: Final = {"is": "=", "from": ">=", "to": "<="}
_PIECE: Final = 3
_BLOCK: Final = 500
_MOST_NAMED: Final = 5_000
_MOST_COMPARED: Final = 1_000
_ABOUT: Final = """
select count(*) as n from ((select 1 from ops.search x where x.pieces @@ %(pieces)s::tsquery limit %(most)s)
  union all (select 1 from ledger.entry e where e.log_id = 1 and e.about is null and e.id > %(read)s
    limit %(most)s)) found
"""
_OF_TEXT: Final = (
    "(select x.type, x.uid from ops.search x where x.pieces @@ %(pieces)s::tsquery"
    " union select n.type, n.uid from ledger.entry e join projection.number n on n.uid = e.record_id"
    " where e.log_id = 1 and e.about is null and e.id > %(read)s) w cross join lateral (select x.* from"
    " projection.record x where x.type = w.type and x.uid = w.uid offset 0) r where "  # by its key, each
)
_NAMED: Final = (
    "unnest(%(u)s::uuid[]) as named(uid) join projection.number n on n.uid = named.uid"
    " join projection.record r on r.type = n.type and r.uid = n.uid where r.type = any(%(t)s)"
    " and (cardinality(%(s)s::text[]) = 0 or r.state = any(%(s)s))"
)
_READ: Final = """
select coalesce((select l.entry_id from ledger.leaf l where l.log_id = 1 and l.idx =
  coalesce((select position from ops.position where name = %(n)s), 0) - 1), 0) as id
"""
_BY_TEXT: Final = f"""
select count(*) as looked, array_agg(distinct uid::text) as uids from (
  (select uid from ops.search where pieces @@ %(pieces)s::tsquery limit {_MOST_NAMED + 1})
  union all (select e.record_id from ledger.entry e where e.log_id = 1 and e.about is null
    and e.id > %(read)s limit {_MOST_NAMED + 1})
) found
"""
_BY_ACTOR: Final = f"""
select count(*) as looked, array_agg(distinct record_id::text) as uids from (
  select record_id from ledger.entry where actor = %(p)s::text::uuid
    and kind not in ('session', 'installation') limit {_MOST_NAMED + 1}) found
"""


@dataclass(frozen=True, slots=True)
class _Read:
    """A text found in more than can be named: in about how many, and the values its join needs."""

    about: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Key:
    """One part of the order: expression over ``r``, what its text becomes again, and which way it goes."""

    of: str
    cast: str
    falls: bool
    nulls: bool = False

    @property
    def order(self) -> str:
        """How it sorts."""
        return f"{self.of}{' desc' if self.falls else ''}{' nulls last' if self.nulls else ''}"


class PostgresLists:
    """Lists on a pool that may select from ``projection`` and execute the row functions."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _all(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql.encode(), values).fetchall()

    def page(self, asked: Listed, cursor: str, limit: int) -> ListPage:
        """Return a page behind a cursor (empty: the first); that of another list is refused, ``VAL_FORM``."""
        return self._page(asked, cursor, limit, *self._places(asked))

    def counted_page(self, asked: Listed, cursor: str, limit: int) -> tuple[ListPage, Counted]:
        """Return ``page`` and ``count`` of a list; what is looked for in an index is looked for once."""
        uids, read = self._places(asked)
        return self._page(asked, cursor, limit, uids, read), self._count(asked, uids, read)

    def _places(self, asked: Listed) -> tuple[list[str] | None, _Read | None]:
        """Return ``_candidates``; where they are too many to name, how to join what a text is found in."""
        uids = self._candidates(asked)
        if uids is not None or len(asked.text) < _PIECE or _unindexed(asked):
            return uids, None
        given = {"pieces": _quoted(pieces(asked.text)), "read": self._all(_READ, {"n": POSITION})[0]["id"]}
        about = int(self._all(_ABOUT, given | {"most": MOST_COUNTED + 1})[0]["n"])
        return None, _Read(about, given) if about <= MOST_COUNTED else None

    def _page(
        self, asked: Listed, cursor: str, limit: int, uids: list[str] | None, read: _Read | None
    ) -> ListPage:
        keys, values = _keys(asked), _values(asked)
        after = ""
        if cursor:
            given = cursors.read(asked, cursor, len(keys))
            after = f" and {_behind(keys, given)}"
            values |= {f"c{n}": value for n, value in enumerate(given)}
        order = ", ".join(f"k{n}{' desc' if k.falls else ''} nulls last" for n, k in enumerate(keys))
        picked = ", ".join(f"{k.of} as k{n}" for n, k in enumerate(keys))
        inner = ", ".join(k.order for k in keys)
        where = f"{_conditions(asked)}{after} order by {inner} limit %(l)s"
        if uids is not None:
            page = f"select r.type, r.uid, {picked} from {_NAMED}{where}"
        elif read is not None:
            values |= read.values
            page = f"select r.type, r.uid, {picked} from {_OF_TEXT}{_plainly(asked)}{where}"
        elif _unindexed(asked):
            page = f"select r.type, r.uid, {picked} from projection.record r where {_plainly(asked)}{where}"
        else:
            page = (
                f"select x.* from ({_places(asked)}) w cross join lateral (select r.type, r.uid, {picked}"
                f" from projection.record r where {_place(asked)}{where}) x order by {order} limit %(l)s"
            )
        sql = (
            f"with page as ({page}) select ops.row_of(type, uid) as row,"
            f" {', '.join(f'k{n}::text as t{n}' for n in range(len(keys)))} from page order by {order}"
        )
        rows = self._all(sql, values | {"l": limit + 1, "u": uids})
        following = ""
        if len(rows) > limit:
            last = rows[limit - 1]
            following = cursors.written(asked, [last[f"t{n}"] for n in range(len(keys))])
        return ListPage(tuple(row_from(row["row"]) for row in rows[:limit]), following)

    def walk(self, asked: Listed) -> Iterator[Row]:
        """Yield every record of a list in its order, all as they were at one moment."""
        keys, values = _keys(asked), _values(asked)
        order = ", ".join(k.order for k in keys)
        sql = (
            f"select ops.row_of(r.type, r.uid) as row from projection.record r where {_plainly(asked)}"
            f"{_conditions(asked)} order by {order}"
        )
        with self._pool.connection() as conn, conn.transaction():
            conn.execute("set transaction read only")
            # One statement sees one moment; a cursor of the server keeps it without reading it all at once.
            with conn.cursor(name="list", row_factory=dict_row) as cursor:
                cursor.itersize = _BLOCK
                cursor.execute(sql.encode(), values)
                for row in cursor:
                    yield row_from(row["row"])

    def count(self, asked: Listed) -> Counted:
        """Return how many records a list has: exactly up to ``MOST_COUNTED``, else as estimated."""
        return self._count(asked, *self._places(asked))

    def _count(self, asked: Listed, uids: list[str] | None, read: _Read | None) -> Counted:
        if read is not None:
            sql = f"select count(*) as n from (select 1 from {_OF_TEXT}{_plainly(asked)}{_conditions(asked)}"
            values = _values(asked) | read.values | {"most": _MOST_COMPARED + 1}
            compared = int(self._all(f"{sql} limit %(most)s) found", values)[0]["n"])
            return Counted(compared, True) if compared <= _MOST_COMPARED else Counted(read.about, False)
        values = _values(asked)
        named = _NAMED if uids is not None else f"projection.record r where {_plainly(asked)}"
        which = f"select 1 from {named}{_conditions(asked)}"
        values |= {"most": MOST_COUNTED + 1, "u": uids}
        number = int(self._all(f"select count(*) as n from ({which} limit %(most)s) found", values)[0]["n"])
        if number <= MOST_COUNTED:
            return Counted(number, True)
        plan = self._all(f"explain (format json) {which}", values)[0]["QUERY PLAN"]
        return Counted(max(number, int(plan[0]["Plan"]["Plan Rows"])), False)

    def _candidates(self, asked: Listed) -> list[str] | None:
        """Return the uids among which the list lies, where few can be found by an index; None: look at all.

        Text is found by its three-letter pieces in the search index, what that has not read yet by the tail
        of the tree; people by their entries. What is found is compared again with the record as it is.
        """
        asking = [(_BY_ACTOR, {"p": p}) for p in {asked.created_by, asked.changed_by, asked.person} - {""}]
        if len(asked.text) >= _PIECE:
            read = self._all(_READ, {"n": POSITION})[0]["id"]
            asking.append((_BY_TEXT, {"pieces": _quoted(pieces(asked.text)), "read": read}))
        found: list[set[str]] = []
        for sql, given in asking:
            row = self._all(sql, _values(asked) | given)[0]
            if row["looked"] <= _MOST_NAMED:
                found.append(set(row["uids"] or ()))
        return sorted(set.intersection(*found)) if found else None


def _quoted(parts: list[str]) -> str:
    return " & ".join("'" + part.replace("\\", "\\\\").replace("'", "''") + "'" for part in parts)


def _unindexed(asked: Listed) -> bool:
    """Whether the types must be looked through as a whole, which is done best in the order they lie in."""
    return bool(asked.sort == "field" or asked.fields or asked.narrowed.late is not None)


def _plainly(asked: Listed) -> str:
    return "r.type = any(%(t)s)" + (" and r.state = any(%(s)s)" if asked.states else "")


def _places(asked: Listed) -> str:
    if asked.states:
        return "select t, s from unnest(%(t)s::text[]) t cross join unnest(%(s)s::text[]) s"
    return "select t from unnest(%(t)s::text[]) t"


def _place(asked: Listed) -> str:
    return "r.type = w.t and r.state = w.s" if asked.states else "r.type = w.t"


def _field(field: FieldAt, slot: str) -> str:
    """Return the expression of a field, whose name travels as the value of ``slot``."""
    raw = f"r.content -> 'fields' -> %({slot})s::text"
    if field.kind == "link":
        return f"(({raw}) ->> 'number')"
    text = f"coalesce(({raw}) ->> 'value', ({raw}) #>> '{{}}')"
    if field.kind == "number":
        return f"(case when {text} ~ %(numeric)s then ({text})::numeric end)"
    return f"(({raw}) #>> '{{}}')"


def _keys(asked: Listed) -> list[_Key]:
    falls = asked.descending
    changed = _Key("r.changed_at", "timestamptz", falls)
    if asked.sort == "changed_at":
        return [changed, _Key("r.uid", "uuid", not falls)]
    if asked.sort == "created_at":
        # A uid carries the moment of making, and every type has it in its key.
        return [_Key("r.uid", "uuid", falls)]
    if asked.sort == "number":
        number = _Key("r.number", "text", falls)
        return [number, _Key("r.revision", "int", falls), _Key("r.uid", "uuid", falls)]
    if asked.sort == "state":
        return [_Key("r.state", "text", falls), _Key("r.changed_at", "timestamptz", not falls),
                _Key("r.uid", "uuid", falls)]  # fmt: skip
    if asked.sort == "title":
        return [_Key("lower(r.title)", "text", falls), _Key("r.uid", "uuid", falls)]
    if asked.field is None:
        raise ValueError("a list sorted by a field names it")
    cast = "numeric" if asked.field.kind == "number" else "text"
    return [_Key(_field(asked.field, "fs"), cast, falls, True), _Key("r.uid", "uuid", falls)]


def _behind(keys: list[_Key], given: list[Any]) -> str:
    """Return the condition of lying behind these keys in an order in which nulls come last."""
    cases, same = [], list[str]()
    for n, key in enumerate(keys):
        value = f"%(c{n})s::text::{key.cast}"
        if given[n] is None:
            same.append(f"{key.of} is null")
            continue
        beyond = f"{key.of} {'<' if key.falls else '>'} {value}"
        if key.nulls:
            beyond = f"({beyond} or {key.of} is null)"
        cases.append(" and ".join([*same, beyond]))
        same.append(f"{key.of} = {value}")
    first = keys[0]
    # Said once more without alternatives: by this an index finds the place.
    start = "" if given[0] is None or first.nulls else (
        f"{first.of} {'<=' if first.falls else '>='} %(c0)s::text::{first.cast} and "
    )  # fmt: skip
    return f"{start}({' or '.join(f'({c})' for c in cases) or 'false'})"


def _conditions(asked: Listed) -> str:
    found = ""
    if asked.narrowed.hidden:
        found += " and (r.type || '/' || r.state) <> all(%(hidden)s)"
    if asked.text:
        found += " and strpos(lower(r.number || ' ' || r.title), lower(%(q)s)) > 0"
    if asked.created_by:
        found += " and r.created_by = %(by)s::text::uuid"
    if asked.changed_by:
        found += " and r.changed_by = %(changer)s::text::uuid"
    if asked.person:
        found += " and (r.created_by = %(who)s::text::uuid or r.changed_by = %(who)s::text::uuid)"
    if asked.changed_from:
        found += " and r.changed_at >= %(since)s::text::timestamptz"
    if asked.changed_before:
        found += " and r.changed_at < %(before)s::text::timestamptz"
    for n, one in enumerate(asked.fields):
        found += f" and {_compared(n, one)}"
    if asked.narrowed.scope:
        found += (
            " and r.uid = any(array(select l.to_uid from projection.unique_value v"
            " join projection.link l on l.from_uid = v.record and l.field = 'subject'"
            " where v.scope = %(scope)s and right(v.value, length(%(word)s) + 1) = ' ' || %(word)s))"
            " and exists (select 1 from projection.unique_value v where v.scope = %(scope)s and v.value ="
            " r.number || case when r.revision > 0 then ' v' || r.revision else '' end || ' ' || %(word)s)"
        )
    if asked.narrowed.late is not None:
        found += (
            " and exists (select 1 from unnest(%(lt)s::text[], %(ls)s::text[], %(lf)s::text[])"
            " as late(t, s, f) where late.t = r.type and late.s = r.state"
            " and left(r.content -> 'fields' ->> late.f, 10) < %(today)s)"
        )
    return found


def _compared(n: int, one: FieldFilter) -> str:
    left, right = _field(one.field, f"f{n}"), f"%(v{n})s::text"
    if one.field.kind == "number":
        right += "::numeric"
    if one.op == "has":
        return f"strpos(lower({left}::text), lower({right}::text)) > 0"
    return f"{left} {_COMPARED[one.op]} {right}"


def _values(asked: Listed) -> dict[str, Any]:
    for one in asked.fields:
        if one.field.kind == "number" and one.op != "has":
            _insist_number(one)
    return {
        "t": list(asked.types), "s": list(asked.states), "q": asked.text, "by": asked.created_by,
        "changer": asked.changed_by, "who": asked.person, "since": asked.changed_from,
        "before": asked.changed_before, "numeric": _NUMERIC,
        "fs": asked.field.name if asked.field is not None else "",
        **{f"f{n}": one.field.name for n, one in enumerate(asked.fields)},
        **{f"v{n}": one.value for n, one in enumerate(asked.fields)},
        **narrowing_values(asked.narrowed),
    }  # fmt: skip


def _insist_number(one: FieldFilter) -> None:
    if re.fullmatch(_NUMERIC, one.value) is None or len(one.value) > 40:
        raise Invalid("VAL_FORM", field=one.field.name, expected="a number", found=one.value[:60])
