"""Signed notes and verifier keys, exactly as C2SP signed-note v1 writes them.

A note is text ending in a newline, an empty line, then signature lines
``— <key name> base64(key id || signature)``. No cryptography here: signers and verifiers are handed
in. Rules kept here:

* Bytes that parse render to the same bytes; base64 has one spelling.
* A signature by a known key (same name and id) that fails refuses the whole note; signatures by
  unknown keys are ignored; a note without any good signature by a known key is refused.
* Key ids: SHA-256(name, newline, type, key)[:4] for Ed25519 (0x01) and its checkpoint cosignatures
  (0x04); SHA-256(SubjectPublicKeyInfo DER)[:4] for ECDSA (0x02), which is what C2SP assigns to it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from coverslip.ledger.failure import NoteError

__all__ = [
    "COSIGNATURE",
    "ECDSA",
    "ED25519",
    "Note",
    "NoteError",
    "Signature",
    "Signer",
    "Verifier",
    "VerifierKey",
    "decode_base64",
    "key_id",
    "parse",
    "sign",
    "verify",
]

ED25519: Final = 0x01
ECDSA: Final = 0x02
COSIGNATURE: Final = 0x04
MAX_SIGNATURES: Final = 100
MAX_SIZE: Final = 1_000_000
"""Limits of Go's note package: larger notes are refused unread."""

_PREFIX: Final = "— "
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}")


class Signer(Protocol):
    """Whoever signs notes under one name and key."""

    @property
    def name(self) -> str:
        """Key name as it stands in the signature line."""

    @property
    def key_id(self) -> int:
        """Key id, an unsigned 32-bit number."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``."""


class Verifier(Protocol):
    """Whoever checks notes against one trusted name and key."""

    @property
    def name(self) -> str:
        """Key name as it stands in the signature line."""

    @property
    def key_id(self) -> int:
        """Key id, an unsigned 32-bit number."""

    def verify(self, message: bytes, signature: bytes) -> None:
        """Return if the signature is good; raise a ValueError if it is not."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: key name, key id (unsigned 32-bit) and the bare signature."""

    name: str
    key_id: int
    signature: bytes

    def __post_init__(self) -> None:
        _insist_name(self.name)
        if not 0 <= self.key_id < 2**32 or not self.signature:
            raise NoteError(f"signature line of {self.name!r} without a key id or a signature")

    def line(self) -> str:
        """Return the line as written, its newline included."""
        data = self.key_id.to_bytes(4, "big") + self.signature
        return f"{_PREFIX}{self.name} {base64.b64encode(data).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text (ending in a newline) and its signature lines in order, at least one when written."""

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        _insist_text(self.text)

    def to_bytes(self) -> bytes:
        """Return the note as written. Raises NoteError if nobody signed it."""
        if not self.signatures:
            raise NoteError("a note needs at least one signature")
        return (self.text + "\n" + "".join(one.line() for one in self.signatures)).encode()


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name: ``<name>+<key id hex>+<base64(type || public key)>``."""

    name: str
    algorithm: int
    public: bytes

    def __post_init__(self) -> None:
        _insist_name(self.name)
        if self.algorithm not in (ED25519, ECDSA, COSIGNATURE):
            raise NoteError(f"unknown signature type {self.algorithm:#04x} of key {self.name!r}")
        if not self.public or (self.algorithm != ECDSA and len(self.public) != 32):
            raise NoteError(f"public key of {len(self.public)} bytes for {self.name!r}")

    @property
    def key_id(self) -> int:
        """Key id, an unsigned 32-bit number."""
        return key_id(self.name, self.algorithm, self.public)

    def format(self) -> str:
        """Return the vkey text."""
        material = base64.b64encode(bytes([self.algorithm]) + self.public).decode()
        return f"{self.name}+{self.key_id:08x}+{material}"

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Read a vkey text.

        Raises:
            NoteError: not of the form, an unknown type, or a key id that is not this key's.
        """
        parts = vkey.split("+", 2)
        if len(parts) != 3 or not _KEY_ID.fullmatch(parts[1]):
            raise NoteError("a verifier key reads <name>+<8 hex digits>+<base64>")
        material = decode_base64(parts[2])
        if not material:
            raise NoteError("verifier key without key material")
        key = cls(parts[0], material[0], material[1:])
        if key.key_id != int(parts[1], 16):
            raise NoteError(f"key id {parts[1]} is not that of key {key.name!r}: {key.key_id:08x}")
        return key


