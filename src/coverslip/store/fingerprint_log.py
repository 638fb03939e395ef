"""Fingerprints on the record: what the hourly entries say of the guards, and for how long one was missing.

Rules kept here:

* A guard that was not as published in any entry is named with the entries it lasted between, also when it
  has been put back since: the evidence of that time is weaker, and nothing makes it as strong again.
* PostgreSQL's own functions count as they were when its version was first recorded here: only the exact
  same version and list are compared, for another version has others. Each change is named with its index.
* What happens and is undone between two entries leaves no trace here; the tree and the anchors do not
  depend on the guards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from coverslip.errors import EvidenceBroken
from coverslip.ledger import canonical, leaf
from coverslip.ledger.failure import LedgerError
from coverslip.store import fingerprint
from coverslip.store.findings import Report
from coverslip.store.fingerprint import Difference, Fingerprint
from coverslip.store.sections import sections_of

KIND: Final = "fingerprint"
SHOWN: Final = 100
"""Deviations an entry lists; more are counted."""
SYSTEM: Final = "catalog of PostgreSQL's own functions"
_DIGITS: Final = 32

_ENTRIES = (
    "select l.idx, e.leaf, b.fixed, b.fixed_salts, b.erasable, b.erasable_salts from ledger.entry e"
    " join ledger.body b on b.entry_id = e.id left join ledger.leaf l on l.log_id = 1 and l.entry_id = e.id"
    " where e.log_id = 1 and e.record_id = (select uuid from ops.installation where log_id = 1)"
    ' and position(\'"type":"fingerprint"\'::bytea in e.leaf) > 0 order by e.version'
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One entry: its tree index (-1 while it has none), its time, and its detail."""

    index: int
    at: str
    detail: dict[str, Any]

    @property
    def deviations(self) -> dict[str, dict[str, str]]:
        """Object name -> object, expected and found."""
        return {one["object"]: one for one in self.detail.get("deviations", ())}

    @property
    def system(self) -> str:
        """What the entry says of PostgreSQL's own functions: version, list and hash."""
        return str(self.detail.get("system", ""))


def recorded(conn: psycopg.Connection[Any], newest: bool = False) -> list[Recorded]:
    """Return the fingerprints on the record, oldest first; only the last one where ``newest``.

    An entry whose stored bytes do not fit is left out: verification of the ledger names it.
    """
    found = []
    for idx, data, *columns in conn.execute((_ENTRIES + (" desc limit 1" if newest else "")).encode()):
        names = ("fixed", "fixed_salts", "erasable", "erasable_salts")
        try:
            parsed = leaf.parse(bytes(data))
            section = sections_of(parsed, dict(zip(names, columns, strict=True)))["detail"][1]
            found.append(Recorded(-1 if idx is None else int(idx), parsed.at, canonical.decode(section)))
        except (LedgerError, EvidenceBroken, KeyError):
            continue
    return found


def detail(found: Fingerprint, before: Recorded | None) -> tuple[str, dict[str, Any]]:
    """Return act and detail of the entry for ``found``; ``before`` is the entry before it, if any.

    The list of objects, each with the first 128 bits of its description's hash, stands in it only when the
    fingerprint, or PostgreSQL's version or own functions, are others than before.
    """
    differing = fingerprint.deviations(found)
    value: dict[str, Any] = {
        "hash": found.hash,
        "objects": len(found.objects),
        "system": found.system,
        "compared": differing is not None,
        "deviations": [one.value() for one in (differing or ())[:SHOWN]],
        "more": max(0, len(differing or ()) - SHOWN),
    }
    if before is not None and (before.detail.get("hash"), before.system) == (found.hash, found.system):
        return "unchanged", value
    return ("first" if before is None else "changed"), value | {"document": document(found)}


def document(found: Fingerprint) -> list[list[str]]:
    """Return every object with the short hash of its description, sorted."""
    return [
        [name, hashlib.sha256(found.objects[name].encode()).hexdigest()[:_DIGITS]]
        for name in sorted(found.objects)
    ]


