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


class Reading(Protocol):
    """Reading records, page by page."""

    def page(self, kind: str, state: str, text: str, cursor: str, limit: int) -> tuple[list[Row], str]:
        """Return records of a type and the cursor of the next page (empty: none)."""
        ...

    def linked(self, uid: str, types: Collection[str] = ()) -> list[Row]:
        """Return the records of types that link to one."""
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
    documents = [r for kind in DOCUMENT_TYPES for r in every(reading, kind, "approved", "effective")]
    training = list(every(reading, "training_record", *_TRAINING_STATES))
    return _picture(reading, today, documents, training)


def picture_of(reading: Reading, today: str, versions: Sequence[Row]) -> Picture:
    """Return of the picture what concerns one document, whose ``versions`` are given."""
    training = [
        row
        for version in versions
        for row in reading.linked(version.uid, ("training_record",))
        if row.state in _TRAINING_STATES
    ]
    # In the order pages give them, so that the same one is found where several would do.
    training.sort(key=lambda row: (row.changed_at, row.uid), reverse=True)
    training.sort(key=lambda row: _TRAINING_STATES.index(row.state))
    return _picture(reading, today, versions, training)


def _picture(reading: Reading, today: str, documents: Sequence[Row], training: Sequence[Row]) -> Picture:
    return Picture(
        Records(
            today,
            users=list(every(reading, "user")),
            roles=list(every(reading, "role", "effective")),
            grants=list(every(reading, "role_grant", "active")),
            delegations=list(every(reading, "delegation", "active")),
            curricula=list(every(reading, "curriculum", "effective")),
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
        shown = [_value(cell) for cell in cells]
        return {
            "as_of": now,
            "cells": shown,
            "counts": {state: sum(c.state == state for c in cells) for state in STATES},
            "gaps": [value for value in shown if value["state"] != "green"],
        }

    def of_document(self, versions: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the cells of one document, whose every version is given, as ``show`` has them."""
        numbers = {row.number for row in versions}
        found = picture_of(self._reading, self._now()[:10], versions)
        return [_value(cell) for cell in found.cells() if cell.document.number in numbers]


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
