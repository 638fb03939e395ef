"""An inspector reads everything and writes nothing, for as long as the account lasts (DOMAIN 1.1, 9)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from fix_caller import Caller
from fix_lab import TODAY, Lab, refused

Api = Callable[[str], Caller]
NAME = "iris"
OWN = ("/api/v1/sessions", "/api/v1/enrolments", "/api/v1/me/")
"""Signing in and out, locking, one's own credentials: no record of the laboratory is written by them."""
READING = ("/export", "/reproduce", "/preview")
"""Asked by POST, and answered without a record being written."""


def _arrive(lab: Lab, until: dt.date) -> None:
    last = until.isoformat()
    number = lab.ada.create(
        "user",
        username=NAME,
        printed_name="Iris Inspector",
        kind="inspector",
        email="iris@authority.example",
        valid_to=last,
    )
    lab.enrol(number, NAME)
    check = [{"document_kind": "credentials", "manner": "in person", "on": TODAY.isoformat()}]
    lab.aurel.do(number, "activate", sign=True, identity_check=check)
    lab.grant(number, "INS", start=TODAY.isoformat(), end=last)


@pytest.fixture(scope="module")
def inspector(lab: Lab) -> Lab:
    _arrive(lab, TODAY + dt.timedelta(days=14))
    return lab


@pytest.fixture(scope="module")
def caller(inspector: Lab, api: Api) -> Caller:
    return Caller(api("").client, NAME, inspector.person(NAME).token)


def _record_entries(lab: Lab) -> int:
    found = lab.ask("select count(*) from ledger.entry where kind not in ('session', 'installation')")
    return int(found[0][0])


def _writes(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (method, path)
        for path, methods in sorted(document["paths"].items())
        for method in sorted(methods)
        if method in ("post", "put", "patch", "delete")
        and (path.endswith("/files") or not path.startswith(OWN))
        and not path.endswith(READING)
    ]


def _body(lab: Lab) -> dict[str, Any]:
    return {
        "type": "deviation", "fields": {"title": "Written by an inspector"}, "reason": "Long enough, it is.",
        "expected_version": lab.row(lab.n["sop"]).version,
        "changes": [{"act": "create", "type": "comment", "fields": {"text": "x", "subject": lab.n["sop"]}}],
    }  # fmt: skip


def test_every_route_that_writes_refuses_and_nothing_is_written(inspector: Lab, caller: Caller) -> None:
    document: dict[str, Any] = caller.get("/openapi.json")
    before, tried = _record_entries(inspector), 0
    for method, path in _writes(document):
        for name, value in {"number": inspector.n["sop"], "act": "withdraw", "name": "a.txt"}.items():
            path = path.replace("{" + name + "}", value)
        answer = caller.request(method.upper(), path.removeprefix("/api/v1"), json=_body(inspector))
        assert answer.status_code >= 400, f"{method} {path}: {answer.text}"
        tried += 1
    assert tried >= 6
    assert _record_entries(inspector) == before


@pytest.mark.parametrize("kind", ["comment", "watch", "tag", "deviation", "complaint", "delegation"])
def test_what_anybody_may_make_an_inspector_may_not(inspector: Lab, kind: str) -> None:
    with refused("AUTH_ROLE") as said:
        inspector.person(NAME).create(kind, title="Found on inspection", subject=inspector.n["sop"])
    assert "an account that only reads" in said[0].message


def test_no_act_is_announced_as_possible_to_an_inspector(inspector: Lab, caller: Caller) -> None:
    for number in (inspector.n["sop"], inspector.n["study"]):
        acts = caller.get(f"/records/{number}")["acts"]
        assert [a["act"] for a in acts if a["allowed"]] == []


def test_an_inspector_reads_records_trails_and_exports(inspector: Lab, caller: Caller) -> None:
    number = inspector.n["sop"]
    assert caller.get(f"/records/{number}")["number"] == number
    assert caller.get(f"/records/{number}/history")["entries"]
    # This laboratory has no signer running, so that the copy ends in 503; who may ask was asked before.
    assert caller.request("POST", f"/records/{number}/export", json={}).status_code in (200, 503)
