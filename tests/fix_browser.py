"""A real browser at a real server: Debian's Chromium, driven by Playwright, over the laboratory of a module.

Rules kept here:

* What a person would not see but a reviewer must know fails the test: an error on the console, a violation of
  the Content-Security-Policy, a request that fails or answers 400 or more. A test that provokes one says so
  first (``expecting``).
* People sign in by a session of their own that the laboratory opened; the sign-in form has tests of its own.
* One browser runs per module, with a context of its own for each test.

``browse("quinn")`` is a page in which Quinn is signed in, ``browse()`` one of nobody. ``page.goto("/work")``
leads below the served address. ``accessible(page)``, ``shot(page, "work")``, ``reach(page, "a.x")`` and
``Authenticator(page)`` are what stories need beside Playwright's own.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error as PlaywrightError,
    Page,
    Request,
    Response,
    sync_playwright,
)

from coverslip.bootstrap import fronting
from coverslip.bootstrap.connections import Patience, Seats
from coverslip.bootstrap.listening import Listening
from fix_lab import Lab

ROOT = Path(__file__).resolve().parent.parent
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WIDTHS = {1280: 900, 820: 1180}
THEMES = ("light", "dark")
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")
PATIENCE_MS = 10_000
_LOADED = re.compile(r"Failed to load resource: the server responded with a status of")
"""Chromium's word for an answer of 400 or more, which is watched here with its address."""


# --- what goes wrong unseen ----------------------------------------------------------------------------


