"""The ledger as anyone signed in may see it: size, checkpoint, where an entry stands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from coverslip.api.access import ContextOf, ServicesOf
from coverslip.errors import NotFound

router = APIRouter(tags=["ledger"])


@router.get("/ledger")
def status(services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return size, root, the last checkpoint, what waits, and how old each anchor is."""
    return services.reading.status() | {"anchors": services.anchors()}


@router.get("/ledger/gaps")
def gaps(services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return numbers no record has with what is known of them, entry ids never used, and missing leaves."""
    return services.gaps()


@router.get("/ledger/certificates/{kind}")
def certificates(
    kind: Literal["backup", "vault", "verification"], services: ServicesOf, context: ContextOf
) -> list[dict[str, Any]]:
    """Return certificates, newest first: backups, restores and drills; files read again; verifications."""
    return services.reading.certificates(kind)


@router.get("/ledger/entries/{entry}")
def entry(
    entry: Annotated[str, Path(pattern="^[0-9a-f-]{36}$")], services: ServicesOf, context: ContextOf
) -> dict[str, Any]:
    """Return where an entry stands: *pending* or integrated at a tree index."""
    found = services.reading.receipt(entry)
    if found is None:
        raise NotFound("NOT_FOUND", what="entry", record=entry)
    return found
