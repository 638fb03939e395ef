"""What a passkey signs and opens, and everything it does not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from coverslip.kernel.change import Change, Credential
from coverslip.kernel.identity import Place, name_key
from coverslip.ledger import canonical
from coverslip.verifier.keys import check_scheme
from fix_lab import SHOWN, Lab, Person, refused
from fix_passkey import PRESENT, Key, added, listing, registered, sign_with, verified, with_passkey


@pytest.fixture(scope="module")
def newcomer(lab: Lab) -> Person:
    """Otto, an author."""
    number = lab.invite("otto", "Otto", ("AUT",))
    otto = lab.sign_in("otto")
    otto.create("esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="Read.")
    return otto


@pytest.fixture(scope="module")
def key(lab: Lab, newcomer: Person) -> Key:
    """Otto's passkey, verified."""
    return with_passkey(lab, newcomer)


@pytest.fixture
def otto(lab: Lab, newcomer: Person) -> Iterator[Person]:
    """Otto, whose failed signings are forgotten afterwards, as a second person would."""
    yield newcomer
    lab.accounts.clear_failures("signing", newcomer.uid)


def submitting(lab: Lab, number: str) -> Change:
    return Change("submit", number=number, expected_version=lab.row(number).version, shown=SHOWN)


def sop(otto: Person) -> str:
    return otto.create(
        "document_sop", title="Counting", criticality="gxp", body="1.", change_summary="First.",
        training_depth="none", audience=[], effective_date="2099-01-01",
    )  # fmt: skip


def test_a_verified_passkey_signs_and_the_verifier_accepts_it(lab: Lab, otto: Person, key: Key) -> None:
    number = sop(otto)
    sign_with(lab, otto, key, submitting(lab, number))
    assert lab.row(number).state == "in_review"
    made = lab.history(number)[-1]["sections"]["signature"]
    assert made["scheme"] == "webauthn-p256"
    assert made["statement"]["components"] == ["passkey", "user_verification"]
    message = b"coverslip-signature-v1\n" + canonical.encode(made["statement"])
    parts = [bytes.fromhex(made[n]) for n in ("public", "signature", "authenticator_data", "client_data")]
    check_scheme("webauthn-p256", parts[0], message, *parts[1:])


@pytest.mark.parametrize(
    "bent",
    [
        {"origin": "http://evil.example"},
        {"origin": "https://localhost"},
        {"rp": "evil.example"},
        {"flags": PRESENT},
        {"flags": 0x04},
        {"kind": "webauthn.create"},
        {"crossOrigin": True},
    ],
    ids=[
        "wrong page",
        "wrong scheme",
        "wrong party",
        "user not verified",
        "nobody there",
        "a making",
        "in a frame",
    ],
)
def test_a_bent_answer_signs_nothing(lab: Lab, otto: Person, key: Key, bent: dict[str, Any]) -> None:
    number = sop(otto)
    with refused("SIG_REAUTH"):
        sign_with(lab, otto, key, submitting(lab, number), **bent)
    assert lab.row(number).state == "draft"
    assert [d["code"] for d in lab.refusals(number)] == ["SIG_REAUTH"]


def test_an_answer_serves_once_and_only_for_what_was_prepared(lab: Lab, otto: Person, key: Key) -> None:
    first, second = sop(otto), sop(otto)
    change = submitting(lab, first)
    ready = lab.door.prepare(change, otto.context)
    answer = key.answer(ready.challenge, ready.ceremony)
    with refused("SIG_REAUTH"):
        lab.door.submit(submitting(lab, second), otto.context, Credential(assertion=answer))
    with refused("SIG_REAUTH"):
        lab.door.submit(change, otto.context, Credential(assertion=answer))
    assert {lab.row(n).state for n in (first, second)} == {"draft"}


