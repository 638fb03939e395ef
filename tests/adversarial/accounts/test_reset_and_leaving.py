"""Resets, lost credentials and leavers: what ends, when it ends, and that nobody signs as somebody else."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest

from coverslip.errors import CoverslipError
from coverslip.kernel import keys
from coverslip.kernel.change import Change, Credential
from coverslip.kernel.identity import Place
from coverslip.ledger import canonical
from coverslip.verifier import ed25519
from fix_caller import Caller
from fix_lab import SHOWN, TODAY, Lab, Person, refused, secret_of

CHECK = [{"document_kind": "passport", "manner": "in person", "on": TODAY.isoformat()}]
PLACE = Place("ws-thief", "192.0.2.66", "t", "UTC")
STOLEN = "granite meadow 7 compass"
Watched = Any
Api = Any


def enrol(api: Api, lab: Lab, number: str, username: str, secret: str, by: str = "ada") -> Any:
    """Make a code over the interface as ``by`` and use it with a secret of whoever holds it."""
    made = api(by).post(f"/records/{number}/invitation", {})
    assert made.status_code == 201, made.text
    body = {"code": made.json()["code"], "username": username, "password": secret}
    return api("").post("/enrolments", body)


def test_a_reset_destroys_the_wrapped_key_and_ends_every_session_in_the_same_act(lab: Lab) -> None:
    number = lab.invite("lou", "Lou", ("AUT",))
    lou = lab.sign_in("lou")
    before = lab.accounts.credential(lou.uid)
    assert before is not None
    lab.ada.do(number, "reset", why="Lou forgot the password.")
    kept = lab.ask(
        "select secret, data, revoked_at is not null from ops.credential where person = %s", lou.uid
    )
    assert kept and all(
        row[0] is None and not set(row[1]) & {"sealed", "salt", "nonce"} and row[2] for row in kept
    )
    with refused("AUTH_REQUIRED"):
        lab.identity.session(lou.token)
    assert lab.ask("select count(*) from ops.session where person = %s and ended_at is null", lou.uid) == [
        (0,)
    ]
    everything = lab.ask("select coalesce(string_agg(c::text, ''), '') from ops.credential c")[0][0]
    assert before["sealed"] not in everything
    assert lab.replay() == []


def test_what_was_signed_before_a_reset_still_verifies_and_the_old_secret_signs_nothing(
    lab: Lab, api: Api
) -> None:
    number = lab.invite("lea", "Lea", ("AUT",))
    lea = lab.sign_in("lea")
    mine = lea.create(
        "esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="I have read it."
    )
    lab.ada.do(number, "reset", why="Lea forgot the password.")
    signature = lab.history(mine)[0]["sections"]["signature"]
    message = b"coverslip-signature-v1\n" + canonical.encode(signature["statement"])
    ed25519.verify(bytes.fromhex(signature["public"]), message, bytes.fromhex(signature["signature"]))
    assert signature["kid"] in [k["kid"] for k in lab.row(number).fields["signing_keys"]]
    with pytest.raises(Exception, match=r"AUTH_REQUIRED|IDENTITY_NOT_VERIFIED"):
        lea.create("document_sop", title="After the reset", criticality="gxp")
    assert lab.accounts.credential(lea.uid) is None
    with refused("SIG_REAUTH"):
        lab.sign_in("lea")


def test_after_a_reset_signing_waits_for_a_second_person_who_is_not_the_resetter(lab: Lab, api: Api) -> None:
    number = lab.invite("leo", "Leo", ())
    lab.aurel.do(number, "reset", why="Leo reported a stolen laptop.")
    assert enrol(api, lab, number, "leo", secret_of("leo")).status_code == 201
    with refused("SIG_REAUTH"):
        lab.sign_in("leo")
    with refused("AUTH_SELF"):
        lab.aurel.do(number, "activate", sign=True, identity_check=CHECK)
    second = _security(lab, "selma")
    second.do(number, "activate", sign=True, identity_check=CHECK)
    assert lab.sign_in("leo").uid


def _security(lab: Lab, username: str) -> Person:
    number = lab.invite(username, username.title(), ("SEC",))
    person = lab.sign_in(username)
    person.create(
        "esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="I have read it."
    )
    return person


def test_one_person_with_every_administrative_role_and_the_owners_mail_never_signs_as_them(
    lab: Lab, api: Api
) -> None:
    """The attacker is ADM and SEC, resets, makes the code, reads the mail and enrols in the owner's place."""
    victim = lab.invite("mona", "Mona", ("QA",))
    attacker_number = lab.invite("mallory", "Mallory", ("SEC", "ADM"))
    mallory = lab.sign_in("mallory")
    mallory.create(
        "esign_acknowledgement", sign=True, person=attacker_number, policy="POL-0001", statement="Read it."
    )
    mallory.do(victim, "reset", why="She asked for it by mail.")
    code = lab.identity.invite(lab.row(victim).uid, mallory.uid)
    body = {"code": code, "username": "mona", "password": STOLEN}
    assert api("").post("/enrolments", body).status_code == 201
    assert lab.row(victim).fields["code_by"]["number"] == attacker_number
    with refused("AUTH_SELF"):
        mallory.do(victim, "activate", sign=True, identity_check=CHECK)
    with refused("SIG_REAUTH"):
        lab.identity.sign_in("mona", STOLEN, PLACE)
    by_hand = [*CHECK, {"document_kind": "none", "manner": "by hand", "on": TODAY.isoformat()}]
    with refused("SEQ_PRE"):
        mallory.do(victim, "edit", why="Put the check in by hand.", identity_check=by_hand)
    with refused("SEQ_STATE"):
        mallory.do(victim, "activate_service", sign=True)
    assert lab.row(victim).state == "enrolled"


