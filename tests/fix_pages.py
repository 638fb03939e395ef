"""The pages of a laboratory without a browser: clients with a session, and every route there is.

``pages("quinn")`` is Quinn's client, ``pages()`` that of nobody. ``post`` sends a form as a page of Quinn's
does: from this origin, with the token of the session.
"""

from __future__ import annotations

import html.parser
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.routing import APIRoute
from httpx import Response

from coverslip.bootstrap.faces import Faces, faces
from coverslip.bootstrap.founding import sequencer_of
from coverslip.web.security import csrf_token
from coverslip.web.serving import Serving
from fix_caller import TestClient
from fix_lab import Lab

ORIGIN = "http://localhost"


class Visitor:
    """Somebody's browser, without its engine. Redirects are not followed."""

    def __init__(self, app: Faces, username: str = "", token: str = "", *, secure: bool = False) -> None:
        self.username, self.token = username, token
        self.origin = ORIGIN.replace("http", "https") if secure else ORIGIN
        self.client = TestClient(
            app,
            base_url=self.origin,
            raise_server_exceptions=False,
            follow_redirects=False,
            client=("127.0.0.1", 50000),
        )
        if token:
            self.client.cookies.set(Serving(secure).cookie, token)

    @property
    def csrf(self) -> str:
        """The token that forms of this session carry."""
        return csrf_token(self.token)

    def get(self, path: str, **more: Any) -> Response:
        """Ask for a page; it never is a server's error."""
        return self._sound(self.client.get(path, **more))

    def post(
        self,
        path: str,
        form: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Response:
        """Send a form with the token of the session, from this origin."""
        sent = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"} | (headers or {})
        return self._sound(
            self.client.post(path, data={"csrf": self.csrf} | (form or {}), headers=sent, **more)
        )

    @staticmethod
    def _sound(answer: Response) -> Response:
        assert answer.status_code != 500, (
            f"{answer.request.method} {answer.request.url}: {answer.text[:2000]}"
        )
        return answer


Pages = Callable[..., Visitor]


@pytest.fixture(scope="module")
def faced(lab: Lab) -> Faces:
    """The application a server runs, over the laboratory of this module."""
    return faces(lab.services())


@pytest.fixture(scope="module")
def pages(lab: Lab, faced: Faces) -> Iterator[Pages]:
    """Give visitors by user name; the empty name is nobody."""
    known: dict[str, Visitor] = {}

    def give(username: str = "") -> Visitor:
        if username not in known:
            token = lab.person(username).token if username else ""
            known[username] = Visitor(faced, username, token)
        return known[username]

    yield give
    for one in known.values():
        one.client.close()


def routes(app: Any, *methods: str) -> list[tuple[str, APIRoute]]:
    """Return method and route of everything an application answers, static files apart."""
    found = [
        (method, route)
        for route in _flat(app)
        for method in sorted(route.methods)
        if not methods or method in methods
    ]
    assert found
    return found


def _flat(router: Any) -> Iterator[APIRoute]:
    """Yield the routes of a router and of those it includes."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from _flat(route.original_router)
        else:
            only_read = getattr(route, "methods", set()) == {"GET", "HEAD"}
            assert only_read or getattr(route, "path", "") == "/static", f"{route!r} is not known here"


def filled(lab: Lab, route: APIRoute, **more: str) -> str:
    """Return an address of a route that names what there is."""
    known = {
        "reference": f"{lab.n['sop']}v1",
        "number": f"{lab.n['sop']}v1",
        "name": "deviation",
        "act": "submit",
        "type": "deviation",
        "person": lab.number_of("alan"),
    } | more
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: known.get(m[1], "1"), route.path)


class Elements(html.parser.HTMLParser):
    """The elements of a page as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def named(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of every element of a name."""
        return [attributes for name, attributes in self.found if name == tag]


def record_entries(lab: Lab) -> int:
    """Return how many versions of records there are: what no refused request may change."""
    found = lab.ask("select count(*) from ledger.entry where kind not in ('session', 'installation')")
    return int(found[0][0])


@contextmanager
def sequencing(lab: Lab) -> Iterator[None]:
    """Let the log grow as it does where it is served: an export waits until its own entry is in the tree."""
    stop = threading.Event()
    sequencer = sequencer_of(lab.home, lab.signer)
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
