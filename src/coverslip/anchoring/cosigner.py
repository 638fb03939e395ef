"""Cosignatures (C2SP tlog-cosignature, cosignature/v1): Ed25519 over a checkpoint and a second of time."""

from __future__ import annotations

import struct
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coverslip.ledger import note
from coverslip.ledger.checkpoint import cosigned_message


class Cosigner:
    """A witness's key. ``now`` gives POSIX seconds."""

    def __init__(self, name: str, seed: bytes, now: Callable[[], int]) -> None:
        """Take the witness's name and the 32-byte seed of its key."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._now = now
        public = self._private.public_key().public_bytes_raw()
        self.verifier_key = note.VerifierKey(name, note.COSIGNATURE, public)

    def cosign(self, text: str) -> note.Signature:
        """Return the signature line over a checkpoint's text, made now."""
        at = self._now()
        made = struct.pack(">Q", at) + self._private.sign(cosigned_message(text, at))
        return note.Signature(self.verifier_key.name, self.verifier_key.key_id, made)


def cosigned_at(signature: note.Signature) -> int:
    """Return the POSIX second a cosignature states. Raises NoteError when it is none."""
    if len(signature.signature) != 72:
        raise note.NoteError("a cosignature has 72 bytes")
    return int(struct.unpack(">Q", signature.signature[:8])[0])