def test_an_identity_check_from_before_the_new_key_verifies_nothing(lab: Lab, api: Api) -> None:
    number = lab.invite("nina", "Nina", ())
    lab.ada.do(number, "reset", why="Nina forgot the password.")
    assert enrol(api, lab, number, "nina", secret_of("nina")).status_code == 201
    old = (TODAY - dt.timedelta(days=2)).isoformat()
    with refused("SEQ_PRE"):
        lab.aurel.do(number, "activate", sign=True, identity_check=[CHECK[0] | {"on": old}])
    lab.aurel.do(number, "activate", sign=True, identity_check=CHECK)


def test_who_made_the_code_does_not_verify_even_where_somebody_else_reset(lab: Lab, api: Api) -> None:
    victim = lab.invite("nils", "Nils", ())
    attacker = lab.invite("mike", "Mike", ("SEC", "ADM"))
    mike = lab.sign_in("mike")
    mike.create("esign_acknowledgement", sign=True, person=attacker, policy="POL-0001", statement="Read it.")
    lab.ada.do(victim, "reset", why="Nils forgot the password.")
    code = lab.identity.invite(lab.row(victim).uid, mike.uid)
    body = {"code": code, "username": "nils", "password": STOLEN}
    assert api("").post("/enrolments", body).status_code == 201
    with refused("AUTH_SELF"):
        mike.do(victim, "activate", sign=True, identity_check=CHECK)
    lab.aurel.do(victim, "activate", sign=True, identity_check=CHECK)


def test_the_owner_is_told_of_a_reset_and_of_a_new_key_and_others_are_not(
    lab: Lab, api: Api, watched: Watched
) -> None:
    number = lab.invite("olaf", "Olaf", ())
    lab.ada.do(number, "reset", why="Olaf forgot the password.")
    assert enrol(api, lab, number, "olaf", secret_of("olaf")).status_code == 201
    lab.aurel.do(number, "activate", sign=True, identity_check=CHECK)
    watched.look()
    (reset,) = watched.of("credentials_reset", number)
    (fresh,) = watched.of("key_enrolled", number)
    assert lab.number_of("ada") in reset.fields["what"]
    told = Caller(api("").client, "olaf", lab.sign_in("olaf").token).get("/me/notices")
    assert {n["number"] for n in told} == {reset.number, fresh.number}
    assert not {n["number"] for n in api("alan").get("/me/notices")} & {reset.number, fresh.number}


