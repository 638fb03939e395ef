"""The witness over HTTP: tlog-witness ``add-checkpoint`` and the monitor's ``checkpoint``, and ours beside.

Rules kept here: a body is bounded and waited for 10 s; nothing of a request but its body is believed; an
error says why in one line and shows nothing of the machine.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from coverslip.anchoring.mirror import MAX_BATCH
from coverslip.anchoring.witness import MAX_REQUEST, Answer, Witness

PATIENCE_S: Final = 10.0
ROTATION: Final = "/coverslip/v1/add-rotation"
MIRROR: Final = "/coverslip/v1/mirror"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,17}")

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(witness: Witness) -> Starlette:
    """Return the application of one witness."""

    async def add_checkpoint(request: Request) -> Response:
        return await _with_body(request, MAX_REQUEST, witness.add_checkpoint)

    async def add_rotation(request: Request) -> Response:
        return await _with_body(request, MAX_REQUEST, witness.add_rotation)

    async def checkpoint(request: Request) -> Response:
        return _response(await run_in_threadpool(witness.checkpoint, _named(request)))

    async def mirrored(request: Request) -> Response:
        return _response(await run_in_threadpool(witness.mirrored, _named(request)))

    async def add_leaves(request: Request) -> Response:
        start = request.query_params.get("start", "")
        if not _INDEX.fullmatch(start):
            return _response(Answer(400, b"start is an index\n"))
        name = _named(request)
        return await _with_body(request, MAX_BATCH, lambda data: witness.add_leaves(name, int(start), data))

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route(ROTATION, add_rotation, methods=["POST"]),
            Route(MIRROR + "/{hash}", mirrored, methods=["GET"]),
            Route(MIRROR + "/{hash}", add_leaves, methods=["POST"]),
            Route("/{hash}/checkpoint", checkpoint, methods=["GET"]),
        ]
    )


async def _with_body(request: Request, limit: int, answer: Callable[[bytes], Answer]) -> Response:
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for piece in request.stream():
                size += len(piece)
                if size > limit:
                    return _response(Answer(413, b"too large\n"), close=True)
                parts.append(piece)
    except TimeoutError:
        return _response(Answer(408, b"too slow\n"), close=True)
    return _response(await run_in_threadpool(answer, b"".join(parts)))


def _named(request: Request) -> str:
    name = str(request.path_params["hash"])
    return name if _HASH.fullmatch(name) else ""


def _response(answer: Answer, close: bool = False) -> Response:
    headers = {"content-type": answer.kind, "x-content-type-options": "nosniff"}
    return Response(answer.body, answer.status, {**headers, "connection": "close"} if close else headers)
