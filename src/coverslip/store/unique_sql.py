"""Unique values: which record holds one, and when something was done to it.

Rules kept here: reads only; a value kept for ever is found also when its record has ended.
"""

from __future__ import annotations

from typing import Any

from psycopg.rows import tuple_row

from coverslip.store.pool import Pool


class PostgresUnique:
    """Looks unique values up on a pool that may select from ``projection``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _one(self, sql: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
        with self._pool.connection() as conn, conn.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(sql, values).fetchone()

    def holder(self, scope: str, value: str) -> str:
        """Return the number of the record that holds a value, empty when none does."""
        row = self._one(
            "select n.number from projection.unique_value u join projection.number n on n.uid = u.record"
            " where u.scope = %(s)s and u.value = %(v)s",
            {"s": scope, "v": value},
        )
        return str(row[0]) if row else ""

    def when(self, number: str, act: str) -> str:
        """Return when a record's first such act was entered, by its leaf; empty when it never was."""
        row = self._one(
            "select convert_from(e.leaf, 'UTF8')::jsonb ->> 'at' from projection.number n"
            " join ledger.entry e on e.record_id = n.uid where n.number = %(n)s"
            " and convert_from(e.leaf, 'UTF8')::jsonb ->> 'act' = %(a)s order by e.version limit 1",
            {"n": number, "a": act},
        )
        return str(row[0]) if row else ""
