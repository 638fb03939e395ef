"""Exports: evidence bundles; each is an entry and says what it leaves out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from coverslip.api.access import ContextOf, ServicesOf, row_for
from coverslip.api.shapes import Export
from coverslip.errors import Refused

router = APIRouter(tags=["exports"])
_BLOCK = 1024**2


@router.post("/records/{number}/export")
def export(
    number: str, body: Export, request: Request, services: ServicesOf, context: ContextOf
) -> StreamingResponse:
    """Return the evidence bundle of a record and everything it stands on."""
    request.state.action = "export"
    if context.auth != "password":
        raise Refused("AUTH_ROLE", record=number, role="a person", action="export", roles="none")
    row = row_for(request, services, number)
    spool = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 -- closed by the stream below
    try:
        services.exporting.bundle(row, context, body.filter, spool)
        size = spool.tell()
    except BaseException:  # a cancelled request too must not leave the spool open; raised again
        spool.close()
        raise
    spool.seek(0)
    headers = {"Content-Length": str(size), "Content-Disposition": f'attachment; filename="{row.number}.zip"'}
    return StreamingResponse(_drain(spool), media_type="application/zip", headers=headers)


def _drain(spool: BinaryIO) -> Iterator[bytes]:
    with spool:
        while block := spool.read(_BLOCK):
            yield block
