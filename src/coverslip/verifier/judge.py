"""Second stage, per entry: sections, definition, number, signature, erasure, links.

Takes the entries whose bodies are in the copy, or must be, in tree order. Rules kept here:

* A section that can be seen must open its commitment; one that must be seen and is not is a finding,
  unless it may be erased and a later ``erasure`` entry names its version.
* Definitions, genesis, erasures and ``user`` records must always be there: keys and erasures rest on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from coverslip.ledger import commitment, files
from coverslip.ledger.leaf import Leaf
from coverslip.ledger.rotation import Rotation
from coverslip.verifier import recovery, rotations, sections as bodies, shape, signing
from coverslip.verifier.enrolment import Enrolment
from coverslip.verifier.history import Entry, History
from coverslip.verifier.manifest import Manifest
from coverslip.verifier.recovery import Recovery
from coverslip.verifier.report import BundleError, Report
from coverslip.verifier.rows import Row
from coverslip.verifier.sections import Stored
from coverslip.verifier.statement import Signature

_ALWAYS: Final = ("definition", "genesis", "erasure", "recovery", "keys")
_DEFINING: Final = ("definition", "genesis", "migration")


@dataclass(frozen=True, slots=True)
class Pin:
    """A link to one version of a record, to be found in the log under ``hash``."""

    hash: str
    id: str
    version: int
    entry: int
    record: str
    field: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A checkpoint that an entry says there was: tree size and root (hex)."""

    size: int
    root: str
    entry: int
    record: str
    what: str = "the signer was shown"
    field: str = "signature.checkpoint"


@dataclass(slots=True)
class Counts:
    """Numbers for the report."""

    opened: int = 0
    signatures: int = 0
    genesis_signatures: int = 0
    genesis: int = 0
    definitions: int = 0
    erased: int = 0
    unseen: int = 0
    unseen_erasable: int = 0
    outside_links: set[str] = field(default_factory=set)


