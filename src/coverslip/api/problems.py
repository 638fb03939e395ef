"""Errors on the wire: problem details (RFC 9457) with code, rule, clause, record and remedy.

Rules kept here: every refusal that reached the door is recorded before it is answered; what was
not foreseen answers 500 without a trace of the inside, and is logged with an id.
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from coverslip.application.refusing import recorded
from coverslip.errors import CoverslipError, EnvironmentFault, Invalid, NotFound, Refused
from coverslip.kernel.events import NOBODY, Events

MEDIA_TYPE = "application/problem+json"
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "message", "rule", "clause"],
    "properties": {
        **{
            name: {"type": "string"}
            for name in ("type", "title", "detail", "code", "message", "rule", "clause", "record", "remedy")
        },
        "status": {"type": "integer"},
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": said, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
    for status, said in {
        401: "Nobody is signed in, or the components are wrong.",
        403: "Refused; rule and clause say why.",
        404: "There is no such record, page or file.",
        409: "The record is no longer, or not yet, as the request takes it to be.",
        413: "The body is beyond its limit.",
        422: "What was sent cannot be taken as it is; `problems` names the fields.",
        423: "Held, or locked.",
        429: "Too many attempts; `Retry-After` says when to come back.",
        503: "Something Coverslip stands on does not answer; nothing was done.",
    }.items()
}
"""What any route may answer beside what it is asked for."""
_log = logging.getLogger("coverslip.api")


def answer(error: CoverslipError) -> JSONResponse:
    """Return the response of an error."""
    body: dict[str, Any] = error.problem()
    for name in ("problems", "unmet", "allowed", "meaning", "meaning_text", "line"):
        if error.values.get(name):
            body[name] = error.values[name]
    headers = {"Retry-After": str(error.values["seconds"])} if "seconds" in error.values else None
    return JSONResponse(body, error.status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI, events: Events) -> None:
    """Add the handlers."""

    @app.exception_handler(CoverslipError)
    def _known(request: Request, error: CoverslipError) -> JSONResponse:
        state = request.state
        context, action = getattr(state, "context", NOBODY), getattr(state, "action", request.url.path)
        return answer(recorded(events, error, context, action, getattr(state, "subject", None)))

    @app.exception_handler(ClientDisconnect)
    async def _gone(request: Request, error: ClientDisconnect) -> Response:
        # Whoever hung up, or was hung up on, within a body: nobody is there to be told, and nothing was done.
        return Response(status_code=400)

    @app.exception_handler(RequestValidationError)
    def _malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0] if error.errors() else {}
        place = ".".join(str(p) for p in first.get("loc", ())[1:]) or "the request"
        return _known(
            request,
            Invalid(
                "VAL_FORM",
                field=place[:80],
                expected=str(first.get("msg", "valid"))[:120],
                found="something else",
            ),
        )

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            return _known(request, Refused("METHOD", action=request.method, record=request.url.path[:80]))
        if error.status_code == 404:
            return answer(NotFound("NOT_FOUND", what="page", record=request.url.path[:80]))
        return _known(
            request,
            Invalid(
                "VAL_FORM", field="the request", expected="a valid request", found=str(error.detail)[:80]
            ),
        )

    @app.exception_handler(Exception)
    def _unforeseen(request: Request, error: Exception) -> JSONResponse:
        # Handlers run in a thread of their own, where no exception is current: it is handed over.
        _log.error("unforeseen", exc_info=error, extra={"path": request.url.path})
        fault = EnvironmentFault("TRAIL_UNAVAILABLE")
        return JSONResponse({**fault.problem(), "status": 500}, 500, media_type=MEDIA_TYPE)
