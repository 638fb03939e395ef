"""My work: records that wait for something this person may do, the most urgent first.

Rules kept here: one query finds them; only for what is shown is the door asked what is open, by the very
judgement that would decide the act. What waits for somebody else is left out; what is held up stays, and
says why.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from coverslip.errors import CoverslipError
from coverslip.kernel.change import Context
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.rows import Row
from coverslip.kernel.waiting import Waits, Want
from coverslip.work import waiting

MOST_LOOKED_AT = 4
"""How many times the records asked for are looked at, at most, to fill one page."""


class Reading(Protocol):
    """Reading what waits."""

    def waiting(self, person: str, wants: Sequence[Want], cursor: str, limit: int) -> list[Waits]:
        """Return records that wait for a person, most urgent first."""
        ...


class Asking(Protocol):
    """The door, asked in advance."""

    def offer_all(self, row: Row, context: Context, acts: Sequence[str]) -> dict[str, CoverslipError | None]:
        """Return by act why it cannot be begun, or None."""
        ...


@dataclass(frozen=True)
class MyWork:
    """What waits for whoever asks. ``roles`` returns those held, delegated ones included."""

    catalogue: Catalogue
    reading: Reading
    door: Asking
    roles: Callable[[Context], Collection[str]]
    today: Callable[[], str]

    def page(self, context: Context, cursor: str = "", limit: int = 25) -> dict[str, Any]:
        """Return ``items`` and the cursor of the ``next`` page, empty when there is none."""
        wants = waiting.wants(self.catalogue, self.roles(context))
        today, looked = self.today(), 0
        items: list[dict[str, Any]] = []
        while len(items) < limit and looked < MOST_LOOKED_AT * limit:
            found = self.reading.waiting(context.person, wants, cursor, limit)
            for one in found:
                looked, cursor = looked + 1, one.cursor
                item = self._item(one, context, today)
                if item is not None:
                    items.append(item)
                if len(items) == limit:
                    return {"items": items, "next": cursor}
            if len(found) < limit:
                return {"items": items, "next": ""}
        return {"items": items, "next": cursor}

    def _item(self, one: Waits, context: Context, today: str) -> dict[str, Any] | None:
        row = one.row
        definition = self.catalogue[row.type]
        acts = []
        first = waiting.leading(definition, row.state)
        usual = waiting.onward(definition, row.state)
        byways = [transition for transition in first if transition not in usual]
        asked = [
            transition
            for transition in (*first, *(t for t in waiting.acts(definition, row.state) if t not in first))
            if (waiting.by_role(transition, row.state) or transition.persons)
            and not waiting.premature(transition, row)
        ]
        refusals = self.door.offer_all(row, context, [transition.name for transition in asked])
        for transition in asked:
            refusal = refusals[transition.name]
            if refusal is not None and (refusal.code in waiting.ELSEWHERE or transition in byways):
                continue
            signed = transition.signature is not None and not row.content.get("sandbox")
            acts.append(
                {
                    "act": transition.name,
                    "label": transition.label,
                    "allowed": refusal is None,
                    "signed": signed,
                    **({} if refusal is None else _why_not(refusal)),
                }
            )
        if not acts:
            return None
        return {
            "number": row.number,
            "label": row.label,
            "type": row.type,
            "type_title": definition.type.title,
            "state": row.state,
            "title": row.title,
            "version": row.version,
            "changed_at": row.changed_at,
            "due": one.due,
            "overdue_days": overdue_days(one.due, today),
            "on_hold": [{"number": b.number, "reason": b.reason} for b in row.blockers],
            "acts": acts,
        }


def _why_not(refusal: CoverslipError) -> dict[str, str]:
    return {"code": refusal.code, "why_not": waiting.in_the_way(refusal)}


def overdue_days(due: str, today: str) -> int:
    """Return by how many days a date has passed; 0 on the day itself, before it, and without one."""
    if not due:
        return 0
    return max(0, (dt.date.fromisoformat(today) - dt.date.fromisoformat(due)).days)
