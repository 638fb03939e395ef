"""The browser harness sees what people do not: each kind of fault, once, on a page that has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from fix_browser import (
    THEMES,
    WIDTHS,
    Authenticator,
    Watch,
    _watch,
    accessible,
    by_keyboard,
    context,
    expecting,
    reach,
    serving,
    shot,
)

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'"
STYLE = "body{font-size:16px}:focus-visible{outline:2px solid #036}.bare:focus{outline:none}.w{width:2000px}"
PAGES = {
    "/": '<form action="/said"><label>Name <input id="n" name="n"></label><button>Send</button></form>',
    "/said": "<p>Said.</p>",
    "/inline": '<p style="color:red">x</p>',
    "/script": "<script>window.ran = 1</script>",
    "/picture": '<img src="/none.png" alt="none">',
    "/broken": '<script src="/throws.js"></script>',
    "/nameless": '<input name="n">',
    "/pale": '<p class="pale">Hardly to be read.</p>',
    "/wide": '<div class="w">x</div>',
    "/bare": '<a class="bare" href="/">x</a>',
}
FILES = {
    "/a.css": (STYLE + ".pale{color:#ccc;background:#fff}", "text/css"),
    "/throws.js": ("throw new Error('broken here')", "text/javascript"),
}


def _answer(request: Request) -> Response:
    path = request.url.path
    headers = {"Content-Security-Policy": POLICY}
    if path in FILES:
        text, kind = FILES[path]
        return Response(text, media_type=kind, headers=headers)
    if path not in PAGES:
        return HTMLResponse("none", 404, headers)
    head = f'<title>{path}</title><link rel="icon" href="/a.css"><link rel="stylesheet" href="/a.css">'
    body = f"<main><h1>Page</h1>{PAGES[path]}</main>"
    html = f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'
    return HTMLResponse(html, headers=headers)


class _Site:
    lab: Any = None
    cookie = "coverslip"

    def __init__(self, port: int) -> None:
        self.url = f"http://localhost:{port}"


@pytest.fixture(scope="module")
def served() -> Iterator[_Site]:
    """A few pages instead of a laboratory's."""
    with serving(Starlette(routes=[Route("/{rest:path}", _answer)])) as port:
        yield _Site(port)


@pytest.fixture
def watched(browser: Browser, served: Any) -> Iterator[tuple[Page, Watch]]:
    """A page whose faults the test itself looks at."""
    opened = context(browser, served)
    page = opened.new_page()
    yield page, _watch(page)
    opened.close()


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/inline", "Content Security Policy"),
        ("/script", "Content Security Policy"),
        ("/picture", "answer 404: GET"),
        ("/broken", "script error: broken here"),
        ("/none", "answer 404: GET"),
    ],
)
def test_a_fault_that_nobody_sees_is_seen(watched: tuple[Page, Watch], path: str, fault: str) -> None:
    page, watch = watched
    page.goto(path, wait_until="networkidle")
    assert any(fault in one for one in watch.faults), watch.faults


def test_a_request_that_reaches_nobody_is_seen(watched: tuple[Page, Watch]) -> None:
    page, watch = watched
    page.goto("/")
    page.route("**/said*", lambda route: route.abort("connectionrefused"))
    page.click("button", no_wait_after=True)
    page.wait_for_timeout(200)
    assert any("request failed" in one for one in watch.faults), watch.faults


def test_a_page_without_faults_has_none(page: Page) -> None:
    page.goto("/", wait_until="networkidle")
    accessible(page)


def test_a_fault_that_was_announced_is_none(page: Page) -> None:
    expecting(page, r"answer 404: GET .*/none$")
    page.goto("/none")


@pytest.mark.parametrize(("path", "rule"), [("/nameless", "label"), ("/pale", "color-contrast")])
def test_what_some_cannot_use_is_refused(page: Page, path: str, rule: str) -> None:
    page.goto(path)
    with pytest.raises(AssertionError, match=rule):
        accessible(page)


def test_a_form_is_filled_and_sent_by_keyboard_alone(page: Page) -> None:
    page.goto("/")
    by_keyboard(page, "#n", "", text="Ada")
    by_keyboard(page, "button", "Enter")
    page.wait_for_url("**/said?n=Ada")


def test_a_focus_that_does_not_show_is_refused(page: Page) -> None:
    page.goto("/bare")
    with pytest.raises(AssertionError, match="does not show"):
        reach(page, "a")


def test_what_tab_never_comes_to_is_refused(page: Page) -> None:
    page.goto("/")
    with pytest.raises(AssertionError, match="not reached"):
        reach(page, "h1", most=5)


def test_pictures_are_kept_of_each_theme_and_width(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_SHOTS", str(tmp_path))
    page.goto("/")
    kept = shot(page, "form")
    assert len(kept) == len(THEMES) * len(WIDTHS) == len(list(tmp_path.glob("form-*.png")))


def test_a_page_that_sticks_out_is_refused(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_SHOTS", str(tmp_path))
    page.goto("/wide")
    with pytest.raises(AssertionError, match="wider than a window of 1280"):
        shot(page, "wide")


def test_a_passkey_is_made_and_used(page: Page) -> None:
    page.goto("/")
    authenticator = Authenticator(page)
    made = page.evaluate(
        """async () => (await navigator.credentials.create({publicKey: {
            rp: {id: 'localhost', name: 'x'}, user: {id: new Uint8Array(4), name: 'a', displayName: 'A'},
            challenge: new Uint8Array(16),
            pubKeyCredParams: [-7, -257].map(alg => ({type: 'public-key', alg})),
            authenticatorSelection: {residentKey: 'required', userVerification: 'required'}}})).id"""
    )
    assert made
    assert len(authenticator.credentials()) == 1
    authenticator.forget()
    assert authenticator.credentials() == []