def test_who_destroyed_a_key_or_made_the_code_answers_neither_alert(
    lab: Lab, api: Api, watched: Watched
) -> None:
    number = lab.invite("oona", "Oona", ())
    second = _security(lab, "sabine")
    second.do(number, "reset", why="Oona forgot the password.")
    code = lab.identity.invite(lab.row(number).uid, second.uid)
    body = {"code": code, "username": "oona", "password": secret_of("oona")}
    assert api("").post("/enrolments", body).status_code == 201
    watched.look()
    for kind in ("credentials_reset", "key_enrolled"):
        (alert,) = watched.of(kind, number)
        with refused("AUTH_SELF"):
            second.do(alert.number, "acknowledge", action="It was only me, all is well.")
        lab.aurel.do(alert.number, "acknowledge", action="Asked Oona on the telephone.")
        with refused("AUTH_SELF"):
            second.do(alert.number, "close", sign=True, why="It was only me.")
        lab.quinn.do(alert.number, "close", sign=True, why="She confirmed it.")


def test_the_owner_is_told_of_an_email_or_a_name_that_somebody_else_changed(
    lab: Lab, api: Api, watched: Watched
) -> None:
    number = lab.invite("ossi", "Ossi", ())
    lab.ada.do(number, "edit", why="She has a new address.", email="elsewhere@mail.example")
    lab.ada.do(number, "edit", why="She married last week.", printed_name="Ossi Berg")
    watched.look()
    watched.look()
    mail, name = sorted(watched.of("account_changed", number), key=lambda a: a.number)
    assert "e-mail" in mail.fields["what"] and lab.number_of("ada") in mail.fields["what"]
    assert "Ossi Berg" in name.fields["what"]
    assert "elsewhere@mail.example" not in str(mail.fields), "an address can be erased, an alert cannot"
    told = Caller(api("").client, "ossi", lab.sign_in("ossi").token).get("/me/notices")
    assert {mail.number, name.number} <= {n["number"] for n in told}
    assert not {n["number"] for n in api("alan").get("/me/notices")} & {mail.number, name.number}


def test_the_holder_is_told_of_a_role_given_and_of_one_taken_and_others_are_not(lab: Lab, api: Api) -> None:
    number = lab.invite("otto", "Otto", ("AUT",))
    otto = Caller(api("").client, "otto", lab.sign_in("otto").token)
    (given,) = otto.get("/me/notices")
    assert (given["kind"], given["state"]) == ("role_grant", "active") and given["raised_at"]
    lab.aurel.do(given["number"], "revoke", sign=True, why="He changed the department.")
    (taken,) = otto.get("/me/notices")
    assert (taken["number"], taken["state"]) == (given["number"], "revoked"), number
    assert given["number"] not in {n["number"] for n in api("alan").get("/me/notices")}


def test_a_code_lasts_a_day_opens_once_and_signs_nothing(lab: Lab, api: Api) -> None:
    number = lab.invite("pam", "Pam", ())
    lab.ada.do(number, "reset", why="Pam forgot the password.")
    made = api("ada").post(f"/records/{number}/invitation", {}).json()
    assert made["hours"] <= 24
    span = lab.ask("select max(expires_at - created_at) < interval '24 hours 1 second' from ops.enrolment")
    assert span == [(True,)]
    lab.ask("update ops.enrolment set expires_at = now() - interval '1 s' where used_at is null returning 1")
    body = {"code": made["code"], "username": "pam", "password": secret_of("pam")}
    assert api("").post("/enrolments", body).status_code == 401
    assert enrol(api, lab, number, "pam", secret_of("pam")).status_code == 201
    with refused("SIG_REAUTH"):
        lab.sign_in("pam")


