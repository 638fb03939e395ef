"""The sample of an audit trail review, drawn from the ledger (DOMAIN 8.16).

Rules kept here:

* What is found is said with the size of the tree that was looked at and a hash over every entry found, so
  that anybody can draw again and get the same.
* The random part takes the entries whose SHA-256 of seed and entry id is lowest: no generator of anybody's
  language is needed to check it.
* A change whose reason was erased since is not told from any other entry, and not found again.
* An entry of several classes is asked about once, by the class named first here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from coverslip.errors import Refused
from coverslip.kernel.rows import Row
from coverslip.records.imaging.reprocessing_request import TYPE as REPROCESSING
from coverslip.records.organisation.role_grant import TYPE as GRANT
from coverslip.records.organisation.user import TYPE as USER

MOST = 5000
"""Rows a sample can have."""
Entry = dict[str, Any]


class Reading(Protocol):
    """Reading the ledger in order of its tree."""

    def status(self) -> dict[str, Any]:
        """Return where the tree stands: ``size``."""
        ...

    def entries(self, first: int, last: int) -> Iterator[Entry]:
        """Yield integrated entries by tree index, ``first`` to before ``last``."""
        ...

    def by_uid(self, kind: str, uid: str) -> Row | None:
        """Return a record."""
        ...


def _late(entry: Entry) -> bool:
    return bool(entry["sections"].get("content", {}).get("late"))


def _changed(entry: Entry) -> bool:
    return entry["type"] == "record" and entry["version"] > 1 and "reason" in entry["sections"]


_CLASSES: dict[str, tuple[Callable[[Entry], bool], bool, str]] = {
    "voids": (lambda e: e["act"] == "void", True, "Was it right to void this?"),
    "erasures": (lambda e: e["type"] == "erasure", True, "Who asked for the erasure, and was it due?"),
    "reprocessing": (lambda e: e["kind"] == REPROCESSING.name, True, "Was there a reason to process anew?"),
    "late_entries": (_late, True, "Why was this entered late, and from what notes?"),
    "refusals": (lambda e: e["type"] == "refusal", True, "What was tried here, and why?"),
    "changes": (_changed, True, "Does the reason explain the change?"),
    "role_grants": (lambda e: e["kind"] == GRANT.name, False, "Is the role needed for the work?"),
    "signatures": (lambda e: bool(e["meaning"]), False, "Could the signer know what was signed?"),
    "exports": (lambda e: e["type"] == "export", False, "Who was the copy for?"),
}
"""Class -> what belongs to it, whether it is critical, and what is asked."""


def sample_gatherer(reading: Reading) -> Callable[[Row], list[dict[str, Any]]]:
    """Return the gatherer ``trail_sample`` version 1: the rows of the sample, in the order of the ledger."""

    def gather(review: Row) -> list[dict[str, Any]]:
        _, found = _found(reading, review)
        chosen = _chosen(review, found)
        if len(chosen) > MOST:
            conditions = f"the sample has at most {MOST} entries (it has {len(chosen)}): narrow its classes"
            raise Refused("SEQ_PRE", record=review.number, action="draw", conditions=conditions)
        return [_row(reading, entry, class_) for entry, class_ in chosen]

    return gather


def drawn_gatherer(reading: Reading) -> Callable[[Row], dict[str, Any]]:
    """Return the gatherer ``trail_drawn`` version 1: what was looked at and a hash over what was found."""

    def gather(review: Row) -> dict[str, Any]:
        size, found = _found(reading, review)
        lines = "".join(f"{entry['leaf_hash']}\n" for entry, _ in found)
        return {
            "size": size,
            "matched": len(found),
            "critical": sum(_CLASSES[class_][1] for _, class_ in found),
            "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        }

    return gather


def _found(reading: Reading, review: Row) -> tuple[int, list[tuple[Entry, str]]]:
    """Return the size of the tree and (entry, class) of everything of the period that is looked at."""
    fields, size = review.fields, int(reading.status()["size"])
    first, last = str(fields["period_from"]), str(fields["period_to"])
    wanted = [name for name in _CLASSES if name in fields["event_classes"]]
    found = []
    for entry in reading.entries(_begin(reading, size, first), size):
        if str(entry["at"])[:10] > last:
            break
        class_ = next((name for name in wanted if _CLASSES[name][0](entry)), "")
        if class_:
            found.append((entry, class_))
    return size, found


def _begin(reading: Reading, size: int, first: str) -> int:
    """Return the index of the first entry of the day ``first`` or later; entries stand in order of time."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        at = str(next(iter(reading.entries(middle, middle + 1)))["at"])
        low, high = (middle + 1, high) if at[:10] < first else (low, middle)
    return low


def _chosen(review: Row, found: list[tuple[Entry, str]]) -> list[tuple[Entry, str]]:
    how, size = review.fields["sample_rule"], int(review.fields.get("sample_size", 0))
    critical = [] if how == "random" else [pair for pair in found if _CLASSES[pair[1]][1]]
    taken = {str(entry["entry"]) for entry, _ in critical}
    if how != "all_critical":
        rest = [str(entry["entry"]) for entry, _ in found if str(entry["entry"]) not in taken]
        seed = str(review.fields.get("sample_seed", ""))
        taken |= set(sorted(rest, key=lambda id: hashlib.sha256(f"{seed}{id}".encode()).digest())[:size])
    return [pair for pair in found if str(pair[0]["entry"]) in taken]


def _row(reading: Reading, entry: Entry, class_: str) -> dict[str, Any]:
    _, critical, question = _CLASSES[class_]
    row: dict[str, Any] = {
        "event": _said(entry),
        "critical": critical,
        "question": question,
        "entry": str(entry["entry"]),
    }
    person = reading.by_uid(USER.name, str(entry["actor"]))
    if person is not None:
        row["person"] = person.link(pinned=False)
    record = None if entry["about"] else reading.by_uid(str(entry["kind"]), str(entry["uid"]))
    if record is not None and not record.revision:
        row["record"] = record.link(pinned=False)
    return row


def _said(entry: Entry) -> str:
    """Return an entry in words: what was done to what, when; a refusal in its own words."""
    sections = entry["sections"]
    detail = sections.get("detail", {})
    what = sections.get("content", {}).get("number") or detail.get("record") or entry["kind"]
    told = f": {detail['code']} {detail.get('message', '')}" if "code" in detail else ""
    return f"{str(entry['at'])[:19]}Z {what} {entry['act'].replace('_', ' ')}{told}"[:300].strip()
