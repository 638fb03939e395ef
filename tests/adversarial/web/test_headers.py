"""Every answer says what a browser may do with it: no frame, no foreign script, no guessing, no copy."""

from __future__ import annotations

import pytest

from coverslip.bootstrap.faces import Faces, faces
from coverslip.web.serving import Serving
from fix_lab import Lab
from fix_pages import Pages, Visitor, filled, routes

STRICT = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def policy(text: str) -> dict[str, list[str]]:
    parts = [part.split() for part in text.split(";") if part.strip()]
    return {part[0]: part[1:] for part in parts}


def addresses(lab: Lab, faced: Faces) -> list[str]:
    found = [filled(lab, route) for _, route in routes(faced._pages, "GET")]
    return [
        *found,
        "/nothing",
        "/r/NONE-1",
        "/static/nothing.js",
        "/static/coverslip.css",
        "/r/%00",
        "/r/" + "x" * 300,
    ]


@pytest.mark.parametrize("who", ["quinn", ""])
def test_every_answer_carries_the_headers(lab: Lab, faced: Faces, pages: Pages, who: str) -> None:
    for address in addresses(lab, faced):
        answer = pages(who).get(address)
        held = {name: answer.headers.get(name) for name in STRICT}
        assert held == STRICT, f"{address}: {answer.status_code} {held}"
        said = policy(answer.headers["content-security-policy"])
        assert said["default-src"] == ["'none'"], address
        assert said["frame-ancestors"] == ["'none'"], address
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "data:", "https:", "http:"} & {
            source for sources in said.values() for source in sources
        }, address
        if "sandbox" not in said:
            assert (said["base-uri"], said["form-action"]) == (["'none'"], ["'self'"]), address
        assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer"), address
        assert "server" not in answer.headers and "x-powered-by" not in answer.headers


def test_nothing_of_a_record_is_kept_by_a_browser(lab: Lab, faced: Faces, pages: Pages) -> None:
    for _, route in routes(faced._pages, "GET"):
        answer = pages("quinn").get(filled(lab, route))
        kept = answer.headers.get("cache-control", "")
        assert "no-store" in kept or ("private" in kept and answer.headers.get("etag")), (
            f"{route.path}: {kept!r}"
        )


def test_over_tls_browsers_stay_there_and_the_cookie_is_bound(lab: Lab) -> None:
    visitor = Visitor(faces(lab.services(), Serving(secure=True)), secure=True)
    answer = visitor.get("/sign-in")
    assert "max-age=" in answer.headers["strict-transport-security"]
    assert Serving(secure=True).cookie.startswith("__Host-")


def test_on_the_loopback_without_tls_browsers_are_told_nothing_of_it(pages: Pages) -> None:
    assert "strict-transport-security" not in pages().get("/sign-in").headers


def test_a_method_nobody_offers_is_refused(lab: Lab, faced: Faces, pages: Pages) -> None:
    quinn = pages("quinn")
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"):
        answer = quinn.client.request(method, f"/r/{lab.n['sop']}v1", headers={"Origin": quinn.origin})
        assert answer.status_code in (403, 405, 413), f"{method}: {answer.status_code}"