class Judge:
    """State over the entries taken so far."""

    def __init__(self, manifest: Manifest, report: Report) -> None:
        self.manifest = manifest
        self.report = report
        self.scope = {record.id for record in manifest.scope.records}
        self.history = History(self.scope, manifest.offsets)
        self.enrolment = Enrolment()
        self.counts = Counts()
        self.pins: list[Pin] = []
        self.claims: list[Claim] = []
        self.recoveries: list[tuple[int, Recovery]] = []
        self.rotations: list[tuple[int, Rotation]] = []
        self.heartbeats: list[tuple[int, str]] = []
        self._definitions: dict[str, str] = {}
        self._commitments: dict[str, dict[str, tuple[int, str]]] = {}
        self._numbers: dict[str, str] = {}
        self._file_roots: dict[str, tuple[str, int]] = {}
        self._missing: list[tuple[int, str, str, int, str]] = []
        self._erased: set[tuple[str, int]] = set()

    def wants(self, type: str, kind: str, id: str, about: str = "") -> bool:
        """Whether an entry must be taken even if the copy has no body for it.

        ``about`` is the id of its subject: what was refused or seen of a record belongs to its trail.
        """
        return type in _ALWAYS or kind == "user" or id in self.scope or about in self.scope

    def take(self, index: int, leaf_hash: bytes, leaf: Leaf, stored: Mapping[str, Stored]) -> list[Row]:
        """Judge one entry and return its trail rows."""
        self.counts.genesis += leaf.type == "genesis"
        values = self._open(index, leaf, stored)
        if leaf.record.id in self.scope or leaf.record.kind == "user":
            self._carried(index, leaf)
        if leaf.type in _DEFINING and "definition" in values:
            self._define(index, values["definition"], stored["definition"].text)
        if leaf.is_record_version:
            self._record(index, leaf, values)
        if leaf.type == "erasure":
            self._erase(index, leaf, values)
        if leaf.type == "recovery":
            self._recover(index, leaf, values)
        if leaf.type == "keys":
            self._rotate(index, leaf, values)
        if leaf.type == "heartbeat" and isinstance(token := values.get("detail", {}).get("token"), str):
            self.heartbeats.append((index, token))
        if (
            leaf.type == "genesis"
            and values.get("detail", {}).get("use", self.manifest.use) != self.manifest.use
        ):
            self._add(index, leaf, f"the log was opened for {values['detail']['use']}", "use")
        rows = self.history.feed(Entry(index, leaf_hash.hex(), leaf, values))
        if leaf.record.id in self.scope:
            self._files(index, leaf)
        self._signature(index, leaf, values)
        return rows

    def finish(self) -> None:
        """Judge what only the whole log can decide."""
        self.end_genesis()
        for index, label, id, version, section in self._missing:
            if (id, version) in self._erased or (id, 0) in self._erased:
                self.counts.erased += 1
            else:
                self.report.add(
                    "bodies", "the section is missing and no erasure entry names it", entry=index,
                    record=label, field=section,
                )  # fmt: skip

    def end_genesis(self) -> None:
        """Judge what founders signed, once genesis is over."""
        for index, sentence in self.enrolment.end_genesis():
            self.report.add("bodies", sentence, entry=index, field="signature")

    def _add(self, index: int, leaf: Leaf, message: str, field: str = "") -> None:
        subject = leaf.about or leaf.record
        stream = self.history.streams.get(subject.id)
        label = self._numbers.get(subject.id) or (stream.label if stream else "")
        self.report.add("bodies", message, entry=index, record=label, field=field)

    def _open(self, index: int, leaf: Leaf, stored: Mapping[str, Stored]) -> dict[str, Any]:
        """Return the values of sections that open their commitments; judge those that are not there."""
        values = {}
        for section, one in stored.items():
            ref = leaf.body(section)
            if ref is None or ref.from_version is not None:
                self._add(index, leaf, "the entry stores no such section", section)
                continue
            try:
                content = one.text.encode("utf-8")
                if len(content) != ref.length:
                    raise BundleError(f"{len(content)} bytes, the leaf says {ref.length}")
                commitment.verify(section, one.salt, content, bytes.fromhex(ref.commitment))
                values[section] = bodies.read(section, one.text)
                self.counts.opened += 1
            except UnicodeEncodeError:
                self._add(index, leaf, "the text holds a lone surrogate", section)
            except (BundleError, commitment.CommitmentError) as error:
                self._add(index, leaf, str(error), section)
        for ref in leaf.bodies:
            if ref.from_version is None and ref.section not in stored:
                self._absent(index, leaf, ref.section)
        return values

    def _absent(self, index: int, leaf: Leaf, section: str) -> None:
        record = leaf.record
        about = leaf.about.id if leaf.about else ""
        whole = self.manifest.scope.complete and (record.id in self.scope or about in self.scope)
        if section in commitment.ERASABLE:
            if whole:
                stream = self.history.streams.get(record.id)
                self._missing.append((index, stream.label if stream else "", record.id, record.ver, section))
            else:
                self.counts.unseen_erasable += 1
        elif whole or leaf.type in _ALWAYS or record.kind == "user":
            self._add(index, leaf, "the section must be in the copy and is missing", section)
        else:
            self.counts.unseen += 1

    def _carried(self, index: int, leaf: Leaf) -> None:
        """A section that is carried over must be named by the commitment of the version that stored it."""
        known = self._commitments.setdefault(leaf.record.id, {})
        now = {}
        for ref in leaf.bodies:
            if ref.from_version is None:
                now[ref.section] = (leaf.record.ver, ref.commitment)
                continue
            now[ref.section] = (ref.from_version, ref.commitment)
            if known.get(ref.section) != now[ref.section]:
                self._add(
                    index,
                    leaf,
                    f"says it is unchanged since version {ref.from_version}, and is not",
                    ref.section,
                )
        self._commitments[leaf.record.id] = now

    def _define(self, index: int, value: Mapping[str, Any], text: str) -> None:
        declared = value.get("type")
        name = declared.get("name") if isinstance(declared, dict) else None
        if not isinstance(name, str):
            self.report.add("bodies", "a definition without a type name", entry=index, field="definition")
            return
        self._definitions[sha256(text.encode()).hexdigest()] = name
        self.counts.definitions += 1

    def _record(self, index: int, leaf: Leaf, values: Mapping[str, Any]) -> None:
        if leaf.body("content") is not None:
            found = self._definitions.get(leaf.definition or "")
            if found is None:
                self._add(index, leaf, "its definition is not among those entered before", "def")
            elif found != leaf.record.kind:
                self._add(index, leaf, f"a {leaf.record.kind} made under the definition of {found}", "def")
        content = values.get("content")
        if content is not None:
            number = bodies.label(content)
            before = self._numbers.setdefault(leaf.record.id, number)
            if number != before:
                self._add(index, leaf, f"the number was {before} and is now {number}", "number")
            if content["type"] != leaf.record.kind:
                self._add(index, leaf, f"content of a {content['type']}", "type")
            if leaf.record.id in self.scope:
                self._links(index, number, content)
            if leaf.record.kind == "user":
                try:
                    self.enrolment.carry(leaf.record.id, content)
                except BundleError as error:
                    self._add(index, leaf, str(error), "signing_keys")

    def _links(self, index: int, label: str, content: Mapping[str, Any]) -> None:
        for name, value in shape.walk(content):
            id, pinned, version = value.get("uid"), value.get("hash"), value.get("version")
            if not isinstance(id, str):
                continue
            if id not in self.scope:
                self.counts.outside_links.add(id)
            if isinstance(pinned, str) and type(version) is int:
                self.pins.append(Pin(pinned, id, version, index, label, name))

    def _files(self, index: int, leaf: Leaf) -> None:
        """The leaf names root and number of the list of files; the list must lead to them."""
        ref = leaf.body("files")
        said = None if leaf.files is None else (leaf.files.root, leaf.files.count)
        if ref is None or said is None:
            if (ref is None) != (said is None):
                self._add(index, leaf, "names files without their list, or a list without its root", "files")
            return
        items = self.history.streams[leaf.record.id].values.get("files")
        if ref.from_version is None and items is not None:
            try:
                root = files.list_root([item.value() for item in items]).hex()
            except files.FileProofError as error:
                self._add(index, leaf, str(error), "files")
                return
            self._file_roots[leaf.record.id] = (root, len(items))
        found = self._file_roots.get(leaf.record.id)
        if items is not None and found != said:
            self._add(index, leaf, f"the list of files leads to {found}, the leaf names {said}", "files")

    def _erase(self, index: int, leaf: Leaf, values: Mapping[str, Any]) -> None:
        """Targets are ``about`` and ``detail.targets`` ([{"id","ver",...}]; no ver: every version)."""
        if leaf.about is not None:
            self._erased.add((leaf.about.id, leaf.about.ver))
        targets = values.get("detail", {}).get("targets", [])
        for target in targets if isinstance(targets, list) else []:
            id, version = (
                (target.get("id"), target.get("ver", 0)) if isinstance(target, dict) else (None, None)
            )
            if not isinstance(id, str) or type(version) is not int:
                self._add(index, leaf, "an erasure target without id and version", "targets")
                continue
            self._erased.add((id, version))

    def _rotate(self, index: int, leaf: Leaf, values: Mapping[str, Any]) -> None:
        """Old and new key state the change; it goes on from the one before."""
        if "detail" not in values:
            return
        try:
            made = rotations.entered(index, values["detail"], leaf.log, self.rotations)
        except BundleError as error:
            self._add(index, leaf, str(error), "statement")
            return
        self.rotations.append((index, made))
        last = made.last
        self.claims.append(
            Claim(last.size, last.root.hex(), index, "", "the change of key names", "statement")
        )

    def _recover(self, index: int, leaf: Leaf, values: Mapping[str, Any]) -> None:
        """Two people, each with a key that counts here, declare what was lost before this entry."""
        try:
            made = recovery.parse(values.get("detail", {}))
            recovery.insist_signed(made)
            if made.log != leaf.log or made.found.size > index:
                raise BundleError("a recovery of another log, or of a tree larger than the one before it")
            for one, signature in zip(made.declarers, made.signatures, strict=True):
                key = (one.kid, str(signature["scheme"]), str(signature["public"]))
                if not self.enrolment.counts(one.person, key):
                    raise BundleError(f"the key {one.kid} is not an enrolled and verified key of {one.name}")
        except BundleError as error:
            self._add(index, leaf, str(error), "detail")
            return
        self.recoveries.append((index, made))

    def _signature(self, index: int, leaf: Leaf, values: Mapping[str, Any]) -> None:
        made: Signature | None = values.get("signature")
        if made is None:
            if leaf.meaning is not None and leaf.body("signature") is None:
                self._add(index, leaf, f"has the meaning {leaf.meaning!r} but no signature", "signature")
            return
        content = values.get("content") or {}
        problems = list(signing.disagreements(made, leaf, str(content.get("number", ""))))
        for name, sentence in problems:
            self._add(index, leaf, sentence, f"signature.{name}" if name != "signature" else name)
        try:
            made.verify()
            if not problems:
                owner = leaf.record.id if leaf.record.kind == "user" else ""
                self.enrolment.sign(index, made, owner, leaf.type == "genesis")
        except ValueError as error:
            self._add(index, leaf, str(error), "signature")
            return
        self.counts.signatures += 1
        self.counts.genesis_signatures += leaf.type == "genesis"
        label = self.history.streams[leaf.record.id].label if leaf.record.id in self.history.streams else ""
        self._signer(index, leaf, made)
        self.claims.append(Claim(made.size, made.root, index, label))
        if self.manifest.use == "regulated" and not leaf.clock.ok:
            self._add(index, leaf, "signed while the clock was not accepted", "clock")

    def _signer(self, index: int, leaf: Leaf, made: Signature) -> None:
        """The printed name is a snapshot: it must be the one the signer's own record had."""
        username, printed = self.history.person(made.person)
        stream = self.history.streams.get(made.person)
        known = {**stream.values.get("personal", {}), **stream.content.get("fields", {})} if stream else {}
        if "username" in known and made.username != username:
            self._add(
                index, leaf, f"signed as user {made.username}, the signer's record says {username}", "signer"
            )
        if made.behalf and self.history.person(made.behalf["person"])[1] not in ("", made.behalf["name"]):
            self._add(index, leaf, f"signed for {made.behalf['name']}, whose record says otherwise", "signer")
        if "printed_name" in known and made.name != printed:
            self._add(index, leaf, f"printed name {made.name}, the signer's record says {printed}", "signer")