def test_a_replayed_answer_signs_nothing(lab: Lab, otto: Person, key: Key) -> None:
    first, second = sop(otto), sop(otto)
    ready = lab.door.prepare(submitting(lab, first), otto.context)
    answer = key.answer(ready.challenge, ready.ceremony)
    lab.door.submit(submitting(lab, first), otto.context, Credential(assertion=answer))
    again = lab.door.prepare(submitting(lab, second), otto.context)
    replayed = type(answer)(
        again.ceremony, answer.credential_id, answer.authenticator_data, answer.client_data, answer.signature
    )
    with refused("SIG_REAUTH"):
        lab.door.submit(submitting(lab, second), otto.context, Credential(assertion=replayed))
    assert lab.row(second).state == "draft"


def test_a_copied_authenticator_is_found_by_its_counter(lab: Lab, otto: Person, key: Key) -> None:
    sign_with(lab, otto, key, submitting(lab, sop(otto)))
    key.count -= 1
    number = sop(otto)
    with refused("SIG_REAUTH"):
        sign_with(lab, otto, key, submitting(lab, number))
    assert lab.row(number).state == "draft"
    sign_with(lab, otto, key, submitting(lab, number))


def test_another_persons_passkey_signs_nothing_here(lab: Lab, otto: Person, key: Key) -> None:
    theirs = with_passkey(lab, lab.rex)
    number = sop(otto)
    with refused("SIG_REAUTH"):
        sign_with(lab, otto, theirs, submitting(lab, number))
    assert lab.row(number).state == "draft"


def test_an_answer_is_of_no_use_in_another_session(lab: Lab, otto: Person, key: Key) -> None:
    number = sop(otto)
    change = submitting(lab, number)
    ready = lab.door.prepare(change, otto.context)
    other = lab.sign_in("otto", otto.context.workstation)
    with refused("SIG_REAUTH"):
        lab.door.submit(
            change, other.context, Credential(assertion=key.answer(ready.challenge, ready.ceremony))
        )
    lab.door.submit(change, otto.context, Credential(assertion=key.answer(ready.challenge, ready.ceremony)))
    assert lab.row(number).state == "in_review"


def test_what_changed_meanwhile_makes_the_signing_stale(lab: Lab, otto: Person, key: Key) -> None:
    number = sop(otto)
    change = submitting(lab, number)
    ready = lab.door.prepare(change, otto.context)
    lab.rex.do(number, "edit", why="Made it clearer for readers.", title="Clearer")
    with refused("SIG_STALE"):
        lab.door.submit(
            change, otto.context, Credential(assertion=key.answer(ready.challenge, ready.ceremony))
        )
    assert lab.row(number).state == "draft"


def test_an_unverified_passkey_signs_and_opens_nothing(lab: Lab) -> None:
    mia = lab.mia
    number = lab.number_of("mia")
    key = added(lab, mia)
    assert lab.row(number).fields["passkeys_waiting"]
    fresh = lab.invite("wanda", "Wanda", ())
    wanda = lab.sign_in("wanda")
    waiting = added(lab, wanda)
    change = Change(
        "create", "esign_acknowledgement",
        fields={"person": fresh, "policy": "POL-0001", "statement": "Read."}, shown=SHOWN,
    )  # fmt: skip
    with refused("IDENTITY_NOT_VERIFIED"):
        lab.door.prepare(change, wanda.context)
    with refused("SIG_REAUTH"):
        opened(lab, waiting)
    verified(lab, fresh)
    sign_with(lab, wanda, waiting, change)
    assert opened(lab, waiting, "ws-wanda").session.kind == "passkey"
    with refused("SIG_REAUTH"):
        opened(lab, key)


def opened(lab: Lab, key: Key, workstation: str = "ws", **bent: Any) -> Any:
    challenge = lab.identity.ring.challenge()
    place = Place(workstation, "127.0.0.1", "tests", "UTC")
    return lab.identity.sign_in_with_passkey(key.answer(challenge, **bent), place)


