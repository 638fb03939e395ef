"""The event feed: everything on the ledger in its order, for those who look after it.

Rules kept here: only inspectors, quality, security and administrators read it; who may not is refused, and
the refusal is an event itself.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from coverslip.api.access import ContextOf, ServicesOf
from coverslip.errors import NotFound, Refused
from coverslip.kernel import roles

router = APIRouter(tags=["ledger"])
READERS = ("INS", "QA", "SEC", "QAL", "ADM")
_STREAMS = ("session", "installation")


@router.get("/events")
def events(
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    after: Annotated[str, Query(pattern=r"^(\d{1,15})?$")] = "",
    type: Annotated[str, Query(max_length=80)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Return events behind a cursor, oldest first: who did what on which record, when, and its state since.

    ``next`` is the cursor to go on from; it stays the same while nothing new is on the ledger. ``type`` names
    a record type, ``session`` or ``installation``.
    """
    request.state.action = "read events"
    held = services.reading.roles(context.person)
    if not set(held) & set(READERS):
        raise Refused(
            "AUTH_ROLE",
            record="the events of the ledger",
            role=roles.any_of(READERS),
            action="read",
            roles=roles.all_of(held),
        )
    if type and type not in _STREAMS and services.catalogue.get(type) is None:
        raise NotFound("NOT_FOUND", what="record type", record=type)
    found, cursor = services.reading.feed(int(after) if after else -1, type, limit)
    return {"events": found, "next": str(cursor) if cursor >= 0 else ""}
