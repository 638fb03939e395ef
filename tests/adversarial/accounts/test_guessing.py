"""Guessing: what an attacker without a password gets, and what it costs everybody else."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

import pytest

from coverslip.alerts.attempts import FLOOD_A_MINUTE
from coverslip.keeper.loop import run
from coverslip.kernel import keys
from coverslip.kernel.identity import Place, name_key
from fix_lab import Lab, refused, secret_of
from fix_together import together

WRONG = "granite meadow 7 compass"
Watched = Any


def test_ten_failures_lock_the_account_by_an_act_that_names_count_and_addresses(
    lab: Lab, watched: Watched
) -> None:
    number = lab.invite("gil", "Gil", ())
    assert watched.guess("gil", 5) + watched.guess("gil", 5, "192.0.2.7") == ["SIG_REAUTH"] * 10
    watched.settle()
    watched.look()
    row = lab.row(number)
    assert row.state == "locked"
    entry = lab.history(number)[-1]
    assert (entry["act"], entry["auth"]) == ("lock", "service")
    for said in ("10 failed attempts", "192.0.2.1", "192.0.2.7"):
        assert said in entry["sections"]["reason"], entry["sections"]["reason"]
    (alert,) = watched.of("account_locked", number)
    assert alert.fields["severity"] == "critical" and alert.fields["places"] == ["192.0.2.1", "192.0.2.7"]
    assert watched.guess("gil", 1, secret=secret_of("gil")) != ["in"]


def test_nine_failures_lock_nothing(lab: Lab, watched: Watched) -> None:
    number = lab.invite("gus", "Gus", ())
    watched.guess("gus", 9)
    watched.settle()
    watched.look()
    assert lab.row(number).state == "active" and not watched.of("account_locked", number)
    assert watched.guess("gus", 1, secret=secret_of("gus")) == ["in"]


def test_an_attempt_still_under_way_is_not_yet_a_tenth_failure(lab: Lab, watched: Watched) -> None:
    number = lab.invite("gert", "Gert", ())
    for _ in range(10):
        lab.accounts.add_failure("sign_in", name_key("gert"))
    watched.look()
    assert lab.row(number).state == "active"
    lab.accounts.add_failure("sign_in", name_key("gert"))
    watched.look()
    assert lab.row(number).state == "locked"


def test_an_unlock_by_a_second_person_clears_the_count_in_the_same_act(lab: Lab, watched: Watched) -> None:
    number = lab.invite("gwen", "Gwen", ())
    watched.guess("gwen", 12)
    watched.look()
    assert lab.row(number).state == "locked"
    with refused("AUTH_ROLE"):
        lab.quinn.do(number, "unlock", why="She says it was her.")
    lab.aurel.do(number, "unlock", why="Called her; she had mistyped it.")
    assert lab.accounts.failures("sign_in", name_key("gwen")) == 0
    assert watched.guess("gwen", 1, secret=secret_of("gwen")) == ["in"]


def test_nobody_lets_themselves_in_again(lab: Lab, watched: Watched) -> None:
    number = lab.invite("gaby", "Gaby", ("SEC",))
    gaby = lab.sign_in("gaby")
    watched.guess("gaby", 12)
    watched.look()
    with refused("AUTH_REQUIRED"):
        gaby.do(number, "unlock", why="It was only me, really.")
    with refused("AUTH_REQUIRED"):
        lab.identity.session(gaby.token)
    assert lab.row(number).state == "locked"


def test_wrong_secrets_at_signing_are_counted_apart_and_lock_too(lab: Lab, watched: Watched) -> None:
    number = lab.invite("gina", "Gina", ("AUT",))
    gina = lab.sign_in("gina")
    for _ in range(11):
        with pytest.raises(Exception, match=r"SIG_REAUTH|ACCOUNT_LOCKED"):
            _sign_wrong(gina, number)
    assert lab.accounts.failures("sign_in", name_key("gina")) == 0
    watched.look()
    assert lab.row(number).state == "locked"
    assert len(watched.of("wrong_signing_secret", number)) == 1, "one alert, not one for each attempt"
    (alert,) = watched.of("account_locked", number)
    assert alert.fields["evidence"]["scope"] == "signing"
    with refused("AUTH_REQUIRED"):
        lab.identity.session(gina.token)
    lab.ada.do(number, "unlock", why="Spoke to her in person about it.")
    assert lab.accounts.failures("signing", gina.uid) == 0


def _sign_wrong(person: Any, number: str) -> None:
    person.secret = WRONG
    person.create("esign_acknowledgement", person=number, policy="POL-0001", statement="Read.", sign=True)


def test_nobody_can_lock_the_last_person_who_could_unlock(lab: Lab, watched: Watched) -> None:
    holders = watched.attempts.counters.holders(("SEC", "ADM"))
    watched.attempts.counters = _Only(watched.attempts.counters, lab.aurel.uid)
    assert lab.aurel.uid in holders
    watched.guess("aurel", 12)
    watched.look()
    assert lab.row(lab.number_of("aurel")).state == "active"
    (alert,) = watched.of("account_locked", lab.number_of("aurel"))
    assert "nobody would be left to unlock" in alert.fields["what"]
    assert watched.guess("aurel", 1, secret=secret_of("aurel")) == ["ACCOUNT_LOCKED"]
    lab.ask("update ops.throttle set since = since - interval '61 minutes' returning 1")
    watched.look()
    assert lab.accounts.failures("sign_in", name_key("aurel")) == 0


class _Only:
    """Counters of a lab in which one person holds the keys."""

    def __init__(self, counters: Any, person: str) -> None:
        self._counters, self._person = counters, person

    def holders(self, roles: Any) -> set[str]:
        return {self._person}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._counters, name)


# --- what answers give away -----------------------------------------------------------------------


def test_known_unknown_locked_and_disabled_names_get_one_answer_for_one_derivation(
    lab: Lab, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.invite("hal", "Hal", ())
    locked, ended = lab.invite("hans", "Hans", ()), lab.invite("hugo", "Hugo", ())
    lab.aurel.do(locked, "lock", why="On leave until next year.")
    lab.aurel.do(ended, "disable", sign=True, why="Left the laboratory.")
    derived: list[str] = []
    asked: list[str] = []
    derive, one = keys._derive, lab.accounts._one

    def counting(secret: str, salt: bytes, cost: dict[str, int]) -> bytes:
        derived.append(secret)
        return derive(secret, salt, cost)

    monkeypatch.setattr(keys, "_derive", counting)
    monkeypatch.setattr(lab.accounts, "_one", lambda sql, **v: asked.append(sql) or one(sql, **v))
    seen = {}
    for name in ("hal", "no-such-name", "hans", "hugo"):
        derived.clear()
        asked.clear()
        with refused("SIG_REAUTH") as caught:
            lab.identity.sign_in(name, WRONG, Place("ws", "198.51.100.1", "t", "UTC"))
        seen[name] = (caught[0].problem(), len(derived), list(asked))
    assert len(seen["hal"][2]) > 3 and seen["hal"][1] == 1
    assert seen["hal"] == seen["no-such-name"] == seen["hans"] == seen["hugo"]
    assert "signature" not in seen["hal"][0]["detail"]


def test_after_ten_failures_a_name_nobody_has_answers_like_one_somebody_has(
    lab: Lab, watched: Watched
) -> None:
    lab.invite("hedi", "Hedi", ())
    assert watched.guess("hedi", 12) == watched.guess("not-hedi", 12)


def test_what_was_typed_as_a_name_is_kept_nowhere(lab: Lab, watched: Watched) -> None:
    typed = "my-secret-by-mistake-8271"
    watched.guess(typed, 3)
    watched.look()
    for table in ("throttle", "refusal_slot", "session", "sign_in"):
        rows = lab.ask(f"select count(*) from ops.{table} t where strpos(t::text, %s) > 0", typed)
        assert rows == [(0,)], table
    stored = lab.ask(
        "select count(*) from ledger.body where position(%s::bytea in fixed) > 0"
        " or position(%s::bytea in coalesce(erasable, '')) > 0",
        typed.encode(),
        typed.encode(),
    )
    assert stored == [(0,)]


# --- names that ended -----------------------------------------------------------------------------


def test_a_try_at_a_disabled_account_is_told_and_one_at_a_living_one_is_not(
    lab: Lab, watched: Watched
) -> None:
    ended, living = lab.invite("ivo", "Ivo", ()), lab.invite("ida", "Ida", ())
    lab.aurel.do(ended, "disable", sign=True, why="Left the laboratory.")
    watched.guess("ivo", 2)
    watched.guess("ida", 2)
    watched.look()
    watched.look()
    (alert,) = watched.of("disabled_account_use", ended)
    assert alert.fields["places"] == ["192.0.2.1"] and alert.fields["evidence"]["failures"] == 2
    assert watched.of("disabled_account_use", living) == []


def test_tries_after_the_alert_was_closed_are_told_again_within_the_same_hour(
    lab: Lab, watched: Watched
) -> None:
    ended = lab.invite("ivan", "Ivan", ())
    lab.aurel.do(ended, "disable", sign=True, why="Left the laboratory.")
    watched.guess("ivan", 1)
    watched.look()
    (first,) = watched.of("disabled_account_use", ended)
    lab.aurel.do(first.number, "acknowledge", action="A former colleague mistyped his name.")
    lab.quinn.do(first.number, "close", sign=True, why="He was told not to.")
    watched.look()
    assert len(watched.of("disabled_account_use", ended)) == 1
    watched.guess("ivan", 4, "198.51.100.9")
    watched.look()
    watched.look()
    (again,) = [a for a in watched.of("disabled_account_use", ended) if a.number != first.number]
    assert again.state == "open" and "198.51.100.9" in again.fields["places"]


def test_a_device_out_of_service_that_signs_in_is_told(lab: Lab, watched: Watched, api: Any) -> None:
    body = {"device": lab.n["instrument"], "statement": "00", "signature": "0" * 128}
    assert api("").post("/sessions/device", body).status_code == 403
    watched.look()
    alerts = watched.of("retired_device_use")
    assert [a.fields["evidence"]["device"] for a in alerts] == [lab.n["instrument"]]


# --- floods ---------------------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> float:
    """Derivations that take a twentieth of a second, so that waiting can be measured on any machine."""
    derive = keys._derive

    def slowly(secret: str, salt: bytes, cost: dict[str, int]) -> bytes:
        time.sleep(0.05)
        return derive(secret, salt, cost)

    monkeypatch.setattr(keys, "_derive", slowly)
    return 0.05


def test_a_flood_of_64_threads_keeps_an_honest_person_waiting_for_few_turns_only(
    lab: Lab, watched: Watched, slow: float
) -> None:
    lab.invite("jon", "Jon", ())
    stop = threading.Event()
    tried = [0] * 64
    codes: list[set[str]] = [set() for _ in range(64)]

    def attack(n: int) -> None:
        while not stop.is_set():
            tried[n] += 1
            codes[n].update(watched.guess(f"nobody-{n}-{tried[n]}", 1, f"203.0.113.{n % 4}"))
            stop.wait(0.01)

    entries = lab.entries()
    threads = [threading.Thread(target=attack, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.5)
        waits = []
        for _ in range(5):
            began = time.monotonic()
            assert watched.guess("jon", 1, "198.51.100.9", secret_of("jon")) == ["in"]
            waits.append(time.monotonic() - began)
            (session,) = lab.accounts.sessions_of(lab.row(lab.number_of("jon")).uid)
            lab.identity.sign_out(session)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert set().union(*codes) == {"SIG_REAUTH", "THROTTLED"}
    # Four addresses flood: at most two turns are under way and four come before one's own, two at a time.
    print(f"honest sign-in under a flood: median {statistics.median(waits):.3f} s, worst {max(waits):.3f} s")
    assert statistics.median(waits) < 2.0, waits
    counted = lab.ask("select coalesce(sum(failures), 0) from ops.throttle where failures > 0")[0][0]
    refused_slots = lab.ask(
        "select coalesce(sum(count), 0) from ops.refusal_slot where rule = 'sign_in_failed'"
    )[0][0]
    assert sum(tried) > 64 and 0 < counted <= sum(tried)
    assert refused_slots >= counted, "what was looked at and failed is counted"
    assert lab.entries() - entries < 100, "the trail grows by minutes and addresses, not by attempts"


def test_guesses_at_one_name_from_64_threads_are_all_counted_and_ten_at_most_looked_at(
    lab: Lab, watched: Watched
) -> None:
    number = lab.invite("kai", "Kai", ())
    places = [Place("ws", f"192.0.2.{n}", "t", "UTC") for n in range(64)]
    answers = together(*[lambda p=p: lab.identity.sign_in("kai", WRONG, p) for p in places])
    codes = [answer.code for answer in answers]
    assert set(codes) == {"SIG_REAUTH", "ACCOUNT_LOCKED"} and codes.count("SIG_REAUTH") == 10
    assert lab.accounts.failures("sign_in", name_key("kai")) == 64
    watched.look()
    assert lab.row(number).state == "locked"
    assert watched.of("account_locked", number)[0].fields["evidence"]["failures"] == 64


def test_what_a_minute_brought_is_entered_with_its_counts_once_it_is_over(lab: Lab, watched: Watched) -> None:
    watched.guess("nobody-at-all", 4, "198.51.100.77")
    lab.ask("update ops.refusal_slot set minute = minute - interval '1 minute' returning 1")
    lab.ask("update ops.position set position = position - 2 where name = 'refusals' returning 1")
    watched.look()
    rows = lab.refusals()
    found = [d for d in rows if "slots" in d and any(s["count"] == 4 for s in d["slots"])]
    assert found and found[-1]["total"] >= 4
    assert "198.51.100.77" not in str(found), "an address can be erased, a detail cannot"
    before = lab.entries()
    watched.look()
    assert lab.entries() == before, "a minute is entered once"


def _minute_past(lab: Lab, watched: Watched, counts: dict[str, int]) -> None:
    """Let the minute that is over have had these failures, by address."""
    for address, count in counts.items():
        watched.guess("someone-else", 1, address)
        lab.ask(
            "update ops.refusal_slot set minute = minute - interval '1 minute', count = %s"
            " where who = %s and minute > clock_timestamp() - interval '1 minute' returning 1",
            count,
            address,
        )
    lab.ask("update ops.position set position = position - 2 where name = 'refusals' returning 1")
    watched.look()


def test_thirty_failures_a_minute_from_anywhere_are_a_flood_and_fewer_are_not(
    lab: Lab, watched: Watched
) -> None:
    lab.ask("update ops.refusal_slot set minute = minute - interval '1 day' returning 1")
    before = len(watched.of("sign_in_flood"))
    _minute_past(lab, watched, {"198.51.100.78": 14, "198.51.100.79": 11})
    assert len(watched.of("sign_in_flood")) == before
    lab.ask("update ops.refusal_slot set minute = minute - interval '2 days' returning 1")
    _minute_past(lab, watched, {"198.51.100.80": 14, "198.51.100.81": 16})
    assert any(a.fields["evidence"]["count"] >= 30 for a in watched.of("sign_in_flood"))


def test_the_flood_is_told_at_a_rate_that_two_derivations_at_once_can_reach() -> None:
    """At 1.6 s each, the slowest measured."""
    assert 2 * FLOOD_A_MINUTE < 2 * 60 / 1.6


# --- in time ----------------------------------------------------------------------------------------


def test_within_a_minute_the_keeper_locks_tells_and_ends_the_sessions_of_what_is_attacked(
    lab: Lab, watched: Watched
) -> None:
    number = lab.invite("kurt", "Kurt", ())
    session = lab.sign_in("kurt")
    stop = threading.Event()

    def integrate() -> None:
        while not stop.is_set():
            watched.sequencer.step(sign=False)
            stop.wait(0.2)

    duties = [watched.attempts, watched.watch, watched.escalation]
    threads = [threading.Thread(target=integrate), threading.Thread(target=run, args=(duties, stop))]
    for thread in threads:
        thread.start()
    try:
        began = time.monotonic()
        watched.guess("kurt", 11)
        with refused("AUTH_SHARED"):
            lab.identity.sign_in("aurel", secret_of("aurel"), Place("far", "192.0.2.99", "t", "UTC"))
        while time.monotonic() - began < 60 and not (
            lab.row(number).state == "locked"
            and watched.of("account_locked", number)
            and watched.of("two_places", lab.number_of("aurel"))
        ):
            time.sleep(0.2)
        took = time.monotonic() - began
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    print(f"from the first guess to lock, dead sessions and both alerts: {took:.1f} s")
    assert took < 60
    with refused("AUTH_REQUIRED"):
        lab.identity.session(session.token)
