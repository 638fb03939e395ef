"""Did every entry of the tree come through the application?

Rules kept here: the tag is computed anew from the leaf's bytes with a key the database does not know, so that
whoever has every right in the database, the sequencer's and the superuser's too, cannot mint an entry that
passes; where the key is not at hand that is counted, never taken for a good answer.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Any

import psycopg

from coverslip.ledger.tree import leaf_hash
from coverslip.store.findings import Report

_BATCH = 5_000


def check(conn: psycopg.Connection[Any], key: bytes | None, report: Report) -> None:
    """Name entries of the tree whose admission tag is not the application's.

    ``conn`` is of any role that reads ``ledger``; ``key`` is the 32-byte admission key, ``None`` where it
    is kept elsewhere.
    """
    if key is None:
        report.counts["admissions_unchecked"] += 1
        return
    for index, entry_id, leaf, admit in _entries(conn):
        report.counts["admissions"] += 1
        if not hmac.compare_digest(hmac.digest(key, leaf_hash(leaf), "sha256"), admit):
            number, version = _place(conn, entry_id)
            report.add(
                "entry", "its admission tag is not the application's: it was written past it",
                index=index, entry_id=entry_id, record=number, version=version,
            )  # fmt: skip


def _entries(conn: psycopg.Connection[Any]) -> Iterator[tuple[int, int, bytes, bytes]]:
    after = -1
    while True:
        rows = conn.execute(
            "select l.idx, e.id, e.leaf, e.admit from ledger.leaf l join ledger.entry e on e.log_id = 1"
            " and e.id = l.entry_id where l.log_id = 1 and l.idx > %s order by l.idx limit %s",
            (after, _BATCH),
        ).fetchall()
        if not rows:
            return
        for index, entry_id, leaf, admit in rows:
            yield int(index), int(entry_id), bytes(leaf), bytes(admit)
        after = int(rows[-1][0])


def _place(conn: psycopg.Connection[Any], entry_id: int) -> tuple[str, int]:
    row = conn.execute(
        "select coalesce(n.number, e.kind), e.version from ledger.entry e"
        " left join projection.number n on n.uid = e.record_id where e.log_id = 1 and e.id = %s",
        (entry_id,),
    ).fetchone()
    return ("", 0) if row is None else (str(row[0]), int(row[1]))
