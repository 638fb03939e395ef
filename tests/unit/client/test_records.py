"""Reading and writing records as the person signed in."""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.client import (
    ConflictError,
    Coverslip,
    FaultError,
    InvalidError,
    NotFoundError,
    RefusedError,
    Signature,
)

PASSWORD = "correct horse battery"
USER = {"username": "cem", "printed_name": "Cem Cakir", "kind": "person"}


@pytest.fixture
def user(ada: Coverslip) -> str:
    return ada.records.create("user", USER).number


def test_a_created_record_can_be_shown_listed_and_traced(ada: Coverslip, user: str) -> None:
    record = ada.records.show(user)
    assert (record["state"], record["version"], record["fields"]["username"]) == ("invited", 1, "cem")
    assert [r["number"] for r in ada.records.list("user")] == [user]
    assert [e["act"] for e in ada.records.history(user)["entries"]] == ["create"]


def test_a_list_goes_on_over_pages_and_stops_at_its_limit(ada: Coverslip) -> None:
    made = [ada.records.create("user", USER | {"username": f"u{i}"}).number for i in range(5)]
    first, cursor = ada.records.page("user", limit=2)
    second, _ = ada.records.page("user", limit=2, cursor=cursor)
    assert [r["number"] for r in (*first, *second)] == made[::-1][:4]
    assert len(list(ada.records.list("user", limit=3))) == 3
    assert len(list(ada.records.list("user"))) == 5


def test_an_edit_shows_old_and_new_in_the_difference(ada: Coverslip, user: str) -> None:
    ada.records.edit(user, {"printed_name": "Cem B. Cakir"}, reason="married last summer", expected_version=1)
    changes = ada.records.diff(user, 1, 2)["changes"]
    assert {"field": "printed_name", "old": "Cem Cakir", "new": "Cem B. Cakir"} in changes


def test_an_edit_on_a_version_that_is_not_the_latest_conflicts(ada: Coverslip, user: str) -> None:
    ada.records.edit(user, {"job_title": "Analyst"}, reason="was forgotten", expected_version=1)
    with pytest.raises(ConflictError) as caught:
        ada.records.edit(user, {"job_title": "Operator"}, reason="was forgotten", expected_version=1)
    assert caught.value.code == "SIG_STALE"


def test_the_same_key_is_one_act(ada: Coverslip, lab: Any) -> None:
    first = ada.records.create("user", USER, key="k1")
    second = ada.records.create("user", USER, key="k1")
    assert second.replayed and not first.replayed and first.number == second.number
    assert len(lab.rows) == 1


def test_calls_without_a_key_are_acts_of_their_own(ada: Coverslip, lab: Any) -> None:
    assert ada.records.create("user", USER).number != ada.records.create("user", USER).number


def test_every_problem_of_a_change_is_listed(ada: Coverslip) -> None:
    with pytest.raises(InvalidError) as caught:
        ada.records.create("study", {})
    assert len(caught.value.details["problems"]) > 1


def test_what_is_not_there_is_not_found(ada: Coverslip) -> None:
    with pytest.raises(NotFoundError):
        ada.records.show("STU-9999")


def test_a_signing_act_names_its_meaning_before_it_is_signed(ada: Coverslip, user: str, lab: Any) -> None:
    with pytest.raises(RefusedError) as caught:
        ada.records.act(user, "enrol")
    assert caught.value.code == "SIG_REQUIRED" and caught.value.details["meaning"] == "acknowledged"
    assert len(lab.changes) == 1


def test_a_record_is_signed_on_exactly_what_was_shown(ada: Coverslip, user: str) -> None:
    view = ada.records.view(user)
    receipt = ada.records.sign(view, "enrol", username="ada", password=PASSWORD)
    assert receipt.first.state == "enrolled"
    assert "Ada Adler" in ada.records.show(user)["signatures"][0]["text"]


def test_a_record_that_changed_after_it_was_shown_is_not_signed(ada: Coverslip, user: str, lab: Any) -> None:
    view = ada.records.view(user)
    ada.records.edit(user, {"job_title": "Analyst"}, reason="was forgotten")
    with pytest.raises((InvalidError, ConflictError)):
        ada.records.sign(view, "enrol", username="ada", password=PASSWORD)
    assert ada.records.show(user)["state"] == "invited"


def test_another_persons_components_do_not_sign(ada: Coverslip, user: str) -> None:
    with pytest.raises(RefusedError) as caught:
        ada.records.sign(ada.records.view(user), "enrol", username="ben", password=PASSWORD)
    assert caught.value.code == "SIG_REAUTH"


def test_a_preview_is_what_a_signed_creation_shows(ada: Coverslip) -> None:
    view = ada.records.preview("esign_acknowledgement", {"policy": "POL-0001"})
    assert "POL-0001" in view.text
    receipt = ada.records.create(
        "esign_acknowledgement", {"policy": "POL-0001"}, signature=Signature("ada", PASSWORD, view.shown)
    )
    assert receipt.first.act == "create"


def test_a_password_is_not_shown_by_a_signature(ada: Coverslip) -> None:
    assert PASSWORD not in repr(Signature("ada", PASSWORD, "0" * 64))


def test_an_invited_person_gets_a_code_once_asked_for(ada: Coverslip, user: str) -> None:
    assert ada.records.invitation(user) == "one-time"


def test_who_may_not_invite_gets_no_code(ada: Coverslip, user: str, lab: Any) -> None:
    lab.readers.add("ada")
    with pytest.raises(RefusedError):
        ada.records.invitation(user)
    assert lab.codes == {}


def test_an_entry_is_waited_for_until_it_has_its_place(ada: Coverslip) -> None:
    receipt = ada.records.create("user", USER)
    assert ada.wait_integrated(receipt.first.entry)["index"] == 0


def test_an_entry_that_stays_pending_is_not_called_integrated(ada: Coverslip, lab: Any) -> None:
    receipt = ada.records.create("user", USER)
    lab.pending = True
    with pytest.raises(FaultError) as caught:
        ada.wait_integrated(receipt.first.entry, timeout_s=0.2)
    assert "pending" in caught.value.message


def test_types_ledger_and_links_are_read(ada: Coverslip, user: str) -> None:
    assert {"user", "study"} <= {t["name"] for t in ada.types()}
    assert ada.ledger_status()["size"] == 1
    assert ada.records.links(user) == ()
