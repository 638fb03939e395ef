"""Where the entry of a receipt stands: the one witness of what was accepted and never came into the tree.

Rules kept here: the leaf hash is looked for first, because it names the very bytes that were accepted; an
entry that has the id and another hash is another entry. The whole log is read: receipts are checked rarely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg

from coverslip.ledger.tree import leaf_hash

_BY_HASH: Final = (
    "select l.idx, e.leaf, coalesce(n.number, e.kind), a.detail from ledger.entry e"
    " left join ledger.leaf l on l.log_id = 1 and l.entry_id = e.id"
    " left join projection.number n on n.uid = e.record_id"
    " left join ops.alarm a on a.kind = 'admission' and a.entry_id = e.id"
    " where e.log_id = 1 and e.leaf_hash = %s"
)
_BY_ID: Final = (
    "select coalesce(n.number, e.kind) from ledger.entry e"
    " left join projection.number n on n.uid = e.record_id"
    " where e.log_id = 1 and position(%s::bytea in e.leaf) > 0"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an entry stands: its tree index (None while it waits), its record, or what is wrong."""

    index: int | None = None
    record: str = ""
    problem: str = ""
    field: str = ""


def standing(conn: psycopg.Connection[Any], entry: str, hashed: str) -> Standing:
    """Return where the entry (uuid) with the leaf hash (hex) that a receipt names stands."""
    row = conn.execute(_BY_HASH, (bytes.fromhex(hashed),)).fetchone()
    if row is not None:
        index, data, record, alarm = row
        if leaf_hash(bytes(data)).hex() != hashed:
            return Standing(index, record, "its bytes were changed since it was accepted", "leaf")
        if index is None and alarm is not None:
            return Standing(None, record, f"it never came into the tree: {alarm}", "admit")
        return Standing(index, record)
    other = conn.execute(_BY_ID, (f'"entry":"{entry}"'.encode(),)).fetchone()
    if other is not None:
        return Standing(None, str(other[0]), "the ledger has an entry of this id with another hash", "leaf")
    return Standing(None, "", "it was accepted and is not on the ledger", "entry")
