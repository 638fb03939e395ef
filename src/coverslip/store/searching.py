"""Searching: numbers, titles, people, text; best first.

Rules kept here:

* An exact number comes first, then numbers that begin so, then titles, people, text; within each the record
  changed last comes first. A record is told once, in the best of its places.
* Numbers are looked up where they are kept, so that they are found at once; the rest in the index filled
  aside, and the answer says how far that has come.
* What is typed becomes words before it becomes a query.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg.rows import dict_row

from coverslip.kernel.content import parse_reference
from coverslip.kernel.queries import Found, Hit, Tier
from coverslip.store.pool import Pool
from coverslip.store.search_index import POSITION
from coverslip.store.search_words import MOST_ASKED, prefixes, snippet, words

MOST_LOOKED_AT: Final = 400
"""Matches of one tier that are ordered; where there are more, the first so many found are."""

_FIELDS = (
    "r.type, r.uid::text as uid, r.number, r.revision, r.title, r.state, ops.iso(r.changed_at) as changed_at,"
    " coalesce(s.body, '') as body"
)
_TYPED = "(%(all)s or r.type = any(%(t)s))"
_BY_NUMBER = f"""
select {_FIELDS} from projection.number n join projection.record r on r.type = n.type and r.uid = n.uid
left join ops.search s on s.uid = r.uid
where {{where}} and {_TYPED} order by n.number, n.revision desc limit %(l)s
"""
_BY_WORDS = f"""
with found as (select s.uid, s.type from ops.search s where {{column}} @@ %(q)s::tsquery
  and (%(all)s or s.type = any(%(t)s)) limit %(most)s)
select {_FIELDS} from found f join projection.record r on r.type = f.type and r.uid = f.uid
join ops.search s on s.uid = r.uid order by r.changed_at desc, r.uid limit %(l)s
"""
_TIERS: Final[tuple[tuple[Tier, str], ...]] = (
    ("title", "s.title_words"), ("people", "s.people_words"), ("text", "s.body_words"),
)  # fmt: skip
_PLACE = (
    "select (select size from ledger.tree where log_id = 1) as size,"
    " coalesce((select position from ops.position where name = %(n)s), 0) as indexed"
)


class PostgresSearch:
    """Searches on a pool that may select from ``projection`` and ``ops.search``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _all(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql.encode(), values).fetchall()

    def search(self, text: str, types: tuple[str, ...] = (), limit: int = 20) -> Found:
        """Return up to ``limit`` records that have every word of ``text``, best first."""
        place = self._all(_PLACE, {"n": POSITION})[0]
        asked = words(text)[:MOST_ASKED]
        values = {"t": list(types), "all": not types, "l": limit + 1, "most": MOST_LOOKED_AT}
        hits: dict[str, Hit] = {}
        for tier, rows in self._tiers(text, asked, values):
            for row in rows:
                hits.setdefault(row["uid"], _hit(tier, row, asked))
            if len(hits) > limit:
                break
        found = tuple(hits.values())
        return Found(found[:limit], len(found) > limit, int(place["indexed"]), int(place["size"]))

    def _tiers(self, text: str, asked: list[str], values: dict[str, Any]) -> Any:
        label = text.strip().upper()[:80]
        reference = parse_reference(label.replace(" V", " v"))
        if reference is not None:
            named = values | {"n": reference[0], "v": reference[1]}
            where = "n.number = %(n)s and (%(v)s = 0 or n.revision = %(v)s)"
            yield "number", self._all(_BY_NUMBER.format(where=where), named)
        if len(label) >= 2 and " " not in label:
            # Numbers are compared by code point, so that everything that begins so lies in one stretch.
            span = values | {"n": label, "e": label + "\U0010ffff"}
            where = 'n.number collate "C" >= %(n)s and n.number collate "C" < %(e)s'
            yield "prefix", self._all(_BY_NUMBER.format(where=where), span)
        if asked:
            for tier, column in _TIERS:
                yield tier, self._all(_BY_WORDS.format(column=column), values | {"q": prefixes(asked)})


def _hit(tier: Tier, row: dict[str, Any], asked: list[str]) -> Hit:
    return Hit(
        tier, row["type"], row["uid"], row["number"], int(row["revision"]), row["title"], row["state"],
        row["changed_at"], snippet(row["body"], asked),
    )  # fmt: skip
