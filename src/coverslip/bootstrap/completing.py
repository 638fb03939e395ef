"""Completeness: heads, gaps and receipts, as an operator asks for them.

Rules kept here: everything is read with a role that cannot write, except ``ledger_heads``, which enters
what the keeper enters each night, in the name of the installation's own account.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coverslip.bootstrap import duties, quarantine, wiring
from coverslip.bootstrap.kept import insist_there
from coverslip.bootstrap.labs import lab
from coverslip.errors import EvidenceBroken, NotFound
from coverslip.ledger import note
from coverslip.ledger.failure import LedgerError
from coverslip.ledger.receipt import PendingReceipt
from coverslip.settings import Home
from coverslip.store.gaps import gaps
from coverslip.store.heads import HeadsReading
from coverslip.store.receipts import standing
from coverslip.store.refusals import readable


def ledger_heads(root: Path) -> dict[str, Any]:
    """Enter the heads of all records now and return what was entered. Raises NOT_FOUND on an empty log."""
    home = Home(root)
    wiring.installation(home)
    with wiring.database(home), lab(home) as found:
        quarantine.insist_sound(home)
        entered = duties.heads(found).enter()
    if entered is None:
        raise NotFound("NOT_FOUND", what="record", record="on this ledger")
    return entered.value()


def ledger_heads_now(root: Path) -> dict[str, Any]:
    """Return the heads of what is in the tree now; nothing is written."""
    home = Home(root)
    with wiring.database(home), wiring.core(home, size=1) as core:
        return HeadsReading(core.pool).now().value()


def ledger_heads_newest(root: Path) -> dict[str, Any] | None:
    """Return the newest heads entry: its tree index, its time and what it says; None where there is none."""
    home = Home(root)
    with wiring.database(home), wiring.core(home, size=1) as core:
        found = HeadsReading(core.pool).newest()
    return None if found is None else {"index": found.index, "at": found.at, **found.heads.value()}


def ledger_gaps(root: Path) -> dict[str, Any]:
    """Return unissued numbers with what is known of them, unused entry ids, and missing leaves."""
    home = Home(root)
    wiring.installation(home)
    with wiring.database(home), readable(), wiring.connection(home, "cs_verifier") as conn:
        return gaps(conn).value()


def receipt_check(root: Path, path: Path) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return findings and counts: is every receipt of a file's entry on the ledger, with the hash it names?

    ``path`` holds signed pending receipts, one or several. Raises ``MisuseError`` where it is no file;
    EVIDENCE for a file without one, or one that no key of this home signed: such a receipt proves nothing.
    """
    insist_there("FILE", path, "a file of signed receipts", folder=False)
    home = Home(root)
    origin = wiring.installation(home).origin
    receipts = [_receipt(home, origin, data) for data in _notes(path)]
    if not receipts:
        raise EvidenceBroken("EVIDENCE", what=str(path), expected="a signed receipt", found="none")
    findings, counts = [], {"receipts": len(receipts), "integrated": 0, "pending": 0}
    with wiring.database(home), readable(), wiring.connection(home, "cs_verifier") as conn:
        for one in receipts:
            found = standing(conn, one.entry, one.leaf_hash)
            if found.problem:
                sentence = f"receipt: entry {one.entry}, accepted at {one.at}: {found.problem}"
                findings.append(
                    {"kind": "receipt", "what": "receipt", "entry": one.entry, "field": found.field,
                     "record": found.record, "message": found.problem, "sentence": sentence}
                )  # fmt: skip
            else:
                counts["pending" if found.index is None else "integrated"] += 1
    return findings, counts


def _notes(path: Path) -> list[bytes]:
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceBroken(
            "EVIDENCE", what=str(path), expected="signed receipts", found=str(error)
        ) from error
    starts = text.split("coverslip receipt v1\n")[1:]
    return [f"coverslip receipt v1\n{one.rstrip()}\n".encode() for one in starts]


def _receipt(home: Home, origin: str, data: bytes) -> PendingReceipt:
    try:
        parsed = note.parse(data)
        note.verify(parsed, wiring.trusted(home))
        made = PendingReceipt.parse(parsed.text)
    except LedgerError as error:
        raise EvidenceBroken(
            "EVIDENCE", what="the receipt", expected="one signed by the key of this log", found=str(error)
        ) from error
    if made.origin != origin:
        raise EvidenceBroken("EVIDENCE", what="the receipt", expected=f"one of {origin}", found=made.origin)
    return made
