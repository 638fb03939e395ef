"""Ed25519 keys for signed notes, by the ``cryptography`` package.

Rules kept here: a key is 32 random bytes in a file of mode 0600, created once and never overwritten.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from coverslip.errors import EnvironmentFault
from coverslip.ledger import note


class NoteKey:
    """A private note key under a name; a ``note.Signer``."""

    def __init__(self, name: str, seed: bytes) -> None:
        """Take the key name and the 32-byte seed."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier_key = note.VerifierKey(
            name, note.ED25519, self._private.public_key().public_bytes_raw()
        )

    @property
    def name(self) -> str:
        """Key name as it stands in the signature line."""
        return self.verifier_key.name

    @property
    def key_id(self) -> int:
        """Key id, an unsigned 32-bit number."""
        return self.verifier_key.key_id

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over ``message``."""
        return self._private.sign(message)


class NoteVerifier:
    """A public note key; a ``note.Verifier``."""

    def __init__(self, key: note.VerifierKey) -> None:
        self._key = key
        self._public = Ed25519PublicKey.from_public_bytes(key.public)

    @property
    def name(self) -> str:
        """Key name as it stands in the signature line."""
        return self._key.name

    @property
    def key_id(self) -> int:
        """Key id, an unsigned 32-bit number."""
        return self._key.key_id

    def vkey(self) -> str:
        """Return the verifier key text."""
        return self._key.format()

    def verify(self, message: bytes, signature: bytes) -> None:
        """Return if the signature is good; raise ValueError if it is not."""
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            raise ValueError("Ed25519 signature does not verify") from None


def create_seed(path: Path) -> bytes:
    """Make a key file (seed in hex, mode 0600) and return the seed. Raises FileExistsError."""
    seed = secrets.token_bytes(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(seed.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return seed


def read_seed(path: Path) -> bytes:
    """Return the 32 bytes of a key file.

    Raises ENVIRONMENT when it is missing, malformed, or readable by others than its owner.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise EnvironmentFault(
                "ENVIRONMENT", what=str(path), expected="mode 0600", found="readable by others"
            )
        seed = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise EnvironmentFault(
            "ENVIRONMENT", what=str(path), expected="32 bytes in hex", found=str(error)
        ) from error
    if len(seed) != 32:
        raise EnvironmentFault(
            "ENVIRONMENT", what=str(path), expected="32 bytes in hex", found=f"{len(seed)} bytes"
        )
    return seed
