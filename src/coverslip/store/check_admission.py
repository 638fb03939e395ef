"""Did every entry of the tree come through the application?

Rules kept here: the tag is computed anew from the leaf's bytes with a key the database does not know, so that
whoever has every right in the database, the sequencer's and the superuser's too, cannot mint an entry that
passes; where the key is not at hand that is counted, never taken for a good answer.
"""

from __future__ import annotations

import hmac
from typing import Any

import psycopg

from coverslip.store.feeds import Raw
from coverslip.store.findings import Report


class AdmissionCheck:
    """Names entries of the tree whose admission tag is not the application's.

    ``conn`` is of any role that reads ``ledger``; ``key`` is the 32-byte admission key, ``None`` where it is
    kept elsewhere.
    """

    def __init__(self, conn: psycopg.Connection[Any], key: bytes | None, report: Report) -> None:
        self._conn, self._key, self._report = conn, key, report
        self._seen = 0

    def add(self, row: Raw, hashed: bytes) -> None:
        """Take the next entry of the tree; ``hashed`` is the leaf hash of its bytes."""
        if self._key is None:
            return
        self._seen += 1
        if not hmac.compare_digest(hmac.digest(self._key, hashed, "sha256"), row[16]):
            number, version = _place(self._conn, row[1])
            self._report.add(
                "entry", "its admission tag is not the application's: it was written past it",
                index=row[0], entry_id=row[1], record=number, version=version,
            )  # fmt: skip

    def finish(self) -> None:
        """Add the counts to the report."""
        self._report.counts["admissions"] += self._seen
        self._report.counts["admissions_unchecked"] += self._key is None


def _place(conn: psycopg.Connection[Any], entry_id: int) -> tuple[str, int]:
    row = conn.execute(
        "select coalesce(n.number, e.kind), e.version from ledger.entry e"
        " left join projection.number n on n.uid = e.record_id where e.log_id = 1 and e.id = %s",
        (entry_id,),
    ).fetchone()
    return ("", 0) if row is None else (str(row[0]), int(row[1]))
