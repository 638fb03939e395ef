"""What the ledger's formats raise.

One root, so that a reader of foreign bytes can catch exactly the failures of these formats and
nothing else. All are ``ValueError``: the bytes or values handed in were wrong.
"""

from __future__ import annotations


class LedgerError(ValueError):
    """Root of every failure of the ledger's formats."""


class CanonicalError(LedgerError):
    """A value or text outside the canonical profile; ``path`` says where, ``$`` being the root."""

    def __init__(self, reason: str, path: str = "$") -> None:
        super().__init__(reason, path)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"

    def under(self, step: str) -> CanonicalError:
        """Return the same failure seen from one level further out."""
        return type(self)(self.reason, "$" + step + self.path[1:])


class CommitmentError(LedgerError):
    """A section that does not open its commitment, or a salt or section name that cannot."""


class LeafError(LedgerError):
    """A leaf that is not exactly of the form of ledger entries."""


class TreeError(LedgerError):
    """A tree asked for something it cannot have: a hash of another length, an index outside it."""


class ProofError(LedgerError):
    """A proof that does not hold.

    ``expected`` is the root that had to come out and ``computed`` the one that did; ``computed`` is
    None where the proof was refused before a root could be computed.
    """

    def __init__(self, reason: str, expected: bytes = b"", computed: bytes | None = None) -> None:
        super().__init__(reason, expected, computed)
        self.reason = reason
        self.expected = expected
        self.computed = computed

    def __str__(self) -> str:
        got = "none computed" if self.computed is None else self.computed.hex()
        return f"{self.reason} (expected root {self.expected.hex() or 'none'}, computed {got})"


class NoteError(LedgerError):
    """A signed note, key or signature line that is malformed, unknown or false."""


class CheckpointError(LedgerError):
    """A checkpoint or receipt text that is not exactly of its form."""


class FileProofError(LedgerError):
    """File content that does not belong to the recorded root; ``block`` is its 1 MiB block or None."""

    def __init__(self, reason: str, block: int | None = None) -> None:
        super().__init__(reason, block)
        self.reason = reason
        self.block = block

    def __str__(self) -> str:
        return self.reason if self.block is None else f"block {self.block}: {self.reason}"
