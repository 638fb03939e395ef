"""A passkey over the years: when it was used, when it is due for a test, and what it proves in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from coverslip.application import credentials
from coverslip.application.credentials import Proof
from coverslip.kernel.change import Change
from coverslip.kernel.identity import Place
from coverslip.kernel.passkeys import TEST_DAYS
from fix_lab import SHOWN, Lab, Person, refused
from fix_passkey import PRESENT, VERIFIED, Key, sign_with, unb64, with_passkey, without_password

ELIGIBLE, BACKED_UP = 0x08, 0x10


@pytest.fixture
def olaf(lab: Lab) -> Iterator[tuple[Person, Key]]:
    """Somebody who has a passkey and no password, new for each test."""
    name = f"olaf{len(lab.ask('select 1 from projection.record where type = %s', 'user'))}"
    number = lab.invite(name, "Olaf", ("AUT",))
    person = lab.sign_in(name)
    person.create("esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="Read.")
    key = with_passkey(lab, person)
    without_password(lab, person)
    yield person, key


def aged(lab: Lab, person: Person, days: int) -> None:
    """Let the passkeys of a person have been made and used some days ago."""
    assert lab.ask(
        "update ops.credential set created_at = created_at - %s * interval '1 day', data = data"
        " || jsonb_build_object('used_at', ops.iso(clock_timestamp() - %s * interval '1 day'))"
        " where person = %s::uuid and kind = 'passkey' returning 1",
        days,
        days,
        person.uid,
    )


def submitted(lab: Lab, person: Person, key: Key, **bent: Any) -> str:
    """Sign a new SOP with a passkey and return its number."""
    number = person.create(
        "document_sop", title="Counting", criticality="gxp", body="1.", change_summary="First.",
        training_depth="none", audience=[], effective_date="2099-01-01",
    )  # fmt: skip
    change = Change("submit", number=number, expected_version=1, shown=SHOWN)
    sign_with(lab, person, key, change, **bent)
    return number


def told(lab: Lab, person: Person) -> dict[str, Any]:
    return lab.identity.ring.told(person.uid)[0]


def answered(lab: Lab, person: Person, key: Key, **bent: Any) -> Any:
    """Answer what one's own page asks."""
    asked = credentials.question(lab.services(), person.context)
    return key.answer(unb64(asked["options"]["challenge"]), asked["ceremony"], **bent)


def test_every_use_is_told_with_its_time_and_counter(lab: Lab, olaf: tuple[Person, Key]) -> None:
    person, key = olaf
    before = told(lab, person)
    submitted(lab, person, key)
    after = told(lab, person)
    assert after["used_at"] > before["used_at"]
    assert after["count"] == key.count
    assert (after["device"], after["backed_up"], after["test"]) == ("single_device", False, "")


def test_a_passkey_unused_for_a_year_signs_nothing_before_it_is_tested(
    lab: Lab, olaf: tuple[Person, Key]
) -> None:
    person, key = olaf
    aged(lab, person, TEST_DAYS - 10)
    assert told(lab, person)["test"] == "soon"
    assert lab.row(submitted(lab, person, key)).state == "in_review"
    aged(lab, person, TEST_DAYS + 1)
    assert told(lab, person)["test"] == "overdue"
    with refused("SIG_REAUTH") as caught:
        submitted(lab, person, key)
    assert "tested before it signs again" in caught[0].message
    assert caught[0].clause == "21 CFR 11.300(e)"
    credentials.test_passkey(lab.services(), person.context, answered(lab, person, key))
    made = lab.ask(
        "select convert_from(b.fixed, 'UTF8') from ledger.entry e join ledger.body b on b.entry_id = e.id"
        " where convert_from(e.leaf, 'UTF8')::jsonb ->> 'act' = 'passkey_tested' order by e.id desc limit 1"
    )
    assert told(lab, person)["kid"] in str(made)
    assert lab.row(submitted(lab, person, key)).state == "in_review"


def test_to_sign_in_with_it_is_a_test(lab: Lab, olaf: tuple[Person, Key]) -> None:
    person, key = olaf
    aged(lab, person, TEST_DAYS + 1)
    place = Place(person.opened.session.workstation, "127.0.0.1", "tests", "UTC")
    lab.identity.sign_in_with_passkey(key.answer(lab.identity.ring.challenge()), place)
    assert told(lab, person)["test"] == ""
    assert lab.row(submitted(lab, person, key)).state == "in_review"


def test_a_key_that_says_it_may_be_copied_is_not_the_one_that_was_made(
    lab: Lab, olaf: tuple[Person, Key]
) -> None:
    person, key = olaf
    with refused("SIG_REAUTH"):
        submitted(lab, person, key, flags=PRESENT | VERIFIED | ELIGIBLE)
    with refused("SIG_REAUTH"):
        submitted(lab, person, key, flags=PRESENT | VERIFIED | ELIGIBLE | BACKED_UP)
    assert lab.row(submitted(lab, person, key)).state == "in_review"


def test_a_passkey_proves_who_adds_another_and_its_answer_serves_once(
    lab: Lab, olaf: tuple[Person, Key]
) -> None:
    person, key = olaf
    answer = answered(lab, person, key)
    begun = credentials.begin_passkey(lab.services(), person.context, Proof(answer=answer))
    assert begun["options"]["rp"]["id"] == "localhost"
    with refused("SIG_REAUTH") as caught:
        credentials.begin_passkey(lab.services(), person.context, Proof(answer=answer))
    assert "no longer prepared" in caught[0].message


def test_what_proves_is_no_signature_and_no_sign_in(lab: Lab, olaf: tuple[Person, Key]) -> None:
    person, key = olaf
    answer = answered(lab, person, key)
    with refused("SIG_REAUTH"):
        lab.identity.sign_in_with_passkey(answer, Place("m", "127.0.0.1", "t", "UTC"))
    asked = lab.identity.ring.challenge()
    with refused("SIG_REAUTH"):
        credentials.test_passkey(lab.services(), person.context, key.answer(asked, answer.ceremony))
    lab.accounts.clear_failures("sign_in", person.username)


@pytest.mark.parametrize("bent", [{"flags": PRESENT}, {"origin": "http://evil.example"}, {"rp": "evil"}])
def test_a_bent_answer_proves_and_tests_nothing(
    lab: Lab, olaf: tuple[Person, Key], bent: dict[str, Any]
) -> None:
    person, key = olaf
    aged(lab, person, TEST_DAYS + 1)
    with refused("SIG_REAUTH"):
        credentials.test_passkey(lab.services(), person.context, answered(lab, person, key, **bent))
    assert told(lab, person)["test"] == "overdue"
    with refused("SIG_REAUTH"):
        answer = answered(lab, person, key, **bent)
        credentials.begin_passkey(lab.services(), person.context, Proof(answer=answer))


def test_another_persons_passkey_or_session_proves_nothing(lab: Lab, olaf: tuple[Person, Key]) -> None:
    person, key = olaf
    theirs = with_passkey(lab, lab.rex)
    with refused("SIG_REAUTH"):
        credentials.test_passkey(lab.services(), person.context, answered(lab, person, theirs))
    answer = answered(lab, person, key)
    with refused("SIG_REAUTH"):
        credentials.test_passkey(lab.services(), lab.rex.context, answer)
    with refused("SIG_REAUTH"):
        credentials.question(lab.services(), lab.mia.context)
