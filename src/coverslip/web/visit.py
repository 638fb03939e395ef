"""A visit: who looks at a page, in which session, and what pages need to know of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from coverslip.application.services import Services
from coverslip.application.vouching import vouch
from coverslip.errors import Invalid, Refused
from coverslip.kernel.accounts import Session
from coverslip.kernel.change import Context
from coverslip.kernel.events import Event
from coverslip.kernel.identity import Place, context_of
from coverslip.kernel.rows import Row
from coverslip.web.security import csrf_token, large, require_token
from coverslip.web.serving import Serving

THEMES = ("light", "dark")


class SignInFirst(Exception):
    """Nobody is signed in, or the session is locked; the page leads to where that is done, and back."""

    def __init__(self, back: str, *, locked: bool = False) -> None:
        super().__init__(back)
        self.back, self.locked = back, locked


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is signed in."""

    services: Services
    session: Session
    token: str
    serving: Serving

    @cached_property
    def context(self) -> Context:
        """The context in which this person acts."""
        return context_of(self.session)

    @cached_property
    def account(self) -> dict[str, str]:
        """What the account says of the person: name, number, user name."""
        return self.services.accounts.account(self.session.person) or {}

    @property
    def name(self) -> str:
        """Printed name of the person."""
        return str(self.account.get("name") or self.session.username)

    @cached_property
    def roles(self) -> list[str]:
        """Codes of the roles the person holds now."""
        return self.services.reading.roles(self.session.person)

    @property
    def reader(self) -> bool:
        """Whether this is an account that only reads: an inspector's."""
        return bool(self.account.get("reads_only"))

    @cached_property
    def until(self) -> str:
        """Last day of an account that only reads, empty where none is named."""
        row = self.services.reading.find(str(self.account.get("number", ""))) if self.reader else None
        return str(row.fields.get("valid_to", "")) if row is not None else ""

    def opened(self, path: str, subject: Row | None) -> None:
        """Enter that an inspector opened a page; of others only what is read before a signature is entered.

        Raises ``TRAIL_UNAVAILABLE`` where it cannot be entered: then nothing is shown. In quarantine nothing
        is written.
        """
        if self.reader and self.services.quarantine() is None:
            detail = {"page": path[:500]}
            self.services.events.view(Event("view", "open_page", detail, subject), self.context)

    @property
    def csrf(self) -> str:
        """Token that forms of this session carry."""
        return csrf_token(self.token)

    @property
    def zone(self) -> str:
        """IANA time zone of the workstation."""
        return self.session.zone


def services_of(request: Request) -> Services:
    """Return the services of the application."""
    found: Services = request.app.state.services
    return found


def serving_of(request: Request) -> Serving:
    """Return how browsers reach this server."""
    found: Serving = request.app.state.serving
    return found


def place_of(request: Request, workstation: str = "", zone: str = "UTC") -> Place:
    """Return where a request comes from; the address is the peer's, never a header's."""
    address = request.client.host if request.client else "local"
    return Place(workstation, address, request.headers.get("user-agent", "")[:120], zone)


def token_of(request: Request) -> str:
    """Return the session token a browser sent, empty when there is none."""
    return request.cookies.get(serving_of(request).cookie, "")[:200]


def visit_of(request: Request) -> Visit:
    """Return the visit of a live session; raises ``SignInFirst``."""
    return _visit(request, used=True)


def watching_visit(request: Request) -> Visit:
    """Return the visit of a page that asks by itself: it keeps no session from locking when left alone.

    Nobody opens anything by it either: it says that something came, not what.
    """
    request.state.entered = True
    return _visit(request, used=False)


def _visit(request: Request, *, used: bool) -> Visit:
    services, token = services_of(request), token_of(request)
    try:
        session = services.identity.session(token, used=used)
    except Refused as error:
        raise SignInFirst(_here(request), locked=error.code == "SESSION_LOCKED") from error
    vouch(request.scope, token)
    visit = Visit(services, session, token, serving_of(request))
    request.state.context, request.state.visit = visit.context, visit
    return visit


def _here(request: Request) -> str:
    if request.method != "GET":
        return "/work"
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(request.url.path) + query


async def writing_visit(request: Request) -> AsyncIterator[Visit]:
    """Give the visit of a session whose own form was sent; raises ``CROSS_SITE`` otherwise.

    What was uploaded with the form is let go when the request is answered.
    """
    visit = await run_in_threadpool(visit_of, request)
    await run_in_threadpool(require_room, request, visit)
    form = await form_of(request)
    try:
        given = request.headers.get("x-csrf-token") or str(form.get("csrf", ""))
        require_token(request, visit.token, given)
        yield visit
    finally:
        await form.close()


def require_room(request: Request, visit: Visit) -> None:
    """Refuse files before they are read: of somebody who may bring none, or too large (``TOO_LARGE``)."""
    if not large(request):
        return
    visit.services.door.require_writer(visit.context, "deliver")
    size, limit = int(request.headers["content-length"]), visit.services.upload_limit_bytes
    if size > limit:
        raise Invalid("TOO_LARGE", what="The upload", size=size, limit=limit)


async def form_of(request: Request) -> FormData:
    """Return the form that was sent; asked for after the visit, which checks its token."""
    return await request.form(max_files=50, max_fields=5000)


FormOf = Annotated[FormData, Depends(form_of)]
ServicesOf = Annotated[Services, Depends(services_of)]
ServingOf = Annotated[Serving, Depends(serving_of)]
VisitOf = Annotated[Visit, Depends(visit_of)]
WatchingVisit = Annotated[Visit, Depends(watching_visit)]
WritingVisit = Annotated[Visit, Depends(writing_visit)]
