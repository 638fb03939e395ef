"""Locked sessions: who opens them again, and what they let nobody do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coverslip.kernel.desk import Desk
from coverslip.kernel.identity import LOCK_AFTER, Place, name_key
from coverslip.settings import Limits
from fix_lab import Lab, Person, refused, secret_of
from fix_passkey import with_passkey

NAMES = (f"magdalena{n}" for n in range(100))
HERE = Place("microscope-2", "127.0.0.1", "tests", "UTC")


@pytest.fixture
def desk(lab: Lab) -> Desk:
    return Desk(lab.accounts, lab.events, lab.identity)


@pytest.fixture
def lena(lab: Lab) -> Iterator[Person]:
    """Somebody new at the computer of a microscope."""
    name = next(NAMES)
    lab.invite(name, "Lena", ("AUT",))
    yield Person(lab, name, lab.identity.sign_in(name, secret_of(name), HERE))
    lab.accounts.clear_failures("sign_in", name_key(name))


def leave_alone(lab: Lab, person: Person) -> None:
    lab.ask(
        "update ops.session set seen_at = seen_at - %s * interval '1 minute' where session = %s returning 1",
        Limits().idle_lock_minutes, person.context.session,
    )  # fmt: skip


def test_a_session_left_alone_locks_and_its_person_opens_the_same_one(
    lab: Lab, lena: Person, desk: Desk
) -> None:
    lab.identity.session(lena.token)
    leave_alone(lab, lena)
    for _ in range(2):
        with refused("SESSION_LOCKED"):
            lab.identity.session(lena.token)
    opened = desk.unlock(lena.token, secret_of(lena.username))
    assert opened.session.id == lena.context.session
    assert lab.identity.session(opened.token).id == lena.context.session
    with refused("AUTH_REQUIRED"):
        lab.identity.session(lena.token)


def test_a_locked_session_opens_for_nobody_else(lab: Lab, lena: Person, desk: Desk) -> None:
    desk.lock(lena.opened.session)
    for wrong in ("", secret_of("quinn"), "something else entirely"):
        with refused("SIG_REAUTH"):
            desk.unlock(lena.token, wrong)
    with refused("AUTH_REQUIRED"):
        desk.unlock("no such token", secret_of(lena.username))
    assert desk.unlock(lena.token, secret_of(lena.username)).token


def test_an_open_session_is_not_unlocked(lab: Lab, lena: Person, desk: Desk) -> None:
    with refused("AUTH_REQUIRED"):
        desk.unlock(lena.token, secret_of(lena.username))


def test_guesses_at_a_lock_count_as_failed_sign_ins(lab: Lab, lena: Person, desk: Desk) -> None:
    desk.lock(lena.opened.session)
    for n in range(LOCK_AFTER):
        lab.ask("update ops.throttle set since = since - interval '2 minutes' returning 1")
        with refused("SIG_REAUTH"):
            desk.unlock(lena.token, f"guess number {n}")
    lab.ask("update ops.throttle set since = since - interval '2 minutes' returning 1")
    with refused("ACCOUNT_LOCKED"):
        desk.unlock(lena.token, secret_of(lena.username))


def test_a_lock_ends_the_period_of_signings(lab: Lab, lena: Person, desk: Desk) -> None:
    lab.identity.signed(lena.context, lena.context.session)
    assert lab.identity.period(lena.context)
    desk.lock(lena.opened.session)
    assert not lab.identity.period(lena.context)
    desk.unlock(lena.token, secret_of(lena.username))
    assert not lab.identity.period(lena.context)


def test_people_take_turns_and_each_comes_back_to_their_own(lab: Lab, lena: Person, desk: Desk) -> None:
    desk.lock(lena.opened.session)
    name = next(NAMES)
    lab.invite(name, "Lea", ())
    other = lab.identity.sign_in(name, secret_of(name), HERE, resume=True)
    assert other.session.id != lena.context.session
    desk.lock(other.session)
    back = lab.identity.sign_in(lena.username, secret_of(lena.username), HERE, resume=True)
    assert back.session.id == lena.context.session
    assert lab.identity.session(back.token).person == lena.uid
    assert desk.unlock(other.token, secret_of(name)).session.id == other.session.id
    with refused("AUTH_REQUIRED"):
        lab.identity.session(lena.token)


def test_a_session_is_resumed_only_at_its_own_place_and_only_when_asked(
    lab: Lab, lena: Person, desk: Desk
) -> None:
    desk.lock(lena.opened.session)
    elsewhere = Place("office", "127.0.0.1", "tests", "UTC")
    away = lab.identity.sign_in(lena.username, secret_of(lena.username), elsewhere, resume=True)
    assert away.session.id != lena.context.session
    with refused("AUTH_SHARED"):
        desk.unlock(lena.token, secret_of(lena.username))
    lab.identity.sign_out(away.session)
    assert (
        lab.identity.sign_in(lena.username, secret_of(lena.username), HERE).session.id != lena.context.session
    )


def test_a_passkey_opens_its_persons_lock_and_no_other(lab: Lab, lena: Person, desk: Desk) -> None:
    key = with_passkey(lab, lena)
    name = next(NAMES)
    lab.invite(name, "Lea", ())
    other = Person(
        lab, name, lab.identity.sign_in(name, secret_of(name), Place("m3", "127.0.0.1", "t", "UTC"))
    )
    desk.lock(lena.opened.session)
    desk.lock(other.opened.session)
    with refused("SIG_REAUTH"):
        desk.unlock(other.token, "", key.answer(lab.identity.ring.challenge()))
    opened = desk.unlock(lena.token, "", key.answer(lab.identity.ring.challenge()))
    assert opened.session.id == lena.context.session


def test_people_end_their_own_sessions_and_nobody_elses(lab: Lab, lena: Person, desk: Desk) -> None:
    second = lab.identity.sign_in(lena.username, secret_of(lena.username), HERE)
    assert [s.id for s in desk.sessions(lena.uid)] == [lena.context.session, second.session.id]
    desk.end(lena.opened.session, second.session.id)
    with refused("AUTH_REQUIRED"):
        lab.identity.session(second.token)
    with refused("NOT_FOUND"):
        desk.end(lena.opened.session, lab.quinn.context.session)
    assert lab.identity.session(lab.quinn.token)


def test_a_machines_session_left_alone_ends(lab: Lab) -> None:
    context = lab.device()
    lab.ask(
        "update ops.session set seen_at = seen_at - interval '1 hour' where session = %s returning 1",
        context.session,
    )
    assert lab.accounts.session_by_id(context.session) is None
