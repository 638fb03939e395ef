"""From entries in tree order to the present state of each record and the rows of its trail.

Pure and shared: the exporter writes ``records/``, ``trail.*`` and ``index.html`` from it, the verifier
writes them again and compares. Rules kept here:

* A section an entry does not store (``from``) is that of the version which stored it.
* Nothing is looked up outside the entries given; the UTC offsets of signers' zones are handed in,
  because a reader's machine may have another time zone database, or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from coverslip.ledger.leaf import Leaf
from coverslip.verifier.rows import ABSENT, Row, changes
from coverslip.verifier.sections import FileItem, label
from coverslip.verifier.statement import Signature

_UNTOLD: Final = frozenset({"reason", "context"})
"""Sections that have columns of their own in the trail."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry with the values (``sections.read``) of the sections it stores; ``hash`` in hex."""

    index: int
    hash: str
    leaf: Leaf
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version of a record, as listed with it."""

    version: int
    index: int
    hash: str
    at: str
    act: str
    state: str
    who: str
    genesis: bool


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature of a record with what must be shown of it (P11-50)."""

    version: int
    index: int
    at: str
    offset: str
    reason: str
    genesis: bool
    made: Signature


@dataclass(slots=True)
class Stream:
    """State of one stream so far. ``values`` are typed; ``hidden`` are sections it has but not here."""

    kind: str
    id: str
    label: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    versions: list[VersionLine] = field(default_factory=list)
    signatures: list[SignatureLine] = field(default_factory=list)
    files: dict[str, tuple[FileItem, int]] = field(default_factory=dict)
    older: list[tuple[FileItem, int]] = field(default_factory=list)

    @property
    def content(self) -> Mapping[str, Any]:
        """The present content; empty before the first or where it is not in the copy."""
        found: Mapping[str, Any] = self.values.get("content", {})
        return found


class History:
    """Feeds on entries in tree order. ``scope`` are ids of records whose state and trail are wanted."""

    def __init__(self, scope: Iterable[str], offsets: Mapping[int, str]) -> None:
        self._scope = frozenset(scope)
        self._offsets = offsets
        self.streams: dict[str, Stream] = {}

    def feed(self, entry: Entry) -> list[Row]:
        """Take one entry and return its trail rows (none outside the scope)."""
        leaf, values = entry.leaf, entry.values
        if leaf.record.id not in self._scope and leaf.record.kind != "user":
            subject = leaf.about.id if leaf.about else ""
            return self._rows(entry, values, Stream("", ""), values) if subject in self._scope else []
        stream = self.streams.setdefault(leaf.record.id, Stream(leaf.record.kind, leaf.record.id))
        after = self._present(leaf, values, stream.values)
        if "content" in after:
            stream.label = label(after["content"])
        rows = self._rows(entry, values, stream, after)
        stream.values = after
        stream.hidden = frozenset(ref.section for ref in leaf.bodies if ref.section not in after)
        self._remember(stream, entry, values)
        return rows if leaf.record.id in self._scope else []

    def person(self, id: str) -> tuple[str, str]:
        """Return (user name, printed name) of a person as known so far; the id where unknown."""
        stream = self.streams.get(id)
        if stream is None:
            return id, id
        fields = {**stream.values.get("personal", {}), **stream.content.get("fields", {})}
        username, printed = fields.get("username"), fields.get("printed_name")
        shown = username if isinstance(username, str) else str(stream.content.get("number", id))
        return shown, printed if isinstance(printed, str) else shown

    @staticmethod
    def _present(leaf: Leaf, values: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for ref in leaf.bodies:
            source = values if ref.from_version is None else before
            if ref.section in source:
                found[ref.section] = source[ref.section]
        return found

    def _remember(self, stream: Stream, entry: Entry, values: Mapping[str, Any]) -> None:
        leaf = entry.leaf
        genesis, version = leaf.type == "genesis", leaf.record.ver
        state = str(stream.content.get("state", ABSENT))
        who = self.person(leaf.actor.id)[0]
        stream.versions.append(
            VersionLine(version, entry.index, entry.hash, leaf.at, leaf.act, state, who, genesis)
        )
        if "signature" in values:
            reason = str(values.get("reason", ""))
            offset = self._offsets.get(entry.index, "")
            stream.signatures.append(
                SignatureLine(version, entry.index, leaf.at, offset, reason, genesis, values["signature"])
            )
        self._remember_files(stream, leaf)

    @staticmethod
    def _remember_files(stream: Stream, leaf: Leaf) -> None:
        if leaf.body("files") is not None and "files" not in stream.values:
            return
        items: list[FileItem] = stream.values.get("files", [])
        now = {item.path: (item, leaf.record.ver) for item in items}
        for path, (item, version) in stream.files.items():
            if path not in now or now[path][0] != item:
                stream.older.append((item, version))
        stream.files = now

    def _rows(
        self, entry: Entry, values: Mapping[str, Any], before: Stream, after: Mapping[str, Any]
    ) -> list[Row]:
        leaf = entry.leaf
        subject = leaf.about or leaf.record
        stream = self.streams.get(subject.id)
        context = values.get("context", {})
        workstation = context.get("workstation", "")
        username, name = self.person(leaf.actor.id)
        signed: Signature | None = values.get("signature")
        common: dict[str, Any] = {
            "index": entry.index, "at": leaf.at, "record": stream.label if stream else "",
            "kind": subject.kind, "version": subject.ver, "type": leaf.type, "action": leaf.act,
            "reason": str(values.get("reason", ABSENT if leaf.body("reason") else "")),
            "who": username, "who_name": signed.name if signed else name, "who_id": leaf.actor.id,
            "on_behalf_of": leaf.actor.behalf or "", "authentication": leaf.actor.auth,
            "signature": signed.meaning if signed else "",
            "workstation": workstation if isinstance(workstation, str) else "", "entry": leaf.entry,
        }  # fmt: skip
        absent = {ref.section for ref in leaf.bodies if ref.section not in after}
        found = changes(before.values, after, absent - _UNTOLD, before.hidden - _UNTOLD)
        return [Row(field=f, old=old, new=new, **common) for f, old, new in found or [("", "", "")]]


def member_files(stream: Stream) -> dict[str, tuple[FileItem, int]]:
    """Return the bundle path of each original file of a record, with the last version that carries it.

    Present files are ``files/<label>/<path>``, replaced or removed ones ``files/<label>@v<n>/<path>``.
    """
    found = {f"files/{stream.label}/{path}": kept for path, kept in stream.files.items()}
    for item, version in stream.older:
        found[f"files/{stream.label}@v{version}/{item.path}"] = (item, version)
    return found
