"""The manifest: what a bundle says it is, and the hash of every other member.

Rules kept here:

* Canonical JSON of exactly one form; ``members`` is a list sorted as the members lie in the ZIP
  (paths cannot be keys of the canonical profile), without ``manifest.json`` and ``manifest.sig``.
* A filtered copy says ``INCOMPLETE: <filter>`` in ``scope.notice``; a complete one has no notice.
* ``manifest.sig`` is a signed note over ``coverslip manifest v1`` and the manifest's SHA-256.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

from coverslip.ledger import canonical
from coverslip.ledger.checkpoint import CheckpointError, insist_origin
from coverslip.ledger.leaf import LeafError, parse_time
from coverslip.ledger.note import NoteError, VerifierKey
from coverslip.verifier import shape, zipformat
from coverslip.verifier.report import BundleError

FORMAT: Final = "coverslip-bundle-v1"
MAX_SIZE: Final = 64 * 1024 * 1024
USES: Final = ("evaluation", "regulated")
EXPORT_SUFFIX: Final = "/export"
_SIGNED: Final = re.compile(r"coverslip manifest v1\n([0-9a-f]{64})\n")
_OFFSET: Final = re.compile(r"[+-](0[0-9]|1[0-4]):[0-5][0-9]")


@dataclass(frozen=True, slots=True)
class ScopeRecord:
    """One record the copy is about: its type, id and label (number, with its revision if it has one)."""

    kind: str
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """Something asked for and left out: a record's number, or ``number/path`` for one file of it."""

    number: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What was asked for and what is here. ``kind`` is ``complete`` or ``filtered`` (then ``filter``)."""

    kind: str
    records: tuple[ScopeRecord, ...]
    requested: int
    withheld: tuple[Withheld, ...] = ()
    filter: str = ""

    @property
    def notice(self) -> str:
        """Return the marking of a filtered copy, empty for a complete one."""
        return f"INCOMPLETE: {self.filter}" if self.kind == "filtered" else ""

    @property
    def complete(self) -> bool:
        """Whether nothing of its records may be absent."""
        return self.kind == "complete"

    def value(self) -> dict[str, Any]:
        """Return the scope as the manifest writes it."""
        found: dict[str, Any] = {
            "kind": self.kind, "filter": self.filter, "requested": self.requested,
            "included": len(self.records),
            "records": [{"kind": r.kind, "id": r.id, "label": r.label} for r in self.records],
            "withheld": [{"number": w.number, "reason": w.reason} for w in self.withheld],
        }  # fmt: skip
        return found | ({"notice": self.notice} if self.notice else {})


@dataclass(frozen=True, slots=True)
class Exporter:
    """Who made the copy."""

    id: str
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class MemberHash:
    """What the manifest says of one member."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest. ``size`` and ``root`` (hex) are the checkpoint's; ``record`` the label asked for;
    ``offsets`` the UTC offset of the signer's zone per tree index of a signature."""

    log: str
    use: str
    exported_at: str
    exported_by: Exporter
    scope: Scope
    record: str
    size: int
    root: str
    export_key: str
    members: tuple[MemberHash, ...] = ()
    offsets: dict[int, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        by = self.exported_by
        return canonical.encode({
            "format": FORMAT, "log": self.log, "use": self.use, "exported_at": self.exported_at,
            "exported_by": {"id": by.id, "username": by.username, "name": by.name},
            "scope": self.scope.value(), "record": self.record,
            "checkpoint": {"size": self.size, "root": self.root}, "export_key": self.export_key,
            "members": [{"path": m.path, "size": m.size, "sha256": m.sha256} for m in self.members],
            "local_offsets": {str(index): offset for index, offset in self.offsets.items()},
        })  # fmt: skip


def signed_text(data: bytes) -> str:
    """Return the note text that ``manifest.sig`` signs for a manifest's bytes."""
    return f"coverslip manifest v1\n{sha256(data).hexdigest()}\n"


def signed_hash(text: str) -> str:
    """Return the manifest hash of such a note text. Raises BundleError for any other text."""
    found = _SIGNED.fullmatch(text)
    if found is None:
        raise BundleError("the signed text is not that of a manifest")
    return found[1]


def parse(data: bytes) -> Manifest:
    """Read a manifest. Raises BundleError saying what is not as it must be."""
    value = shape.keys(
        "manifest", shape.load(data),
        "format log use exported_at exported_by scope record checkpoint export_key members local_offsets",
    )  # fmt: skip
    if value["format"] != FORMAT:
        raise BundleError(f"the format is {value['format']!r}, this program reads {FORMAT}")
    if value["use"] not in USES:
        raise BundleError("use is neither evaluation nor regulated")
    log = shape.text("log", value["log"])
    at = shape.text("exported_at", value["exported_at"])
    key = shape.text("export_key", value["export_key"])
    try:
        insist_origin(log)
        parse_time(at)
        name = VerifierKey.parse(key).name
    except (CheckpointError, LeafError, NoteError) as error:
        raise BundleError(str(error)) from None
    if name != log + EXPORT_SUFFIX:
        raise BundleError(f"the export key is named {name!r}, not {log + EXPORT_SUFFIX!r}")
    checkpoint = shape.keys("checkpoint", value["checkpoint"], "size root")
    by = shape.keys("exported_by", value["exported_by"], "id username name")
    return Manifest(
        log, value["use"], at, Exporter(*(shape.text(k, by[k]) for k in ("id", "username", "name"))),
        _scope(value["scope"]), shape.text("record", value["record"]),
        shape.whole("checkpoint.size", checkpoint["size"]),
        shape.digest("checkpoint.root", checkpoint["root"]),
        key, _members(value["members"]), _offsets(value["local_offsets"]),
    )  # fmt: skip


def _scope(value: Any) -> Scope:
    found = shape.keys("scope", value, "kind filter requested included records withheld", "notice")
    if found["kind"] not in ("complete", "filtered"):
        raise BundleError("scope.kind is neither complete nor filtered")
    records = tuple(_scope_record(item) for item in shape.array("scope.records", found["records"]))
    withheld = tuple(_withheld(item) for item in shape.array("scope.withheld", found["withheld"]))
    scope = Scope(
        found["kind"], records, shape.whole("scope.requested", found["requested"]), withheld,
        shape.text("scope.filter", found["filter"]),
    )  # fmt: skip
    if shape.whole("scope.included", found["included"]) != len(records):
        raise BundleError("scope.included is not the number of records listed")
    if (scope.kind == "filtered") != bool(scope.filter) or found.get("notice", "") != scope.notice:
        raise BundleError("a filtered copy must name its filter and be marked INCOMPLETE, a complete one not")
    if len({r.id for r in records}) != len(records) or len({r.label for r in records}) != len(records):
        raise BundleError("a record is listed twice")
    return scope


def _scope_record(value: Any) -> ScopeRecord:
    found = shape.keys("scope.records", value, "kind id label")
    label = shape.text("label", found["label"])
    if not re.fullmatch(r"[A-Z0-9.-]+(_r[0-9]+)?", label) or label.startswith("."):
        raise BundleError(f"label {label!r} is not a record number")
    return ScopeRecord(shape.text("kind", found["kind"]), shape.text("id", found["id"]), label)


def _withheld(value: Any) -> Withheld:
    found = shape.keys("scope.withheld", value, "number reason")
    return Withheld(shape.text("number", found["number"]), shape.text("reason", found["reason"]))


def _members(value: Any) -> tuple[MemberHash, ...]:
    found = []
    for item in shape.array("members", value):
        one = shape.keys("members", item, "path size sha256")
        found.append(
            MemberHash(
                shape.path("member path", one["path"]),
                shape.whole("member size", one["size"]),
                shape.digest("member hash", one["sha256"]),
            )
        )
    keys = [zipformat.order(member.path) for member in found]
    if any(one >= other for one, other in pairwise(keys)):
        raise BundleError("members are not sorted by path, or a path is there twice")
    if any(member.path in zipformat.FIRST for member in found):
        raise BundleError("the manifest lists itself")
    return tuple(found)


def _offsets(value: Any) -> dict[int, str]:
    found = {}
    for key, offset in shape.mapping("local_offsets", value).items():
        if not re.fullmatch(r"0|[1-9][0-9]{0,15}", key) or not _OFFSET.fullmatch(
            shape.text("offset", offset)
        ):
            raise BundleError("a local offset is not <tree index>: ±hh:mm")
        found[int(key)] = offset
    return found
