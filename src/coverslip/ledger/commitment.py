"""Commitments: how a leaf names a section of content without holding it.

``c = HMAC-SHA-256(salt, section || 0x00 || content)`` with 32 random bytes of salt per section. The
leaf holds ``c`` only; salt and content live in an erasable table. Without its salt a commitment says
nothing about its content, so content can be erased while the leaf and the tree stay as they are.
The section name is inside, so that content cannot be moved to another section.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from coverslip.ledger.failure import CommitmentError

__all__ = ["ERASABLE", "SALT_SIZE", "SECTIONS", "CommitmentError", "commit", "new_salt", "verify"]

SALT_SIZE: Final = 32
ERASABLE: Final = frozenset({"personal", "reason", "context"})
"""Sections that may be erased under authority; the others are fixed for ever."""
SECTIONS: Final = ERASABLE | {"content", "signature", "files", "snapshot", "definition", "detail"}


def new_salt() -> bytes:
    """Return 32 fresh random bytes."""
    return secrets.token_bytes(SALT_SIZE)


def commit(section: str, salt: bytes, content: bytes) -> bytes:
    """Return the 32-byte commitment of ``content`` as ``section``.

    Raises:
        CommitmentError: an unknown section or a salt that is not 32 bytes.
    """
    if section not in SECTIONS:
        raise CommitmentError(f"unknown section {section!r}")
    if len(salt) != SALT_SIZE:
        raise CommitmentError(f"salt of {len(salt)} bytes instead of {SALT_SIZE}")
    return hmac.digest(salt, section.encode() + b"\x00" + content, "sha256")


def verify(section: str, salt: bytes, content: bytes, commitment: bytes) -> None:
    """Return if salt and content open ``commitment`` (32 bytes) as ``section``.

    Raises:
        CommitmentError: they do not.
    """
    if not hmac.compare_digest(commit(section, salt, content), commitment):
        raise CommitmentError(f"section {section!r} does not open its commitment {commitment.hex()}")
