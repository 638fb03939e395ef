"""Reading many records at once, with what is about them: what a review and a lineage look at.

Rules kept here: one statement for any number of records; reads only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from coverslip.kernel.rows import Row, row_from

_ROWS = (
    "select ops.row_of(t.type, t.uid) as row from unnest(%(t)s::text[], %(u)s::uuid[]) with ordinality"
    " as t(type, uid, place) order by t.place"
)
_COUNT = (
    "select about::text as uid, count(*) as n from ledger.entry where about = any(%(u)s::uuid[])"
    ' and position(\'"type":"view"\'::bytea in leaf) = 0'
    ' and position(\'"type":"export"\'::bytea in leaf) = 0 group by about'
)
_VIEWED = (
    " where e.about = any(%(u)s::uuid[])"
    " and e.id > (select id from ledger.entry where record_id = %(c)s and version = 1)"
    ' and position(\'"type":"view"\'::bytea in e.leaf) > 0 order by e.id'
)


class ScopeReading:
    """Reads of many records; what it is mixed into knows how to ask and how to read an entry."""

    def _all(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        raise NotImplementedError

    def _entries_where(self, where: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        raise NotImplementedError

    def rows_of(self, wanted: Collection[tuple[str, str]]) -> list[Row]:
        """Return the records of these (type, uid), in the order asked; what is not there is left out."""
        pairs = list(dict.fromkeys(wanted))
        if not pairs:
            return []
        rows = self._all(_ROWS, {"t": [kind for kind, _ in pairs], "u": [uid for _, uid in pairs]})
        return [row_from(r["row"]) for r in rows if r["row"]]

    def histories(self, uids: Collection[str]) -> list[dict[str, Any]]:
        """Return the entries of records and those about them, oldest first, with ``of``: the record's uid."""
        wanted = set(uids)
        found = self._entries_where(
            " where e.record_id = any(%(u)s::uuid[]) or e.about = any(%(u)s::uuid[]) order by e.id",
            {"u": sorted(wanted)},
        )
        for entry in found:
            entry["of"] = entry["uid"] if entry["uid"] in wanted else entry["subject"]
        return found

    def told(self, uids: Collection[str]) -> Mapping[str, int]:
        """Return by uid how many entries are about a record, those that it was seen or exported left out."""
        rows = self._all(_COUNT, {"u": sorted(uids)})
        return {str(r["uid"]): int(r["n"]) for r in rows}

    def views(self, uids: Collection[str], since: str) -> list[dict[str, Any]]:
        """Return the entries that say a record was sent to somebody since another one (uid) was made."""
        return self._entries_where(_VIEWED, {"u": sorted(uids), "c": since})
