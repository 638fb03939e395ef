"""Runs: computing one again and comparing. It makes no record; asking for a new run does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from coverslip.api.access import ContextOf, ServicesOf, row_for

router = APIRouter(tags=["runs"])


@router.post("/runs/{number}/reproduce")
def reproduce(number: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Compute a recorded run again from its records and files, and compare every value.

    The verdict is ``reproduced exactly``, ``reproduced within tolerance`` or ``not reproduced``.
    """
    request.state.action = "reproduce"
    return services.reproducing.reproduce(row_for(request, services, number))
