"""A small honest laboratory for tests: a log with people, signatures, files, and bundles of it.

Keys, salts, times and ids follow from fixed seeds, so that every run makes the same bytes. Tests make it
dishonest on purpose, through the arguments named ``forge_...`` or by editing ``leaves`` and ``bodies``.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from coverslip.exports.bundle import Exporter, Member, Request, Scope, ScopeRecord, Stored, write_bundle
from coverslip.ledger import canonical, files, leaf as leaf_format, note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.commitment import commit
from coverslip.ledger.tree import leaf_hash, root_of
from coverslip.verifier.keys import Trust
from coverslip.verifier.manifest import Manifest
from coverslip.verifier.report import Report
from coverslip.verifier.verify import verify_stream

ORIGIN = "coverslip.example/lab"
PREFIX = b"coverslip-signature-v1\n"
ZONE = "America/New_York"


def uuid(name: str) -> str:
    """Return a fixed uuid of version 7 form for a name."""
    digits = hashlib.sha256(name.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def seed(name: str) -> bytes:
    """Return 32 fixed bytes for a name."""
    return hashlib.sha256(f"seed {name}".encode()).digest()


class NoteSigner:
    """Signs notes by an Ed25519 key of a fixed seed."""

    def __init__(self, name: str, key_seed: str = "") -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(seed(key_seed or name))
        self.vkey = note.VerifierKey(name, note.ED25519, self._key.public_key().public_bytes_raw())
        self.key_id = self.vkey.key_id

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``."""
        return self._key.sign(message)

    def seal(self, text: bytes) -> bytes:
        """Return ``text`` as a signed note."""
        return note.sign(text.decode(), [self]).to_bytes()


