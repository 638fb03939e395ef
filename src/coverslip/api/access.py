"""Access: the bearer token of a request becomes a session and a context, or the request ends here."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from coverslip.application.finding import find, reference as reference
from coverslip.application.opened import entered
from coverslip.application.services import Services
from coverslip.application.vouching import vouch
from coverslip.kernel.accounts import Session
from coverslip.kernel.change import Context
from coverslip.kernel.identity import Place, context_of
from coverslip.kernel.rows import Row


def services_of(request: Request) -> Services:
    """Return the services of the application."""
    found: Services = request.app.state.services
    return found


def place_of(request: Request, workstation: str = "", zone: str = "UTC") -> Place:
    """Return where a request comes from; the address is the peer's, never a header's."""
    address = request.client.host if request.client else "local"
    return Place(workstation, address, request.headers.get("user-agent", "")[:120], zone)


def token_of(request: Request) -> str:
    """Return the bearer token a request carries; empty when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def session_of(request: Request, services: Annotated[Services, Depends(services_of)]) -> Session:
    """Return the live session; raises ``AUTH_REQUIRED``, ``SESSION_LOCKED``."""
    token = token_of(request)
    session = services.identity.session(token)
    vouch(request.scope, token)
    request.state.context = context_of(session)
    if request.method == "GET":
        entered(services, session, request.url.path)
    return session


def context_for(session: Annotated[Session, Depends(session_of)]) -> Context:
    """Return the context in which the session acts."""
    return context_of(session)


def row_for(request: Request, services: Services, number: str) -> Row:
    """Return the record a path names, and remember it as the subject of a refusal."""
    row = find(services, number)
    request.state.subject = row
    return row


ServicesOf = Annotated[Services, Depends(services_of)]
ContextOf = Annotated[Context, Depends(context_for)]
SessionOf = Annotated[Session, Depends(session_of)]
