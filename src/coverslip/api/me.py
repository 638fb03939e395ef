"""Me: what waits for whoever asks, and what others did since they last looked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from coverslip.api.access import ContextOf, ServicesOf
from coverslip.api.shapes import Seen

router = APIRouter(tags=["me"])


@router.get("/me/work")
def work(
    services: ServicesOf,
    context: ContextOf,
    cursor: Annotated[str, Query(max_length=200, pattern=r"^([0-9-]{10}/.*)?$")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
) -> dict[str, Any]:
    """List records that wait for something you may do: by due date, then the newest change first."""
    return services.working.mine(context, cursor, limit)


@router.get("/me/events")
def events(
    services: ServicesOf,
    context: ContextOf,
    after: Annotated[int | None, Query(ge=0, lt=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """List what others did to records you watch, made or own, after a tree index (left out: after what you
    have seen). ``next`` is the index to go on from; while ``more``, there is more of the log to look at."""
    return services.working.events(context.person, after, limit)


@router.post("/me/events/seen")
def seen(body: Seen, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Keep how far you have looked. It never goes back, and no further than the log."""
    request.state.action = "seen"
    index = min(body.index, int(services.reading.status()["size"]) - 1)
    return {"seen": services.working.seen(context.person, max(0, index))}
