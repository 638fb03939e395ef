"""A recovery: two people declare that a part of the signed history is lost, and sign that they do.

The detail of a ``recovery`` entry is ``{"statement", "signatures", "signed_note"}``. Signed are
``coverslip-recovery-v1``, a newline and the canonical JSON of the statement, by both. Rules kept here:

* Two different people with two different keys, one named for QA and one for ADM.
* What both histories have in common (``kept``) is a tree that was signed before; only what that tree says
  of people, keys and roles counts. Who it does not know, cannot recover.
* The range lost runs from ``kept`` to the size last signed; it is never forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from coverslip.ledger import canonical
from coverslip.ledger.failure import LeafError
from coverslip.ledger.leaf import OTHER_STREAMS, Leaf, parse_time
from coverslip.verifier import shape, signing
from coverslip.verifier.enrolment import Enrolment
from coverslip.verifier.keys import SCHEMES, check_scheme
from coverslip.verifier.report import BundleError
from coverslip.verifier.statement import Signature

PREFIX: Final = b"coverslip-recovery-v1\n"
ROLES: Final = ("QA", "ADM")
MIN_REASON: Final = 10


@dataclass(frozen=True, slots=True)
class Tree:
    """A size and its root (hex)."""

    size: int
    root: str

    def value(self) -> dict[str, Any]:
        """Return it as a statement writes it."""
        return {"size": self.size, "root": self.root}


@dataclass(frozen=True, slots=True)
class Declarer:
    """One of the two: person id, user name, printed name, role, key id."""

    person: str
    username: str
    name: str
    role: str
    kid: str

    def value(self) -> dict[str, Any]:
        """Return it as a statement writes it."""
        return {
            "person": self.person, "username": self.username, "name": self.name, "role": self.role,
            "kid": self.kid,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recovery:
    """A read recovery. ``signed`` was signed last, ``found`` goes on, ``kept`` both have in common."""

    log: str
    signed: Tree
    found: Tree
    kept: Tree
    reason: str
    declarers: tuple[Declarer, ...]
    prepared_at: str
    signatures: tuple[Mapping[str, Any], ...] = ()
    signed_note: str = ""

    def statement(self) -> dict[str, Any]:
        """Return what both sign."""
        return {
            "v": 1, "log": self.log, "signed": self.signed.value(), "found": self.found.value(),
            "kept": self.kept.value(), "lost": {"first": self.kept.size, "last": self.signed.size - 1},
            "reason": self.reason, "declarers": [one.value() for one in self.declarers],
            "prepared_at": self.prepared_at,
        }  # fmt: skip

    def message(self) -> bytes:
        """Return the bytes that both sign."""
        return PREFIX + canonical.encode(self.statement())

    def detail(self) -> dict[str, Any]:
        """Return the detail of the entry."""
        return {
            "statement": self.statement(), "signatures": [dict(one) for one in self.signatures],
            "signed_note": self.signed_note,
        }  # fmt: skip

    def sentence(self) -> str:
        """Return what was lost, by whose word, in one sentence."""
        people = " and ".join(f"{one.name} ({one.role})" for one in self.declarers)
        return (
            f"entries {self.kept.size} to {self.signed.size - 1} of the history signed before are lost;"
            f" declared by {people} at {self.prepared_at}: {self.reason}. The last checkpoint of the lost"
            f" history: size {self.signed.size}, root {self.signed.root}; it went on from size"
            f" {self.found.size}, root {self.found.root}"
        )


def parse(detail: Any) -> Recovery:
    """Read the detail of a recovery entry. Raises BundleError if it is not of the form or of one piece."""
    found = shape.keys("recovery", detail, "statement signatures signed_note")
    said = shape.keys(
        "statement", found["statement"], "v log signed found kept lost reason declarers prepared_at"
    )
    if said["v"] != 1 or type(said["v"]) is not int:
        raise BundleError("a recovery of an unknown version")
    declarers = tuple(_declarer(one) for one in shape.array("declarers", said["declarers"]))
    made = Recovery(
        shape.text("log", said["log"]), _tree("signed", said["signed"]), _tree("found", said["found"]),
        _tree("kept", said["kept"]), shape.text("reason", said["reason"]), declarers,
        shape.text("prepared_at", said["prepared_at"]),
        tuple(_signature(one) for one in shape.array("signatures", found["signatures"])),
        shape.text("signed_note", found["signed_note"]),
    )  # fmt: skip
    try:
        parse_time(made.prepared_at)
    except LeafError as error:
        raise BundleError(str(error)) from None
    if made.statement() != said:
        raise BundleError("the lost range is not the one between what was kept and what was signed")
    if not 0 < made.kept.size <= made.found.size or not made.kept.size < made.signed.size:
        raise BundleError("nothing was lost, or nothing is in common")
    if len(made.reason.strip()) < MIN_REASON:
        raise BundleError(f"a reason of at least {MIN_REASON} characters is needed")
    return made


def insist_signed(made: Recovery) -> None:
    """Return if two different people signed it with different keys. Raises BundleError if not."""
    one_each = len(made.declarers) == len(made.signatures) == len(ROLES)
    if not one_each or {one.role for one in made.declarers} != set(ROLES):
        raise BundleError("two people sign, one as QA and one as ADM")
    if len({one.person for one in made.declarers}) != 2 or len({one.kid for one in made.declarers}) != 2:
        raise BundleError("one person cannot sign for two")
    message = made.message()
    for one, signature in zip(made.declarers, made.signatures, strict=True):
        public = bytes.fromhex(signature["public"])
        if signature["kid"] != one.kid or sha256(public).digest()[:16].hex() != one.kid:
            raise BundleError(f"the signature named for {one.name} is by another key")
        try:
            check_scheme(
                signature["scheme"], public, message, bytes.fromhex(signature["signature"]), b"", b""
            )
        except ValueError as error:
            raise BundleError(f"the signature of {one.name} does not hold: {error}") from None


@dataclass(slots=True)
class _Grant:
    state: str
    person: str
    role: str
    start: str
    end: str


@dataclass(slots=True)
class Register:
    """Who may declare a recovery, as the entries taken so far have it."""

    enrolment: Enrolment = field(default_factory=Enrolment)
    _accounts: dict[str, tuple[str, str]] = field(default_factory=dict)
    _grants: dict[str, _Grant] = field(default_factory=dict)
    _genesis: bool = True

    @staticmethod
    def wants(kind: str) -> bool:
        """Whether the sections of entries of this kind must be given."""
        return kind in ("user", "role_grant")

    def take(self, index: int, leaf: Leaf, values: Mapping[str, Any]) -> None:
        """Take the next entry in tree order; ``values`` are its opened sections, read.

        Raises BundleError where the content of a user or a grant is not there.
        """
        if self._genesis and leaf.type != "genesis" and leaf.record.kind not in OTHER_STREAMS:
            self._genesis = False
            # Keys that no other founder verified in genesis count for nothing afterwards.
            for _ in self.enrolment.end_genesis():
                pass
        if not self.wants(leaf.record.kind) or not leaf.is_record_version:
            return
        own = leaf.body("content")
        if own is not None and own.from_version is None and "content" not in values:
            raise BundleError(f"the content of entry {index} is not there: who may sign is not known")
        content = values.get("content")
        if leaf.record.kind == "user" and content is not None:
            fields = content.get("fields", {})
            self._accounts[leaf.record.id] = (content["state"], str(fields.get("kind", "")))
            self.enrolment.carry(leaf.record.id, content)
        counts = self._signed(index, leaf, values)
        if leaf.record.kind == "role_grant" and content is not None:
            # What founders hold was not signed for: they are named by genesis itself.
            self._grant(leaf.record.id, content, counts or (leaf.type == "genesis" and self._genesis))

    def may(self, one: Declarer, public: str, scheme: str, today: str) -> None:
        """Return if a declarer may sign in the role named. Raises BundleError saying why not."""
        state, kind = self._accounts.get(one.person, ("unknown", ""))
        if state != "active" or kind != "person":
            raise BundleError(f"{one.name} has no active account of a person in the history both have")
        if not self.enrolment.counts(one.person, (one.kid, scheme, public)):
            raise BundleError(f"the key {one.kid} is not an enrolled and verified key of {one.name}")
        if not any(
            grant.person == one.person and grant.role == f"ROLE-{one.role}" and grant.state == "active"
            and grant.start <= today <= grant.end
            for grant in self._grants.values()
        ):  # fmt: skip
            raise BundleError(f"{one.name} does not hold the role {one.role} in the history both have")

    def _signed(self, index: int, leaf: Leaf, values: Mapping[str, Any]) -> bool:
        made: Signature | None = values.get("signature")
        if made is None:
            return False
        number = str((values.get("content") or {}).get("number", ""))
        if any(signing.disagreements(made, leaf, number)):
            return False
        try:
            made.verify()
            owner = leaf.record.id if leaf.record.kind == "user" else ""
            self.enrolment.sign(index, made, owner, leaf.type == "genesis")
        except ValueError:
            return False
        return True

    def _grant(self, id: str, content: Mapping[str, Any], counts: bool) -> None:
        fields, before = content.get("fields", {}), self._grants.get(id)
        state = str(content["state"])
        if state == "active" and not counts and (before is None or before.state != "active"):
            state = "not signed"
        self._grants[id] = _Grant(
            state, _of(fields.get("person"), "uid"), _of(fields.get("role"), "number"),
            str(fields.get("start", "0001-01-01")), str(fields.get("end", "9999-12-31")),
        )  # fmt: skip


def insist_entitled(made: Recovery, register: Register, today: str) -> None:
    """Return if both declarers may sign by ``register``. Raises BundleError if not; ``today`` is a date."""
    for one, signature in zip(made.declarers, made.signatures, strict=True):
        register.may(one, str(signature["public"]), str(signature["scheme"]), today)


def _of(link: Any, name: str) -> str:
    return str(link.get(name, "")) if isinstance(link, dict) else ""


def _tree(name: str, value: Any) -> Tree:
    found = shape.keys(name, value, "size root")
    return Tree(shape.whole(f"{name}.size", found["size"]), shape.digest(f"{name}.root", found["root"]))


def _declarer(value: Any) -> Declarer:
    names = ("person", "username", "name", "role", "kid")
    found = shape.keys("declarer", value, " ".join(names))
    return Declarer(*(shape.text(name, found[name]) for name in names))


def _signature(value: Any) -> Mapping[str, Any]:
    found = shape.keys("signature", value, "scheme kid public signature")
    if found["scheme"] not in SCHEMES:
        raise BundleError(f"unknown signature scheme {found['scheme']!r}")
    shape.octets("public", found["public"])
    shape.octets("signature", found["signature"])
    return found
