"""One-time codes at sign-in: what they let in, and what they keep out."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from coverslip.kernel.codes import Codes
from coverslip.kernel.identity import LOCK_AFTER, Place, SignedIn, name_key
from fix_lab import Lab, Person, refused, secret_of
from fix_passkey import code_of

NAMES = (f"toni{n}" for n in range(100))


@pytest.fixture
def person(lab: Lab) -> Iterator[Person]:
    """Somebody new, signed in."""
    name = next(NAMES)
    lab.invite(name, "Toni", ())
    yield lab.sign_in(name)
    lab.accounts.clear_failures("sign_in", name_key(name))


@pytest.fixture
def seed(lab: Lab, person: Person) -> str:
    """The seed of that person's app; the code of the step before now was used to add it."""
    begun = lab.identity.codes.begin(person.context)
    lab.identity.codes.confirm(person.context, begun["ceremony"], code_of(lab, begun["secret"], -1))
    return begun["secret"]


def come_in(lab: Lab, person: Person, code: str = "", secret: str = "") -> SignedIn:
    place = Place(person.context.workstation, "127.0.0.1", "tests", "UTC")
    return lab.identity.sign_in(person.username, secret or secret_of(person.username), place, code)


def test_a_code_is_asked_for_once_an_app_is_added_and_serves_once(lab: Lab, person: Person) -> None:
    come_in(lab, person)
    begun = lab.identity.codes.begin(person.context)
    assert begun["svg"].startswith("<svg")
    assert f"secret={begun['secret']}" in begun["uri"]
    come_in(lab, person)
    lab.identity.codes.confirm(person.context, begun["ceremony"], code_of(lab, begun["secret"], -1))
    with refused("SIG_REAUTH"):
        come_in(lab, person)
    code = code_of(lab, begun["secret"])
    assert come_in(lab, person, f"{code[:3]} {code[3:]}").session.username == person.username
    with refused("SIG_REAUTH"):
        come_in(lab, person, code)


@pytest.mark.parametrize("steps", [-3, 3, 100])
def test_a_code_of_another_time_lets_nobody_in(lab: Lab, person: Person, seed: str, steps: int) -> None:
    with refused("SIG_REAUTH"):
        come_in(lab, person, code_of(lab, seed, steps))


def test_the_answer_does_not_say_which_component_was_wrong(lab: Lab, person: Person, seed: str) -> None:
    with refused("SIG_REAUTH") as without:
        come_in(lab, person)
    with refused("SIG_REAUTH") as wrong:
        come_in(lab, person, "000000", "another wrong password")
    assert without[0].message == wrong[0].message


def test_a_wrong_code_counts_as_a_wrong_password_does(lab: Lab, person: Person, seed: str) -> None:
    for _ in range(LOCK_AFTER):
        with refused("SIG_REAUTH"):
            come_in(lab, person, "12345")
    with refused("ACCOUNT_LOCKED"):
        come_in(lab, person, code_of(lab, seed))


def test_an_app_is_added_only_with_a_code_of_it_in_the_session_that_began(lab: Lab, person: Person) -> None:
    codes = lab.identity.codes
    begun = codes.begin(person.context)
    with refused("VAL_FORM"):
        codes.confirm(lab.nora.context, begun["ceremony"], code_of(lab, begun["secret"]))
    with refused("VAL_FORM"):
        codes.confirm(person.context, begun["ceremony"], "000000")
    with refused("VAL_FORM"):
        codes.confirm(person.context, begun["ceremony"], code_of(lab, begun["secret"]))
    assert not codes.has(person.uid)


def test_adding_and_removing_are_entries_and_then_no_code_is_asked(
    lab: Lab, person: Person, seed: str
) -> None:
    with refused("DUP"):
        lab.identity.codes.begin(person.context)
    lab.identity.codes.remove(person.context)
    come_in(lab, person)
    acts = lab.ask(
        "select convert_from(leaf, 'UTF8')::jsonb ->> 'act', convert_from(leaf, 'UTF8')::jsonb ->> 'type'"
        " from ledger.entry where record_id = %s order by id", person.context.session,
    )  # fmt: skip
    assert [a for a in acts if a[1] == "credential"] == [
        ("codes_added", "credential"), ("codes_removed", "credential"),
    ]  # fmt: skip
    with refused("VAL_FORM"):
        lab.identity.codes.remove(person.context)


def test_a_seed_is_sealed_and_opens_only_with_this_homes_key(lab: Lab, person: Person, seed: str) -> None:
    kept = lab.accounts.seed(person.uid)
    assert kept is not None
    assert base64.b32decode(seed + "=" * (-len(seed) % 8)) not in bytes(kept["sealed"])
    other = Codes(lab.accounts, lab.events, lab.accounts.now, key=b"\x01" * 32)
    with refused("ENVIRONMENT"):
        other.accepts(person.uid, code_of(lab, seed))
    assert lab.identity.codes.accepts(person.uid, code_of(lab, seed))


def test_a_reset_ends_the_app_with_everything_else(lab: Lab, person: Person, seed: str) -> None:
    number = lab.number_of(person.username)
    lab.ada.do(number, "reset", why="The phone was stolen yesterday.")
    assert lab.accounts.seed(person.uid) is None
