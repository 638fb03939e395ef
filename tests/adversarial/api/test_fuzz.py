"""Whatever is sent to whichever route: never an unforeseen error, never a trace of the inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from fix_caller import Caller
from fix_lab import Lab

Api = Callable[[str], Caller]
NAMES = st.sampled_from(
    ["SOP-0001", "POL-0001", "STU-2026-001", "ROLE-QA", "USR-0001", "ACQ-2026-00001", "RUN-0", "document_sop", "../x",  # noqa: E501
     "submit", "edit", "approve", "user", "", "SOP-0001v1", "SITE-01", "image"]
) | st.text(max_size=20)  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | NAMES
    | st.sampled_from(["2026-11-21", "2026-11-21T00:00:00Z", "0" * 64, "gxp", "1e5", "-0", "1.50"])
)  # fmt: skip
KEYS = st.sampled_from(
    ["number", "type", "uid", "version", "hash", "revision", "value", "unit", "name", "size", "sha256", "root",  # noqa: E501
     "media_type", "kid", "public", "check", "result", "image", "reason"]
) | st.text(max_size=8)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
FUZZ = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
EXPECTED = {200, 201, 204, 401, 403, 404, 405, 409, 413, 415, 422, 423, 429}


def send(caller: Caller, method: str, path: str, value: Any) -> None:
    body = json.dumps(value).encode()
    headers = {"Content-Type": "application/json"}
    answer = caller.request(method, path, content=body, headers=headers)
    assert answer.status_code in EXPECTED, (answer.status_code, answer.text)
    if answer.status_code >= 400:
        problem = answer.json()
        assert problem["code"] and problem["message"], problem


def routes(api: Api) -> list[tuple[str, str]]:
    paths = api("rita").get("/openapi.json")["paths"]
    return sorted(
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/v1") and not path.endswith("/export") and method != "delete"
    )


@FUZZ
@given(data=st.data())
def test_no_route_breaks_whatever_it_is_sent(api: Api, data: st.DataObject) -> None:
    method, path = data.draw(st.sampled_from(routes(api)))
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + quote(data.draw(NAMES), safe="") + rest.partition("}")[2]
    who = data.draw(st.sampled_from(["aurel", "quinn", "alan", ""]))
    send(api(who), method, path, data.draw(VALUES))


@FUZZ
@given(data=st.data())
def test_no_type_breaks_whatever_its_fields_hold(lab: Lab, api: Api, data: st.DataObject) -> None:
    definition = data.draw(st.sampled_from(sorted(lab.door.catalogue, key=lambda d: d.name)))
    makers = {
        name for name in ("ada", "quinn", "aurel", "alan", "mia", "sam")
        if definition.type.create.who == ("*",) or _roles(name) & set(definition.type.create.who)
    }  # fmt: skip
    names = st.sampled_from(sorted(definition.type.fields))
    fields = data.draw(st.dictionaries(names, VALUES, max_size=8))
    caller = api(data.draw(st.sampled_from(sorted(makers or {"aurel"}))))
    send(
        caller,
        "POST",
        "/records",
        {"type": definition.name, "fields": fields, "reason": "Fuzzing the fields."},
    )


def _roles(username: str) -> set[str]:
    from fix_lab import FOUNDERS, STAFF

    return {role for name, _, roles in (*FOUNDERS, *STAFF) if name == username for role in roles}


@FUZZ
@given(data=st.data())
def test_no_act_breaks_whatever_comes_with_it(lab: Lab, api: Api, data: st.DataObject) -> None:
    number = data.draw(st.sampled_from([*lab.n.values(), "POL-0001", "SITE-01", "ROLE-ANL", "USR-0004"]))
    definition = lab.door.catalogue[lab.row(number).type]
    act = data.draw(st.sampled_from(["edit", *definition.acts]))
    names = st.sampled_from(sorted(definition.type.fields))
    body: dict[str, Any] = {
        "fields": data.draw(st.dictionaries(names, VALUES, max_size=5)),
        "expected_version": data.draw(st.none() | st.just(lab.row(number).version) | st.integers(0, 5)),
        "reason": data.draw(st.just("") | st.text(max_size=40)),
    }
    if data.draw(st.booleans()):
        body["signature"] = {"username": "x", "password": "y", "shown": "0" * 64}
    path = f"/records/{number}/edit" if act == "edit" else f"/records/{number}/acts/{act}"
    send(api("nora"), "POST", path, body)  # without any role: whatever is sent, nothing may change
    send(api("rex"), "POST", path, body | {"expected_version": -1})


@FUZZ
@given(
    body=st.binary(max_size=200),
    path=st.sampled_from(["/records", "/sessions", "/sessions/device", "/enrolments"]),
)
def test_bytes_that_mean_nothing_are_refused(api: Api, body: bytes, path: str) -> None:
    answer = api("rita").request("POST", path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (401, 403, 404, 413, 422), answer.text


@FUZZ
@given(header=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_whatever_is_said_to_be_a_token_opens_nothing(api: Api, header: str) -> None:
    client = api("").client
    for value in (header, f"Bearer {header}"):
        answer = client.get("/api/v1/me", headers={"Authorization": value})
        assert answer.status_code == 401, answer.text


@FUZZ
@given(manifest=st.binary(max_size=100) | VALUES.map(lambda v: json.dumps(v).encode()))
def test_a_manifest_that_is_none_takes_nothing_in(lab: Lab, api: Api, manifest: bytes) -> None:
    headers = {"Coverslip-Manifest": manifest.hex()}
    path = f"/sessions/{lab.n['session']}/files"
    answer = api("alan").request("PUT", path, content=b"bytes", headers=headers)
    assert answer.status_code == 422, answer.text


def test_the_ledger_holds_together_after_all_this(lab: Lab) -> None:
    assert lab.replay() == []


@pytest.mark.parametrize("who", ["nora", "rita"])
def test_health_and_metrics_answer_at_any_time(api: Api, who: str) -> None:
    assert api(who).client.get("/healthz").status_code == 200
    assert "coverslip_ledger_size" in api(who).client.get("/metrics").text
