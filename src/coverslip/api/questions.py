"""Questions: lists with a count, search, the audit trail of everything; lists and trails as CSV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field, Strict

from coverslip.api.access import ContextOf, ServicesOf
from coverslip.api.shapes import Body, record_value
from coverslip.application import listing, tables, trailing
from coverslip.application.leaving import written
from coverslip.errors import NotFound
from coverslip.kernel.queries import Counted, Found, TrailPage

router = APIRouter(tags=["records"])
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}
Word = Annotated[str, Query(max_length=80)]
Text = Annotated[str, Query(max_length=200)]
When = Annotated[str, Query(max_length=40)]
Several = Annotated[list[Annotated[str, Field(max_length=200)]] | None, Query(max_length=40)]
Cursor = Annotated[str, Query(max_length=2000)]
Names = Annotated[
    tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=100), Strict(False)
]  # an array of JSON
_BLOCK = 1024**2


class ListAsked(Body):
    """The filter and the order of a list, as ``GET /records`` takes them."""

    type: Names = ()
    state: Names = ()
    q: Annotated[str, Field(max_length=200)] = ""
    person: Annotated[str, Field(max_length=80)] = ""
    created_by: Annotated[str, Field(max_length=80)] = ""
    changed_by: Annotated[str, Field(max_length=80)] = ""
    changed_from: Annotated[str, Field(max_length=40)] = ""
    changed_to: Annotated[str, Field(max_length=40)] = ""
    tag: Annotated[str, Field(max_length=80)] = ""
    overdue: bool = False
    voided: bool = False
    field: Names = ()
    sort: Annotated[str, Field(max_length=80)] = "-changed_at"


class TrailAsked(Body):
    """The filter of a trail, as ``GET /trail`` takes it."""

    person: Annotated[str, Field(max_length=80)] = ""
    record: Annotated[str, Field(max_length=80)] = ""
    kind: Annotated[str, Field(max_length=80)] = ""
    type: Annotated[str, Field(max_length=80)] = ""
    act: Annotated[str, Field(max_length=80)] = ""
    since: Annotated[str, Field(max_length=40)] = ""
    until: Annotated[str, Field(max_length=40)] = ""
    field: Annotated[str, Field(max_length=80)] = ""
    reason: Annotated[str, Field(max_length=200)] = ""


@router.get("/records")
def page(
    services: ServicesOf,
    context: ContextOf,
    type: Several = None,
    state: Several = None,
    q: Text = "",
    person: Word = "",
    created_by: Word = "",
    changed_by: Word = "",
    changed_from: When = "",
    changed_to: When = "",
    tag: Word = "",
    overdue: bool = False,
    voided: bool = False,
    field: Several = None,
    sort: Word = "-changed_at",
    count: bool = False,
    cursor: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """List records, newest change first unless ``sort`` says otherwise (``-`` before it: falling).

    Voided ones are left out unless ``voided``, a state or a search asks for them. ``field`` is
    ``name:op:value`` with ``is``, ``has``, ``from`` or ``to``, of fields the one type shows in its lists.
    ``count`` adds ``total`` and whether it is ``exact``.
    """
    asked = listing.Asked(
        _given(type), _given(state), q, person, created_by, changed_by, changed_from, changed_to, tag,
        overdue, voided, _given(field), sort,
    )  # fmt: skip
    listed = listing.listed(services, asked)
    if count:
        found, counted = services.lists.counted_page(listed, cursor, limit)
    else:
        found, counted = services.lists.page(listed, cursor, limit), None
    shown = [record_value(r, services.catalogue.under(r.type, r.definition)) for r in found.rows]
    total = {"total": _counted(counted)} if counted is not None else {}
    return {"records": shown, "next": found.next, "filter": listing.described(asked), **total}


@router.post("/records/csv", response_class=StreamingResponse, responses=_CSV)
def take_list(
    body: ListAsked, request: Request, services: ServicesOf, context: ContextOf
) -> StreamingResponse:
    """Return a list as CSV with its filter in its head; taking it away is an entry."""
    request.state.action = "export list"
    asked = listing.Asked(
        body.type, body.state, body.q, body.person, body.created_by, body.changed_by,
        body.changed_from, body.changed_to, body.tag, body.overdue, body.voided, body.field, body.sort,
    )  # fmt: skip
    return _csv("records.csv", lambda out: tables.list_csv(services, asked, context, out))


@router.get("/search")
def search(
    services: ServicesOf,
    context: ContextOf,
    q: Text,
    type: Several = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """Find records by numbers, titles, people and text, best first.

    ``tier`` says by what: ``number``, ``prefix`` (of a number), ``title``, ``people``, ``text``. ``indexed``
    of ``size`` entries have been read into the index; numbers are found at once.
    """
    for name in _given(type):
        if services.catalogue.get(name) is None:
            raise NotFound("NOT_FOUND", what="record type", record=name[:60])
    return _found(services.searching.search(q, _given(type), limit))


@router.get("/trail", tags=["ledger"])
def trail(
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    person: Word = "",
    record: Word = "",
    kind: Word = "",
    type: Word = "",
    act: Word = "",
    since: When = "",
    until: When = "",
    field: Word = "",
    reason: Text = "",
    cursor: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Return entries of the whole installation, newest first, each with what it changed, old beside new.

    ``kind`` is a record type, ``session`` or ``installation``: entries of such records; what was seen of a
    record and refused about it is found by ``record`` or ``type``. What no index holds (``type``, ``act``,
    ``reason``, ``field``, days) is looked for in a bounded stretch: ``looked`` says from which entry to
    which, and ``next`` goes on.
    """
    request.state.action = "read the trail"
    asked = trailing.Asked(person, record, kind, type, act, since, until, field, reason)
    found = services.trails.page(trailing.trail(services, asked, context), cursor, limit)
    return _trail(found) | {"filter": trailing.described(asked)}


@router.post("/trail/csv", tags=["ledger"], response_class=StreamingResponse, responses=_CSV)
def take_trail(
    body: TrailAsked, request: Request, services: ServicesOf, context: ContextOf
) -> StreamingResponse:
    """Return a trail as CSV with its filter in its head, a line for each changed field; it is an entry."""
    request.state.action = "export trail"
    asked = trailing.Asked(
        body.person, body.record, body.kind, body.type, body.act, body.since, body.until, body.field,
        body.reason,
    )  # fmt: skip
    return _csv("trail.csv", lambda out: tables.trail_csv(services, asked, context, out))


def _given(values: list[str] | None) -> tuple[str, ...]:
    return tuple(value for value in values or () if value)


def _counted(total: Counted) -> dict[str, Any]:
    return {"number": total.number, "exact": total.exact}


def _found(found: Found) -> dict[str, Any]:
    return {
        "hits": [asdict(hit) for hit in found.hits], "more": found.more, "indexed": found.indexed,
        "size": found.size,
    }  # fmt: skip


def _trail(found: TrailPage) -> dict[str, Any]:
    total = {"total": _counted(found.total)} if found.total is not None else {}
    return {
        "entries": list(found.entries), "next": found.next,
        "looked": {"from": found.looked_from, "to": found.looked_to}, **total,
    }  # fmt: skip


def _csv(name: str, write: Callable[[BinaryIO], Any]) -> StreamingResponse:
    found = written(name, write)
    headers = {"Content-Length": str(found.size), "Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(found.chunks, media_type="text/csv; charset=utf-8", headers=headers)
