"""Hostile requests: each is refused in words, nothing of it is kept, and none shows the inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fix_caller import Caller
from fix_lab import Lab

Api = Callable[[str], Caller]
JSON = {"Content-Type": "application/json"}
DRAFT = {"title": "Fine", "criticality": "gxp"}


def records(lab: Lab) -> int:
    return int(lab.ask("select count(*) from projection.record")[0][0])


def create(api: Api, fields: Any, kind: str = "document_sop") -> Any:
    return api("aurel").post("/records", {"type": kind, "fields": fields})


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "1", '"x"', "{}", '{"type": 1}', '{"type": null, "fields": {}}',
        '{"type": "document_sop", "fields": []}', '{"type": "document_sop", "fields": {}, "extra": 1}',
        '{"type": "document_sop", "fields": {"title": NaN}}',
        '{"type": "document_sop", "fields": {"title": Infinity}}',
        '{"type": "document_sop", "fields": {"title": 1e999}}',
        '{"type": "document_sop", "fields": {"title": "\\ud800", "criticality": "gxp"}}',
        '{"type": "document_sop", "fields": {"\\ud800": 1}}',
        '{"type": "\\u0000", "fields": {}}',
        '{"type": "document_sop", "number": "SOP-0001\\u0000", "fields": {}}',
        '{"type": "document_sop", "reason": "\\ud800\\ud800", "fields": {"title": "x", "criticality": "gxp"}}',  # noqa: E501
        "[" * 20_000, '{"type": "document_sop", "fields": {"title": ' + "[" * 900 + "]" * 900 + "}}",
        '{"type": "document_sop", "fields": {"body": ' + '{"a":' * 900 + "1" + "}" * 900 + "}}",
        '{"type": "document_sop", "fields": {"review_months": ' + "9" * 4000 + "}}",
        '{"type": "document_sop", "fields": {"review_months": ' + "9" * 5000 + "}}",
    ],
    ids=lambda t: t[:40] + f"…{len(t)}",
)  # fmt: skip
def test_a_malformed_body_is_refused_whole(lab: Lab, api: Api, text: str) -> None:
    before = records(lab)
    answer = api("aurel").request("POST", "/records", content=text.encode(), headers=JSON)
    assert answer.status_code in (404, 422), answer.text
    assert records(lab) == before


def test_bytes_that_are_no_text_are_refused(lab: Lab, api: Api) -> None:
    before = records(lab)
    for body in (b"\xff\xfe\x00", b'{"type": "document_sop", "fields": {"title": "\xff"}}', b"\x00" * 100):
        answer = api("aurel").request("POST", "/records", content=body, headers=JSON)
        assert answer.status_code == 422
    assert records(lab) == before


def test_a_name_given_twice_is_not_left_to_chance(lab: Lab, api: Api) -> None:
    text = '{"type": "document_sop", "fields": {"title": "One", "title": "Two", "criticality": "gxp"}}'
    before = records(lab)
    answer = api("aurel").request("POST", "/records", content=text, headers=JSON)
    assert answer.status_code == 422, answer.text
    assert records(lab) == before


def test_a_body_beyond_the_limit_is_refused_unread(lab: Lab, api: Api) -> None:
    answer = create(api, DRAFT | {"body": "x" * (5 << 20)})
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
    chunks = (b"x" * 65536 for _ in range(100))
    answer = api("aurel").request("POST", "/records", content=chunks, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", 1.5), ("title", True), ("title", 7), ("title", ["a"]), ("title", {"a": "b"}), ("title", ""),
        ("title", " \t "), ("title", "a\x01b"), ("title", "a\nb"), ("title", "\x1b[31mred"), ("title", "x" * 301),  # noqa: E501
        ("title", "\ue000"), ("title", "a\u202eb"), ("title", "a\u2066b\u2069"), ("title", "\u200bzero"),
        ("review_months", 1.0), ("review_months", "12"), ("review_months", 10**30), ("review_months", -1),
        ("review_months", True), ("criticality", "GXP"), ("criticality", ["gxp"]), ("criticality", {}),
        ("effective_date", "2026-13-01"), ("effective_date", "2026-1-1"), ("effective_date", "20261101"),
        ("effective_date", "2026-11-21T00:00:00Z"), ("effective_date", 20261121), ("effective_date", "٢٠٢٦-١١-٢١"),  # noqa: E501
        ("audience", "ROLE-QA"), ("audience", ["ROLE-NONE"]), ("audience", ["SITE-01"]), ("audience", [None]),
        ("audience", [{"number": "ROLE-QA", "hash": "0" * 64, "uid": 5}, []]), ("audience", [{"number": 5}]),
        ("references", ["SOP-9999"]), ("references", ["SOP-0001 v99"]), ("references", ["SOP-0001 v0x"]),
        ("references", [{"number": "SOP-0001", "revision": -1}]), ("references", [{"number": "SOP-0001", "revision": 10**20}]),  # noqa: E501
        ("references", [{"number": "SOP-0001", "revision": True}]),
        ("references", ["../../etc/passwd"]), ("references", ["SOP-0001'; drop table ledger.entry; --"]),
        ("original", "x.pdf"), ("original", {"name": "x"}),
        ("original", {"name": "x", "size": -1, "sha256": "0" * 64, "root": "0" * 64, "media_type": "a/b"}),
        ("original", {"name": "../x", "size": 1, "sha256": "0" * 64, "root": "0" * 64, "media_type": "a/b"}),
        ("original", {"name": "x", "size": True, "sha256": "0" * 64, "root": "0" * 64, "media_type": "a/b"}),
        ("original", {"name": "x", "size": 2**60, "sha256": "0" * 64, "root": "0" * 64, "media_type": "a/b"}),
        ("original", {"name": "a\x01b", "size": 1, "sha256": "0" * 64, "root": "0" * 64, "media_type": "a/b"}),  # noqa: E501
        ("no_such_field", 1), ("__class__", "x"), ("people", {}), ("state", "effective"), ("$where", "1"),
    ],
    ids=lambda v: ascii(v)[:40],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused_and_named(lab: Lab, api: Api, field: str, value: Any) -> None:
    before = records(lab)
    answer = create(api, DRAFT | {field: value})
    assert answer.status_code in (409, 413, 422), answer.text
    assert records(lab) == before
    assert answer.json()["problems"][0]["field"].startswith(field[:40])


def test_text_is_kept_in_one_normal_form(lab: Lab, api: Api) -> None:
    answer = create(api, DRAFT | {"title": "Cafe\u0301 30 \u00b5m"})
    assert answer.status_code == 201
    assert lab.row(answer.json()["entries"][0]["number"]).title == "Caf\u00e9 30 \u00b5m"


def test_every_problem_is_listed_at_once(api: Api) -> None:
    answer = create(api, {"title": 5, "review_months": "x", "nonsense": 1})
    found = {p["field"] for p in answer.json()["problems"]}
    assert {"title", "review_months", "nonsense", "criticality"} <= found


def test_what_is_computed_or_delivered_is_not_typed(lab: Lab, api: Api) -> None:
    alan = api("alan")
    body = {
        "type": "acquisition_session",
        "fields": {
            "title": "T",
            "study": lab.n["study"],
            "operator": lab.number_of("alan"),
            "started_at": "2020-01-01T00:00:00Z",
        },
    }
    answer = alan.post("/records", body)
    assert answer.status_code == 422
    assert [p["field"] for p in answer.json()["problems"]] == ["started_at"]
    delivered = {"name": "x", "study": lab.n["study"], "kind": "raw", "bit_depth": 8}
    assert alan.post("/records", {"type": "image", "fields": delivered}).status_code == 422


def test_a_link_value_cannot_bring_a_hash_or_version_of_its_own(lab: Lab, api: Api) -> None:
    forged = {
        "type": "document_sop",
        "uid": lab.row("POL-0001").uid,
        "number": lab.n["sop"],
        "version": 99,
        "hash": "f" * 64,
    }
    answer = create(api, DRAFT | {"references": [forged]})
    assert answer.status_code == 201
    kept = lab.row(answer.json()["entries"][0]["number"]).fields["references"][0]
    real = lab.row(lab.n["sop"])
    assert (kept["uid"], kept["version"], kept["hash"]) == (real.uid, real.version, real.leaf_hash)


def test_a_person_cannot_name_their_own_number_when_a_record_is_made(lab: Lab, api: Api) -> None:
    for number in ("SOP-7777", "../x", "SOP-0001\n", "sop-0001", "POL-0001", "USR-0001", "SOP-" + "9" * 150):
        answer = api("aurel").post("/records", {"type": "document_sop", "number": number, "fields": DRAFT})
        assert answer.status_code in (404, 422), (number, answer.text)
    assert lab.reading.find("SOP-7777") is None


def test_a_code_that_makes_a_number_is_of_its_form(lab: Lab, api: Api) -> None:
    for code in ("../../X", "qa", "Q A", "QA", "", "A" * 9, "ＱＡ", None, 5):
        answer = api("aurel").post(
            "/records", {"type": "role", "fields": {"code": code, "title": "T", "description": "D"}}
        )
        assert answer.status_code in (409, 422), (code, answer.text)


def test_a_sandbox_record_never_feeds_a_regulated_one(lab: Lab, api: Api) -> None:
    sam, alan = api("sam"), api("alan")
    sandbox = sam.new("study", title="Play", kind="sandbox", director=lab.number_of("sam"), objectives="Try.")
    session = alan.post(
        "/records",
        {
            "type": "acquisition_session",
            "fields": {"title": "Play", "study": sandbox, "operator": lab.number_of("alan")},
        },
    )
    assert session.status_code == 201, session.text
    assert lab.row(session.json()["entries"][0]["number"]).gxp == "none"
    body = {
        "type": "release_decision",
        "fields": {"subject": sandbox, "review_case": sandbox, "basis": "Because."},
    }
    assert api("quinn").post("/records", body).status_code in (409, 422)
    hold = {"type": "hold", "fields": {"subject": sandbox, "reason": "To see what happens."}}
    answer = api("quinn").post("/records", hold)
    assert (answer.status_code, answer.json()["code"]) == (409, "LINK_VER")


def test_a_kind_once_regulated_does_not_become_a_sandbox(lab: Lab, api: Api) -> None:
    study = lab.new_study()
    body = {"expected_version": 1, "reason": "To get round the review.", "fields": {"kind": "sandbox"}}
    answer = api("sam").post(f"/records/{study}/edit", body)
    assert (answer.status_code, answer.json()["code"]) == (423, "LOCKED")
    assert not lab.row(study).content.get("sandbox")


@pytest.mark.parametrize("reason", ["", "short", "          ", "aaaaaaaaaaaa", "test", "N/A", ".........."])
def test_a_reason_that_says_nothing_is_refused(lab: Lab, api: Api, reason: str) -> None:
    sop = lab.new_sop()
    answer = api("aurel").post(
        f"/records/{sop}/edit", {"expected_version": 1, "fields": {"title": "Other"}, "reason": reason}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "REASON")


@pytest.mark.parametrize(
    "reason", ["a reason with \x00 in it", "a reason with \x1b[2J in it", "a reason \u202e backwards"]
)
def test_a_reason_with_characters_nobody_sees_is_refused(lab: Lab, api: Api, reason: str) -> None:
    sop = lab.new_sop()
    answer = api("aurel").post(
        f"/records/{sop}/edit", {"expected_version": 1, "fields": {"title": "Other"}, "reason": reason}
    )
    assert answer.status_code == 422, answer.text
    assert lab.row(sop).version == 1


def test_a_reason_is_kept_in_one_normal_form(lab: Lab, api: Api) -> None:
    sop = lab.new_sop()
    body = {
        "expected_version": 1,
        "fields": {"title": "Other"},
        "reason": "Because of the cafe\u0301 over there.",
    }
    answer = api("aurel").post(f"/records/{sop}/edit", body)
    assert answer.status_code == 200, answer.text
    assert lab.history(sop)[-1]["sections"]["reason"] == "Because of the caf\u00e9 over there."


@pytest.mark.parametrize("version", [None, 0, -1, 2, 10**20, 2**63, "1", 1.0, True])
def test_a_version_that_was_not_read_changes_nothing(lab: Lab, api: Api, version: Any) -> None:
    sop = lab.new_sop()
    body = {"expected_version": version, "fields": {"title": "Other"}, "reason": "A better title for it."}
    answer = api("aurel").post(f"/records/{sop}/edit", body)
    assert answer.status_code in (409, 422), answer.text
    assert lab.row(sop).version == 1


@pytest.mark.parametrize(
    "key", ["", " ", "k" * 101, "k\u00e9y".encode("latin-1").decode("latin-1"), "a/b'c\"--"]
)
def test_an_odd_idempotency_key_does_no_harm(lab: Lab, api: Api, key: str) -> None:
    headers = {**JSON, "Idempotency-Key": key.encode("latin-1")}
    text = json.dumps({"type": "document_sop", "fields": DRAFT})
    answer = api("aurel").request("POST", "/records", content=text, headers=headers)
    assert answer.status_code in (201, 422)


@pytest.mark.parametrize(
    "zone", ["", "Nowhere/Land", "../../etc/passwd", "/etc/passwd", "UTC\x00", "a" * 200]
)
def test_a_zone_that_is_none_opens_no_session(lab: Lab, api: Api, zone: str) -> None:
    before = lab.ask("select count(*) from ops.session")
    body = {
        "username": "nora",
        "password": "walnut harbour 4 lantern",
        "workstation": "ws-nora",
        "zone": zone,
    }
    assert api("").post("/sessions", body).status_code == 422
    assert lab.ask("select count(*) from ops.session") == before


@pytest.mark.parametrize(
    "username",
    [
        "nora\x00",
        "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
        "' or 1=1 --",
        "NORA\u202e",
        "*",
    ],
)
def test_an_odd_user_name_is_only_a_wrong_one(api: Api, username: str) -> None:
    body = {"username": username, "password": "whatever it is here", "workstation": "w"}
    answer = api("").post("/sessions", body)
    assert answer.status_code in (401, 422, 429), answer.text


@pytest.mark.parametrize(
    "path", ["%2e%2e", "..%2f..%2fx", "a%00b", "a%0ab", "%20", "x" * 201, "a%5cb", "%E2%80%AEfdp.exe"]
)
def test_a_file_name_with_folders_or_unseen_characters_is_refused(api: Api, path: str) -> None:
    answer = api("aurel").request("PUT", f"/attachments/{path}/files", content=b"x")
    assert answer.status_code in (404, 405, 422), answer.text


@pytest.mark.parametrize("cursor", ["x", "2026-11-21T00:00:00Z", "/", "2026-11-21T00:00:00Z/x", "'", "\x00"])
def test_a_cursor_nobody_gave_out_is_refused(api: Api, cursor: str) -> None:
    answer = api("rita").client.get(
        "/api/v1/records", params={"cursor": cursor}, headers={"Authorization": f"Bearer {api('rita').token}"}
    )
    assert answer.status_code in (404, 422), answer.text


@pytest.mark.parametrize("name", ["q", "state", "type"])
def test_a_nul_in_a_query_is_refused_or_finds_nothing(api: Api, name: str) -> None:
    answer = api("rita").request("GET", f"/records?{name}=%00")
    assert answer.status_code in (200, 404, 422), answer.text
