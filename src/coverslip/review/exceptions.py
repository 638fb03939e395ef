"""Exceptions: what is out of the ordinary about a record and everything it stands on (DOMAIN 7.1).

Rules kept here:

* Computed from entries and records, never typed; each names where it was found.
* Refused attempts, changes after first save with old and new, late entries, quarantined deliveries,
  unverified imports, excluded members, earlier runs, results outside limits, holds.
* Severity ``info`` is shown; ``warn`` and ``critical`` wait for an answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from coverslip.kernel.history import trail
from coverslip.kernel.rows import Row
from coverslip.review.scope import Reading as ScopeReading, heads, scope

MAX_EXCEPTIONS = 500
_ORDER = {"critical": 0, "warn": 1, "info": 2}


class Reading(ScopeReading, Protocol):
    """What gathering reads."""

    def histories(self, uids: Collection[str]) -> list[dict[str, Any]]:
        """Return the entries of records and those about them, oldest first, with ``of``: the record's uid."""
        ...

    def status(self) -> dict[str, Any]:
        """Return where the tree stands."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """One exception: where, how grave, and in words; ``evidence`` is what a page shows beside it."""

    severity: str
    record: str
    text: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What it is called; the same while it says the same."""
        return hashlib.sha256(f"{self.record}\n{self.text}".encode()).hexdigest()[:12]

    def item(self) -> dict[str, str]:
        """Return the item a review case keeps."""
        return {
            "key": self.key,
            "severity": self.severity,
            "record": self.record,
            "sentence": f"{self.record}: {self.text}"[:1000],
        }


def gatherer(reading: Reading) -> Callable[[Row], dict[str, Any]]:
    """Return the named gatherer ``review_exceptions`` version 2.

    Beside the exceptions it keeps ``heads``: how every record of the scope stood when it was looked at.
    """

    def gather(subject: Row) -> dict[str, Any]:
        size = int(reading.status()["size"])
        rows = scope(reading, subject)
        # Heads first: what is entered between the two readings has then arrived, and is not overlooked.
        stood = heads(reading, rows)
        found = {one.key: one.item() for one in all_exceptions(reading, rows, subject)}
        items = sorted(found.values(), key=lambda i: (_ORDER[i["severity"]], i["record"], i["key"]))
        return {
            "items": items[:MAX_EXCEPTIONS],
            "found": len(items),
            "tree_size": size,
            "scope": sorted(row.label for row in rows),
            "heads": stood,
        }

    return gather


def all_exceptions(reading: Reading, rows: Collection[Row], subject: Row) -> Iterator[Found]:
    """Yield what is out of the ordinary about every record of a scope."""
    histories: dict[str, list[dict[str, Any]]] = {row.uid: [] for row in rows}
    for entry in reading.histories(list(histories)):
        histories[entry["of"]].append(entry)
    for row in rows:
        yield from exceptions(trail(histories[row.uid]), row, subject)


def exceptions(told: list[dict[str, Any]], row: Row, subject: Row) -> Iterator[Found]:
    """Yield what is out of the ordinary about one record of the scope; ``told``: its trail, oldest first."""
    own = row.uid == subject.uid
    for entry in told:
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
        left = [str(item["image"]["number"])] if isinstance(item.get("image"), dict) else []
        yield Found("warn", row.label, f"Excluded: {item.get('reason', 'no reason given')}", {"images": left})
    for item in row.fields.get("flagged") or ():
        image = str(item.get("image", {}).get("number", ""))
        yield Found("warn", row.label, f"Flagged: {image}, {item.get('reason', '')}", {"images": [image]})
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
            {"entry": entry},
        )
    if entry["type"] == "refusal":
        detail = entry["detail"]
        who = entry["actor_name"] or "somebody"
        yield Found(
            "warn",
            row.label,
            f"Refused: {detail.get('code', '')} {detail.get('action', '')} by {who},"
            f" {entry['at_text']}: {detail.get('message', '')}",
            {"entry": entry},
        )
    elif own and entry["act"] == "edit":
        changed = "; ".join(f"{c['field']}: '{c['old']}' → '{c['new']}'" for c in entry["changes"][:5])
        yield Found(
            "warn",
            row.label,
            f"Changed by {entry['actor_name']}, {entry['at_text']}: {changed}. Reason: {entry['reason']}",
            {"entry": entry},
        )
