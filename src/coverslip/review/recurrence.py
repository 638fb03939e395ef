"""Recurrence of a cause: the CAPAs that named it before and answered by retraining (DOMAIN 8.8).

Rules kept here: found on the records, not told by who would rather not see it; what was rejected or voided
never answered anything and does not count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from coverslip.kernel.rows import Row
from coverslip.records.quality.capa import RETRAINING, TYPE as CAPA

_NEVER = ("rejected", "voided")
_PAGE = 200


class Reading(Protocol):
    """Reading the CAPAs there are."""

    def page(self, kind: str, state: str, text: str, cursor: str, limit: int) -> tuple[list[Row], str]:
        """Return records of a type and the cursor of the next page (empty: none)."""
        ...


def recurrence_gatherer(reading: Reading) -> Callable[[Row], dict[str, Any]]:
    """Return the gatherer ``cause_recurrences`` version 1: ``items`` (number, opened), oldest first."""

    def gather(capa: Row) -> dict[str, Any]:
        code, items, cursor = capa.fields.get("cause_code"), [], ""
        while code:
            rows, cursor = reading.page(CAPA.name, "", "", cursor, _PAGE)
            items += [
                {"number": row.number, "opened": row.created_at[:10]}
                for row in rows
                if row.uid != capa.uid and row.state not in _NEVER and _retrained(row, str(code))
            ]
            if not cursor:
                break
        return {"items": sorted(items, key=lambda item: (item["opened"], item["number"]))}

    return gather


def _retrained(row: Row, code: str) -> bool:
    actions = row.fields.get("chosen_actions", ())
    return row.fields.get("cause_code") == code and any(a["kind"] == RETRAINING for a in actions)
