"""The stored tree held against checkpoints kept elsewhere: is it the history they saw?

Rules kept here: a checkpoint that the log's key signed, at whose size the stored tree has another root,
proves two histories; the database then is not written to. Only what a signed recovery declared lost is
passed over. A note of another key proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from coverslip.errors import EvidenceBroken
from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.failure import LedgerError
from coverslip.store.signer import Signed, current, lost, verify_note
from coverslip.store.tiles import TreeReader

_REMEDY = (
    "Keep a copy of the whole home and find out which of the two histories is the laboratory's; put that one"
    " back from a backup."
)


def insist_one_history(
    conn: psycopg.Connection[Any],
    journal: Sequence[Signed],
    places: Iterable[tuple[str, Sequence[bytes]]],
    verifiers: Sequence[note.Verifier],
) -> None:
    """Return when the stored tree has the root of every note of ``places``, pairs of (where, notes).

    ``verifiers`` are the log's own keys; notes of more entries than the tree has are passed over here. The
    newest of each place is always computed, an older one only where the journal does not stand by it: what
    stands in the journal led to its last line, which the start compares. Raises RECOVERY_REQUIRED naming the
    place and the size.
    """
    row = conn.execute("select size from ledger.tree where log_id = 1").fetchone()
    size, reader = int(row[0]) if row else 0, TreeReader(conn)
    standing, gone = {(one.size, one.root) for one in current(journal)}, lost(journal)
    for where, notes in places:
        claimed = {(c.size, c.root): data for data in notes if (c := _claimed(data)) and 0 < c.size <= size}
        newest = max((one for one in claimed if one in standing), default=None)
        for one in sorted(claimed, reverse=True):
            if one in gone or (one in standing and one != newest) or not _signed(claimed[one], verifiers):
                continue
            if _root(reader, one[0]) != one[1]:
                raise EvidenceBroken(
                    "RECOVERY_REQUIRED",
                    message=f"A checkpoint of {one[0]} entries that this log signed is kept in {where}, and"
                    " the database has another history up to there. Nothing is written or signed; reading and"
                    " exporting go on.",
                    signed=one[0], found=size, remedy=_REMEDY,
                )  # fmt: skip


def _root(reader: TreeReader, size: int) -> bytes:
    try:
        return reader.root(size)
    except LedgerError:
        return b""


def _claimed(data: bytes) -> Checkpoint | None:
    try:
        return Checkpoint.parse(note.parse(data).text)
    except LedgerError:
        return None


def _signed(data: bytes, verifiers: Sequence[note.Verifier]) -> bool:
    try:
        verify_note(data, verifiers)
    except LedgerError:
        return False
    return True
