"""One walk over all leaves of the ledger: entries, tree, tiles and heads side by side.

Rules kept here: every leaf is hashed from its bytes and every entry is checked, quickly where
:mod:`coverslip.store.check_quick` is sure that nothing is wrong, in whole otherwise; what is missing takes
the place the tile gives it, so that everything behind it is still compared.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import psycopg

from coverslip.ledger.order import TimeOrder
from coverslip.store.check_admission import AdmissionCheck
from coverslip.store.check_entries import EntryCheck
from coverslip.store.check_heads import HeadsCheck
from coverslip.store.check_quick import QuickCheck
from coverslip.store.check_tree import TileCheck, TreeCheck
from coverslip.store.feeds import Raw, raw_rows
from coverslip.store.findings import Report
from coverslip.store.rows import Row
from coverslip.store.tiles import WIDTH


def walk(
    conn: psycopg.Connection[Any],
    tree: TreeCheck,
    entries: EntryCheck,
    report: Report,
    number: Callable[[str], str],
    admission: AdmissionCheck,
    told: Callable[[int], None] | None = None,
) -> None:
    """Take every leaf of log 1; ``number`` names the record of a stream. ``conn`` is within a transaction.

    ``told`` hears after each 256 leaves how many there were.
    """
    tiles, heads = TileCheck(conn, report), HeadsCheck(conn, report)
    quick = QuickCheck(entries)
    expected, block, order = 0, list[bytes](), TimeOrder()
    for raw in raw_rows(conn):
        index = raw[0]
        if index != expected:
            report.add("leaf", f"leaves {expected} to {index - 1} are missing", index=expected)
            expected = index
        expected += 1
        known = tiles.expected(index)
        hashed = sha256(b"\x00" + raw[9]).digest()
        if raw[2] is not None:
            admission.add(raw, hashed)
        taken = (known is None or known == hashed) and quick.take(raw, hashed)
        if not taken:
            hashed = _whole(raw, hashed, known, entries, report, number)
        if not taken or not order.later(quick.at):
            order.see(index, raw[9])
        block.append(hashed)
        if len(block) == WIDTH:
            tree.add(block, tiles.add(block))
            block = []
            if told is not None:
                told(expected)
        heads.at(expected, entries.streams)
    tree.add(block, None)
    quick.finish()
    admission.finish()
    _times(order, report)


def _times(order: TimeOrder, report: Report) -> None:
    """Name entries dated before earlier ones; a jump of the clock that is recorded is counted, no finding."""
    for run in order.found():
        if run.explained:
            report.counts["recorded clock jumps"] += 1
        else:
            report.add("time", run.sentence(), index=run.first, field="at")


def _whole(
    raw: Raw,
    hashed: bytes,
    known: bytes | None,
    entries: EntryCheck,
    report: Report,
    number: Callable[[str], str],
) -> bytes:
    """Check an entry in whole; return the hash that stands for it in the tree."""
    row = Row.of(raw)
    if row.id is None:
        report.add("entry", "the entry of this leaf is gone", index=row.index, entry_id=row.entry_id)
        entries.faulty.append((row.index, f"entry {row.entry_id}"))
        return known or b"\x00" * 32
    if known is not None and known != hashed:
        name = number(str(row.stream))
        entries.faulty.append((row.index, name))
        report.add(
            "entry", "its bytes are not those the tree was made from", index=row.index,
            entry_id=row.entry_id, record=name, version=row.version,
        )  # fmt: skip
    entries.add(row, hashed)
    return hashed