def check(conn: psycopg.Connection[Any], report: Report) -> None:
    """Compare the database as it is with this release, and with what is on the record; name what differs."""
    found, known = fingerprint.read(conn), recorded(conn)
    report.counts["guards"] += len(found.objects)
    differing = fingerprint.deviations(found)
    for one in differing or ():
        since = _since(known, one.object)
        report.add("guard", one.sentence() + since, field=_field(one.object))
    _systems(known, found.system, report)
    if differing is None and known:
        for one in _since_last(known, found):
            report.add("guard", one.sentence(), field=_field(one.object))
    _past(known, {one.object for one in differing or ()}, report)


def _field(name: str) -> str:
    return name[:200]


def replaced(known: Sequence[Recorded], found: Fingerprint) -> Difference | None:
    """Return how PostgreSQL's own functions differ from those first recorded of this very version, if so."""
    for one in known:
        if _version(one.system) == _version(found.system):
            return None if one.system == found.system else Difference(SYSTEM, one.system, found.system)
    return None


def other_version(known: Sequence[Recorded], found: Fingerprint) -> str:
    """Return the last recorded version where the server is of another now, else nothing: a notice."""
    before = _version(known[-1].system) if known else ""
    return before if before != _version(found.system) else ""


def _version(system: str) -> str:
    return system.rpartition(";")[0]


def _systems(known: Sequence[Recorded], now: str, report: Report) -> None:
    """Name each change of PostgreSQL's own functions under one version, and one that is not entered yet."""
    newest: dict[str, Recorded] = {}
    first: dict[str, str] = {}
    for one in known:
        version = _version(one.system)
        if version in newest and newest[version].system != one.system:
            before = newest[version]
            when = f"between index {before.index}, {before.at}, and index {one.index}, {one.at}"
            _changed(when, one.system == first[version], one.index, report)
        newest[version] = one
        first.setdefault(version, one.system)
    last = newest.get(_version(now))
    if last is not None and last.system != now:
        _changed(f"after index {last.index}, {last.at}", now == first[_version(now)], -1, report)


def _changed(when: str, back: bool, index: int, report: Report) -> None:
    what = "became again what they were at first" if back else "were changed"
    message = f"PostgreSQL's own functions {what} {when}, under the same version"
    report.add("guard", message, index=index if index >= 0 else None, field=SYSTEM)


def _since(known: Sequence[Recorded], name: str) -> str:
    first: Recorded | None = None
    for one in reversed(known):
        if name not in one.deviations:
            break
        first = one
    if first is not None:
        return f"; on the record since index {first.index}, {first.at}"
    return f"; not yet at index {known[-1].index}, {known[-1].at}" if known else ""


def _since_last(known: Sequence[Recorded], found: Fingerprint) -> list[Difference]:
    """Return what changed since the newest entry: the database cannot be compared with this release."""
    if known[-1].detail.get("hash") == found.hash:
        return []
    documents = [one.detail["document"] for one in known if "document" in one.detail]
    before = {str(name): str(short) for name, short in (documents[-1] if documents else ())}
    return fingerprint.compare(before, {name: short for name, short in document(found)})


def _past(known: Sequence[Recorded], still: set[str], report: Report) -> None:
    """Name what was amiss for a while and has been put back."""
    begun: dict[str, Recorded] = {}
    for one in known:
        for name in begun.keys() - one.deviations.keys():
            _over(name, begun.pop(name), f"index {one.index}, {one.at}", report)
        for name in one.deviations:
            begun.setdefault(name, one)
    for name in begun.keys() - still:
        _over(name, begun[name], "now", report)


def _over(name: str, first: Recorded, end: str, report: Report) -> None:
    was = Difference(**first.deviations[name])
    message = (
        f"{was.sentence()}; so on the record from index {first.index}, {first.at}, put back before {end}"
    )
    report.add("guard", message, index=first.index if first.index >= 0 else None, field=_field(name))
