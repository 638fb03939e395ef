"""Exports: gather a record and everything it stands on, and write its evidence bundle.

Rules kept here:

* The scope is computed: the record, what it links to and what decided it, to a fixed depth; what a
  filter leaves out is withheld by name and marks the copy INCOMPLETE.
* The whole log goes with every bundle, so that nothing before the checkpoint can be left out of it.
* The export is an entry that holds the manifest's hash.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.exports.bundle import (
    Exporter,
    Member,
    Request,
    Scope,
    ScopeRecord,
    Stored,
    Withheld,
    write_bundle,
)
from coverslip.exports.surroundings import Surroundings, Times
from coverslip.kernel.change import Context
from coverslip.kernel.events import Event, Events
from coverslip.kernel.rows import Row
from coverslip.ledger import canonical, leaf
from coverslip.ledger.heads import HeadProof, Heads
from coverslip.records.collaboration.attachment import TYPE as ATTACHMENT
from coverslip.records.collaboration.comment import TYPE as COMMENT
from coverslip.records.collaboration.tag import TYPE as TAG
from coverslip.records.quality.hold import TYPE as HOLD
from coverslip.verifier.build import build
from coverslip.verifier.sections import FileItem, label

MAX_DEPTH = 6
MAX_RECORDS = 20_000
WAIT_S = 10.0
BESIDE = (ATTACHMENT.name, COMMENT.name, HOLD.name, TAG.name)
_ALWAYS = ("genesis", "definition", "erasure", "recovery", "keys")
"""Types of entries whose bodies go with every copy: what it says rests on them."""


class Reading(Protocol):
    """What an export reads."""

    def by_uid(self, kind: str, uid: str) -> Row | None:
        """Return a record."""
        ...

    def linked(self, uid: str, types: Collection[str] = (), most: int = 5000) -> list[Row]:
        """Return the records that link to one, of these types where some are given; ``most`` of them."""
        ...

    def about(self, uids: Collection[str], types: Collection[str]) -> list[Row]:
        """Return the records of types whose ``subject`` is one of these."""
        ...

    def status(self) -> dict[str, Any]:
        """Return where the tree stands."""
        ...

    def stored(self, first: int, last: int) -> Iterator[tuple[int, bytes, dict[str, tuple[bytes, bytes]]]]:
        """Yield (tree index, leaf, section -> (salt, content)) of integrated entries."""
        ...

    def schema_fingerprint(self) -> bytes:
        """Return the text form of the database's guards, for the record."""
        ...


class HeadsOf(Protocol):
    """The heads entered on the log, and proofs of single heads in them."""

    def newest(self, below: int | None = None) -> Any:
        """Return the newest heads entry with a tree index under ``below``: ``index`` and ``heads``."""
        ...

    def proofs(self, size: int, wanted: Collection[str]) -> tuple[Heads, list[HeadProof]]:
        """Return heads and proofs of the records ``wanted`` (ids) over the first ``size`` leaves."""
        ...


class Objects(Protocol):
    """Original files by root."""

    def open(self, root: str) -> Any:
        """Open an object for reading."""
        ...


@dataclass(frozen=True)
class Signing:
    """The installation's export side: names, use, and the key that signs manifests."""

    log: str
    use: str
    vkey: str
    sign: Callable[[bytes], bytes]
    anchors: Path


