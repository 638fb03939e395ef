"""Training: who may act by what their roles ask, and who lacks what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from coverslip.api.access import ContextOf, ServicesOf

router = APIRouter(tags=["training"])


@router.get("/training/matrix")
def matrix(
    services: ServicesOf, context: ContextOf, role: Annotated[str, Query(pattern="^([A-Z]{2,8})?$")] = ""
) -> dict[str, Any]:
    """Return role by document by person as of now: ``green``, ``amber`` or ``red``, why, and the gaps."""
    return services.teaching.show(role)
