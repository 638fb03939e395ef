"""How far the log has come: what is in the tree and what waits for its place there.

Both are read in one snapshot. Read one after the other, entries that are given their place in between would
not be counted at all, and who waits for "everything written so far" would go on too early.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg.rows import dict_row

from coverslip.store.pool import Pool

_TREE: Final = "select size, encode(root, 'hex') as root, low_water from ledger.tree where log_id = 1"
_PENDING: Final = (
    "select count(*) as n from ledger.entry e where e.log_id = 1 and e.id > %(low)s"
    " and not exists (select 1 from ledger.leaf l where l.entry_id = e.id)"
)


def standing(pool: Pool) -> dict[str, Any]:
    """Return size and root (hex) of the tree, and how many entries are ``pending``."""
    with pool.connection() as conn, conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute("set transaction isolation level repeatable read read only")
        found = cursor.execute(_TREE).fetchone() or {"size": 0, "root": "", "low_water": 0}
        # Asked with the mark as a value: the planner then knows how little lies behind it.
        waiting = cursor.execute(_PENDING, {"low": found.pop("low_water")}).fetchone() or {"n": 0}
    return {**found, "pending": int(waiting["n"])}
