"""Exports: evidence bundles; each is an entry and says what it leaves out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from coverslip.api.access import ContextOf, ServicesOf, row_for
from coverslip.api.shapes import Export
from coverslip.application.leaving import bundle

router = APIRouter(tags=["exports"])


@router.post(
    "/records/{number}/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}},
)
def export(
    number: str, body: Export, request: Request, services: ServicesOf, context: ContextOf
) -> StreamingResponse:
    """Return the evidence bundle of a record and everything it stands on."""
    request.state.action = "export"
    found = bundle(services, row_for(request, services, number), context, body.filter)
    headers = {
        "Content-Length": str(found.size),
        "Content-Disposition": f'attachment; filename="{found.name}"',
    }
    return StreamingResponse(found.chunks, media_type="application/zip", headers=headers)
