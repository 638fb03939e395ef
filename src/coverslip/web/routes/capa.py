"""CAPA as 8D: the eight disciplines as one rail, each with what it holds and who signed it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from coverslip.application.finding import find
from coverslip.errors import NotFound
from coverslip.kernel.definition import Definition
from coverslip.kernel.rows import Row
from coverslip.web import special
from coverslip.web.fields import Shown, shown
from coverslip.web.routes.records import overview_values
from coverslip.web.templating import page
from coverslip.web.visit import VisitOf

router = APIRouter()
TYPE = "capa"
special.PAGES[TYPE] = "/capa/{}"
_STATE = re.compile(r"d(\d)_(.+)")
_LABEL = re.compile(r"D(\d) (.+)")


@dataclass(frozen=True, slots=True)
class Discipline:
    """One step of the eight: number, title, where the record stands against it, and the fields it holds."""

    number: int
    title: str
    stand: str
    fields: tuple[Shown, ...]


def disciplines(definition: Definition, row: Row) -> list[Discipline]:
    """Return D0 to D8 in order; ``stand`` is done, now or later."""
    order = [s.name for s in definition.type.states]
    at = order.index(row.state) if row.state in order else len(order)
    by_number: dict[int, list[Shown]] = {}
    for one in shown(definition, row):
        found = _LABEL.match(one.label)
        if found:
            by_number.setdefault(int(found[1]), []).append(one)
    return list(_rail(definition, row, order, at, by_number))


def _rail(
    definition: Definition, row: Row, order: list[str], at: int, fields: dict[int, list[Shown]]
) -> Iterator[Discipline]:
    for name in order:
        found = _STATE.match(name)
        if found:
            number, place = int(found[1]), order.index(name)
            stand = "now" if row.state == name else "done" if place < at else "later"
            title = found[2].replace("_", " ").capitalize()
            yield Discipline(number, title, stand, tuple(fields.get(number, ())))
    ended = definition.state(row.state).terminal
    last = "done" if ended else "now" if row.state == "effectiveness_check" else "later"
    yield Discipline(8, "Lessons and effect", last, tuple(fields.get(8, ())))


@router.get("/capa/{reference}")
def capa(request: Request, visit: VisitOf, reference: Annotated[str, Path(max_length=80)]) -> Response:
    """Show a CAPA by its disciplines, the one that is worked on first."""
    row = find(visit.services, reference)
    request.state.subject = row
    if row.type != TYPE:
        raise NotFound("NOT_FOUND", what="CAPA", record=reference[:60])
    found = overview_values(visit, row, "Overview")
    steps = disciplines(found["definition"], row)
    placed = {f.name for one in steps for f in one.fields}
    return page(
        request,
        visit,
        "capa.html",
        **found
        | {
            "facts": [f for f in found["facts"] if f.name not in placed],
            "texts": [f for f in found["texts"] if f.name not in placed],
            "tables": [f for f in found["tables"] if f.name not in placed],
        },
        steps=steps,
    )
