"""Review cases: what a reviewer looks at, item by item; opening one is an entry, and counts as opened.

Rules kept here: nothing is decided here; answering, returning and signing are acts like any other.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from coverslip.api.access import ContextOf, ServicesOf, row_for

router = APIRouter(tags=["review"], prefix="/reviews")
Short = Annotated[str, Query(max_length=200)]
Day = Annotated[str, Query(max_length=10, pattern=r"^(\d{4}-\d{2}-\d{2})?$")]


@router.get("/{number}")
def show(number: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return exceptions, items, coverage, conditions, signatures and what arrived; this opens nothing."""
    return services.reviewing.show(row_for(request, services, number), context)


@router.get("/{number}/items/{key}")
def item(number: str, key: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return one item with its evidence; that it was sent to this person is an entry."""
    return services.reviewing.item(row_for(request, services, number), key[:80], context)


@router.get("/{number}/trail")
def trail(
    number: str,
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    kind: Literal["all", "modifications", "flagged"] = "all",
    actor: Short = "",
    act: Short = "",
    record: Short = "",
    first: Day = "",
    last: Day = "",
    text: Short = "",
) -> dict[str, Any]:
    """Return a page of the trail of the subject and all it is linked to, newest first, with counts.

    A page with nothing left out is entered as sent; a filtered one opens nothing.
    """
    wanted = {
        "kind": kind, "actor": actor, "act": act, "record": record, "first": first, "last": last,
        "text": text,
    }  # fmt: skip
    return services.reviewing.trail(row_for(request, services, number), context, page, wanted)
