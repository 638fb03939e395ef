"""The interface is a thin face of the door: what it shows, takes, refuses and repeats."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from fix_caller import Caller
from fix_lab import Lab, secret_of
from fix_together import together
from fix_view import signed_by

Api = Callable[[str], Caller]


def test_a_record_is_made_shown_and_signed_over_the_interface(lab: Lab, api: Api) -> None:
    aurel = api("aurel")
    sop = aurel.new(
        "document_sop", title="By wire", criticality="gxp", body="1.", change_summary="First.",
        training_depth="none", audience=[], effective_date="2099-01-01",
    )  # fmt: skip
    acts = {a["act"]: a for a in aurel.get(f"/records/{sop}")["acts"]}
    assert acts["submit"]["allowed"]
    assert acts["submit"]["meaning"] == "authored"
    body = {"expected_version": 1, "signature": aurel.signature(sop)}
    made = aurel.post(f"/records/{sop}/acts/submit", body)
    assert made.status_code == 200, made.text
    assert made.json()["entries"][0]["state"] == "in_review"
    assert made.json()["receipt"].startswith("coverslip receipt v1\n")
    manifest = aurel.get(f"/records/{sop}")["signatures"][0]
    assert (manifest["name"], manifest["meaning"]) == ("Aurel Author", "authored")
    assert signed_by(aurel.get(f"/records/{sop}/view")["text"], "Aurel Author")["As"] == "Author"


def test_who_may_not_is_told_why_before_trying(lab: Lab, api: Api) -> None:
    sop = lab.new_sop()
    lab.aurel.do(sop, "submit", sign=True)
    before = len(lab.refusals(sop))
    acts = {a["act"]: a for a in api("aurel").get(f"/records/{sop}")["acts"]}
    assert not acts["review"]["allowed"]
    assert acts["review"]["code"] == "AUTH_ROLE"
    assert len(lab.refusals(sop)) == before, "asking is not trying"


def test_a_view_that_has_changed_since_is_not_signed(lab: Lab, api: Api) -> None:
    sop = lab.new_sop()
    aurel = api("aurel")
    old = aurel.signature(sop)
    lab.rex.do(sop, "edit", why="Made it clearer for readers.", title="Clearer")
    stale = aurel.post(f"/records/{sop}/acts/submit", {"expected_version": 2, "signature": old})
    assert (stale.status_code, stale.json()["code"]) == (422, "VAL_FORM")
    other = aurel.post(
        f"/records/{sop}/acts/submit", {"expected_version": 1, "signature": aurel.signature(sop)}
    )
    assert (other.status_code, other.json()["code"]) == (409, "SIG_STALE")
    assert lab.row(sop).state == "draft"


def test_a_view_of_another_record_is_not_signed_for_this_one(lab: Lab, api: Api) -> None:
    one, other = lab.new_sop(), lab.new_sop()
    aurel = api("aurel")
    body = {"expected_version": 1, "signature": aurel.signature(other)}
    answer = aurel.post(f"/records/{one}/acts/submit", body)
    assert answer.status_code == 422
    assert lab.row(one).state == "draft"


def test_a_signature_without_the_hash_of_what_was_shown_is_refused(lab: Lab, api: Api) -> None:
    sop = lab.new_sop()
    for shown in ({}, {"shown": ""}, {"shown": "0" * 63}, {"shown": "G" * 64}, {"shown": None}):
        signature = {"username": "aurel", "password": secret_of("aurel"), **shown}
        answer = api("aurel").post(
            f"/records/{sop}/acts/submit", {"expected_version": 1, "signature": signature}
        )
        assert answer.status_code == 422, shown
        assert secret_of("aurel") not in answer.text
    assert lab.row(sop).state == "draft"


def test_looking_at_a_view_is_an_entry_that_makes_no_signature_stale(lab: Lab, api: Api) -> None:
    sop = lab.new_sop()
    signature = api("aurel").signature(sop)
    api("rita").get(f"/records/{sop}/view")
    views = [e for e in lab.history(sop) if e["type"] == "view"]
    assert {e["actor"] for e in views} == {lab.aurel.uid, lab.rita.uid}
    done = api("aurel").post(f"/records/{sop}/acts/submit", {"expected_version": 1, "signature": signature})
    assert done.status_code == 200


def test_history_and_diff_say_field_old_and_new(lab: Lab, api: Api) -> None:
    sop = lab.new_sop("Before")
    lab.aurel.do(sop, "edit", why="A better title for it.", title="After")
    found = api("rita").get(f"/records/{sop}/diff?from=1&to=2")["changes"]
    assert {"field": "title", "old": "Before", "new": "After"} in found
    entry = api("rita").get(f"/records/{sop}/history")["entries"][1]
    assert entry["reason"] == "A better title for it."
    assert entry["actor_name"] == "Aurel Author"
    assert api("rita").request("GET", f"/records/{sop}/diff?from=1&to=9").status_code == 404


# --- idempotency --------------------------------------------------------------------------------


def test_a_repeated_key_brings_back_what_was_written_and_writes_nothing(lab: Lab, api: Api) -> None:
    body = {"type": "document_sop", "fields": {"title": "Once", "criticality": "gxp"}}
    first = api("aurel").post("/records", body, idempotency_key="k-once")
    again = api("aurel").post("/records", body, idempotency_key="k-once")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["replayed"]
    made = lab.ask("select count(*) from projection.record where title = 'Once'")
    assert made[0][0] == 1
    assert again.json()["entries"][0]["number"] == first.json()["entries"][0]["number"]
    assert again.json()["entries"][0]["entry"] == first.json()["entries"][0]["entry"]


def test_a_key_of_another_request_is_refused_and_another_persons_key_is_their_own(lab: Lab, api: Api) -> None:
    body = {"type": "document_sop", "fields": {"title": "Mine", "criticality": "gxp"}}
    assert api("aurel").post("/records", body, idempotency_key="k-mine").status_code == 201
    changed = {"type": "document_sop", "fields": {"title": "Other", "criticality": "gxp"}}
    answer = api("aurel").post("/records", changed, idempotency_key="k-mine")
    assert (answer.status_code, answer.json()["code"]) == (409, "IDEMPOTENCY")
    assert api("rex").post("/records", changed, idempotency_key="k-mine").status_code == 201


def test_of_two_requests_at_once_with_one_key_one_is_written(lab: Lab, api: Api) -> None:
    body = {"type": "document_sop", "fields": {"title": "Both", "criticality": "gxp"}}
    caller = api("aurel")
    answers = together(*[lambda: caller.post("/records", body, idempotency_key="k-both")] * 4)
    assert [a.status_code for a in answers] == [201] * 4, [a.text for a in answers]
    assert len({a.json()["entries"][0]["entry"] for a in answers}) == 1
    assert lab.ask("select count(*) from projection.record where title = 'Both'")[0][0] == 1


def test_a_repeated_edit_is_answered_as_before(lab: Lab, api: Api) -> None:
    sop = lab.new_sop()
    body = {"expected_version": 1, "fields": {"title": "Edited"}, "reason": "A better title for it."}
    first = api("aurel").post(f"/records/{sop}/edit", body, idempotency_key="k-edit")
    again = api("aurel").post(f"/records/{sop}/edit", body, idempotency_key="k-edit")
    assert first.status_code == 200
    assert again.status_code == 200, again.text
    assert again.json()["entries"] == first.json()["entries"]
    assert lab.row(sop).version == 2


# --- what does not exist ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
def test_nothing_is_deleted_or_replaced_and_trying_is_recorded(lab: Lab, api: Api, method: str) -> None:
    sop = lab.new_sop()
    for path in (f"/records/{sop}", f"/records/{sop}/history", "/ledger"):
        answer = api("rita").request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (405, "METHOD"), path
    assert [r for r in lab.refusals() if r["code"] == "METHOD"], "once a minute, whatever the method"
    assert lab.row(sop).version == 1


def test_the_interface_offers_no_way_to_remove_a_record(api: Api) -> None:
    paths = api("rita").get("/openapi.json")["paths"]
    found = {(method, path) for path, methods in paths.items() for method in methods}
    assert {p for m, p in found if m == "delete"} == {"/api/v1/sessions/current"}
    assert all(p.endswith("/files") for m, p in found if m == "put")
    assert not [p for m, p in found if m == "patch"]


@pytest.mark.parametrize(
    "path",
    ["/records/SOP-9999", "/records/nothing", "/records/..%2F..%2Fetc", "/records/SOP-0001v99", "/types/none",
     "/records/%00", "/records/SOP-0001'--", "/records/" + "A" * 5000, "/records/SOP-٠٠٠١",
     "/ledger/entries/00000000-0000-0000-0000-000000000000", "/records?type=nothing"],
)  # fmt: skip
def test_what_is_not_there_answers_404_in_words(api: Api, path: str) -> None:
    answer = api("rita").request("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert answer.headers["content-type"] == "application/problem+json"


def test_without_a_session_everything_but_health_is_closed(api: Api) -> None:
    nobody = api("")
    for path in ("/records", "/types", "/me", "/ledger", "/records/SOP-0001/view"):
        answer = nobody.request("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_REQUIRED")
    assert nobody.client.get("/healthz").json()["status"] == "ok"


def test_a_session_that_was_ended_is_refused_at_once(lab: Lab, api: Api) -> None:
    nora = lab.sign_in("nora")
    caller = Caller(api("rita").client, "nora", nora.token)
    caller.get("/me")
    assert caller.request("DELETE", "/sessions/current").status_code == 204
    assert caller.request("GET", "/me").status_code == 401


def test_security_headers_are_on_every_answer(api: Api) -> None:
    for answer in (
        api("rita").request("GET", "/me"),
        api("").request("GET", "/me"),
        api("").request("GET", "/x"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_a_sandbox_announces_no_signature_because_it_asks_none(lab: Lab, api: Api) -> None:
    study = lab.new_study("sandbox")
    acts = {a["act"]: a for a in api("sam").get(f"/records/{study}")["acts"]}
    assert acts["accept_responsibility"]["meaning"] is None
    assert acts["accept_responsibility"]["meaning_text"] is None


def test_a_lost_database_is_said_to_be_and_is_there_again_by_itself(lab: Lab, api: Api) -> None:
    client = api("").client
    assert client.get("/healthz").status_code == 200
    name = lab.reading._all("select current_setting('application_name') as name", {})[0]["name"]
    ended = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = %s"
    assert lab.ask(ended, name)
    said = client.get("/healthz")
    assert (said.status_code, said.json()["code"]) == (503, "UNAVAILABLE")
    assert "coverslip serve" in said.json()["remedy"] and "database server" in said.json()["remedy"]
    deadline = time.monotonic() + 20
    while (said := client.get("/healthz")).status_code != 200 and time.monotonic() < deadline:
        assert said.status_code == 503, said.text
    assert said.status_code == 200
