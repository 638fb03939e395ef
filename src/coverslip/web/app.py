"""The pages' application: checks before anything is read, refusals as pages, static files, areas."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles

from coverslip.application.refusing import recorded
from coverslip.application.services import Services
from coverslip.application.shortcut import CACHE, Admissions, TileShortcut
from coverslip.errors import CoverslipError, EnvironmentFault, Invalid, NotFound, Refused
from coverslip.kernel.events import NOBODY
from coverslip.web import refusals, security
from coverslip.web.assets import STATIC
from coverslip.web.routes import routers, work
from coverslip.web.serving import Serving
from coverslip.web.streams import Streams
from coverslip.web.templating import page
from coverslip.web.visit import SignInFirst, Visit, token_of

_OWN_SESSION = re.compile(
    "/sign-in(/challenge|/passkey)?|/sign-out|/lock|/switch|/unlock(/challenge)?|/me/sessions/[^/]+/end"
)
"""What opens, locks and ends sessions: they are no records, and live in memory while nothing is written."""
_FOR_EVER = "public, max-age=31536000, immutable"
_log = logging.getLogger("coverslip.web")


def create_pages(services: Services, serving: Serving | None = None) -> FastAPI:
    """Return the ASGI application of the pages over the services given."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, title="Coverslip")
    app.state.services = services
    app.state.serving = serving or Serving()

    @app.middleware("http")
    async def guard(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        refused = security.refused_before(request, app.state.serving)
        if refused is None and request.method not in ("GET", "HEAD"):
            refused = _quarantined(request)
        response = await (run_in_threadpool(_refuse, request, refused) if refused else proceed(request))
        if request.method == "GET" and response.status_code == 200:
            response = await run_in_threadpool(_entered, request, response)
        for name, value in security.HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        if app.state.serving.secure:
            response.headers["Strict-Transport-Security"] = security.HSTS
        return response

    app.state.admissions, app.state.streams = Admissions(), Streams()
    app.state.counts = work.Counts()
    # Added after the guard, so it stands before it; what it answers was let through by the route behind it.
    app.add_middleware(
        TileShortcut,
        services=services,
        admissions=app.state.admissions,
        prefix="",
        token_of=lambda scope: token_of(Request(scope)),
        headers={**security.HEADERS, "Cache-Control": CACHE},
    )
    for router in routers():
        app.include_router(router)
    app.mount("/static", _Static(directory=STATIC), name="static")
    _handlers(app)
    return app


class _Static(StaticFiles):
    """Built files: their address names their content, so a browser may keep them."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = _FOR_EVER
        return response


def _quarantined(request: Request) -> CoverslipError | None:
    """Refuse what would write while the installation is in quarantine; people come in, read, lock and go."""
    services: Services = request.app.state.services
    return None if _OWN_SESSION.fullmatch(request.url.path) else services.quarantine()


def _entered(request: Request, response: Response) -> Response:
    """Enter what an inspector was sent that is no page; where it cannot be entered nothing is sent."""
    visit: Visit | None = getattr(request.state, "visit", None)
    if visit is None or getattr(request.state, "entered", False):
        return response
    try:
        visit.opened(request.url.path, getattr(request.state, "subject", None))
    except CoverslipError as error:
        return refusal(request, error)
    return response


def _refuse(request: Request, error: CoverslipError) -> Response:
    """Record a refusal made before anybody was known, and answer it."""
    address = request.client.host if request.client else "local"
    services: Services = request.app.state.services
    return refusal(
        request, recorded(services.events, error, replace(NOBODY, address=address), request.method)
    )


def refusal(request: Request, error: CoverslipError) -> Response:
    """Return the page, or the fragment, that says why not and what to do."""
    visit = getattr(request.state, "visit", None)
    subject = getattr(request.state, "subject", None)
    headers = {"Retry-After": str(error.values["seconds"])} if "seconds" in error.values else {}
    response = page(
        request,
        visit,
        "error.html" if visit else "error_plain.html",
        error.status,
        fragment="refusal" if visit else "",
        error=error,
        title=refusals.title(error),
        clause_text=refusals.clause(error),
        back=f"/r/{subject.label.replace(' ', '')}" if subject else "",
    )
    response.headers.update(headers)
    return response


def _handlers(app: FastAPI) -> None:
    services: Services = app.state.services

    @app.exception_handler(SignInFirst)
    def _sign_in(request: Request, error: SignInFirst) -> Response:
        from urllib.parse import urlencode

        where = "/locked" if error.locked else "/sign-in"
        target = f"{where}?{urlencode({'next': error.back})}"
        if request.headers.get("hx-request") == "true":
            return Response(status_code=401, headers={"HX-Redirect": target})
        return RedirectResponse(target, 303)

    @app.exception_handler(CoverslipError)
    def _known(request: Request, error: CoverslipError) -> Response:
        state = request.state
        context, action = getattr(state, "context", NOBODY), getattr(state, "action", request.url.path)
        found = recorded(services.events, error, context, action, getattr(state, "subject", None))
        return refusal(request, found)

    @app.exception_handler(RequestValidationError)
    def _malformed(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0] if error.errors() else {}
        place = ".".join(str(p) for p in first.get("loc", ())[1:]) or "the request"
        expected = str(first.get("msg", "valid"))[:120]
        return _known(
            request, Invalid("VAL_FORM", field=place[:80], expected=expected, found="something else")
        )

    @app.exception_handler(ClientDisconnect)
    async def _gone(request: Request, error: ClientDisconnect) -> Response:
        # Whoever hung up, or was hung up on, within a body: nobody is there to be told, and nothing was done.
        return Response(status_code=400)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            return _known(request, Refused("METHOD", action=request.method, record=request.url.path[:80]))
        if error.status_code == 404:
            return refusal(request, NotFound("NOT_FOUND", what="page", record=request.url.path[:80]))
        found = str(error.detail)[:80]
        return _known(
            request, Invalid("VAL_FORM", field="the request", expected="a valid request", found=found)
        )

    @app.exception_handler(Exception)
    def _unforeseen(request: Request, error: Exception) -> Response:
        # Handlers run in a thread of their own, where no exception is current: it is handed over.
        _log.error("unforeseen", exc_info=error, extra={"path": request.url.path})
        response = refusal(request, EnvironmentFault("TRAIL_UNAVAILABLE"))
        response.status_code = 500
        for name, value in security.HEADERS.items():
            response.headers.setdefault(name, value)
        return response
