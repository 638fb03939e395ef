"""People, roles, devices and access reviews on pages: everybody is there; only who may lets people in."""

from __future__ import annotations

import re

from fix_lab import LATER, Lab
from fix_pages import Pages


def test_everybody_is_listed_and_a_filter_says_how_many_it_leaves_out(lab: Lab, pages: Pages) -> None:
    gone = lab.invite("zeno", "Zeno Gone", ())
    lab.aurel.do(gone, "disable", sign=True, why="Left the laboratory.")
    whole = pages("ada").get("/admin/people").text
    for name in ("Ada Admin", "Quinn Quality", "Nora Nobody", "Zeno Gone"):
        assert name in whole
    assert "left out by the filter" not in whole
    part = pages("ada").get("/admin/people?role=REV").text
    assert "Rita Reviewer" in part and "Nora Nobody" not in part and "left out by the filter" in part
    assert "Add person" in whole and "Add person" not in pages("alan").get("/admin/people").text
    assert "Last use" in whole and "Last use" not in pages("alan").get("/admin/people").text


def test_a_person_is_invited_and_the_code_is_shown_once(lab: Lab, pages: Pages) -> None:
    number = lab.ada.create(
        "user", username="ingrid", printed_name="Ingrid New", kind="person", email="ingrid@lab.example"
    )
    assert "Make a one-time code" in pages("ada").get(f"/admin/people/{number}").text
    made = pages("ada").post(f"/admin/people/{number}/invite")
    code = re.search(r'id="code">([^<]+)<', made.text)
    assert made.status_code == 200 and code is not None
    assert made.headers["cache-control"] == "no-store"
    assert code[1] not in pages("ada").get(f"/admin/people/{number}").text
    assert lab.history(number)[-1]["act"] == "invited"
    assert code[1] not in str(lab.history(number))
    secret = "walnut harbour six lanterns"
    form = {"username": "ingrid", "password": secret, "again": secret}
    assert pages().post("/enrol", form | {"code": code[1]}).status_code == 303


def test_who_makes_no_accounts_makes_no_codes(lab: Lab, pages: Pages) -> None:
    number = lab.ada.create(
        "user", username="ivo", printed_name="Ivo New", kind="person", email="ivo@lab.example"
    )
    for username in ("alan", "quinn", "nora"):
        refused = pages(username).post(f"/admin/people/{number}/invite")
        assert refused.status_code == 403 and "AUTH_ROLE" in refused.text
        assert "Make a one-time code" not in pages(username).get(f"/admin/people/{number}").text
    assert pages("ada").post(f"/admin/people/{number}/invite", {"csrf": "0" * 64}).status_code == 403
    active = lab.number_of("alan")
    assert pages("ada").post(f"/admin/people/{active}/invite").status_code == 422


def test_a_person_shows_roles_and_sessions_to_those_who_look_after_accounts(lab: Lab, pages: Pages) -> None:
    rita = lab.number_of("rita")
    lab.rita  # noqa: B018 - signs in
    seen = pages("ada").get(f"/admin/people/{rita}").text
    assert ">REV</a>" in seen and "GRT-" in seen and "Sessions now" in seen and "ws-rita" in seen
    assert "Sessions now" not in pages("alan").get(f"/admin/people/{rita}").text
    assert "Sessions now" in pages("rita").get(f"/admin/people/{rita}").text
    assert pages("ada").get(f"/r/{rita}").headers["location"] == f"/admin/people/{rita}"
    assert pages("ada").get(f"/admin/people/{lab.n['sop']}").status_code == 404


def test_roles_and_devices_are_shown_with_who_holds_and_answers(lab: Lab, pages: Pages) -> None:
    roles = pages("quinn").get("/admin/roles").text
    assert "/admin/people?role=QA" in roles and "2 people" in roles
    devices = pages("quinn").get("/admin/devices").text
    assert lab.n["instrument"] in devices and "scheduler" in devices.lower()


def test_an_access_review_is_decided_line_by_line_by_others(lab: Lab, pages: Pages) -> None:
    number = lab.aurel.create("access_review", title="Access", period="2026-web", due_on=LATER)
    lab.aurel.do(number, "collect")
    address, alan = f"/admin/access-review/{number}", lab.number_of("alan")
    assert pages("quinn").get(f"/r/{number}").headers["location"] == address
    version = str(lab.row(number).version)
    form = {"user": alan, "decision": "keep", "reason": "Works here every day.", "expected_version": version}
    assert pages("nora").post(f"{address}/decide", form).status_code == 403
    assert pages("quinn").post(f"{address}/decide", form).status_code == 303
    assert [d["decision"] for d in lab.row(number).fields["decisions"]] == ["keep"]
    assert "Works here every day." in pages("quinn").get(address).text
    own = form | {"user": lab.number_of("quinn"), "expected_version": str(lab.row(number).version)}
    refused = pages("quinn").post(f"{address}/decide", own)
    assert refused.status_code in (403, 409, 422) and "Nobody decides on their own account" in refused.text
    stale = pages("quinn").post(f"{address}/decide", form)
    assert stale.status_code == 409
    back = {"user": alan, "withdraw": "1", "expected_version": str(lab.row(number).version)}
    assert pages("quinn").post(f"{address}/decide", back).status_code == 303
    assert lab.row(number).fields["decisions"] == []
