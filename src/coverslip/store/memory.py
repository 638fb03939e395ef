"""The signer's memory held against what it signed: is the journal whole?

Rules kept here: a checkpoint that bears the signer's signature and is larger than its journal remembers
means that the journal lost its end (a disk that lied, an older copy). Then nothing is signed, for the
signer could sign a second history of what it forgot. A note of another key proves nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from coverslip.errors import EvidenceBroken
from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.failure import LedgerError
from coverslip.store.signer import Signed, verify_note

_REMEDY = (
    "Keep a copy of the whole home, put the journal back from a backup of the signer's folder, and start."
    " A recovery is no way out here: the database is whole."
)


def newest_stored(conn: psycopg.Connection[Any]) -> list[bytes]:
    """Return the note of the largest checkpoint the database keeps, in a list; empty when there is none."""
    row = conn.execute(
        "select note from ledger.checkpoint where log_id = 1 order by size desc limit 1"
    ).fetchone()
    return [] if row is None else [bytes(row[0])]


def insist_whole(
    journal: Sequence[Signed], kept: Iterable[tuple[str, bytes]], verifiers: Sequence[note.Verifier]
) -> None:
    """Return when the journal remembers every note of ``kept``, pairs of (where it is kept, note).

    ``journal`` holds at least the last line. Raises RECOVERY_REQUIRED naming the place and both sizes.
    """
    last = journal[-1].size if journal else 0
    known = {(one.size, one.root) for one in journal}
    for where, data in kept:
        claimed = _claimed(data)
        if claimed is None or claimed.size <= last or (claimed.size, claimed.root) in known:
            continue
        try:
            verify_note(data, verifiers)
        except LedgerError:
            continue
        raise EvidenceBroken(
            "RECOVERY_REQUIRED",
            message=f"The signer's journal ends at {last} entries, but a checkpoint of {claimed.size} entries"
            f" that it signed is kept in {where}: the journal has lost its end. Nothing is written or signed"
            " until it is put back from a backup of the signer's folder; reading and exporting go on.",
            signed=claimed.size, found=last, remedy=_REMEDY,
        )  # fmt: skip


def _claimed(data: bytes) -> Checkpoint | None:
    try:
        return Checkpoint.parse(note.parse(data).text)
    except LedgerError:
        return None
