"""Reading many records at once, with what is about them: what a review and a lineage look at.

Rules kept here: one statement for any number of records; reads only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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
_LINKED = (
    "select ops.row_of(from_type, from_uid) as row from (select distinct from_type, from_uid"
    " from projection.link where to_uid = %(u)s{} order by 1, 2 limit %(l)s) found"
)
_OF_TYPES = " and from_type = any(%(t)s)"
_TYPES = (
    " cross join lateral (with recursive k as ((select l.from_type from projection.link l"
    " where l.to_uid = w.u order by 1 limit 1) union all select (select l.from_type from projection.link l"
    " where l.to_uid = w.u"
    " and l.from_type > k.from_type order by 1 limit 1) from k where k.from_type is not null)"
    " select from_type from k where from_type is not null) k"
)
"""The types of what links to ``w.u``, from one to the next and not through all of it."""
_SOME = (
    "select w.u::text as uid, ops.row_of(k.from_type, f.from_uid) as row from unnest(%(u)s::uuid[])"
    " with ordinality as w(u, place){}"
    " cross join lateral (select distinct l.from_uid from projection.link l where l.to_uid = w.u"
    " and l.from_type = k.from_type order by 1 desc limit %(l)s) f"
    " where k.from_type <> all(%(t)s) order by w.place, k.from_type, f.from_uid desc"
)
_COUNTS = (
    "select k.from_type as type, (select count(*) from (select distinct l.from_uid from projection.link l"
    " where l.to_uid = w.u and l.from_type = k.from_type order by 1 limit %(l)s) f) as n"
    " from (values (%(u)s::text::uuid)) as w(u){}"
)
_NEWEST = (
    "select ops.row_of(%(k)s, from_uid) as row from (select distinct from_uid from projection.link"
    " where to_uid = %(u)s and from_type = %(k)s and (%(b)s::text = '' or from_uid < nullif(%(b)s, '')::uuid)"
    " order by 1 desc limit %(l)s) found order by from_uid desc"
)
_OPEN = (
    "select ops.row_of(r.type, r.uid) as row from (select r.type, r.uid from projection.record r"
    " where r.type = %(k)s and r.state = any(%(s)s) and exists (select 1 from projection.link l"
    " where l.to_uid = %(u)s and l.from_type = r.type and l.from_uid = r.uid) limit %(l)s) r order by r.uid"
)
_STATES = (
    "select w.type, r.state, count(*) as n from unnest(%(t)s::text[]) as w(type) cross join lateral ("
    " select distinct k.from_uid from (select l.from_uid from projection.link l where l.to_uid = %(u)s"
    " and l.from_type = w.type limit %(l)s) k) f"
    " join projection.record r on r.type = w.type and r.uid = f.from_uid group by 1, 2 order by 1, 2"
)


class ScopeReading(ABC):
    """Reads of many records; what it is mixed into knows how to ask and how to read an entry."""

    @abstractmethod
    def _all(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a query."""

    @abstractmethod
    def _entries_where(self, where: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Return entries with their sections, by a condition."""

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

    def linked(self, uid: str, types: Collection[str] = (), most: int = 5000) -> list[Row]:
        """Return the records that link to this one, of these types where some are given; ``most`` of them."""
        rows = self._all(_LINKED.format(_OF_TYPES if types else ""), {"u": uid, "t": list(types), "l": most})
        return [row_from(r["row"]) for r in rows]

    def linked_some(
        self, uids: Collection[str], each: int, without: Collection[str] = ()
    ) -> list[tuple[str, Row]]:
        """Return (uid linked to, record) of what links to these records: of every type the newest ``each``.

        ``without``: types left out. In the order of ``uids``; by type, the newest first.
        """
        if not uids:
            return []
        rows = self._all(_SOME.format(_TYPES), {"u": list(uids), "l": each, "t": list(without)})
        return [(str(r["uid"]), row_from(r["row"])) for r in rows]

    def linked_counts(self, uid: str, most: int) -> dict[str, int]:
        """Return by type how many records link to this one; ``most`` stands for that and any more."""
        return {str(r["type"]): int(r["n"]) for r in self._all(_COUNTS.format(_TYPES), {"u": uid, "l": most})}

    def linked_newest(self, uid: str, kind: str, most: int, before: str = "") -> list[Row]:
        """Return the newest records of a type that link to this one, made before the one named (a uid)."""
        rows = self._all(_NEWEST, {"u": uid, "k": kind, "b": before, "l": most})
        return [row_from(r["row"]) for r in rows]

    def linked_open(self, uid: str, states: Mapping[str, Collection[str]], most: int = 200) -> list[Row]:
        """Return records of types that link to this one and are in one of the states named for the type.

        Type by type, so that what is open is found by its state.
        """
        rows = [
            row
            for kind, wanted in sorted(states.items())
            for row in self._all(_OPEN, {"u": uid, "k": kind, "s": list(wanted), "l": most})
        ]
        return [row_from(r["row"]) for r in rows]

    def linked_states(self, uid: str, types: Collection[str], most: int) -> dict[str, dict[str, int]]:
        """Return by type how many records that link to this one are in which state; of ``most`` of a type."""
        found: dict[str, dict[str, int]] = {}
        for row in self._all(_STATES, {"u": uid, "t": list(types), "l": most}):
            found.setdefault(row["type"], {})[row["state"]] = int(row["n"])
        return found

    def titles(self, numbers: Collection[str]) -> dict[str, str]:
        """Return by number the title ``find`` would show; of what is there."""
        if not numbers:
            return {}
        rows = self._all(
            "select n as number, ops.find_number(n, null) ->> 'title' as title from unnest(%(n)s::text[]) n",
            {"n": sorted(numbers)},
        )
        return {str(r["number"]): str(r["title"]) for r in rows if r["title"] is not None}
