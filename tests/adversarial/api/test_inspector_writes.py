"""Nothing an inspector sends writes a record: every route of interface and pages there is, by its own list.

A new route is asked as soon as it exists. Only a few are left alone, each named here with its reason.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from coverslip.bootstrap.faces import Faces
from coverslip.errors import Refused
from coverslip.ledger.identity import uuid7
from fix_lab import TODAY, Lab
from fix_pages import Visitor, _flat, filled, record_entries, sequencing

NAME = "iris"
ENDS_THE_SESSION = {
    ("DELETE", "/sessions/current"), ("POST", "/sign-out"),
    ("POST", "/sessions/current/lock"), ("POST", "/lock"), ("POST", "/switch"),
}  # fmt: skip
"""An inspector may sign out and lock; left alone, or nothing after it would be asked as an inspector."""
OF_NOBODY = {
    ("POST", "/sessions"), ("POST", "/sessions/device"), ("POST", "/enrolments"), ("POST", "/sign-in"),
    ("POST", "/enrol"),
}  # fmt: skip
"""Asked without a session; whose session it is makes no difference."""


@pytest.fixture(scope="module")
def inspected(lab: Lab) -> Iterator[Lab]:
    """A laboratory with an inspector for two weeks."""
    until = (TODAY + dt.timedelta(days=14)).isoformat()
    number = lab.ada.create(
        "user", username=NAME, printed_name="Iris Inspector", kind="inspector",
        email="iris@authority.example", valid_to=until,
    )  # fmt: skip
    lab.enrol(number, NAME)
    check = [{"document_kind": "credentials", "manner": "in person", "on": TODAY.isoformat()}]
    lab.aurel.do(number, "activate", sign=True, identity_check=check)
    lab.grant(number, "INS", start=TODAY.isoformat(), end=until)
    with sequencing(lab):
        yield lab


@pytest.fixture(scope="module")
def iris(inspected: Lab, faced: Faces) -> Visitor:
    visitor = Visitor(faced, NAME, inspected.person(NAME).token)
    visitor.client.headers["Authorization"] = f"Bearer {visitor.token}"
    return visitor


def writing(app: Any) -> list[tuple[str, APIRoute]]:
    """Return every route that is not only read, with its method."""
    return [
        (method, route)
        for route in _flat(app)
        for method in sorted(route.methods - {"GET", "HEAD", "OPTIONS"})
        if (method, route.path) not in OF_NOBODY | ENDS_THE_SESSION
    ]


ACTS = ("edit", "withdraw", "submit", "void")


def _each(route: APIRoute, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return all values of a part of an address, or one where the address has no such part."""
    return values if f"{{{name}}}" in route.path else values[:1]


def everything(lab: Lab) -> dict[str, Any]:
    """Return a body with whatever a route might ask for."""
    sop = lab.row(lab.n["sop"])
    change = {"act": "create", "type": "comment", "fields": {"text": "x", "subject": lab.n["sop"]}}
    return {
        "type": "deviation", "fields": {"title": "Written by an inspector"}, "number": sop.number,
        "reason": "Long enough, it is.", "expected_version": sop.version, "changes": [change], "index": 1,
        "filter": "", "patch": {},
    }  # fmt: skip


def sent(lab: Lab, route: APIRoute) -> list[dict[str, Any]]:
    """Return bodies for a route of the interface: only what it takes, with and without the rest."""
    field = route.body_field
    taken = set(
        getattr(getattr(field, "field_info", None), "annotation", object).__dict__.get("model_fields", ())
    )
    whole = everything(lab)
    return [{k: v for k, v in whole.items() if k in taken}, whole, {}]


def test_no_route_of_the_interface_writes_for_an_inspector(
    inspected: Lab, faced: Faces, iris: Visitor
) -> None:
    routes = writing(faced._interface)
    assert len(routes) >= 8
    before = record_entries(inspected)
    for method, route in routes:
        for act in _each(route, "act", ACTS):
            path = "/api/v1" + filled(inspected, route, number=inspected.n["sop"], act=act)
            for body in sent(inspected, route):
                answer = iris.client.request(method, path, json=body)
                assert answer.status_code < 500, f"{path}: {answer.text}"
            assert record_entries(inspected) == before, f"{method} {path} wrote a record"


