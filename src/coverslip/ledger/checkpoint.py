"""Checkpoints: the three lines of C2SP tlog-checkpoint, and what a witness signs over them.

``origin``, tree size in decimal, base64 of the root. Extension lines are refused: nobody audits them.
A text that parses renders to the same text.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from coverslip.ledger.failure import CheckpointError, NoteError
from coverslip.ledger.note import decode_base64
from coverslip.ledger.tree import EMPTY_ROOT, HASH_SIZE

__all__ = ["Checkpoint", "CheckpointError", "cosigned_message", "insist_origin"]

MAX_SIZE: Final = 2**63 - 1
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_ORIGIN: Final = re.compile(r"[!-*,-~]{1,255}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Origin, number of leaves and root (32 bytes) of one state of a log."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        insist_origin(self.origin)
        if type(self.size) is not int or not 0 <= self.size <= MAX_SIZE:
            raise CheckpointError(f"tree size {self.size!r}")
        if len(self.root) != HASH_SIZE:
            raise CheckpointError(f"root of {len(self.root)} bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise CheckpointError("an empty tree with another root than the empty one")

    def text(self) -> str:
        """Return the note text: three lines, each ending in a newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note text.

        Raises:
            CheckpointError: not exactly three lines of the form, extension lines included.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise CheckpointError("a checkpoint is three lines: origin, size, root; no extension lines")
        if not _DECIMAL.fullmatch(lines[1]):
            raise CheckpointError(f"tree size {lines[1]!r}")
        try:
            root = decode_base64(lines[2])
        except NoteError as error:
            raise CheckpointError(f"root hash: {error}") from None
        return cls(lines[0], int(lines[1]), root)


def cosigned_message(text: str, time: int) -> bytes:
    """Return what a witness signs (cosignature/v1) over a checkpoint text at POSIX second ``time``.

    Raises:
        CheckpointError: a time outside 0 to 2**63 - 1.
    """
    if type(time) is not int or not 0 <= time <= MAX_SIZE:
        raise CheckpointError(f"cosignature time {time!r}")
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def insist_origin(origin: str) -> None:
    """Return if ``origin`` can name a log: 1 to 255 visible ASCII characters, none of them a plus.

    Raises:
        CheckpointError: it cannot.
    """
    if not isinstance(origin, str) or not _ORIGIN.fullmatch(origin):
        raise CheckpointError(f"origin {origin!r} is not 1 to 255 visible ASCII characters without a plus")