@dataclass
class Watch:
    """What happened in one page beside what was asked of it."""

    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def add(self, fault: str) -> None:
        if not any(re.search(pattern, fault) for pattern in self.expected):
            self.faults.append(fault)

    def console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _LOADED.search(message.text):
            self.add(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def failed(self, request: Request) -> None:
        # Leaving a page ends what it was still reading: a stream, an image below the fold, a download.
        if request.failure != "net::ERR_ABORTED":
            self.add(f"request failed: {request.method} {request.url} {request.failure}")

    def answered(self, response: Response) -> None:
        if response.status >= 400:
            self.add(f"answer {response.status}: {response.request.method} {response.url}")


_WATCHES: dict[int, Watch] = {}


def _watch(page: Page) -> Watch:
    made = Watch()
    _WATCHES[id(page)] = made
    page.on("console", made.console)
    page.on("pageerror", lambda error: made.add(f"script error: {error}"))
    page.on("requestfailed", made.failed)
    page.on("response", made.answered)
    page.on("crash", lambda _: made.add("the page crashed"))
    return made


def watch(page: Page) -> Watch:
    """Return what is known of a page's unseen faults."""
    return _WATCHES[id(page)]


def expecting(page: Page, *patterns: str) -> None:
    """Say which faults a test provokes, as patterns: ``answer 403: POST .*/actions/approve``."""
    watch(page).expected += patterns


# --- browser and server --------------------------------------------------------------------------------


def chromium() -> str:
    """Return the browser's path; the tests that need one fail where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "No Chromium on this machine: run 'make system', or apt-get install chromium."
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a module: while it runs, no other event loop can in this thread."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        yield started
        started.close()


@dataclass
class Served:
    """A laboratory at its address. Browsers call it ``localhost``, since passkeys are bound to a name."""

    lab: Lab
    port: int
    cookie: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"


@contextlib.contextmanager
def serving(app: Any, patience: Patience | None = None, seats: Seats | None = None) -> Iterator[int]:
    """Serve an application as ``serve`` does, on a free port of the loopback; yields the port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    place = Listening(port=listener.getsockname()[1])
    config = fronting.config(fronting.Front(app, place), patience=patience, seats=seats)
    config.timeout_graceful_shutdown = 1  # a browser keeps its connections
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until, "the server does not start"
        time.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive(), "the server does not stop"


@pytest.fixture(scope="module")
def served(lab: Lab) -> Iterator[Served]:
    """The laboratory of this module, with its pages and its interface, at an address."""
    from coverslip.bootstrap.faces import faces
    from coverslip.web.serving import Serving

    with serving(faces(lab.services())) as port:
        yield Served(lab, port, Serving().cookie)


def context(browser: Browser, served: Served, username: str = "", **more: Any) -> BrowserContext:
    """Return a context of its own, with the session of somebody where a user name is given."""
    opened = browser.new_context(base_url=served.url, viewport={"width": 1280, "height": 900}, **more)
    opened.set_default_timeout(PATIENCE_MS)
    if username:
        opened.add_cookies(
            [
                {
                    "name": served.cookie,
                    "value": served.lab.person(username).token,
                    "url": served.url,
                    "httpOnly": True,
                    "sameSite": "Lax",
                }
            ]
        )
    return opened


Browse = Callable[..., Page]


@pytest.fixture
def browse(browser: Browser, served: Served) -> Iterator[Browse]:
    """Open pages; afterwards nothing unseen may have gone wrong in any of them."""
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def opened(username: str = "", **more: Any) -> Page:
        made = context(browser, served, username, **more)
        contexts.append(made)
        page = made.new_page()
        watches.append(_watch(page))
        return page

    yield opened
    for made in contexts:
        made.close()
    _WATCHES.clear()
    assert [fault for one in watches for fault in one.faults] == []


@pytest.fixture
def page(browse: Browse) -> Page:
    """A page of nobody."""
    return browse()


# --- helpers of stories --------------------------------------------------------------------------------


def accessible(page: Page, *, themes: tuple[str, ...] = THEMES, without: tuple[str, ...] = ()) -> None:
    """Let axe look at the page as it is, in each theme: nothing at WCAG 2.0 to 2.2, levels A and AA.

    ``without`` leaves rules out by id; say why beside the call.
    """
    axe = ROOT / "build/axe/axe.min.js"
    assert axe.is_file(), "No axe-core: run 'make assets' (scripts/assets.py)."
    options = {
        "runOnly": {"type": "tag", "values": list(WCAG)},
        "rules": {rule: {"enabled": False} for rule in without},
        "resultTypes": ["violations"],
    }
    for theme in themes:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(f"() => {{ {axe.read_text(encoding='utf-8')} }}")
        found = page.evaluate("options => axe.run(document, options)", options)
        said = [
            f"{theme}: {v['id']} ({v['impact']}): {v['help']}: {n['target']} {n['failureSummary']}"
            for v in found["violations"]
            for n in v["nodes"]
        ]
        assert not said, page.url + "\n" + "\n".join(said)
    page.emulate_media(color_scheme="light")


def shots() -> Path:
    """Return the folder of screenshots: ``COVERSLIP_SHOTS``, else ``build/shots``."""
    folder = Path(os.environ.get("COVERSLIP_SHOTS") or ROOT / "build/shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def shot(page: Page, name: str, *, full: bool = True) -> list[Path]:
    """Keep pictures of the page, light and dark, as wide as a desk and as a tablet; nothing may stick out.

    A page wider than its window would be read by scrolling sideways (WCAG 1.4.10), so that is refused here.
    """
    assert re.fullmatch(r"[a-z0-9-]+", name), "a picture's name is of small letters, digits and hyphens"
    kept, before = [], page.viewport_size
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            path = shots() / f"{name}-{width}-{theme}.png"
            page.screenshot(path=path, full_page=full, animations="disabled")
            kept.append(path)
        over = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"{page.url} is {over} px wider than a window of {width} px"
    page.emulate_media(color_scheme="light")
    if before:
        page.set_viewport_size(before)
    return kept


def reach(page: Page, selector: str, *, most: int = 120) -> None:
    """Go to what ``selector`` names with the Tab key alone; it must show that it has the focus."""
    asked = "s => !!document.activeElement && document.activeElement.matches(s)"
    for _ in range(most):
        if page.evaluate(asked, selector):
            break
        page.keyboard.press("Tab")
    else:
        raise AssertionError(f"{selector} is not reached with {most} presses of Tab on {page.url}")
    seen = page.evaluate(
        "() => { const s = getComputedStyle(document.activeElement);"
        " return (s.outlineStyle !== 'none' && s.outlineWidth !== '0px') || s.boxShadow !== 'none'; }"
    )
    assert seen, f"{selector} has the focus and does not show it on {page.url}"


def by_keyboard(page: Page, selector: str, key: str = "Enter", *, text: str = "") -> None:
    """Reach an element by Tab, write ``text`` into it if given, and press ``key`` unless it is empty."""
    reach(page, selector)
    if text:
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(text)
    if key:
        page.keyboard.press(key)


class Authenticator:
    """A passkey of the browser's own making (CDP WebAuthn), which finds its person present and verified."""

    def __init__(self, page: Page, *, verified: bool = True, transport: str = "internal") -> None:
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": transport,
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": verified,
            "automaticPresenceSimulation": True,
        }
        self.id = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        """Return what the authenticator holds; keys included, so that a test can move them elsewhere."""
        found = self._cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return list(found["credentials"])

    def take(self, credential: dict[str, Any]) -> None:
        """Hold a credential another authenticator made."""
        self._cdp.send("WebAuthn.addCredential", {"authenticatorId": self.id, "credential": credential})

    def forget(self) -> None:
        """Hold nothing any more."""
        self._cdp.send("WebAuthn.clearCredentials", {"authenticatorId": self.id})

    def verify(self, verified: bool) -> None:
        """Let the person be verified from now on, or not."""
        self._cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verified})

    def touched(self, touched: bool) -> None:
        """Let the person touch it whenever it asks from now on, or leave it waiting."""
        asked = {"authenticatorId": self.id, "enabled": touched}
        self._cdp.send("WebAuthn.setAutomaticPresenceSimulation", asked)

    def remove(self) -> None:
        """Take the authenticator out."""
        with contextlib.suppress(PlaywrightError):  # the page may be closed by now
            self._cdp.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self.id})
