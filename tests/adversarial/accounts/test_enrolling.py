"""Enrolling under attack: what bogus codes cost; codes and keys of one person do not undo each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from coverslip.errors import Invalid, Refused
from coverslip.kernel import keys, screening
from coverslip.kernel.change import Change, Credential
from coverslip.kernel.gate import Gate
from coverslip.kernel.identity import Enrolling, Place, context_of, token_hash
from fix_lab import SHOWN, TODAY, Lab, refused, secret_of

PLACE = Place("w", "192.0.2.80", "t", "UTC")
OTHER = "granite meadow 7 compass"
LEET = "p4ssw0rd" * 9
CHECK = [{"document_kind": "passport", "manner": "in person", "on": TODAY.isoformat()}]
Api = Any


@pytest.fixture(autouse=True)
def _no_earlier_failures(lab: Lab) -> Iterator[None]:
    """Let no test wait for another's failures from the same address."""
    yield
    lab.ask("update ops.throttle set failures = 0 where scope = 'enrolling' returning 1")


@pytest.fixture
def screened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the secrets that were screened."""
    seen: list[str] = []
    real = screening.guessable

    def guessable(secret: str, username: str) -> bool:
        seen.append(secret)
        return real(secret, username)

    monkeypatch.setattr(screening, "guessable", guessable)
    return seen


def _invited(lab: Lab, username: str) -> tuple[str, str]:
    """Return number and id of somebody invited."""
    number = lab.ada.create(
        "user", username=username, printed_name=username.title(), kind="person", email="x@lab.example"
    )
    return number, lab.row(number).uid


def _at_the_door(lab: Lab, number: str, username: str, secret: str, begun: Enrolling, version: int) -> None:
    key = {
        "kid": begun.made.kid,
        "scheme": begun.made.wrapped["scheme"],
        "public": begun.made.public,
        "enrolled_at": begun.signed_in.session.opened_at,
    }
    fields = {"signing_keys": [*lab.row(number).fields.get("signing_keys", ()), key]}
    change = Change("enrol", number=number, fields=fields, expected_version=version, shown=SHOWN)
    lab.door.submit(change, context_of(begun.signed_in.session), Credential(username, secret))


# --- what a bogus code costs ----------------------------------------------------------------------


def test_no_secret_is_screened_for_a_code_that_opens_nothing(lab: Lab, api: Api, screened: list[str]) -> None:
    number, uid = _invited(lab, "quirin")
    used = lab.identity.invite(uid, lab.ada.uid)
    lab.enrol(number, "quirin")
    screened.clear()
    answers = [
        api("").post("/enrolments", {"code": code, "username": "quirin", "password": secret})
        for code in (used, "no such code")
        for secret in (LEET, "short", secret_of("quirin"))
    ]
    said = {(a.status_code, a.json()["code"], a.json()["message"]) for a in answers[:5]}
    assert len(said) == 1 and next(iter(said))[:2] == (401, "AUTH_REQUIRED")
    assert screened == []


def test_guessed_codes_wait_by_address_and_by_name_and_other_people_do_not(lab: Lab, api: Api) -> None:
    for _ in range(8):
        with refused("AUTH_REQUIRED"):
            lab.identity.begin_enrolment("guessed", "quiana", OTHER, PLACE)
    assert lab.identity.enrolment_delay_s(" Quiana ", "192.0.2.99") > 5
    assert lab.identity.enrolment_delay_s("somebody", PLACE.address) > 5
    assert lab.identity.enrolment_delay_s("somebody", "192.0.2.99") == 0
    assert lab.identity.delay_s("quiana") == 0
    answer = api("").post("/enrolments", {"code": "guessed", "username": "quiana", "password": OTHER})
    assert (answer.status_code, answer.json()["code"]) == (429, "THROTTLED")


def test_a_key_enrolled_forgets_the_failures_before_it(lab: Lab) -> None:
    _, uid = _invited(lab, "quade")
    for _ in range(6):
        with refused("AUTH_REQUIRED"):
            lab.identity.begin_enrolment("mistyped", "quade", OTHER, PLACE)
    lab.identity.begin_enrolment(lab.identity.invite(uid, lab.ada.uid), "quade", OTHER, PLACE)
    assert lab.identity.enrolment_delay_s("quade", PLACE.address) == 0


def test_screening_and_derivation_stand_behind_the_gate(lab: Lab, screened: list[str]) -> None:
    _, uid = _invited(lab, "quentin")
    code = lab.identity.invite(uid, lab.ada.uid)
    gate, lab.identity._gate = lab.identity._gate, Gate(line=0)
    try:
        with refused("THROTTLED"):
            lab.identity.begin_enrolment(code, "quentin", OTHER, PLACE)
        assert screened == [] and lab.accounts.credential(uid) is None
    finally:
        lab.identity._gate = gate
    assert lab.identity.begin_enrolment(code, "quentin", OTHER, PLACE).made.kid


def test_a_weak_secret_is_refused_and_the_code_still_serves(lab: Lab) -> None:
    _, uid = _invited(lab, "quincy")
    code = lab.identity.invite(uid, lab.ada.uid)
    with pytest.raises(Invalid):
        lab.identity.begin_enrolment(code, "quincy", "password1234", PLACE)
    assert lab.identity.begin_enrolment(code, "quincy", OTHER, PLACE).made.kid


# --- codes and keys of one person -----------------------------------------------------------------


def test_a_later_code_ends_the_earlier_ones_taken_or_not(lab: Lab) -> None:
    _, uid = _invited(lab, "rosalie")
    first, second = lab.identity.invite(uid, lab.ada.uid), lab.identity.invite(uid, lab.ada.uid)
    with refused("AUTH_REQUIRED"):
        lab.identity.begin_enrolment(first, "rosalie", OTHER, PLACE)
    begun = lab.identity.begin_enrolment(second, "rosalie", OTHER, PLACE)
    third = lab.identity.invite(uid, lab.ada.uid)
    lab.identity.abandon_enrolment(second, begun)
    with refused("AUTH_REQUIRED"):
        lab.identity.begin_enrolment(second, "rosalie", OTHER, PLACE)
    assert lab.identity.begin_enrolment(third, "rosalie", OTHER, PLACE).made.kid


def test_a_code_is_given_back_only_by_the_use_that_took_it_and_only_while_it_lasts(lab: Lab) -> None:
    _, uid = _invited(lab, "rupert")
    code = lab.identity.invite(uid, lab.ada.uid)
    first = lab.identity.begin_enrolment(code, "rupert", OTHER, PLACE)
    lab.identity.abandon_enrolment(code, first)
    second = lab.identity.begin_enrolment(code, "rupert", OTHER, PLACE)
    lab.identity.abandon_enrolment(code, first)
    with refused("AUTH_REQUIRED"):
        lab.identity.begin_enrolment(code, "rupert", OTHER, PLACE)
    lab.ask("update ops.enrolment set expires_at = clock_timestamp() where person = %s returning 1", uid)
    lab.identity.abandon_enrolment(code, second)
    with refused("AUTH_REQUIRED"):
        lab.identity.begin_enrolment(code, "rupert", OTHER, PLACE)


def test_two_enrolments_at_once_leave_the_key_the_record_names_and_no_other(lab: Lab) -> None:
    number, uid = _invited(lab, "raoul")
    version = lab.row(number).version
    first_code = lab.identity.invite(uid, lab.ada.uid)
    first = lab.identity.begin_enrolment(first_code, "raoul", secret_of("raoul"), PLACE)
    code = lab.identity.invite(uid, lab.ada.uid)
    second = lab.identity.begin_enrolment(code, "raoul", OTHER, PLACE)
    with pytest.raises(Refused):
        _at_the_door(lab, number, "raoul", secret_of("raoul"), first, version)
    lab.identity.abandon_enrolment(first_code, first)
    _at_the_door(lab, number, "raoul", OTHER, second, version)
    lab.identity.abandon_enrolment(first_code, first)
    lab.identity.keep_enrolment(second)
    assert (lab.accounts.credential(uid) or {})["kid"] == second.made.kid
    lab.aurel.do(number, "activate", sign=True, identity_check=CHECK)
    assert lab.identity.sign_in("raoul", OTHER, PLACE).token


def test_a_key_made_beside_an_accepted_one_does_not_destroy_or_hide_it(lab: Lab) -> None:
    number, uid = _invited(lab, "remy")
    lab.enrol(number, "remy")
    late = keys.enrol(OTHER, uid)
    lab.accounts.add_credential(uid, late.kid, late.wrapped)
    lab.aurel.do(number, "activate", sign=True, identity_check=CHECK)
    assert lab.identity.sign_in("remy", secret_of("remy"), PLACE).token
    assert lab.accounts.drop_credential(uid, late.kid)


def test_a_key_a_record_names_is_not_dropped_and_its_code_not_given_back(lab: Lab) -> None:
    number, uid = _invited(lab, "ralf")
    code = lab.identity.invite(uid, lab.ada.uid)
    begun = lab.identity.begin_enrolment(code, "ralf", OTHER, PLACE)
    _at_the_door(lab, number, "ralf", OTHER, begun, lab.row(number).version)
    lab.identity.abandon_enrolment(code, begun)
    assert (lab.accounts.credential(uid) or {})["kid"] == begun.made.kid
    assert lab.ask("select used_at is null from ops.enrolment where person = %s", uid) == [(False,)]


def test_a_reset_ends_the_codes_in_use_too(lab: Lab) -> None:
    number, uid = _invited(lab, "roxane")
    code = lab.identity.invite(uid, lab.ada.uid)
    begun = lab.identity.begin_enrolment(code, "roxane", OTHER, PLACE)
    _at_the_door(lab, number, "roxane", OTHER, begun, lab.row(number).version)
    lab.ada.do(number, "reset", why="Roxane forgot the password.")
    ended = lab.ask(
        "select used_at is not null, expires_at <= now() from ops.enrolment where person = %s", uid
    )
    assert ended == [(True, True)]
    lab.accounts.release_enrolment(token_hash(code), begun.taken)
    with refused("AUTH_REQUIRED"):
        lab.identity.begin_enrolment(code, "roxane", OTHER, PLACE)
