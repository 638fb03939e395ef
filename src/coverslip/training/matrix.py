"""The training matrix: role by document by person, as records stand now, with the list of gaps.

Rules kept here: a cell is green where its person may act, red where they are refused or were never asked,
amber where they may act today and will not for long without training.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

from coverslip.kernel.rows import Row
from coverslip.records.documents._document import DOCUMENT_TYPES
from coverslip.records.documents._governing import TRAINED_STATES
from coverslip.training.picture import OPEN_STATES, Cell, Picture, Records

STATES = ("green", "amber", "red")
_PAGE = 200
_TRAINING_STATES = (*OPEN_STATES, *TRAINED_STATES)
_OF_TRAINING = ("person", "document", "expires", "due")
_OF_DOCUMENT = ("training_depth", "audience", "effective_date")
_IN_USE = ("approved", "effective")


class Reading(Protocol):
    """Reading records, page by page."""

    def page(self, kind: str, state: str, text: str, cursor: str, limit: int) -> tuple[list[Row], str]:
        """Return records of a type and the cursor of the next page (empty: none)."""
        ...

    def brief(
        self,
        kind: str,
        states: Sequence[str],
        fields: Sequence[str],
        naming: tuple[str, Collection[str]] | None = None,
    ) -> list[Row]:
        """Return every record of a type in some states, with some fields; of those that name one of uids."""
        ...


def every(reading: Reading, kind: str, *states: str) -> Iterator[Row]:
    """Yield all records of a type in the states named, or in any."""
    for state in states or ("",):
        cursor = ""
        while True:
            rows, cursor = reading.page(kind, state, "", cursor, _PAGE)
            yield from rows
            if not cursor:
                break


def picture(reading: Reading, today: str) -> Picture:
    """Return the picture of training on ``today`` (YYYY-MM-DD)."""
    training = reading.brief("training_record", _TRAINING_STATES, _OF_TRAINING)
    return _picture(reading, today, _documents(reading), training)


def picture_of(reading: Reading, today: str, versions: Sequence[Row]) -> Picture:
    """Return of the picture what concerns one document, whose ``versions`` are given."""
    naming = ("document", [version.uid for version in versions])
    training = reading.brief("training_record", _TRAINING_STATES, _OF_TRAINING, naming)
    return _picture(reading, today, versions, training)


def _documents(reading: Reading) -> list[Row]:
    return [r for kind in DOCUMENT_TYPES for r in reading.brief(kind, _IN_USE, _OF_DOCUMENT)]


def _picture(reading: Reading, today: str, documents: Sequence[Row], training: Sequence[Row]) -> Picture:
    return Picture(
        Records(
            today,
            users=reading.brief("user", (), ("kind", "org_unit")),
            roles=reading.brief("role", ("effective",), ("documents",)),
            grants=reading.brief("role_grant", ("active",), ("person", "role", "start", "end")),
            delegations=reading.brief("delegation", ("active",), ("taker", "role", "start", "end")),
            curricula=reading.brief("curriculum", ("effective",), ("role", "items")),
            documents=documents,
            training=training,
        )
    )


class Matrix:
    """Shows the training matrix of an installation."""

    def __init__(self, reading: Reading, now: Callable[[], str]) -> None:
        """``now`` gives the database's time."""
        self._reading, self._now = reading, now

    def show(self, role: str = "") -> dict[str, Any]:
        """Return ``as_of``, ``cells``, ``counts`` by state and the ``gaps`` that are not green.

        ``role`` narrows to one role by its code; an unknown one has no cells.
        """
        now = self._now()
        cells = list(picture(self._reading, now[:10]).cells(role))
        return {"as_of": now} | _shown(cells)

    def page(self, role: str = "", unit: str = "", start: int = 0, most: int = 30) -> dict[str, Any]:
        """Return ``show`` of ``most`` people, by name from the ``start``-th on, of a role, a unit, or all.

        ``asked``: of how many people anything is asked; ``people``: how many of them the filter leaves;
        ``roles`` and ``units`` there are to choose from. What a person is asked for is there whole.
        """
        now = self._now()
        whole = _picture(self._reading, now[:10], _documents(self._reading), ())
        asked = whole.asked()
        units = {uid: str(one.fields.get("org_unit", "")) for uid, one in asked.items()}
        kept = asked if not role else {u: p for u, p in asked.items() if u in whole.holders.get(role, {})}
        kept = {uid: one for uid, one in kept.items() if unit in ("", units[uid])}
        ordered = sorted(kept.values(), key=lambda one: (one.title, one.number))
        chosen = [one.uid for one in ordered[start : start + most]]
        naming = ("person", chosen)
        found = whole.of(
            chosen, self._reading.brief("training_record", _TRAINING_STATES, _OF_TRAINING, naming)
        )
        return {
            "as_of": now,
            "asked": len(asked),
            "people": len(ordered),
            "roles": whole.asking(),
            "units": sorted(set(units.values()) - {""}),
            **_shown(list(found.cells(role))),
        }

    def of_document(self, versions: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the cells of one document, whose every version is given, as ``show`` has them."""
        numbers = {row.number for row in versions}
        found = picture_of(self._reading, self._now()[:10], versions)
        return [_value(cell) for cell in found.cells() if cell.document.number in numbers]


def _shown(cells: list[Cell]) -> dict[str, Any]:
    values = [_value(cell) for cell in cells]
    return {
        "cells": values,
        "counts": {state: sum(c.state == state for c in cells) for state in STATES},
        "gaps": [value for value in values if value["state"] != "green"],
    }


def _value(cell: Cell) -> dict[str, Any]:
    return {
        "role": cell.role,
        "document": cell.document.label,
        "title": cell.document.title,
        "person": cell.person.number,
        "name": cell.person.title,
        "state": cell.state,
        "why": cell.why,
    }
