"""The search index: filled aside, in the order of the tree, from the current state of what an entry changed.

Rules kept here:

* Nothing decides by it. It may be behind, and says how far; it can be made again at any time.
* Of a record it holds number, title, the names of people it names, and the text of fields that are neither
  personal nor sensitive. A field that the record's own definition does not declare is left out.
* Its place is kept behind what it read, never before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
from psycopg.rows import dict_row

from coverslip.errors import CoverslipError
from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.rows import Row, row_from
from coverslip.kernel.view import is_link
from coverslip.store.pool import Pool
from coverslip.store.search_words import pieces, words

POSITION: Final = "search 1"
"""Where its place is kept; the number is that of how text is cut."""
STEP: Final = 2000
"""Entries read at a time."""
MOST_TEXT: Final = 100_000
"""Characters of one record that are read."""
_UNSPOKEN: Final = (w.Json, w.Bool, w.Date, w.Instant)

_PUT = """
insert into ops.search as s (uid, type, number, revision, title, body, pieces, title_words, people_words,
  body_words)
select x.uid, x.type, x.number, x.revision, x.title, x.body, array_to_tsvector(x.pieces),
  array_to_tsvector(x.title_words), array_to_tsvector(x.people_words), array_to_tsvector(x.body_words)
from jsonb_to_recordset(%(rows)s::jsonb) as x(uid uuid, type text, number text, revision int, title text,
  body text, pieces text[], title_words text[], people_words text[], body_words text[])
on conflict (uid) do update set title = excluded.title, body = excluded.body, pieces = excluded.pieces,
  title_words = excluded.title_words, people_words = excluded.people_words, body_words = excluded.body_words
"""
_CHANGED = """
with span as (select l.idx, e.record_id, e.about from ledger.leaf l
  join ledger.entry e on e.id = l.entry_id and e.log_id = l.log_id
  where l.log_id = 1 and l.idx >= %(from)s and l.idx < %(from)s::bigint + %(step)s::bigint)
select (select max(idx) from span) as last, coalesce((select jsonb_agg(ops.row_of(n.type, n.uid)) from
  (select distinct record_id from span where about is null) c
  join projection.number n on n.uid = c.record_id),
  '[]'::jsonb) as rows
"""


class SearchIndex:
    """Fills the index on a pool of role cs_writer."""

    def __init__(self, pool: Pool, catalogue: Catalogue) -> None:
        self._pool = pool
        self._catalogue = catalogue
        self._persons = {
            d.name for d in catalogue if any(isinstance(one, w.Account) for one in d.type.provides)
        }

    def _all(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute(sql.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def indexed(self) -> int:
        """Return how many entries, from the first on, have been read."""
        rows = self._all("select position from ops.position where name = %(n)s", {"n": POSITION})
        return int(rows[0]["position"]) if rows else 0

    def step(self) -> int:
        """Read the next entries; return how many, 0 where none is left."""
        start = self.indexed()
        row = self._all(_CHANGED, {"from": start, "step": STEP})[0]
        if row["last"] is None:
            return 0
        records = [row_from(value) for value in row["rows"] if value]
        names = self._names(records)
        made = [self._made(record, names) for record in records]
        if made:
            self._all(_PUT, {"rows": orjson.dumps(made).decode()})
        self._all(
            "insert into ops.position as p (name, position) values (%(n)s, %(p)s) on conflict (name)"
            " do update set position = greatest(p.position, excluded.position), at = clock_timestamp()",
            {"n": POSITION, "p": int(row["last"]) + 1},
        )
        return int(row["last"]) + 1 - start

    def catch_up(self) -> int:
        """Read everything that is in the tree; return how many entries that were."""
        count = 0
        while done := self.step():
            count += done
        return count

    def again(self) -> None:
        """Begin at the first entry again; what is there stays until it is read anew."""
        self._all("update ops.position set position = 0 where name = %(n)s", {"n": POSITION})

    def _names(self, records: list[Row]) -> dict[str, str]:
        uids = sorted({uid for record in records for uid in self._people(record.fields)})
        rows = self._all(
            "select r.uid::text as uid, r.title from projection.record r"
            " where r.type = any(%(t)s) and r.uid = any(%(u)s::uuid[])",
            {"u": uids, "t": sorted(self._persons)},
        )
        return {row["uid"]: row["title"] for row in rows}

    def _people(self, value: Any) -> Iterator[str]:
        """Yield the uids of people a value names."""
        if isinstance(value, dict):
            if is_link(value):
                if value["type"] in self._persons and "uid" in value:
                    yield str(value["uid"])
                return
            value = list(value.values())
        for item in value if isinstance(value, list) else ():
            yield from self._people(item)

    def _made(self, record: Row, names: dict[str, str]) -> dict[str, Any]:
        try:
            definition = self._catalogue.under(record.type, record.definition)
            body = " · ".join(_spoken(definition, record))[:MOST_TEXT]
            title = record.title if _open(definition, definition.type.title_field) else ""
        except CoverslipError:
            body, title = "", ""  # what is not declared anywhere is not read
        people = " ".join(names.get(uid, "") for uid in self._people(record.fields))
        if record.type in self._persons:
            people = f"{people} {title}"
        return {
            "uid": record.uid, "type": record.type, "number": record.number, "revision": record.revision,
            "title": title, "body": body, "pieces": pieces(f"{record.number} {title}"),
            "title_words": words(f"{record.number} {title}"), "people_words": words(people),
            "body_words": words(f"{record.number} {title} {people} {body}"),
        }  # fmt: skip


class Indexing:
    """The duty that keeps the index close behind the tree."""

    name = "search"
    every_s = 2.0

    def __init__(self, index: SearchIndex) -> None:
        self._index = index

    def do(self) -> None:
        """Read what has come into the tree since."""
        self._index.catch_up()


def _open(definition: Definition, name: str) -> bool:
    field = definition.type.fields.get(name)
    return field is not None and not field.personal and not field.sensitive


def _spoken(definition: Definition, record: Row) -> Iterator[str]:
    """Yield the text of every field that may be read by anybody, in declared order."""
    for name, field in definition.type.fields.items():
        if name in record.fields and _open(definition, name) and name != definition.type.title_field:
            yield from _said(field.kind, record.fields[name])


def _said(kind: w.Kind, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _said(kind, item)
    elif isinstance(kind, w.Table):
        if isinstance(value, dict):
            for name, column in kind.columns.items():
                if name in value:
                    yield from _said(column.kind, value[name])
    elif isinstance(kind, _UNSPOKEN):
        return
    elif isinstance(value, dict):
        text = value.get("number") if is_link(value) else value.get("name") or value.get("value")
        if isinstance(text, str):
            yield text
    elif value != "":
        yield str(value)