def test_nobody_verifies_their_own_passkey(lab: Lab) -> None:
    number = lab.number_of("aurel")
    added(lab, lab.aurel)
    with refused("AUTH_SELF"):
        verified(lab, number)
    row = lab.row(number)
    keys = row.fields["signing_keys"][:-1]
    lab.aurel.do(number, "withdraw_passkey", why="It was added for a test.", signing_keys=keys)


def test_a_new_passkey_is_listed_only_by_its_own_answer(lab: Lab, otto: Person) -> None:
    fresh = Key()
    made = registered(lab, otto, fresh)
    row = lab.row(lab.number_of("otto"))
    change = listing(row, made, lab.accounts.now())
    with refused("SIG_REAUTH"):
        otto.submit(change, otto.credential)
    with refused("SIG_REAUTH"):
        sign_with(lab, otto, Key(), change)
    assert lab.row(row.number).version == row.version


def test_a_withdrawn_passkey_signs_and_opens_nothing(lab: Lab, otto: Person) -> None:
    extra = with_passkey(lab, otto)
    session = opened(lab, extra, otto.context.workstation)
    number = lab.number_of("otto")
    keys = lab.row(number).fields["signing_keys"]
    otto.do(number, "withdraw_passkey", why="The key was lost on the way.", signing_keys=keys[:-1])
    with refused("AUTH_REQUIRED"):
        lab.identity.session(session.token)
    with refused("SIG_REAUTH"):
        opened(lab, extra)
    doc = sop(otto)
    with refused("SIG_REAUTH"):
        sign_with(lab, otto, extra, submitting(lab, doc))
    assert lab.identity.session(otto.token)


def test_a_passkey_opens_a_session_whose_acts_say_so(lab: Lab, otto: Person, key: Key) -> None:
    found = opened(lab, key, otto.context.workstation)
    assert (found.session.username, found.session.kind) == ("otto", "passkey")
    person = Person(lab, "otto", found)
    number = sop(person)
    told = lab.ask(
        "select convert_from(leaf, 'UTF8')::jsonb -> 'actor' ->> 'auth' from ledger.entry"
        " where record_id = %s",
        lab.row(number).uid,
    )
    assert told == [("passkey",)]


@pytest.mark.parametrize(
    "bent", [{"origin": "http://evil.example"}, {"rp": "evil.example"}, {"flags": PRESENT}],
    ids=["wrong page", "wrong party", "user not verified"],
)  # fmt: skip
def test_a_bent_answer_opens_nothing(lab: Lab, otto: Person, key: Key, bent: dict[str, Any]) -> None:
    with refused("SIG_REAUTH"):
        opened(lab, key, otto.context.workstation, **bent)
    opened(lab, key, otto.context.workstation)


def test_a_challenge_opens_one_session_and_only_one_made_here(lab: Lab, otto: Person, key: Key) -> None:
    challenge = lab.identity.ring.challenge()
    place = Place(otto.context.workstation, "127.0.0.1", "tests", "UTC")
    lab.identity.sign_in_with_passkey(key.answer(challenge), place)
    for bad in (challenge, hashlib.sha256(b"own").digest(), challenge[:-1] + bytes([challenge[-1] ^ 1]), b""):
        with refused("SIG_REAUTH"):
            lab.identity.sign_in_with_passkey(key.answer(bad), place)
    lab.accounts.clear_failures("sign_in", name_key("otto"))


def test_a_reset_ends_every_passkey(lab: Lab) -> None:
    number = lab.invite("rudi", "Rudi", ())
    key = with_passkey(lab, lab.sign_in("rudi"))
    assert opened(lab, key, "ws-rudi")
    lab.ada.do(number, "reset", why="The laptop was stolen yesterday.")
    with refused("SIG_REAUTH"):
        opened(lab, key, "ws-rudi")
    assert [k["scheme"] for k in lab.row(number).fields["signing_keys"]] == ["ed25519-wrapped"]
