"""Retention: until when a record is kept and why, and what is due for disposal."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from coverslip.api.access import ContextOf, ServicesOf, row_for

router = APIRouter(tags=["retention"])


@router.get("/records/{number}/retention")
def retention(number: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return until when a record is kept, in words and by every rule, and who preserves it."""
    return services.retaining.one(row_for(request, services, number))


@router.get("/retention/due")
def due(
    services: ServicesOf,
    context: ContextOf,
    after: Annotated[str, Query(pattern="^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")] = "",
) -> dict[str, Any]:
    """List records nothing asks to be kept any more: candidates for a disposal, in the order of making."""
    found, following = services.retaining.due(after)
    return {"records": found, "next": following}
