"""Alarms of the sequencer, for whoever looks at the ledger's state.

Rules kept here: an alarm is never taken back; a record with a forged version stays named.
"""

from __future__ import annotations

from typing import Any

import psycopg


def alarmed(conn: psycopg.Connection[Any]) -> tuple[int, list[str]]:
    """Return the number of alarms, and the numbers of records that take no further version, sorted."""
    row = conn.execute("select count(*) from ops.alarm").fetchone()
    found = conn.execute(
        "select distinct coalesce(n.number, e.kind || ' ' || e.record_id) from ops.alarm a"
        " join ledger.entry e on e.log_id = 1 and e.id = a.entry_id"
        " left join projection.number n on n.uid = e.record_id where a.kind = 'admission' order by 1"
    ).fetchall()
    return 0 if row is None else int(row[0]), [str(one) for (one,) in found]
