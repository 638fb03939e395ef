"""Files: what devices deliver, what people attach, and originals as they were taken in."""

from __future__ import annotations

from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Header, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from coverslip.api.access import ContextOf, ServicesOf, row_for
from coverslip.application.leaving import file_of
from coverslip.application.spool import spooled
from coverslip.errors import Invalid
from coverslip.ledger import canonical

router = APIRouter(tags=["files"])
Manifest = Annotated[str, Header(alias="Coverslip-Manifest", max_length=8000)]


@router.put("/sessions/{number}/files", status_code=201)
async def deliver(
    number: str, request: Request, services: ServicesOf, context: ContextOf, manifest: Manifest
) -> dict[str, Any]:
    """Take one file of an acquisition session.

    The manifest header is hex of canonical JSON ``{name, size, sha256, taken_at?, sequence, signature?}``;
    a device signs it with its key, a person gives ``reason`` instead (manual import).
    """
    request.state.action = "deliver"
    value = _manifest(manifest)
    if context.personal:
        # Before the body is read; whether a device may is said by its record and its signature.
        await run_in_threadpool(services.door.require_writer, context, "deliver")
    async with spooled(request.stream(), services.upload_limit_bytes) as body:
        return await run_in_threadpool(
            services.delivery.deliver, number, context, value, cast(BinaryIO, body)
        )


@router.put("/attachments/{name}/files", status_code=201)
async def attach(
    name: Annotated[str, Path(max_length=200)], request: Request, services: ServicesOf, context: ContextOf
) -> dict[str, Any]:
    """Keep a file in the vault; answers the value by which a record names it."""
    await run_in_threadpool(services.door.require_writer, context, "attach")
    media = request.headers.get("content-type", "application/octet-stream")[:100]
    async with spooled(request.stream(), services.upload_limit_bytes) as body:
        length = body.seek(0, 2)
        body.seek(0)
        return await run_in_threadpool(services.delivery.attach, name, media, cast(BinaryIO, body), length)


def _manifest(text: str) -> dict[str, Any]:
    try:
        value = canonical.decode(bytes.fromhex(text))
    except (ValueError, canonical.CanonicalError):
        value = None
    if not isinstance(value, dict):
        raise Invalid(
            "VAL_FORM",
            field="Coverslip-Manifest",
            expected="hex of a canonical JSON object",
            found="something else",
        )
    return value


@router.get(
    "/records/{number}/files/{name}",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def original(
    number: str,
    name: Annotated[str, Path(max_length=300)],
    request: Request,
    services: ServicesOf,
    context: ContextOf,
) -> StreamingResponse:
    """Return a file of a record bit for bit."""
    found = file_of(services, row_for(request, services, number), name)
    headers = {
        "Content-Length": str(found.size),
        "ETag": f'"{found.root}"',
        "Content-Disposition": "attachment",
    }
    return StreamingResponse(found.chunks, media_type="application/octet-stream", headers=headers)
