"""What retention reads: links in both directions, many records at once, and pages of all records.

Rules kept here: reads only; a set of records is one statement, however many they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from coverslip.kernel.rows import Row, row_from
from coverslip.store.pool import Pool


class PostgresRetaining:
    """Reads on a pool that may select from ``projection`` and ``ledger.tree``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        with self._pool.connection() as conn:
            return conn.execute(sql.encode(), values).fetchall()

    def rows(self, uids: Collection[str]) -> list[Row]:
        """Return the records with these uids, by number; unknown ones are left out."""
        found = self._all(
            "select ops.row_of(type, uid) from projection.number where uid = any(%(u)s::uuid[])"
            " order by number, revision",
            u=list(uids),
        )
        return [row_from(row) for (row,) in found]

    def of_type(self, kind: str) -> list[Row]:
        """Return every record of a type, by number."""
        found = self._all(
            "select ops.row_of(type, uid) from projection.number where type = %(k)s"
            " order by number, revision",
            k=kind,
        )
        return [row_from(row) for (row,) in found]

    def inbound(
        self, uids: Collection[str], types: Sequence[str] = (), most: int = 0
    ) -> list[tuple[str, str, str, str]]:
        """Return the links to these records: (to uid, from type, from uid, field); ``types`` empty: any.

        ``most`` of them, where it is not 0.
        """
        return self._all(
            "select to_uid::text, from_type, from_uid::text, field from projection.link"
            " where to_uid = any(%(u)s::uuid[]) and (%(t)s::text[] = '{}' or from_type = any(%(t)s))"
            " limit nullif(%(m)s, 0)",
            u=list(uids),
            t=list(types),
            m=most,
        )

    def outbound(self, uids: Collection[str], field: str) -> list[tuple[str, str, str]]:
        """Return where a link field of these records leads: (from uid, to type, to uid)."""
        return self._all(
            "select from_uid::text, to_type, to_uid::text from projection.link"
            " where from_uid = any(%(u)s::uuid[]) and field = %(f)s",
            u=list(uids),
            f=field,
        )

    def page(self, types: Sequence[str], after: str, limit: int) -> list[Row]:
        """Return records of these types in the order of their uids, which is that of their making."""
        found = self._all(
            "select ops.row_of(type, uid) from (select type, uid from projection.number"
            " where type = any(%(t)s) and (%(a)s = '' or uid > nullif(%(a)s, '')::uuid)"
            " order by uid limit %(l)s) found order by uid",
            t=list(types),
            a=after,
            l=limit,
        )
        return [row_from(row) for (row,) in found]

    def size(self) -> int:
        """Return the size of the tree."""
        found = self._all("select size from ledger.tree where log_id = 1")
        return int(found[0][0]) if found else 0
