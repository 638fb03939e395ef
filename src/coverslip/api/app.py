"""The application: middleware, security headers, bounded bodies, health, routers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from starlette.requests import ClientDisconnect

from coverslip.api import (
    bulk,
    credentials,
    devices,
    events,
    exports,
    images,
    ledger,
    me,
    past,
    problems,
    questions,
    records,
    retention,
    review,
    runs,
    scope,
    sessions,
    training,
    types,
)
from coverslip.api.problems import answer
from coverslip.api.strict import check_address, check_body
from coverslip.application.services import Services
from coverslip.application.shortcut import Admissions, TileShortcut, bearer
from coverslip.errors import CoverslipError, EnvironmentFault, Invalid
from coverslip.kernel import gate
from coverslip.kernel.events import NOBODY

JSON_LIMIT_BYTES = 4 * 1024**2
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
STREAMED = ("/files",)
_OWN_SESSION = re.compile(
    "POST /sessions(/challenge|/passkey|/current/lock|/current/unlock)?"
    "|DELETE /sessions/current|POST /me/sessions/[^/]+/end"
)
"""What opens, locks and ends sessions: they are no records, and live in memory while nothing is written."""
THREADS = 2 * gate.MOST
"""Requests in work at once; twice as many as may wait for a sign-in."""
_EXPORT = re.compile("/records/[^/]+/export")


@asynccontextmanager
async def _threads(_: FastAPI) -> AsyncIterator[None]:
    # People who wait at the gate of sign-ins hold a thread each; everybody else still needs some.
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


def create_app(services: Services) -> FastAPI:
    """Return the ASGI application over the services given."""
    app = FastAPI(
        lifespan=_threads,
        title="Coverslip",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        description="System of record for regulated microscopy."
        " Errors are problem details with a stable code.",
    )
    app.state.services = services
    app.state.admissions = Admissions()
    problems.install(app, services.events)

    @app.middleware("http")
    async def guard(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        refused = _quarantined(request) or _too_large(request) or check_address(request)
        try:
            refused = refused or await _malformed(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to be told, and nothing was done
        response: Response = (
            await run_in_threadpool(_refuse, request, refused) if refused else await proceed(request)
        )
        response.headers.update(_HEADERS)
        return response

    # Added after the guard, so it stands before it; what it answers was let through by the route behind it.
    app.add_middleware(
        TileShortcut,
        services=services,
        admissions=app.state.admissions,
        prefix="/api/v1",
        token_of=bearer,
        headers=_HEADERS,
    )

    for router in (
        sessions.router,
        me.router,
        credentials.router,
        bulk.router,
        questions.router,
        records.router,
        types.router,
        retention.router,
        review.router,
        past.router,
        devices.router,
        exports.router,
        runs.router,
        ledger.router,
        events.router,
        scope.router,
        training.router,
        images.router,
    ):
        app.include_router(router, prefix="/api/v1", responses=problems.RESPONSES)

    @app.get("/healthz", include_in_schema=True)
    def health() -> dict[str, Any]:
        status, why = services.reading.status(), services.quarantine()
        return {
            "status": "ok" if why is None else "quarantined",
            **({} if why is None else {"why": why.message, "remedy": why.remedy}),
            "size": status["size"],
            "pending": status["pending"],
            "checkpoint": status.get("checkpoint", {}).get("size", 0),
        }

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> str:
        status = services.reading.status()
        lines = {
            "coverslip_ledger_size": status["size"],
            "coverslip_ledger_pending": status["pending"],
            "coverslip_quarantined": int(services.quarantine() is not None),
            "coverslip_checkpoint_size": status.get("checkpoint", {}).get("size", 0),
        }
        return "".join(f"# TYPE {name} gauge\n{name} {value}\n" for name, value in lines.items())

    return app


def _quarantined(request: Request) -> CoverslipError | None:
    """Refuse what would write while the installation is in quarantine; reading and exporting go on."""
    services: Services = request.app.state.services
    method, path = request.method, request.url.path.removeprefix("/api/v1")
    if method in ("GET", "HEAD") or _OWN_SESSION.fullmatch(f"{method} {path}"):
        return None
    return None if method == "POST" and _EXPORT.fullmatch(path) else services.quarantine()


def _refuse(request: Request, error: CoverslipError) -> Response:
    """Record a refusal made before anybody was known, and answer it."""
    services: Services = request.app.state.services
    address = request.client.host if request.client else "local"
    try:
        services.events.refuse(error, replace(NOBODY, address=address), request.method)
    except EnvironmentFault as fault:
        return answer(fault)
    return answer(error)


async def _malformed(request: Request) -> CoverslipError | None:
    """Refuse a JSON body that has no one meaning; its size is within the limit by now."""
    if request.method != "POST":
        return None
    body = await request.body()
    try:
        if body:
            await run_in_threadpool(check_body, body)
    except CoverslipError as error:
        return error
    return None


def _too_large(request: Request) -> Invalid | None:
    """Refuse a JSON body beyond its limit before it is read; files are streamed and bounded elsewhere."""
    streamed = request.method == "PUT" and request.url.path.endswith(STREAMED)
    if streamed or request.method in ("GET", "HEAD"):
        return None
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        if request.headers.get("transfer-encoding"):
            return Invalid(
                "TOO_LARGE", what="A body of unknown length", size="unknown", limit=JSON_LIMIT_BYTES
            )
        return None
    if int(length) > JSON_LIMIT_BYTES:
        return Invalid("TOO_LARGE", what="The request body", size=int(length), limit=JSON_LIMIT_BYTES)
    return None
