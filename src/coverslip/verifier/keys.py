"""Keys that are trusted, and checks by them.

Rules kept here:

* Trust comes from ``keys.txt`` alone, a file handed over apart from any bundle.
* The log's key is named by the log's origin, the export key ``<origin>/export``.
* A signature is checked again each time; a stored verdict is never read.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from coverslip.ledger import note
from coverslip.ledger.checkpoint import cosigned_message
from coverslip.verifier import ed25519, p256
from coverslip.verifier.ed25519 import SignatureError
from coverslip.verifier.manifest import EXPORT_SUFFIX
from coverslip.verifier.report import UsageError

SCHEMES = ("ed25519-wrapped", "p256-wrapped", "webauthn-p256")
_PRESENT_AND_VERIFIED = 0x05


@dataclass(frozen=True)
class NoteKey:
    """A trusted key that checks signed notes."""

    key: note.VerifierKey

    @property
    def name(self) -> str:
        """Key name as it stands in signature lines."""
        return self.key.name

    @property
    def key_id(self) -> int:
        """Key id, an unsigned 32-bit number."""
        return self.key.key_id

    def verify(self, message: bytes, signature: bytes) -> None:
        """Return if the signature is good; raise SignatureError if it is not."""
        if self.key.algorithm == note.ED25519:
            ed25519.verify(self.key.public, message, signature)
        elif self.key.algorithm == note.ECDSA:
            p256.verify(self.key.public, message, signature)
        elif len(signature) == 72:
            time = struct.unpack(">Q", signature[:8])[0]
            ed25519.verify(self.key.public, cosigned_message(message.decode(), time), signature[8:])
        else:
            raise SignatureError("a cosignature has 72 bytes")


class Trust:
    """The keys of one ``keys.txt``."""

    def __init__(self, keys: Iterable[note.VerifierKey]) -> None:
        self._keys = {(key.name, key.key_id): NoteKey(key) for key in keys}

    @classmethod
    def parse(cls, data: bytes) -> Trust:
        """Read a key list: one verifier key a line, ``#`` begins a comment. Raises UsageError."""
        try:
            lines = data.decode("utf-8").splitlines()
        except UnicodeDecodeError:
            raise UsageError("the key list is not UTF-8 text") from None
        keys = []
        for number, line in enumerate(lines, 1):
            text = line.split(" #", 1)[0].strip()
            if not text or text.startswith("#"):
                continue
            try:
                keys.append(note.VerifierKey.parse(text))
            except note.NoteError as error:
                raise UsageError(f"line {number} of the key list is no verifier key: {error}") from None
        if not keys:
            raise UsageError("the key list holds no key")
        return cls(keys)

    def knows(self, name: str, key_id: int) -> bool:
        """Whether this key is trusted."""
        return (name, key_id) in self._keys

    def named(self, name: str) -> list[NoteKey]:
        """Return the trusted keys of a name."""
        return [key for (known, _), key in self._keys.items() if known == name]

    def plus(self, keys: Iterable[note.VerifierKey]) -> Trust:
        """Return these keys and more."""
        return Trust([*(one.key for one in self._keys.values()), *keys])

    def witnesses(self) -> list[NoteKey]:
        """Return the trusted keys of witnesses, which cosign checkpoints of any log."""
        return [key for key in self._keys.values() if key.key.algorithm == note.COSIGNATURE]

    def logs(self) -> list[str]:
        """Return the origins for which both a log key and an export key are trusted."""
        names = {name for name, _ in self._keys}
        return sorted(name for name in names if name + EXPORT_SUFFIX in names)

    def describe(self) -> str:
        """Return names and ids of all keys."""
        return ", ".join(f"{name} ({key_id:08x})" for name, key_id in sorted(self._keys))


def check_scheme(
    scheme: str, public: bytes, message: bytes, signature: bytes, authenticator: bytes, client: bytes
) -> None:
    """Check a person's signature. ``authenticator`` and ``client`` are used by webauthn-p256 only.

    Raises SignatureError if it does not hold or the scheme is unknown.
    """
    if scheme == "ed25519-wrapped":
        ed25519.verify(public, message, signature)
    elif scheme == "p256-wrapped":
        (p256.verify_raw if len(signature) == 64 else p256.verify)(public, message, signature)
    elif scheme == "webauthn-p256":
        _check_passkey(public, message, signature, authenticator, client)
    else:
        raise SignatureError(f"unknown signature scheme {scheme!r}")


def _check_passkey(
    public: bytes, message: bytes, signature: bytes, authenticator: bytes, client: bytes
) -> None:
    """The challenge of the passkey is the SHA-256 of the signed bytes; user present and verified."""
    try:
        data = json.loads(client)
        challenge = base64.urlsafe_b64decode(data["challenge"] + "=" * (-len(data["challenge"]) % 4))
        kind = data["type"]
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise SignatureError("the client data of the passkey cannot be read") from None
    if kind != "webauthn.get" or challenge != sha256(message).digest():
        raise SignatureError("the passkey signed another statement")
    if len(authenticator) < 37 or authenticator[32] & _PRESENT_AND_VERIFIED != _PRESENT_AND_VERIFIED:
        raise SignatureError("the passkey did not verify its user")
    p256.verify(public, authenticator + sha256(client).digest(), signature)
