"""Every entry by itself and in its stream: form, row, chain, sections, signatures, erasures.

Rules kept here:

* Columns are compared with the leaf, never believed.
* A section must open its commitment; where content does not, the fields that differ from what the
  neighbours and the projection know are named.
* A section that is missing needs an erasure entry that names its version; else it is a finding.
* Signatures are checked again: bytes, statement against the leaf, key against its enrolment in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from coverslip.ledger import canonical, commitment, leaf
from coverslip.ledger.failure import CommitmentError, LeafError, LedgerError
from coverslip.store.findings import Report, differing
from coverslip.store.rows import Row, cut
from coverslip.verifier import leaves, signing, statement
from coverslip.verifier.enrolment import Enrolment

Content = dict[str, Any]


@dataclass(slots=True)
class Stream:
    """What is known of one stream after its newest entry, whose leaf is ``newest``."""

    number: str = ""
    kind: str = ""
    version: int = 0
    leaf_hash: bytes = b""
    newest: bytes = b""
    content: bytes | None = None

    def sections(self) -> dict[str, tuple[int, str]]:
        """Return version that stored it and commitment of each section of the newest entry."""
        if not self.newest:
            return {}
        value = orjson.loads(self.newest)
        return {ref["s"]: (ref.get("from", value["record"]["ver"]), ref["c"]) for ref in value["bodies"]}


@dataclass(slots=True)
class _Missing:
    index: int
    entry_id: int
    stream: str
    version: int
    section: str


class EntryCheck:
    """State over the entries taken so far, in tree order.

    ``current`` gives the projected (version, content) of a record, to name fields by; ``name`` its number
    where its own content cannot be read.
    """

    def __init__(
        self,
        report: Report,
        origin: str,
        current: Callable[[str, str], tuple[int, Content] | None],
        name: Callable[[str], str],
    ) -> None:
        self.report = report
        self.streams: dict[str, Stream] = {}
        self.faulty: list[tuple[int, str]] = []
        self.origin = origin
        self._current = current
        self._name = name
        self.chains, self.lines = leaves.Chains(), leaves.Lines()
        self._enrolment = Enrolment()
        self.genesis = True
        self._missing: list[_Missing] = []
        self._erased: set[tuple[str, int]] = set()

    def add(self, row: Row, hashed: bytes) -> None:
        """Take the next entry; ``hashed`` is the hash of its bytes."""
        self.report.counts["entries"] += 1
        if hashed != row.leaf_hash:
            self._add("row", row, "the stored leaf hash is not that of the bytes", "leaf_hash")
        try:
            line = self.lines.line(row.leaf)
            value: dict[str, Any] = orjson.loads(row.leaf)
        except (LeafError, orjson.JSONDecodeError) as error:
            self._add("leaf", row, f"no leaf: {error}")
            return
        if line.log != self.origin:
            self._add("leaf", row, f"belongs to the log {line.log}", "log")
        self._columns(row, value)
        for sentence in self.chains.add(line, hashed):
            self._add("chain", row, sentence, "prev")
        known = self.streams.setdefault(line.id, Stream(kind=line.kind))
        sections = self._bodies(row, value, known)
        # Session and installation entries may lie between; genesis is over with the first other record.
        if self.genesis and line.type not in ("genesis", "session", "heartbeat", "keys"):
            self._end_genesis()
        self._record(row, value, known, sections)
        known.version, known.leaf_hash = line.ver, hashed
        known.newest = row.leaf

    def finish(self) -> None:
        """Judge what only the whole log can decide."""
        self._end_genesis()
        for one in self._missing:
            if (one.stream, one.version) in self._erased or (one.stream, 0) in self._erased:
                self.report.counts["erased"] += 1
                continue
            self.report.add(
                "body", "the section is missing and no erasure entry names it", index=one.index,
                entry_id=one.entry_id,
                record=self._label(one.stream), version=one.version, field=one.section,
            )  # fmt: skip

    # --- parts ---------------------------------------------------------------------------------
    def _label(self, stream: str) -> str:
        known = self.streams.get(stream)
        return known.number if known and known.number else self._name(stream)

    def _add(self, kind: str, row: Row, message: str, name: str = "") -> None:
        label = self._label(str(row.stream))
        self.faulty.append((row.index, label))
        self.report.add(
            kind,
            message,
            index=row.index,
            entry_id=row.entry_id,
            record=label,
            version=row.version,
            field=name,
        )

    def _columns(self, row: Row, value: dict[str, Any]) -> None:
        record, about = value["record"], value.get("about", {})
        for name, said, stored in (
            ("record_id", record["id"], str(row.stream)),
            ("version", record["ver"], row.version),
            ("kind", record["kind"], row.kind),
            ("actor", value["actor"]["id"], str(row.actor)),
            ("command_id", value["cmd"], str(row.command)),
            ("about", about.get("id"), None if row.about is None else str(row.about)),
        ):
            if said != stored:
                self._add("row", row, f"the leaf says {said}, the row {stored}", name)

    def _bodies(self, row: Row, value: dict[str, Any], known: Stream) -> dict[str, bytes]:
        before = known.sections() if any("from" in ref for ref in value["bodies"]) else {}
        for ref in value["bodies"]:
            if "from" in ref and before.get(ref["s"]) != (ref["from"], ref["c"]):
                self._add(
                    "body", row, f"says it is unchanged since version {ref['from']}, and is not", ref["s"]
                )
        stored = [ref for ref in value["bodies"] if "from" not in ref]
        if not row.has_body:
            if stored:
                self._add("body", row, "the body is missing", ", ".join(ref["s"] for ref in stored))
            return {}
        if not stored:
            self._add("body", row, "a body is stored that the leaf does not name")
        parts = cut(row, value["bodies"])
        for name in parts.missing:
            self._missing.append(_Missing(row.index, row.entry_id, str(row.stream), row.version, name))
        opened: dict[str, bytes] = {}
        if parts.problem:
            self._add("body", row, parts.problem)
        for ref in stored:
            if ref["s"] not in parts.sections:
                continue
            salt, content = parts.sections[ref["s"]]
            try:
                commitment.verify(ref["s"], salt, content, bytes.fromhex(ref["c"]))
            except CommitmentError:
                self._name_fields(row, ref["s"], content, known, _personal(parts.sections))
                continue
            opened[ref["s"]] = content
            self.report.counts["sections"] += 1
        return opened

    def _name_fields(self, row: Row, section: str, stored: bytes, known: Stream, personal: set[str]) -> None:
        """Name the fields of a failing section: those the projection or the version before has otherwise."""
        message = "does not open its commitment"
        if section != "content":
            self._add("body", row, message, section)
            return
        try:
            value = canonical.decode(stored)
        except LedgerError:
            self._add("body", row, f"{message} and cannot be read", section)
            return
        current = self._current(row.kind, str(row.stream))
        if current is not None and current[0] == row.version:
            # The projection holds the personal fields too; here they are a section of their own.
            fields = {
                name: item for name, item in current[1].get("fields", {}).items() if name not in personal
            }
            names, other = differing(value, {**current[1], "fields": fields}), "the projection"
        else:
            before = None if known.content is None else canonical.decode(known.content)
            names, other = differing(value, before) if before is not None else [], "the version before"
        if not names:
            self._add("body", row, f"{message}; the salt or the commitment was changed", section)
        for name in names:
            self._add("body", row, f"{message}; differs from {other}", f"{section}.{name}")

    def _record(self, row: Row, value: dict[str, Any], known: Stream, sections: dict[str, bytes]) -> None:
        if "content" in sections:
            known.content = sections["content"]
        content: Content = {}
        if "content" in sections and (not known.number or row.kind == "user" or "signature" in sections):
            content = self._decoded(row, "content", sections["content"])
            known.number = str(content.get("number", "")) or known.number
        if row.kind == "user" and content:
            try:
                self._enrolment.carry(str(row.stream), content)
            except ValueError as error:
                self._add("signature", row, str(error), "signing_keys")
        if value["type"] == "erasure":
            self._erase(row, value, self._decoded(row, "detail", sections.get("detail", b"{}")))
        if "signature" in sections:
            self._signature(row, sections["signature"], known)
        elif "meaning" in value and not any(ref["s"] == "signature" for ref in value["bodies"]):
            self._add("signature", row, f"has the meaning {value['meaning']} but no signature")

    def _decoded(self, row: Row, section: str, data: bytes) -> Content:
        try:
            value = canonical.decode(data)
        except LedgerError as error:
            self._add("body", row, f"is not canonical: {error}", section)
            return {}
        return value if isinstance(value, dict) else {}

    def _erase(self, row: Row, value: dict[str, Any], detail: Content) -> None:
        about = value.get("about")
        if about is not None:
            self._erased.add((about["id"], about["ver"]))
        for target in detail.get("targets", []):
            if isinstance(target, dict) and "id" in target:
                self._erased.add((str(target["id"]), int(target.get("ver", 0))))

    def _signature(self, row: Row, data: bytes, known: Stream) -> None:
        self.report.counts["signatures"] += 1
        try:
            made = statement.parse(canonical.decode(data))
            parsed = leaf.parse(row.leaf)
            problems = list(signing.disagreements(made, parsed, known.number))
            for name, sentence in problems:
                self._add("signature", row, sentence, f"signature.{name}" if name != "signature" else name)
            _verify(made)
            if not problems:
                owner = str(row.stream) if row.kind == "user" else ""
                self._enrolment.sign(row.index, made, owner, parsed.type == "genesis")
            self.report.counts["genesis_signatures"] += parsed.type == "genesis"
        except ValueError as error:
            self._add("signature", row, str(error), "signature")

    def _end_genesis(self) -> None:
        if self.genesis:
            self.genesis = False
            for index, sentence in self._enrolment.end_genesis():
                self.report.add("signature", sentence, index=index, field="signature")


def _personal(sections: dict[str, tuple[bytes, bytes]]) -> set[str]:
    if "personal" not in sections:
        return set()
    try:
        value = orjson.loads(sections["personal"][1])
    except orjson.JSONDecodeError:
        return set()
    return set(value) if isinstance(value, dict) else set()


def _verify(made: statement.Signature) -> None:
    """Check a signature: Ed25519 by ``cryptography``, the rest as the offline verifier does."""
    if made.scheme != "ed25519-wrapped":
        made.verify()
        return
    message = statement.PREFIX + canonical.encode(made.statement)
    try:
        Ed25519PublicKey.from_public_bytes(made.public).verify(made.signature, message)
    except InvalidSignature:
        raise ValueError("the signature does not hold over its statement") from None
