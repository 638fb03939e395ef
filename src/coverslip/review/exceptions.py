"""Exceptions: what is out of the ordinary about a record and everything it stands on (DOMAIN 7.1).

Rules kept here:

* Computed from entries and records, never typed; each names where it was found.
* Refused attempts, changes after first save with old and new, late entries, quarantined deliveries,
  unverified imports, excluded members, earlier runs, results outside limits, holds.
* Severity ``info`` is shown; ``warn`` and ``critical`` wait for an answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from coverslip.kernel.history import trail
from coverslip.kernel.rows import Row

MAX_DEPTH = 3
MAX_EXCEPTIONS = 500


class Reading(Protocol):
    """What gathering reads."""

    def history(self, uid: str) -> list[dict[str, Any]]:
        """Return the entries of a record and those about it."""
        ...

    def by_uid(self, kind: str, uid: str) -> Row | None:
        """Return a record."""
        ...

    def linked(self, uid: str) -> list[Row]:
        """Return the records that link to one."""
        ...

    def status(self) -> dict[str, Any]:
        """Return where the tree stands."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """One exception: where, how grave, and in words."""

    severity: str
    record: str
    text: str

    def item(self) -> dict[str, str]:
        """Return the item a review case keeps; its key stays the same while it says the same."""
        key = hashlib.sha256(f"{self.record}\n{self.text}".encode()).hexdigest()[:12]
        return {
            "key": key,
            "severity": self.severity,
            "record": self.record,
            "sentence": f"{self.record}: {self.text}"[:1000],
        }


def gatherer(reading: Reading) -> Callable[[Row], dict[str, Any]]:
    """Return the named gatherer ``review_exceptions`` version 1."""

    def gather(subject: Row) -> dict[str, Any]:
        size = int(reading.status()["size"])
        rows = scope(reading, subject)
        found = {i["key"]: i for row in rows for i in (e.item() for e in exceptions(reading, row, subject))}
        order = {"critical": 0, "warn": 1, "info": 2}
        items = sorted(found.values(), key=lambda i: (order[i["severity"]], i["record"], i["key"]))
        return {
            "items": items[:MAX_EXCEPTIONS],
            "found": len(items),
            "tree_size": size,
            "scope": sorted(row.label for row in rows),
        }

    return gather


def scope(reading: Reading, subject: Row) -> list[Row]:
    """Return the subject and every record it links to, to depth 3, and what links to the subject."""
    found: dict[str, Row] = {subject.uid: subject}
    edge = [subject]
    for _ in range(MAX_DEPTH):
        edge = [row for parent in edge for row in _targets(reading, parent) if row.uid not in found]
        found |= {row.uid: row for row in edge}
    found |= {row.uid: row for row in reading.linked(subject.uid) if row.uid not in found}
    return list(found.values())


def _targets(reading: Reading, row: Row) -> Iterator[Row]:
    for value in row.fields.values():
        for item in value if isinstance(value, list) else [value]:
            for link in [item, *(item.values() if isinstance(item, dict) else ())]:
                if isinstance(link, dict) and {"type", "uid", "number"} <= set(link):
                    target = reading.by_uid(link["type"], link["uid"])
                    if target is not None:
                        yield target


def exceptions(reading: Reading, row: Row, subject: Row) -> Iterator[Found]:
    """Yield what is out of the ordinary about one record of the scope."""
    own = row.uid == subject.uid
    for entry in trail(reading.history(row.uid)):
        yield from _of_entry(entry, row, own)
    for check in row.fields.get("checks") or ():
        if check.get("verdict") == "fail":
            yield Found("critical", row.label, str(check["sentence"]))
        elif check.get("verdict") == "explained":
            yield Found("warn", row.label, str(check["sentence"]))
        elif check.get("verdict") == "absent":
            yield Found("info", row.label, str(check["sentence"]))
    for blocker in row.blockers:
        yield Found("critical", row.label, f"On hold: {blocker.number}, {blocker.reason}")
    for item in row.fields.get("exclusions") or ():
        yield Found("warn", row.label, f"Excluded: {item.get('reason', 'no reason given')}")
    for item in row.fields.get("flagged") or ():
        yield Found(
            "warn", row.label, f"Flagged: {item.get('image', {}).get('number', '')}, {item.get('reason', '')}"
        )
    if row.type == subject.type and not own:
        yield Found(
            "warn", row.label, f"Another {row.type.replace('_', ' ')} on the same input, {row.state}."
        )


def _of_entry(entry: dict[str, Any], row: Row, own: bool) -> Iterator[Found]:
    if entry["late"]:
        yield Found(
            "warn",
            row.label,
            f"Late entry: '{entry['act'].replace('_', ' ')}' by {entry['actor_name']} happened at"
            f" {entry['occurred_at']} and was recorded {entry['at_text']}. Reason: {entry['reason']}",
        )
    if entry["type"] == "refusal":
        detail = entry["detail"]
        who = entry["actor_name"] or "somebody"
        yield Found(
            "warn",
            row.label,
            f"Refused: {detail.get('code', '')} {detail.get('action', '')} by {who},"
            f" {entry['at_text']}: {detail.get('message', '')}",
        )
    elif own and entry["act"] == "edit":
        changed = "; ".join(f"{c['field']}: '{c['old']}' → '{c['new']}'" for c in entry["changes"][:5])
        yield Found(
            "warn",
            row.label,
            f"Changed by {entry['actor_name']}, {entry['at_text']}: {changed}. Reason: {entry['reason']}",
        )
