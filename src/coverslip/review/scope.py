"""The scope of a review: its subject, what that stands on, and how each record of it stood.

Rules kept here:

* The subject, every record it links to, to depth 3, and what links to the subject (DOMAIN 7.1).
* A head says how a record stood: its version, how many entries are about it, and what holds it. A later head
  that differs is something that arrived. That a record was seen or exported changes nothing about it.
* People are named by the entries themselves; what becomes of their accounts is no part of the work reviewed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

from coverslip.kernel.rows import Row
from coverslip.records.collaboration.tag import TYPE as TAG
from coverslip.records.collaboration.watch import TYPE as WATCH
from coverslip.records.organisation.user import TYPE as USER
from coverslip.records.quality.review_case import TYPE as CASE

MAX_DEPTH = 3
APART = frozenset({USER.name, WATCH.name, TAG.name, CASE.name})
Head = dict[str, Any]


class Reading(Protocol):
    """What a scope is read from."""

    def rows_of(self, wanted: Collection[tuple[str, str]]) -> list[Row]:
        """Return the records of these (type, uid)."""
        ...

    def linked(self, uid: str, types: Collection[str] = ()) -> list[Row]:
        """Return the records that link to one, of these types where some are given."""
        ...

    def told(self, uids: Collection[str]) -> Mapping[str, int]:
        """Return by uid how many entries are about a record, views and exports left out."""
        ...


def scope(reading: Reading, subject: Row) -> list[Row]:
    """Return the subject first, then every record it links to, to depth 3, and what links to the subject."""
    found: dict[str, Row] = {subject.uid: subject}
    edge = [subject]
    for _ in range(MAX_DEPTH):
        wanted = dict.fromkeys(pair for row in edge for pair in targets(row) if pair[1] not in found)
        edge = reading.rows_of(list(wanted))
        found |= {row.uid: row for row in edge}
    found |= {row.uid: row for row in reading.linked(subject.uid) if row.uid not in found}
    return list(found.values())


def targets(row: Row) -> Iterator[tuple[str, str]]:
    """Yield (type, uid) of every record that one links to."""
    for value in row.fields.values():
        for item in value if isinstance(value, list) else [value]:
            for link in [item, *(item.values() if isinstance(item, dict) else ())]:
                if isinstance(link, dict) and {"type", "uid", "number"} <= set(link):
                    yield str(link["type"]), str(link["uid"])


def heads(reading: Reading, rows: Iterable[Row]) -> list[Head]:
    """Return how each record of a scope stands, in order of their labels."""
    kept = sorted((row for row in rows if row.type not in APART), key=lambda row: (row.label, row.uid))
    told = reading.told([row.uid for row in kept])
    return [
        {
            "uid": row.uid,
            "record": row.label,
            "version": row.version,
            "told": told.get(row.uid, 0),
            "holds": sorted(blocker.number for blocker in row.blockers),
        }
        for row in kept
    ]


def entries_in(found: Iterable[Head]) -> int:
    """Return how many entries these heads stand for."""
    return sum(int(head["version"]) + int(head["told"]) for head in found)


def arrived(then: Iterable[Head], now: Iterable[Head]) -> list[dict[str, Any]]:
    """Return what came between two readings: ``record``, ``new`` entries (0: a hold moved), ``from_version``.

    A record that was not there before came from version 0.
    """
    before = {str(head["uid"]): head for head in then}
    found = []
    for head in now:
        old = before.get(str(head["uid"]), {"version": 0, "told": 0, "holds": []})
        new = entries_in([head]) - entries_in([old])
        if new or head["holds"] != old["holds"]:
            found.append(
                {
                    "uid": head["uid"],
                    "record": head["record"],
                    "new": max(new, 0),
                    "from_version": int(old["version"]),
                }
            )
    return found