class Exports:
    """Writes evidence bundles."""

    def __init__(
        self,
        reading: Reading,
        objects: Objects,
        events: Events,
        signing: Signing,
        now: Callable[[], str],
        names: Callable[[str], Mapping[str, Any] | None],
        heads: HeadsOf | None = None,
        times: Times | None = None,
    ) -> None:
        self._reading, self._objects, self._events = reading, objects, events
        self._signing, self._now, self._names = signing, now, names
        self._heads, self._times = heads, times
        self.wait_s = WAIT_S

    def bundle(self, row: Row, context: Context, text_filter: str, out: BinaryIO) -> dict[str, Any]:
        """Write the bundle of ``row`` to ``out`` and record the export; return what was written.

        ``text_filter`` keeps only records whose number starts with one of its comma-separated prefixes
        (the record itself always stays). Raises ``UNAVAILABLE`` when the last entries are not yet in a
        signed checkpoint.
        """
        checkpoint = self._settled()
        scope, rows = self._scope(row, text_filter)
        account = self._names(context.person) or {}
        exporter = Exporter(context.person, str(account.get("username", "")), str(account.get("name", "")))
        size = int(checkpoint["size"])
        request = Request(
            self._signing.log,
            self._signing.use,
            scope,
            label(row.content),
            self._now(),
            exporter,
            checkpoint["note"].encode(),
            self._signing.vkey,
        )
        index, heads = self._newest_heads(size, {r.uid for r in rows})
        around = Surroundings(size, self._signing.anchors, self._times, self._extra() | heads)
        written = write_bundle(
            out,
            request,
            leaves=(data for _, data, _ in self._reading.stored(0, size)),
            bodies=self._bodies({r.uid for r in rows}, size, around, index),
            open_file=self._open,
            extra=around,
            sign_manifest=self._signing.sign,
        )
        summary = {
            "record": row.label,
            "manifest": written.manifest_sha256,
            "members": written.members,
            "bytes": written.size,
            "scope": scope.kind,
            "records": len(scope.records),
            "tree_size": size,
        }
        if scope.filter:
            summary["filter"] = scope.filter
        self._events.record(Event("export", "export", summary, row), context)
        return summary

    def _settled(self) -> dict[str, Any]:
        """Return the newest checkpoint once it covers every entry written so far.

        With ``wait_s`` 0, where nothing is signed any more, the newest there is.
        """
        wanted = None
        if not self.wait_s and (newest := self._reading.status().get("checkpoint")) is not None:
            return dict(newest)
        deadline = time.monotonic() + self.wait_s
        while time.monotonic() < deadline:
            status = self._reading.status()
            if wanted is None:
                wanted = int(status["size"]) + int(status["pending"])
            checkpoint = status.get("checkpoint")
            if checkpoint is not None and int(checkpoint["size"]) >= wanted:
                found: dict[str, Any] = checkpoint
                return found
            time.sleep(0.05)
        raise EnvironmentFault("UNAVAILABLE", what="A checkpoint over the last entries")

    # --- scope ---------------------------------------------------------------------------------

    def _scope(self, subject: Row, text_filter: str) -> tuple[Scope, list[Row]]:
        found = self._closure(subject)
        prefixes = tuple(p.strip() for p in text_filter.split(",") if p.strip())
        kept = [r for r in found if r.uid == subject.uid or not prefixes or r.number.startswith(prefixes)]
        withheld = tuple(Withheld(label(r.content), "left out by the filter") for r in found if r not in kept)
        records = tuple(ScopeRecord(r.type, r.uid, label(r.content)) for r in kept)
        kind = "filtered" if prefixes else "complete"
        return Scope(
            kind, records, len(found), withheld, f"only {', '.join(prefixes)}" if prefixes else ""
        ), kept

    def _closure(self, subject: Row) -> list[Row]:
        """Return the subject and what it stands on: everything linked, and what decided on it.

        With it goes what people said about any of these, the files they attached, and the holds.
        """
        found: dict[str, Row] = {subject.uid: subject}
        edge = [subject]
        for _ in range(MAX_DEPTH):
            edge = [r for parent in edge for r in _targets(self._reading, parent) if r.uid not in found]
            found |= {r.uid: r for r in edge}
            _insist_few(len(found))
        for row in self._reading.linked(subject.uid, most=MAX_RECORDS + 1):
            found.setdefault(row.uid, row)
        _insist_few(len(found))  # what a bundle is silent about would look as if it were not there
        for row in self._reading.about(list(found), BESIDE):
            found.setdefault(row.uid, row)
        return sorted(found.values(), key=lambda r: (r.number, r.revision))

    # --- members -------------------------------------------------------------------------------

    def _newest_heads(self, size: int, uids: set[str]) -> tuple[int, dict[str, bytes]]:
        """Return the index of the newest heads entry before ``size`` (-1: none) and the member it gives."""
        newest = None if self._heads is None else self._heads.newest(size)
        if self._heads is None or newest is None:
            return -1, {}
        heads, proofs = self._heads.proofs(newest.heads.tree_size, uids)
        if heads != newest.heads:
            raise EvidenceBroken(
                "EVIDENCE", what=f"the heads entered at index {newest.index}", expected=newest.heads.root,
                found=heads.root,
            )  # fmt: skip
        value = {"entry": newest.index, "heads": heads.value(), "proofs": [one.value() for one in proofs]}
        return newest.index, {"heads.json": canonical.encode(value)}

    def _bodies(
        self, uids: set[str], size: int, around: Surroundings, heads: int = -1
    ) -> Iterator[tuple[int, Mapping[str, Stored]]]:
        for index, data, sections in self._reading.stored(0, size):
            parsed = leaf.parse(data)
            always = parsed.type in _ALWAYS or parsed.record.kind == "user"
            always = always or index == heads or around.wants(index, parsed, sections)
            if parsed.record.id in uids:
                around.passes(index)
            if parsed.record.id in uids or (parsed.about and parsed.about.id in uids) or always:
                yield index, {n: Stored(salt, content.decode()) for n, (salt, content) in sections.items()}

    def _open(self, record: ScopeRecord, item: FileItem) -> Member:
        return Member(item.size, lambda: cast(BinaryIO, self._objects.open(item.root)))

    def _extra(self) -> dict[str, bytes]:
        return {
            "verify.pyz": build(),
            "schema-fingerprint": self._reading.schema_fingerprint(),
            "policy.json": b'{"format":"coverslip-policy-v1","max_anchor_age_hours":24}\n',
        }


def _insist_few(records: int) -> None:
    if records > MAX_RECORDS:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what="the export",
            expected=f"at most {MAX_RECORDS} records",
            found=f"{MAX_RECORDS + 1} or more",
            remedy="Export a record that fewer records name.",
        )


def _targets(reading: Reading, row: Row) -> Iterator[Row]:
    for value in row.fields.values():
        for item in value if isinstance(value, list) else [value]:
            for link in [item, *(item.values() if isinstance(item, dict) else ())]:
                if isinstance(link, dict) and {"type", "uid", "number"} <= set(link):
                    target = reading.by_uid(link["type"], link["uid"])
                    if target is not None:
                        yield target