def test_a_refused_enrolment_gives_the_code_back_and_leaves_no_key(
    lab: Lab, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = lab.ada.create(
        "user", username="pia", printed_name="Pia", kind="person", email="pia@lab.example"
    )
    made = api("ada").post(f"/records/{number}/invitation", {}).json()
    body = {"code": made["code"], "username": "pia", "password": secret_of("pia")}
    wrong = api("").post("/enrolments", body | {"username": "paul"})
    assert wrong.status_code == 401, wrong.text
    assert lab.accounts.credential(lab.row(number).uid) is None
    assert api("").post("/enrolments", body).status_code == 201
    assert api("").post("/enrolments", body).status_code == 401


# --- lost credentials, sessions ended at once ------------------------------------------------------


def test_the_owner_ends_all_sessions_in_one_act_and_goes_on_in_a_new_one(lab: Lab) -> None:
    number = lab.invite("rolf", "Rolf", ())
    first, second = lab.sign_in("rolf"), lab.sign_in("rolf")
    first.do(number, "end_sessions", why="I left a terminal open somewhere.")
    for person in (first, second):
        with refused("AUTH_REQUIRED"):
            lab.identity.session(person.token)
        with refused("AUTH_REQUIRED"):
            person.do(number, "end_sessions", why="And once more from the old one.")
    entry = next(e for e in lab.history(number) if e["act"] == "end_sessions")
    assert entry["sections"]["reason"] and entry["actor"] == first.uid
    third = lab.sign_in("rolf")
    assert lab.identity.session(third.token).person == first.uid
    lab.aurel.do(number, "end_sessions", why="A stranger was seen at his desk.")
    with refused("AUTH_REQUIRED"):
        lab.identity.session(third.token)
    assert lab.replay() == []


def test_others_end_nobodys_sessions(lab: Lab) -> None:
    number = lab.invite("rosa", "Rosa", ())
    rosa = lab.sign_in("rosa")
    for person in (lab.alan, lab.ada, lab.quinn):
        with refused("AUTH_ROLE"):
            person.do(number, "end_sessions", why="Just to see whether I can.")
    assert lab.identity.session(rosa.token).person == rosa.uid


def test_a_lost_secret_is_withdrawn_by_its_owner_and_replaced_after_a_second_person_looked(
    lab: Lab, api: Api
) -> None:
    number = lab.invite("ruth", "Ruth", ())
    ruth = lab.sign_in("ruth")
    ruth.do(number, "report_lost", why="My notebook with it was stolen.")
    assert lab.accounts.credential(ruth.uid) is None
    with refused("AUTH_REQUIRED"):
        lab.identity.session(ruth.token)
    assert enrol(api, lab, number, "ruth", STOLEN).status_code == 201
    lab.aurel.do(number, "activate", sign=True, identity_check=CHECK)
    with refused("SIG_REAUTH"):
        lab.sign_in("ruth")
    assert lab.identity.sign_in("ruth", STOLEN, Place("w", "127.0.0.1", "t", "UTC")).token


# --- leavers ---------------------------------------------------------------------------------------


def test_a_leavers_sessions_are_dead_at_the_next_request(lab: Lab, api: Api) -> None:
    number = lab.invite("sven", "Sven", ("AUT",))
    sven = lab.sign_in("sven")
    caller = Caller(api("").client, "sven", sven.token)
    assert caller.get("/me")["number"] == number
    lab.aurel.do(number, "disable", sign=True, why="Left the laboratory today.")
    assert caller.request("GET", "/me").status_code == 401
    with refused("AUTH_REQUIRED"):
        sven.create("document_sop", title="After leaving", criticality="gxp")
    assert lab.ask("select ended_why from ops.session where session = %s", sven.context.session) == [
        ("account_changed",)
    ]
    for act in ("unlock", "reset", "activate", "lock"):
        with pytest.raises(CoverslipError, match=r"SEQ_STATE|LOCKED"):
            lab.aurel.do(number, act, why="Bring the account back to life.", sign=act == "activate")


def test_a_retired_devices_session_and_its_key_are_dead_at_once(lab: Lab) -> None:
    context = lab.device()
    assert lab.accounts.session_by_id(context.session) is not None
    state = lab.row(lab.n["instrument"]).state
    act = next(
        t for t in lab.door.catalogue["instrument"].type.transitions
        if state in t.from_ and t.to in ("retired", "out_of_service")
    )  # fmt: skip
    fields = {"removal_reason": "Broken beyond repair."} if "removal_reason" in act.fields else {}
    lab.mia.do(
        lab.n["instrument"], act.name, sign=act.signature is not None, why="The stage is broken.", **fields
    )
    assert lab.accounts.session_by_id(context.session) is None
    with refused("DEVICE_UNKNOWN"):
        found = lab.accounts.device(lab.n["instrument"])
        uid, data = found if found else ("", {"number": lab.n["instrument"]})
        lab.identity.device_session(uid, data, b"{}", b"", PLACE)


def test_a_device_statement_made_for_another_installation_opens_nothing(lab: Lab) -> None:
    fresh = lab.mia.create(
        "instrument", name="Spare", make="M", model="X", serial="IX-foreign", interval_months=12,
        device_key=lab.device_key.public_key().public_bytes_raw().hex()[::-1],
    )  # fmt: skip
    assert lab.row(fresh).state
    data = {"number": "INS-9", "key": lab.device_key.public_key().public_bytes_raw().hex()}
    for log, opens in (("elsewhere.example/site", False), (lab.accounts.origin(), True)):
        statement = canonical.encode(
            {
                "device": "INS-9",
                "log": log,
                "at": lab.accounts.now(),
                "nonce": "ab" * 16 if opens else "cd" * 16,
            }
        )
        signed = lab.device_key.sign(statement)
        if opens:
            assert lab.identity.device_session(lab.alan.uid, data, statement, signed, PLACE).token
        else:
            with refused("DEVICE_UNKNOWN"):
                lab.identity.device_session(lab.alan.uid, data, statement, signed, PLACE)


# --- two places, periods ----------------------------------------------------------------------------


def test_a_second_place_is_refused_by_its_address_whatever_it_calls_itself(
    lab: Lab, watched: Watched
) -> None:
    number = lab.invite("tara", "Tara", ())
    lab.sign_in("tara")
    for place in (Place("ws-tara", "192.0.2.50", "t", "UTC"), Place("other", "127.0.0.1", "t", "UTC")):
        with refused("AUTH_SHARED"):
            lab.identity.sign_in("tara", secret_of("tara"), place)
    assert lab.sign_in("tara").uid
    watched.look()
    (alert,) = watched.of("two_places", number)
    assert alert.fields["concerns"][0]["number"] == number


def test_a_signing_that_was_not_written_opens_no_period(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    sop = lab.new_sop()
    opened: list[str] = []
    set_period = lab.accounts.set_period
    monkeypatch.setattr(lab.accounts, "set_period", lambda s, p, d: opened.append(p) or set_period(s, p, d))
    commit = lab.store.commit

    def broken(batch: Any) -> Any:
        if any(entry.kind == "document_sop" for entry in batch.entries):
            raise psycopg.OperationalError("the connection broke")
        return commit(batch)

    monkeypatch.setattr(lab.store, "commit", broken)
    with pytest.raises(psycopg.OperationalError):
        lab.aurel.do(sop, "submit", sign=True)
    assert opened == []
    assert lab.accounts.failures("signing", lab.aurel.uid) == 0, "the secret was right"
    monkeypatch.setattr(lab.store, "commit", commit)
    lab.aurel.do(sop, "submit", sign=True)
    assert len(opened) == 1


# --- bursts, escalation ------------------------------------------------------------------------------


def test_ten_denials_of_one_person_are_one_alert_and_nine_are_none(lab: Lab, watched: Watched) -> None:
    busy, quiet = lab.invite("uma", "Uma", ()), lab.invite("udo", "Udo", ())
    for username, times in (("uma", 12), ("udo", 9)):
        person = lab.sign_in(username)
        for _ in range(times):
            with refused("AUTH_ROLE"):
                person.create("document_sop", title="Mine", criticality="gxp")
    watched.look()
    watched.watch._next = -1  # as after a restart: looked at again
    watched.look()
    assert len(watched.of("denial_burst", busy)) in (1, 2), "the ten minutes may have turned"
    assert watched.of("denial_burst", quiet) == []


def test_an_alarm_of_the_ledger_becomes_an_alert_once(lab: Lab, watched: Watched) -> None:
    lab.ask(
        "insert into ops.alarm(kind, entry_id, detail) values ('admission', 987654, 'false tag') returning 1"
    )
    watched.look()
    watched.look()
    alerts = [a for a in watched.of("ledger_alarm") if "false tag" in a.fields["what"]]
    assert len(alerts) == 1


def test_an_alert_nobody_acknowledges_goes_to_more_people_and_an_acknowledged_one_does_not(
    lab: Lab, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = lab.alerts().raise_alert("environment", "critical", "A disk fills up.", bucket="disk")
    seen = lab.alerts().raise_alert("environment", "critical", "A fan has stopped.", bucket="fan")
    lab.aurel.do(seen, "acknowledge", action="Replaced the fan this morning.")
    watched.look()
    assert lab.row(waiting).state == "open"
    monkeypatch.setattr(watched.escalation, "now", lambda: "2099-01-01T00:00:00.000000Z")
    watched.look()
    row = lab.row(waiting)
    assert row.state == "escalated" and {"SEC", "QA", "QAL", "ADM"} <= set(row.fields["recipients"])
    assert lab.row(seen).state == "acknowledged"
    lab.quinn.do(waiting, "acknowledge", action="Moved old logs to the archive.")


def test_keys_of_two_people_stay_apart_whatever_was_reset(lab: Lab) -> None:
    wrapped = lab.accounts.credential(lab.quinn.uid)
    assert wrapped is not None and keys.sign(wrapped, secret_of("quinn"), lab.quinn.uid, b"m")
    change = Change("create", "hold", fields={"subject": lab.n["study"], "reason": "Not by me at all."})
    with refused("SIG_REAUTH"):
        lab.aurel.submit(
            Change("disable", number=lab.number_of("nora"), reason="In another's name.", shown=SHOWN,
                   expected_version=lab.row(lab.number_of("nora")).version),
            Credential("quinn", secret_of("quinn")),
        )  # fmt: skip
    lab.accounts.clear_failures("signing", lab.aurel.uid)
    assert lab.quinn.submit(change).entries


def test_an_account_that_ended_keeps_no_wrapped_key_and_one_that_is_locked_does(
    lab: Lab, watched: Watched
) -> None:
    gone, locked = lab.invite("vera2", "Vera Two", ()), lab.invite("viktor", "Viktor", ())
    lab.aurel.do(gone, "disable", sign=True, why="Left the laboratory.")
    lab.aurel.do(locked, "lock", why="On leave for a month.")
    watched.look()
    sealed = "select count(*) from ops.credential where person = %s and data ? 'sealed'"
    assert lab.ask(sealed, lab.row(gone).uid) == [(0,)]
    assert lab.ask(sealed, lab.row(locked).uid) == [(1,)]
    assert lab.row(gone).fields["signing_keys"], "what was signed can still be checked"
