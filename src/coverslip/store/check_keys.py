"""Changes of the log's key: is each signed by both keys, and did each key sign only what it might?

Rules kept here: the first old key must be one the caller trusts; each later one must follow from it. A
statement must stand on the log after the tree it names, with that tree's root.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from coverslip.errors import EvidenceBroken
from coverslip.ledger import note, rotation
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.failure import LedgerError
from coverslip.store import anchor_rows
from coverslip.store.findings import Report
from coverslip.store.notes import NoteVerifier


def check(
    conn: psycopg.Connection[Any], notes: Iterable[bytes], keys: Sequence[str], report: Report
) -> list[rotation.Rotation]:
    """Check all ``keys`` entries of log 1, and who signed each of ``notes`` and the stored checkpoints.

    ``keys`` are the verifier keys (vkey texts) that count. Returns the rotations that hold, in order.
    """
    try:
        statements = anchor_rows.rotations(conn)
    except EvidenceBroken as error:
        report.add("keys", error.message)
        return []
    held: list[rotation.Rotation] = []
    trusted = {note.VerifierKey.parse(key).format() for key in keys}
    for index, statement in statements:
        report.counts["key_changes"] += 1
        try:
            made = rotation.opened(statement, NoteVerifier)
        except LedgerError as error:
            report.add("keys", f"the change of key does not hold: {error}", index=index)
            continue
        for problem in _problems(conn, index, made, held, trusted):
            report.add("keys", problem, index=index)
            break
        else:
            held.append(made)
    if statements:
        stored = conn.execute("select note from ledger.checkpoint where log_id = 1 order by size")
        _signers([*(bytes(row[0]) for row in stored), *notes], held, report)
    return held


def _problems(
    conn: psycopg.Connection[Any],
    index: int,
    made: rotation.Rotation,
    held: Sequence[rotation.Rotation],
    trusted: set[str],
) -> Iterable[str]:
    if held and made.old != held[-1].new:
        yield "the change of key does not go on from the key before it"
    if not held and made.old.format() not in trusted:
        yield "the change of key begins with a key that is not trusted"
    if made.last.size > index or (held and made.last.size < held[-1].last.size):
        yield f"the change of key names a tree of {made.last.size} entries, which was not the last before it"
    row = conn.execute(
        "select root from ledger.checkpoint where log_id = 1 and size = %s", (made.last.size,)
    ).fetchone()
    if row is None or bytes(row[0]) != made.last.root:
        yield f"the change of key names another tree of {made.last.size} entries than was signed"


def _signers(notes: Iterable[bytes], held: Sequence[rotation.Rotation], report: Report) -> None:
    told: set[tuple[int, int]] = set()
    for data in notes:
        try:
            sealed = note.parse(data)
            checkpoint = Checkpoint.parse(sealed.text)
        except LedgerError:
            continue  # whoever reads notes as checkpoints has told
        for one in sealed.signatures:
            key = (checkpoint.size, one.key_id)
            wrong = one.name == checkpoint.origin and not rotation.allowed(held, one.key_id, checkpoint.size)
            if wrong and key not in told:
                told.add(key)
                report.add(
                    "keys",
                    f"a checkpoint of {checkpoint.size} entries is signed by the key {one.key_id:08x}, which"
                    " signs no tree of that size",
                    index=checkpoint.size - 1,
                )
