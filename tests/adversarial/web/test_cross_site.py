"""A write that no page of the same session sent, from the same place, is refused: every route there is."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute

from coverslip.bootstrap.faces import Faces
from coverslip.web.security import csrf_token
from fix_lab import Lab, secret_of
from fix_pages import Pages, Visitor, filled, record_entries, routes

WITHOUT_SESSION = ("/sign-in", "/enrol", "/setup", "/locked")
"""Forms of somebody who has no session yet; where they come from is looked at all the same."""
FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:9999"},
    {"Origin": "https://localhost"},
    {"Origin": "http://evil.example/http://localhost"},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "same-site"},
    {"Origin": "", "Sec-Fetch-Site": "cross-site"},
]


@pytest.fixture(scope="module")
def writes(faced: Faces) -> list[APIRoute]:
    """Every route of the pages that is not only read."""
    found = [r for method, r in routes(faced._pages, "POST", "PUT", "PATCH", "DELETE")]
    assert {"/types/{name}/new", "/r/{reference}/do/{act}", "/sign-out"} <= {r.path for r in found}
    return found


def refused_everywhere(lab: Lab, visitor: Visitor, writes: list[APIRoute], **sent: Any) -> None:
    before = record_entries(lab)
    for route in writes:
        for method in route.methods:
            answer = visitor.client.request(method, filled(lab, route), **more(method, sent))
            assert answer.status_code == 403, f"{route.path}: {answer.status_code} {answer.text[:300]}"
            assert "CROSS_SITE" in answer.text or "CROSS-SITE" in answer.text, route.path
    assert record_entries(lab) == before


def more(method: str, sent: dict[str, Any]) -> dict[str, Any]:
    """Return what goes with a request; a file that is put has its token where no other site can write."""
    if method != "PUT":
        return sent
    token = {"X-CSRF-Token": str(sent.get("data", {}).get("csrf", "")), "Coverslip-Manifest": "7b7d"}
    kept = {name: value for name, value in sent.items() if name != "data"}
    return kept | {"content": b"x", "headers": token | sent.get("headers", {})}


def test_only_a_file_is_written_by_another_method_than_post(faced: Faces) -> None:
    found = {(method, route.path) for method, route in routes(faced._pages)}
    assert {one for one in found if one[0] not in ("GET", "HEAD", "POST")} == {("PUT", "/ingest/{to}/upload")}


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda h: " ".join(h.values()))
def test_a_form_of_another_site_is_refused_even_with_the_token(
    lab: Lab, pages: Pages, writes: list[APIRoute], headers: dict[str, str]
) -> None:
    quinn = pages("quinn")
    refused_everywhere(
        lab, quinn, writes, data={"csrf": quinn.csrf, "reason": "Long enough."}, headers=headers
    )


@pytest.mark.parametrize("token", ["", "0" * 64, "another", "own"])
def test_a_form_without_the_token_of_its_session_is_refused(
    lab: Lab, pages: Pages, writes: list[APIRoute], token: str
) -> None:
    quinn, rita = pages("quinn"), pages("rita")
    given = {"another": rita.csrf, "own": quinn.token}.get(token, token)
    within = [r for r in writes if not r.path.startswith(WITHOUT_SESSION)]
    refused_everywhere(
        lab, quinn, within, data={"csrf": given, "reason": "Long enough."}, headers={"Origin": quinn.origin}
    )


def test_the_token_in_the_address_counts_for_nothing(lab: Lab, pages: Pages, writes: list[APIRoute]) -> None:
    quinn = pages("quinn")
    within = [r for r in writes if not r.path.startswith(WITHOUT_SESSION)]
    refused_everywhere(lab, quinn, within, params={"csrf": quinn.csrf}, headers={"Origin": quinn.origin})


def test_the_token_tells_nothing_of_the_session(lab: Lab) -> None:
    token = lab.quinn.token
    assert token not in csrf_token(token)
    assert csrf_token(token) != csrf_token(token + "x")


def test_the_interface_takes_no_cookie(lab: Lab, pages: Pages) -> None:
    answer = pages("quinn").client.get("/api/v1/me")
    assert answer.status_code == 401


def test_pages_take_no_bearer_token(lab: Lab, pages: Pages) -> None:
    answer = pages().get("/work", headers={"Authorization": f"Bearer {lab.quinn.token}"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_a_page_of_this_session_is_heard(lab: Lab, pages: Pages) -> None:
    """Else everything above would be refused for some other reason."""
    form = {"username": "quinn", "password": secret_of("quinn")}
    answer = pages("quinn").post(f"/r/{lab.n['sop']}v1/do/edit", form | {"expected_version": "1"})
    assert "CROSS_SITE" not in answer.text


def test_reading_a_page_changes_no_record(lab: Lab, faced: Faces, pages: Pages) -> None:
    before = record_entries(lab)
    for _, route in routes(faced._pages, "GET"):
        pages("quinn").get(filled(lab, route))
    assert record_entries(lab) == before