def key_id(name: str, algorithm: int, public: bytes) -> int:
    """Return the key id of a public key (Ed25519: 32 bytes; ECDSA: SubjectPublicKeyInfo DER)."""
    material = public if algorithm == ECDSA else name.encode() + b"\n" + bytes([algorithm]) + public
    return int.from_bytes(hashlib.sha256(material).digest()[:4], "big")


def parse(data: bytes) -> Note:
    """Read a note without checking any signature: its text must not be trusted before ``verify``.

    Raises:
        NoteError: not exactly of the form of a signed note, or beyond its limits.
    """
    if len(data) > MAX_SIZE:
        raise NoteError(f"note of more than {MAX_SIZE} bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteError(f"note is not UTF-8: {error}") from None
    body, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NoteError("note without signature lines after an empty line")
    rows = lines[:-1].split("\n")
    if len(rows) > MAX_SIGNATURES:
        raise NoteError(f"note of more than {MAX_SIGNATURES} signatures")
    return Note(body + "\n", tuple(_parse_line(row) for row in rows))


def sign(text: str, signers: Iterable[Signer]) -> Note:
    """Return ``text`` signed by each of ``signers``, in their order.

    Raises:
        NoteError: text that cannot be a note's, a signer's malformed name, or no signer.
    """
    _insist_text(text)
    message = text.encode()
    lines = tuple(Signature(one.name, one.key_id, one.sign(message)) for one in signers)
    if not lines:
        raise NoteError("a note needs at least one signature")
    return Note(text, lines)


def verify(note: Note, verifiers: Iterable[Verifier]) -> tuple[Signature, ...]:
    """Return the signatures of ``note`` that known keys made, in the order of their lines, once each.

    Raises:
        NoteError: two verifiers of the same name and id, a signature by a known key that fails, or
            no signature by any known key.
    """
    known: dict[tuple[str, int], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) is not verifier:
            raise NoteError(f"two keys of name {verifier.name!r} and id {verifier.key_id:08x}")
    good: dict[tuple[str, int], Signature] = {}
    for one in note.signatures:
        key = (one.name, one.key_id)
        if key in known:
            _insist_good(known[key], note, one)
            good.setdefault(key, one)
    if not good:
        raise NoteError("no signature by a known key")
    return tuple(good.values())


def decode_base64(text: str) -> bytes:
    """Return the bytes of standard base64 in its one canonical spelling.

    Raises:
        NoteError: another alphabet, missing padding, or spare bits that are not zero.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"not base64: {error}") from None
    if base64.b64encode(data).decode() != text:
        raise NoteError("base64 in another than its canonical spelling")
    return data


def _insist_good(verifier: Verifier, note: Note, one: Signature) -> None:
    try:
        verifier.verify(note.text.encode(), one.signature)
    except ValueError as error:
        raise NoteError(f"the signature by {one.name!r} ({one.key_id:08x}) is false: {error}") from error


def _parse_line(row: str) -> Signature:
    name, space, encoded = row.removeprefix(_PREFIX).partition(" ")
    if not row.startswith(_PREFIX) or not space:
        raise NoteError("a signature line reads: em dash, space, key name, space, base64")
    data = decode_base64(encoded)
    if len(data) < 5:
        raise NoteError(f"signature line of {name!r} without a key id or a signature")
    return Signature(name, int.from_bytes(data[:4], "big"), data[4:])


def _insist_name(name: str) -> None:
    if not name or "+" in name or any(one.isspace() or one < " " for one in name):
        raise NoteError(f"key name {name!r} is empty or holds a space, a control character or a plus")


def _insist_text(text: str) -> None:
    if not text.endswith("\n"):
        raise NoteError("note text does not end in a newline")
    if any(one < " " and one != "\n" for one in text):
        raise NoteError("note text holds a control character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoteError("note text holds a lone surrogate") from None
