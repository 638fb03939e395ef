"""Pending receipts: what a client holds before its entry is in a signed checkpoint.

The text of a signed note, five lines: ``coverslip receipt v1``, origin, entry uuid, leaf hash in hex,
time. With it a client can show later that an accepted entry was left out of the log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from coverslip.ledger.checkpoint import insist_origin
from coverslip.ledger.failure import CheckpointError, LeafError
from coverslip.ledger.moment import parse_time

__all__ = ["HEADER", "CheckpointError", "PendingReceipt"]

HEADER: Final = "coverslip receipt v1"
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PendingReceipt:
    """Origin of the log, entry uuid, leaf hash (64 hex digits) and time (microseconds, Z)."""

    origin: str
    entry: str
    leaf_hash: str
    at: str

    def __post_init__(self) -> None:
        insist_origin(self.origin)
        if not _UUID.fullmatch(self.entry) or not _HASH.fullmatch(self.leaf_hash):
            raise CheckpointError("receipt without an entry uuid or a leaf hash")
        try:
            parse_time(self.at)
        except LeafError as error:
            raise CheckpointError(f"receipt: {error}") from None

    def text(self) -> str:
        """Return the note text: five lines, each ending in a newline."""
        return f"{HEADER}\n{self.origin}\n{self.entry}\n{self.leaf_hash}\n{self.at}\n"

    @classmethod
    def parse(cls, text: str) -> PendingReceipt:
        """Read a note text. Raises CheckpointError unless it is exactly of the form."""
        lines = text.split("\n")
        if len(lines) != 6 or lines[0] != HEADER or lines[5]:
            raise CheckpointError(f"a receipt is five lines, the first {HEADER!r}")
        return cls(*lines[1:5])
