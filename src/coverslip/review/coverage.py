"""Coverage: what a reviewer was sent and opened, item by item, and what arrived since.

Rules kept here:

* Only an entry of type ``view`` that the server made when it sent that very item counts; ticking off,
  answering or looking at the whole list opens nothing.
* A record counts as opened at the version that was sent, an exception while it says the same, the trail while
  nothing new stands in it. What somebody else opened is theirs.
* What must be opened: the subject, every exception that asks for an answer, and every flagged image
  (DOMAIN 7.1).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from coverslip.kernel.rows import Row
from coverslip.records.quality.review_case import TO_ANSWER, exceptions_of
from coverslip.review.scope import APART, Head, Reading as ScopeReading, arrived, entries_in, heads, scope

TRAIL = "trail"
PAGE = 100
"""Entries of one page of the trail."""


class Reading(ScopeReading, Protocol):
    """What coverage is computed from."""

    def views(self, uids: Collection[str], since: str) -> list[dict[str, Any]]:
        """Return the entries that say a record was sent to somebody since another one (uid) was made."""
        ...

    def status(self) -> dict[str, Any]:
        """Return where the tree stands."""
        ...


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to open: ``kind`` exception or record; ``version`` that must have been sent (0: none)."""

    key: str
    kind: str
    says: str
    uid: str
    version: int
    needed: bool


@dataclass(frozen=True, slots=True)
class Opening:
    """An item that was sent to a person: when first, and by which entry."""

    key: str
    person: str
    at: str
    entry: str


def key_of(row: Row) -> str:
    """Return what a record is called among the items: its number, with its revision."""
    return f"{row.number}v{row.revision}" if row.revision else row.number


def items(case: Row, subject: Row, rows: Iterable[Row]) -> list[Item]:
    """Return everything to look at: exceptions as gathered, the subject, flagged images, then the rest."""
    known = list(rows)
    flagged = {uid for row in known for uid in _flagged(row)}
    found = [
        Item(str(i["key"]), "exception", str(i["sentence"]), case.uid, 0, i["severity"] in TO_ANSWER)
        for i in exceptions_of(case.fields)
    ]
    records = [
        Item(key_of(row), "record", f"{row.label} {row.title}".strip(), row.uid, row.version, needed)
        for row in known
        if row.type not in APART
        for needed in [row.uid == subject.uid or row.uid in flagged]
    ]
    return found + sorted(records, key=lambda i: (i.uid != subject.uid, not i.needed, i.key))


def openings(case: Row, wanted: Iterable[Item], views: Iterable[dict[str, Any]]) -> list[Opening]:
    """Return who opened which item as it is now, each once, in the order they were opened."""
    exceptions = {i.key: i for i in wanted if i.kind == "exception"}
    records = {i.uid: i for i in wanted if i.kind == "record"}
    found: dict[tuple[str, str], Opening] = {}
    for view in views:
        detail = view["sections"].get("detail") or {}
        if view["subject"] == case.uid:
            item = exceptions.get(str(detail.get("item", "")))
        else:
            item = records.get(view["subject"])
            item = item if item is not None and detail.get("version") == item.version else None
        if item is not None and detail.get("shown"):
            opening = Opening(item.key, str(view["actor"]), str(view["at"]), str(view["entry"]))
            found.setdefault((item.key, opening.person), opening)
    return list(found.values())


def trails(case: Row, views: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return by person the last state of the trail that was sent whole, else how far it was.

    ``person``, ``entries`` the trail then had, ``pages`` of it that were sent, ``of`` how many there were.
    """
    sent: dict[tuple[str, int], set[int]] = {}
    for view in views:
        detail = view["sections"].get("detail") or {}
        if view["subject"] == case.uid and detail.get("item") == TRAIL:
            sent.setdefault((str(view["actor"]), int(detail["entries"])), set()).add(int(detail["page"]))
    found: dict[str, dict[str, Any]] = {}
    for (person, entries), pages in sorted(sent.items()):
        one = {"person": person, "entries": entries, "pages": len(pages), "of": pages_of(entries)}
        old = found.get(person)
        if old is None or one["pages"] == one["of"] or old["pages"] < old["of"]:
            found[person] = one
    return list(found.values())


def pages_of(entries: int) -> int:
    """Return how many pages a trail of so many entries has; an empty one has one."""
    return max(1, -(-entries // PAGE))


@dataclass(frozen=True, slots=True)
class Coverage:
    """What there is to open in a case, what was opened by whom, and what came since it was gathered."""

    case: Row
    subject: Row
    rows: list[Row]
    items: list[Item]
    openings: list[Opening]
    trails: list[dict[str, Any]]
    heads: list[Head]
    arrived: list[dict[str, Any]]

    @property
    def entries(self) -> int:
        """How many entries the trail has."""
        return entries_in(self.heads)

    def opened_by(self, person: str) -> frozenset[str]:
        """Return the keys of the items a person opened."""
        return frozenset(o.key for o in self.openings if o.person == person)


def cover(reading: Reading, case: Row) -> Coverage | None:
    """Return the coverage of a case as it stands, or None where its subject is not there."""
    link = case.fields["subject"]
    found = reading.rows_of([(str(link["type"]), str(link["uid"]))])
    if not found:
        return None
    subject = found[0]
    rows = scope(reading, subject)
    # Heads before views: what is entered in between makes the trail stale, never covered.
    now = heads(reading, rows)
    views = reading.views([case.uid, *(row.uid for row in rows)], case.uid)
    wanted = items(case, subject, rows)
    then: list[Head] = list((case.fields.get("exceptions") or {}).get("heads", ()))
    came = arrived(then, now) if then else []
    return Coverage(
        case, subject, rows, wanted, openings(case, wanted, views), trails(case, views), now, came
    )


def openings_gatherer(reading: Reading) -> Callable[[Row], dict[str, Any]]:
    """Return the gatherer ``review_openings`` version 1, of a review case.

    ``needed`` items, ``openings`` of them by person, ``entries`` the trail has and ``trail`` as it was sent
    to each person, what ``arrived`` since the exceptions were gathered, and which ``tree_size`` was seen.
    """

    def gather(case: Row) -> dict[str, Any]:
        size = int(reading.status()["size"])
        found = cover(reading, case)
        if found is None:
            return {"tree_size": size}
        needed = [item for item in found.items if item.needed]
        keys = {item.key for item in needed}
        return {
            "tree_size": size,
            "needed": [{"key": i.key, "says": i.says[:300]} for i in needed],
            "openings": [
                {"key": o.key, "person": o.person, "at": o.at, "entry": o.entry}
                for o in found.openings
                if o.key in keys
            ],
            "opened": len(found.openings),
            "entries": found.entries,
            "trail": found.trails,
            "arrived": found.arrived,
        }

    return gather


def _flagged(row: Row) -> Iterator[str]:
    for item in row.fields.get("flagged") or ():
        if isinstance(item.get("image"), dict):
            yield str(item["image"]["uid"])