class Person:
    """A person with a signing key of one of the three schemes."""

    def __init__(self, username: str, name: str, role: str, scheme: str = "ed25519-wrapped") -> None:
        self.username, self.name, self.role, self.scheme = username, name, role, scheme
        self.id = uuid(f"person {username}")
        self._ed = Ed25519PrivateKey.from_private_bytes(seed(username))
        self._ec = ec.derive_private_key(int.from_bytes(seed(username), "big") >> 8, ec.SECP256R1())
        if scheme == "ed25519-wrapped":
            self.public = self._ed.public_key().public_bytes_raw()
        else:
            self.public = self._ec.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.kid = hashlib.sha256(self.public).digest()[:16].hex()

    def key(self) -> dict[str, str]:
        """Return the key as the user record carries it."""
        return {"kid": self.kid, "scheme": self.scheme, "public": self.public.hex()}

    def sign(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        """Return a signature section over a statement."""
        message = PREFIX + canonical.encode(dict(statement))
        found: dict[str, Any] = {
            "scheme": self.scheme,
            "kid": self.kid,
            "public": self.public.hex(),
            "statement": dict(statement),
        }
        if self.scheme == "webauthn-p256":
            challenge = base64.urlsafe_b64encode(hashlib.sha256(message).digest()).rstrip(b"=").decode()
            client = json.dumps(
                {"type": "webauthn.get", "challenge": challenge, "origin": "https://lab"}
            ).encode()
            authenticator = hashlib.sha256(b"lab").digest() + b"\x05" + bytes(4)
            found |= {"client_data": client.hex(), "authenticator_data": authenticator.hex()}
            message = authenticator + hashlib.sha256(client).digest()
        if self.scheme == "ed25519-wrapped":
            found["signature"] = self._ed.sign(message).hex()
        else:
            found["signature"] = self._ec.sign(
                message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
            ).hex()
        return found


def _definition(kind: str) -> dict[str, Any]:
    return {"type": {"name": kind, "version": 1, "fields": {"note": {"kind": "text"}}}}


class Lab:
    """The log of one installation. ``leaves`` and ``bodies`` are what an export would read."""

    def __init__(self, use: str = "evaluation") -> None:
        self.use = use
        self.leaves: list[bytes] = []
        self.bodies: dict[int, dict[str, Stored]] = {}
        self.heads: dict[str, leaf_format.Leaf] = {}
        self.contents: dict[str, bytes] = {}
        self.log_key = NoteSigner(ORIGIN)
        self.export_key = NoteSigner(ORIGIN + "/export")
        self.ada = Person("ada", "Ada Byron", "ADM")
        self.quinn = Person("quinn", "Quinn Ito", "QA")
        self.otto = Person("otto", "Otto Stern", "AUT")
        self.mia = Person("mia", "Mia Søby", "ANL", "p256-wrapped")
        self.pat = Person("pat", "Pat Lee", "QA", "webauthn-p256")

    # --- the log -------------------------------------------------------------------------------------
    def root(self, size: int | None = None) -> bytes:
        """Return the root over the first ``size`` leaves (all by default)."""
        return root_of([leaf_hash(one) for one in self.leaves[:size]])

    def append(
        self,
        kind: str,
        id: str,
        act: str,
        actor: Person,
        sections: Mapping[str, Any] = {},
        *,
        type: str = "record",
        signer: Person | None = None,
        meaning: str = "",
        keep: Iterable[str] = (),
        about: leaf_format.About | None = None,
        forge_statement: Mapping[str, Any] = {},
        forge_signature: Mapping[str, Any] | None = None,
        forge_leaf: Mapping[str, Any] = {},
    ) -> int:
        """Append one entry and return its index. ``keep`` names sections carried over from before."""
        index, before = len(self.leaves), self.heads.get(id)
        version = before.record.ver + 1 if before else 1
        prev = leaf_hash(before.to_bytes()).hex() if before else None
        stored: dict[str, Stored] = {}
        refs: dict[str, leaf_format.BodyRef] = {}

        def add(section: str, value: Any) -> None:
            data = value.encode() if section == "reason" else canonical.encode(value)
            salt = seed(f"salt {index} {section}")
            stored[section] = Stored(salt, data.decode())
            refs[section] = leaf_format.BodyRef(section, commit(section, salt, data).hex(), len(data))

        for section, value in sections.items():
            add(section, value)
        for section in keep:
            assert before is not None
            ref = before.body(section)
            assert ref is not None
            refs[section] = replace(ref, from_version=ref.from_version or before.record.ver)
        roots = None
        if "files" in sections:
            roots = leaf_format.Files(files.list_root(sections["files"]).hex(), len(sections["files"]))
        elif "files" in refs and before is not None:
            roots = before.files
        definition = hashlib.sha256(canonical.encode(_definition(kind))).hexdigest()
        is_record = kind not in ("session", "installation")
        if signer is not None:
            number = sections.get("content", {}).get("number", "")
            said: dict[str, Any] = {
                "v": 1,
                "log": ORIGIN,
                "record": {"kind": kind, "id": id, "number": number},
                "def": definition,
                "act": act,
                "meaning": meaning,
                "meaning_text": f"I sign as {meaning}",
                "sections": {
                    s: r.commitment for s, r in refs.items() if s != "context" and r.from_version is None
                },
                "shown": "5" * 64,
                "zone": ZONE,
                "workstation": "WS-01",
                "components": ["user_id", "password"],
                "signer": {
                    "person": signer.id,
                    "username": signer.username,
                    "name": signer.name,
                    "role": signer.role,
                },
                "prepared_at": self._at(index),
                "period": uuid("period"),
                "checkpoint": {"size": index, "root": self.root(index).hex()},
            }
            if before is not None:
                said["base"] = {"ver": version - 1, "leaf": prev}
            if roots is not None:
                said["files"] = {"root": roots.root, "count": roots.count}
            add("signature", forge_signature or signer.sign({**said, **forge_statement}))
        values: dict[str, Any] = {
            "log": ORIGIN,
            "entry": uuid(f"entry {index}"),
            "type": type,
            "act": act,
            "cmd": uuid(f"cmd {index}"),
            "record": leaf_format.Record(kind, id, version, prev),
            "actor": leaf_format.Actor(actor.id, uuid(f"session {actor.username}"), "password"),
            "at": self._at(index),
            "clock": leaf_format.Clock(12, "none", self.use == "regulated"),
            "sw": "coverslip/0.1.0",
            "bodies": tuple(refs[s] for s in sorted(refs)),
            "about": about,
            "files": roots,
            "definition": definition if is_record else None,
            "meaning": meaning or None,
        }
        leaf = leaf_format.Leaf(**{**values, **forge_leaf})
        self.heads[id] = leaf
        self.leaves.append(leaf.to_bytes())
        self.bodies[index] = stored
        return index

    @staticmethod
    def _at(index: int) -> str:
        return f"2026-11-21T04:{index // 60:02d}:{index % 60:02d}.123456Z"

    def file(self, path: str, data: bytes) -> dict[str, Any]:
        """Keep a file's bytes and return its item."""
        item = files.digest_of(io.BytesIO(data)).item(path)
        self.contents[str(item["sha256"])] = data
        return item

    def content(self, kind: str, number: str, state: str, **fields: Any) -> dict[str, Any]:
        """Return the content of a record version."""
        return {
            "type": kind,
            "number": number,
            "state": state,
            "title": f"{kind} {number}",
            "gxp": "gxp",
            "created_at": self._at(0),
            "created_by": self.ada.id,
            "fields": fields,
        }

    # --- the story -----------------------------------------------------------------------------------
    def define(self, *kinds: str, type: str = "genesis") -> None:
        """Enter type definitions."""
        for kind in kinds:
            self.append(
                "installation",
                uuid("installation"),
                "define",
                self.ada,
                {"definition": _definition(kind)},
                type=type,
            )

    def user(self, number: int, person: Person, state: str) -> dict[str, Any]:
        """Return the content of a person's record."""
        fields = {"username": person.username, "printed_name": person.name, "signing_keys": [person.key()]}
        return self.content("user", f"USR-{number:04d}", state, **fields)

    def enrol(self, number: int, person: Person, type: str = "record") -> None:
        """Enter a person's record, signed by themselves."""
        self.append(
            "user",
            person.id,
            "create",
            person,
            {"content": self.user(number, person, "invited")},
            type=type,
            signer=person,
            meaning="acknowledged",
        )

    def vouch(self, number: int, person: Person, by: Person, type: str = "record") -> None:
        """Have another person verify the key."""
        self.append(
            "user",
            person.id,
            "activate",
            by,
            {"content": self.user(number, person, "active"), "reason": "passport"},
            type=type,
            signer=by,
            meaning="verified",
        )

    def genesis(self) -> None:
        """Open the log: definitions, three founders verified in a circle, the policy."""
        self.define("user", "image", "document")
        self.append(
            "installation",
            uuid("installation"),
            "open",
            self.ada,
            {"detail": {"use": self.use}},
            type="genesis",
        )
        founders = (self.ada, self.quinn, self.otto)
        for number, person in enumerate(founders, 1):
            self.enrol(number, person, "genesis")
        for number, person in enumerate(founders, 1):
            self.vouch(number, person, founders[number % 3], "genesis")
        self.append(
            "document",
            uuid("policy"),
            "create",
            self.otto,
            {"content": self.content("document", "POL-0001", "effective")},
            type="genesis",
            signer=self.otto,
            meaning="authored",
        )

    def live(self) -> Lab:
        """Go through the whole story; the image IMG-2027-000001 is the record to export."""
        self.genesis()
        self.append(
            "installation",
            uuid("installation"),
            "beat",
            self.ada,
            {"detail": {"boot": "1"}},
            type="heartbeat",
        )
        self.enrol(4, self.mia)
        self.vouch(4, self.mia, self.quinn)
        self.enrol(5, self.pat)
        self.vouch(5, self.pat, self.quinn)
        self.image()
        self.append(
            "document",
            uuid("elsewhere"),
            "create",
            self.otto,
            {"content": self.content("document", "DOC-0009", "draft"), "reason": "outside the copy"},
        )
        self.append(
            "session",
            uuid("session quinn"),
            "export",
            self.quinn,
            {"detail": {"number": "IMG-2027-000001"}},
            type="export",
            about=leaf_format.About("image", uuid("image"), 4),
        )
        return self

    def image(self) -> None:
        """Enter four versions of the image: created, corrected, reviewed, approved with another file."""
        id = uuid("image")
        raw, extra = (
            self.file("raw/plate µ.tif", bytes(range(256)) * 300),
            self.file("notes.txt", b"as acquired\n"),
        )
        policy = self.heads[uuid("policy")]
        link = {
            "type": "document",
            "uid": uuid("policy"),
            "number": "POL-0001",
            "version": 1,
            "hash": leaf_hash(policy.to_bytes()).hex(),
        }
        context = {"workstation": "WS-01", "zone": ZONE, "address": "192.0.2.7", "client": "web"}
        first = self.content(
            "image", "IMG-2027-000001", "draft", note="<b>first</b>", gain="-1.5", policy=link
        )
        self.append(
            "image",
            id,
            "create",
            self.mia,
            {"content": first, "personal": {"operator": "Mia S."}, "context": context, "files": [extra, raw]},
        )
        second = {
            **first,
            "fields": {**first["fields"], "note": "=HYPERLINK(1)", "rows": [{"n": 1}, {"n": 2}]},
        }
        self.append(
            "image",
            id,
            "edit",
            self.mia,
            {"content": second, "reason": "+typing error", "context": context},
            keep=("personal", "files"),
        )
        self.append(
            "image",
            id,
            "review",
            self.quinn,
            {"content": {**second, "state": "reviewed"}, "reason": "checked", "context": context},
            keep=("personal", "files"),
            signer=self.quinn,
            meaning="reviewed",
        )
        other = self.file("notes.txt", b"as acquired, and read again\n")
        self.append(
            "image",
            id,
            "approve",
            self.pat,
            {"content": {**second, "state": "approved"}, "files": [other, raw]},
            keep=("personal",),
            signer=self.pat,
            meaning="approved",
        )

    def erase(self, id: str, version: int) -> None:
        """Erase the erasable sections of one version under an erasure entry."""
        self.append(
            "installation",
            uuid("installation"),
            "erase",
            self.quinn,
            {"detail": {"targets": [{"id": id, "ver": version}], "basis": "GDPR 17"}},
            type="erasure",
        )
        for index, data in enumerate(self.leaves):
            record = leaf_format.parse(data).record
            if (record.id, record.ver) == (id, version):
                for section in ("personal", "reason", "context"):
                    self.bodies[index].pop(section, None)

    # --- bundles -------------------------------------------------------------------------------------
    @property
    def keys(self) -> str:
        """Return the key list that is handed over apart."""
        return f"# the lab\n{self.log_key.vkey.format()}\n{self.export_key.vkey.format()}\n"

    def checkpoint(self, size: int | None = None) -> bytes:
        """Return the signed checkpoint of the first ``size`` leaves (all by default)."""
        size = len(self.leaves) if size is None else size
        return self.log_key.seal(Checkpoint(ORIGIN, size, self.root(size)).text().encode())

    def scope(self, **changes: Any) -> Scope:
        """Return the scope of a complete copy of the image."""
        records = (ScopeRecord("image", uuid("image"), "IMG-2027-000001"),)
        return Scope(**{"kind": "complete", "records": records, "requested": 1, **changes})

    def copied(self, scope: Scope) -> dict[int, dict[str, Stored]]:
        """Return the bodies a copy of ``scope`` takes along."""
        ids = {record.id for record in scope.records}
        found = {}
        for index, data in enumerate(self.leaves):
            leaf = leaf_format.parse(data)
            always = leaf.type in ("genesis", "definition", "erasure") or leaf.record.kind == "user"
            if always or leaf.record.id in ids or (leaf.about and leaf.about.id in ids):
                found[index] = self.bodies[index]
        return found

    def bundle(
        self,
        *,
        scope: Scope | None = None,
        extra: Mapping[str, bytes] = {},
        bodies: Mapping[int, Mapping[str, Stored]] | None = None,
        checkpoint: bytes | None = None,
        sign: Callable[[bytes], bytes] | None = None,
        use: str = "",
        leaves: list[bytes] | None = None,
    ) -> bytes:
        """Return a bundle of the image."""
        out = io.BytesIO()
        self.bundle_to(
            out,
            scope=scope,
            extra=extra,
            bodies=bodies,
            checkpoint=checkpoint,
            sign=sign,
            use=use,
            leaves=leaves,
        )
        return out.getvalue()

    def bundle_to(
        self,
        out: Any,
        *,
        scope: Scope | None = None,
        extra: Mapping[str, bytes] = {},
        bodies: Mapping[int, Mapping[str, Stored]] | None = None,
        checkpoint: bytes | None = None,
        sign: Callable[[bytes], bytes] | None = None,
        use: str = "",
        leaves: list[bytes] | None = None,
    ) -> None:
        """Write a bundle of the image to a stream."""
        scope = scope or self.scope()
        request = Request(
            log=ORIGIN,
            use=use or self.use,
            scope=scope,
            record="IMG-2027-000001",
            exported_at="2026-11-22T10:00:00.000000Z",
            exported_by=Exporter(self.quinn.id, "quinn", "Quinn Ito"),
            checkpoint_note=checkpoint or self.checkpoint(),
            export_key=self.export_key.vkey.format(),
        )
        chosen = self.copied(scope) if bodies is None else bodies

        def open_file(record: ScopeRecord, item: Any) -> Member:
            data = self.contents[item.sha256]
            return Member(len(data), lambda: io.BytesIO(data))

        write_bundle(
            out,
            request,
            leaves=self.leaves if leaves is None else leaves,
            bodies=sorted(chosen.items()),
            open_file=open_file,
            extra={"policy.json": b"{}\n", **extra},
            sign_manifest=sign or self.export_key.seal,
        )

    def verify(
        self, data: bytes, *, keys: str = "", anchors: Path | None = None, max_age: float | None = None
    ) -> Report:
        """Verify a bundle with the lab's key list."""
        trust = Trust.parse((keys or self.keys).encode())
        return verify_stream(io.BytesIO(data), trust, anchors=anchors, max_age=max_age)


def resealed(lab: Lab, data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """Return a bundle whose members were changed and whose manifest was made and signed anew.

    It is what somebody who holds the export key, but not the log's, can make.
    """
    from zipfile import ZipFile
    from zlib import crc32

    from coverslip.exports.zipfile_canonical import CanonicalZip, Head
    from coverslip.verifier import manifest as manifests, zipformat
    from coverslip.verifier.manifest import MemberHash

    with ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    said: Manifest = manifests.parse(members.pop("manifest.json"))
    members.pop("manifest.sig")
    paths = sorted(members, key=zipformat.order)
    hashes = tuple(MemberHash(p, len(members[p]), hashlib.sha256(members[p]).hexdigest()) for p in paths)
    raw = replace(said, members=hashes).to_bytes()
    seal = lab.export_key.seal(manifests.signed_text(raw).encode())
    out = io.BytesIO()
    writer = CanonicalZip(out)
    for path, content in [("manifest.json", raw), ("manifest.sig", seal), *((p, members[p]) for p in paths)]:
        writer.add(Head(path, len(content), crc32(content)), [content])
    writer.close()
    return out.getvalue()