ASKED = {
    "reason": "Long enough, it is.", "f.title": "Written by an inspector", "f.text": "x", "title": "Trial",
    "key": str(uuid7()), "answer": "Looked at.", "index": "1", "label": "Mine", "made": "{}",
    "ceremony": "none", "kid": "none", "code": "000000", "username": "iris", "password": "x",
}  # fmt: skip
"""A value for whatever a form of these pages asks for, so that its handler is reached."""


def _sent_by_form(lab: Lab, iris: Visitor, method: str, path: str) -> Any:
    if method == "PUT":
        head = {"X-CSRF-Token": iris.csrf, "Coverslip-Manifest": "7b7d", "Origin": iris.origin}
        return iris.client.put(path, content=b"x", headers=head)
    sop = lab.n["sop"]
    form = ASKED | {
        "expected_version": str(lab.row(sop).version),
        "f.subject": sop,
        "confirm": f"{sop}v1",
        f"version.{sop}v1": str(lab.row(sop).version),
    }
    if path.startswith(("/me/credentials", "/sign-in")):
        form["passkey"] = "{}"
    where = f"{path}?type=document_sop&act=submit&number={sop}v1" if path.startswith("/series") else path
    return iris.post(where, form)


def test_no_page_writes_for_an_inspector(inspected: Lab, faced: Faces, iris: Visitor) -> None:
    before, reached = record_entries(inspected), 0
    for method, route in writing(faced._pages):
        for act in _each(route, "act", ACTS):
            for name in _each(route, "name", ("deviation", "comment", "watch", "tag")):
                path = filled(inspected, route, act=act, name=name)
                answer = _sent_by_form(inspected, iris, method, path)
                assert answer.status_code < 500, f"{method} {path}: {answer.text[:500]}"
                assert answer.status_code != 405, f"{method} {path}"
                assert "Field required" not in answer.text, f"{method} {path} asks for more than was sent"
                reached += answer.status_code == 403
                assert record_entries(inspected) == before, f"{method} {path} wrote a record"
    assert reached >= 18, "too few were asked for what they do"


def test_no_file_is_kept_for_an_inspector(inspected: Lab, iris: Visitor) -> None:
    answer = iris.client.put("/api/v1/attachments/a.txt/files", content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (403, "AUTH_ROLE")
    upload = {"f.file": ("a.txt", b"x", "text/plain")}
    answer = iris.post("/types/attachment/new", {"f.title": "x"}, files=upload)
    assert answer.status_code == 403
    with pytest.raises(Refused):
        inspected.door.require_writer(inspected.person(NAME).context, "attach")


def test_pages_say_what_the_interface_says(inspected: Lab, iris: Visitor) -> None:
    body = {"type": "deviation", "fields": {"title": "x"}, "reason": "Long enough, it is."}
    said = iris.client.post("/api/v1/records", json=body).json()
    page = iris.post("/types/deviation/new", {"f.title": "x", "reason": "Long enough, it is."})
    assert page.status_code == 403
    assert said["code"] == "AUTH_ROLE"
    assert said["message"] in page.text


def test_an_inspector_opens_every_page(inspected: Lab, faced: Faces, iris: Visitor) -> None:
    for route in _flat(faced._pages):
        if "GET" in route.methods:
            path = filled(inspected, route)
            assert iris.get(path).status_code in (200, 303, 401, 403, 404, 409, 422), path


def test_what_is_left_alone_exists(faced: Faces) -> None:
    """A name that no longer is a route would leave something else alone one day."""
    there = {(m, r.path) for app in (faced._interface, faced._pages) for r in _flat(app) for m in r.methods}
    assert there >= OF_NOBODY | ENDS_THE_SESSION


def test_a_route_that_writes_would_be_seen(inspected: Lab) -> None:
    before = record_entries(inspected)
    inspected.alan.create("comment", subject=inspected.n["sop"], text="Somebody who may write.")
    assert record_entries(inspected) > before
