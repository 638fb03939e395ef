"""The event feed: what is on the ledger, one event an entry, in the order of the tree.

Rules kept here:

* Reads only. The order is the tree's, which has no gaps and never changes, so that who goes on from a
  cursor misses nothing and sees nothing twice; what has no place in the tree yet comes later.
* An entry whose stored bytes do not fit is an event too, said to be unreadable: verification names it.
"""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from coverslip.errors import EvidenceBroken
from coverslip.ledger import canonical, leaf
from coverslip.ledger.failure import LedgerError
from coverslip.store.pool import Pool
from coverslip.store.sections import sections_of

_PAGE = """
select l.idx, e.record_id::text as uid, e.version, e.kind, e.actor::text as actor, e.leaf,
  e.about::text as about, coalesce(n.number, '') as number, coalesce(n.type, '') as subject,
  coalesce(who.title, '') as name, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable
from ledger.leaf l join ledger.entry e on e.log_id = l.log_id and e.id = l.entry_id
left join ledger.body b on b.entry_id = e.id
left join projection.number n on n.uid = coalesce(e.about, e.record_id)
left join projection.number p on p.uid = e.actor
left join projection.record who on who.type = p.type and who.uid = p.uid
where l.log_id = 1 and l.idx > %(after)s and l.idx < %(size)s
  and (%(kind)s = '' or coalesce(n.type, e.kind) = %(kind)s)
order by l.idx limit %(limit)s
"""
_SIZE = "select coalesce(max(idx) + 1, 0) as size from ledger.leaf where log_id = 1"
_VERSION = """
select e.leaf, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable from ledger.entry e
join ledger.body b on b.entry_id = e.id where e.log_id = 1 and e.record_id = %(uid)s
  and e.version = %(version)s
"""
_ROLES = """
select distinct code from projection.authority where kind = 'role' and person = %(person)s
  and not coalesce(data, '{}') ? 'behalf'
  and (valid_from is null or valid_from <= clock_timestamp())
  and (valid_to is null or valid_to > clock_timestamp()) order by code
"""


class EventFeed:
    """Reads events on a pool that may select from ``ledger`` and ``projection``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _all(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql.encode(), values).fetchall()

    def page(self, after: int, kind: str, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Return up to ``limit`` events behind tree index ``after`` (-1: from the first), and the new cursor.

        ``kind`` names a record type, ``session`` or ``installation``; empty: all. The cursor is the index of
        the last entry looked at, whether it was of the kind or not.
        """
        size = int(self._all(_SIZE)[0]["size"])
        rows = self._all(_PAGE, after=after, size=size, kind=kind, limit=limit)
        cursor = int(rows[-1]["idx"]) if len(rows) == limit else max(after, size - 1)
        return [self._event(row) for row in rows], cursor

    def roles(self, person: str) -> list[str]:
        """Return the codes of the roles a person holds now, delegated ones left out."""
        return [str(row["code"]) for row in self._all(_ROLES, person=person)]

    def _event(self, row: dict[str, Any]) -> dict[str, Any]:
        event: dict[str, Any] = {
            "cursor": str(row["idx"]),
            "type": row["subject"] or row["kind"],
            "number": row["number"],
            "version": int(row["version"]),
            "actor": {"uid": row["actor"], "name": row["name"]},
        }
        try:
            parsed = leaf.parse(bytes(row["leaf"]))
            event |= {"at": parsed.at, "act": parsed.act, "entry": parsed.entry, "kind": parsed.type}
            event["actor"] |= {"auth": parsed.actor.auth}
            if parsed.actor.behalf:
                event["actor"]["behalf"] = parsed.actor.behalf
            if parsed.meaning:
                event["meaning"] = parsed.meaning
            if parsed.is_record_version and row["about"] is None:
                content = self._content(parsed, row)
                event |= {"state": str(content["state"]), "title": str(content["title"])}
        except (LedgerError, EvidenceBroken, KeyError):
            event["unreadable"] = True
        return event

    def _content(self, parsed: leaf.Leaf, row: dict[str, Any]) -> dict[str, Any]:
        """Return the content of a record's version, where need be as an earlier version stored it."""
        ref = next(b for b in parsed.bodies if b.section == "content")
        sections = sections_of(parsed, row)
        if ref.from_version is not None:
            found = self._all(_VERSION, uid=row["uid"], version=ref.from_version)
            if not found:
                raise EvidenceBroken(
                    "EVIDENCE",
                    what=f"the content of entry {parsed.entry}",
                    expected="stored",
                    found="nothing",
                )
            sections = sections_of(leaf.parse(bytes(found[0]["leaf"])), found[0])
        content: dict[str, Any] = canonical.decode(sections["content"][1])
        return content
