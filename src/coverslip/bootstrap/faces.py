"""Both faces in one process: the interface under its own paths, pages everywhere else."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from coverslip.api.app import create_app
from coverslip.application.services import Services
from coverslip.web.app import create_pages
from coverslip.web.serving import Serving

_INTERFACE = ("/api/", "/healthz", "/metrics")


class Faces:
    """Sends a request to the interface or to the pages by its path; lifespan goes to the interface."""

    def __init__(self, interface: ASGIApp, pages: ASGIApp) -> None:
        self._interface, self._pages = interface, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        own = scope["type"] != "http" or str(scope["path"]).startswith(_INTERFACE)
        await (self._interface if own else self._pages)(scope, receive, send)


def faces(services: Services, serving: Serving | None = None) -> Faces:
    """Return the application that a server runs."""
    return Faces(create_app(services), create_pages(services, serving))
