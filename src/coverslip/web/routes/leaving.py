"""What leaves through a browser: evidence bundles and the files of records.

Rules kept here: what was uploaded is handed out as a download with no type a browser would run or show, and
under a policy that lets it do nothing.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse

from coverslip.application import leaving
from coverslip.application.finding import find
from coverslip.web.security import DOWNLOAD_POLICY
from coverslip.web.visit import VisitOf, WritingVisit

router = APIRouter()
Reference = Annotated[str, Path(max_length=80)]


@router.post("/r/{reference}/export")
def export(request: Request, visit: WritingVisit, reference: Reference) -> StreamingResponse:
    """Return the evidence bundle of a record; that it left is an entry."""
    request.state.action = "export"
    row = find(visit.services, reference)
    request.state.subject = row
    return download(leaving.bundle(visit.services, row, visit.context), "application/zip")


@router.get("/r/{reference}/files/{name}")
def original(
    request: Request, visit: VisitOf, reference: Reference, name: Annotated[str, Path(max_length=300)]
) -> StreamingResponse:
    """Return a file of a record bit for bit."""
    row = find(visit.services, reference)
    request.state.subject = row
    return download(leaving.file_of(visit.services, row, name))


def download(found: leaving.Leaving, media_type: str = "application/octet-stream") -> StreamingResponse:
    """Return bytes as a download that no browser opens in place."""
    headers = {
        "Content-Length": str(found.size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
        "Content-Security-Policy": DOWNLOAD_POLICY,
    }
    return StreamingResponse(found.chunks, media_type=media_type, headers=headers)
