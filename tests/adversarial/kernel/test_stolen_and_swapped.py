"""Stolen device keys, second enrolment codes, ended accounts and swapped keys open nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from coverslip.kernel.change import Change, Credential
from coverslip.kernel.identity import Place, context_of, name_key
from coverslip.ledger import canonical
from fix_caller import Caller
from fix_lab import ORIGIN, SHOWN, TODAY, Lab, Person, refused, secret_of
from fix_together import together

Api = Callable[[str], Caller]
PLACE = Place("w", "127.0.0.1", "t", "UTC")
OTHER = "granite meadow 7 compass"
CHECK = [{"document_kind": "passport", "manner": "in person", "on": TODAY.isoformat()}]


def _invited(lab: Lab, username: str) -> str:
    return lab.ada.create(
        "user", username=username, printed_name=username.title(), kind="person", email="x@lab.example"
    )


def _enrolled_in_session(lab: Lab, username: str) -> Person:
    """Return a person who may create documents, with a session of their own, not the shared ones."""
    lab.invite(username, username.title(), ("AUT",))
    return lab.sign_in(username)


# --- enrolment codes ------------------------------------------------------------------------------


def test_a_second_code_kept_back_does_not_take_over_a_verified_account(lab: Lab) -> None:
    number = _invited(lab, "petra")
    kept_back = lab.identity.invite(lab.row(number).uid, lab.ada.uid)
    lab.enrol(number, "petra")
    lab.aurel.do(number, "activate", sign=True, identity_check=CHECK)
    before = lab.accounts.credential(lab.row(number).uid)
    with refused("AUTH_REQUIRED"):
        lab.identity.begin_enrolment(kept_back, "petra", OTHER, PLACE)
    assert lab.accounts.credential(lab.row(number).uid) == before
    with refused("SIG_REAUTH"):
        lab.identity.sign_in("petra", OTHER, PLACE)
    assert lab.identity.sign_in("petra", secret_of("petra"), PLACE).token


def test_a_code_given_out_later_does_not_replace_a_key_that_waits_for_verification(lab: Lab) -> None:
    number = _invited(lab, "paul")
    lab.enrol(number, "paul")
    uid = lab.row(number).uid
    before = lab.accounts.credential(uid)
    code = lab.identity.invite(uid, lab.ada.uid)
    with refused("AUTH_REQUIRED"):
        lab.identity.begin_enrolment(code, "paul", OTHER, PLACE)
    assert lab.accounts.credential(uid) == before


def test_a_key_the_account_does_not_list_neither_signs_in_nor_signs(lab: Lab) -> None:
    from coverslip.kernel import keys

    person = _enrolled_in_session(lab, "pia")
    made = keys.enrol(OTHER, person.uid)
    lab.accounts.put_credential(person.uid, made.kid, made.wrapped)
    with refused("SIG_REAUTH"):
        lab.identity.sign_in("pia", OTHER, Place("ws-pia", "127.0.0.1", "t", "UTC"))
    change = Change(
        "create",
        "esign_acknowledgement",
        fields={"person": lab.number_of("pia"), "policy": "POL-0001", "statement": "Read."},
        shown=SHOWN,
    )
    with refused("IDENTITY_NOT_VERIFIED"):
        person.submit(change, Credential("pia", OTHER))


def test_an_enrolment_lifts_earlier_failures_because_somebody_verifies_again(lab: Lab, api: Api) -> None:
    _enrolled_in_session(lab, "per")
    number = lab.number_of("per")
    for _ in range(10):
        with refused("SIG_REAUTH"):
            lab.identity.sign_in("per", OTHER, PLACE)
    with refused("ACCOUNT_LOCKED"):
        lab.identity.sign_in("per", secret_of("per"), PLACE)
    lab.ada.do(number, "reset", why="The password was forgotten by its owner.")
    earlier = lab.row(number).fields["signing_keys"]
    code = lab.identity.invite(lab.row(number).uid, lab.ada.uid)
    body = {"code": code, "username": "per", "password": secret_of("per")}
    assert api("").post("/enrolments", body).status_code == 201
    assert lab.row(number).fields["signing_keys"][:-1] == earlier
    lab.aurel.do(number, "activate", sign=True, identity_check=CHECK)
    assert lab.identity.sign_in("per", secret_of("per"), Place("ws-per", "127.0.0.1", "t", "UTC")).token


# --- sessions of accounts that ended --------------------------------------------------------------


def test_a_session_from_before_a_reset_does_nothing(lab: Lab) -> None:
    person = _enrolled_in_session(lab, "pavel")
    lab.ada.do(lab.number_of("pavel"), "reset", why="The laptop with the password was lost.")
    with refused("IDENTITY_NOT_VERIFIED"):
        person.create("document_sop", title="After the reset", criticality="gxp")


@pytest.mark.parametrize("act", ["reset", "lock"])
def test_a_session_reads_nothing_once_its_account_may_not_act(lab: Lab, api: Api, act: str) -> None:
    person = _enrolled_in_session(lab, f"p{act}")
    caller = Caller(api("").client, person.username, person.token)
    sop = lab.new_sop()
    assert caller.get(f"/records/{sop}")["number"] == sop
    lab.ada.do(lab.number_of(person.username), act, why="Suspicion of misuse, being looked at.")
    for path in (f"/records/{sop}", "/records", "/ledger"):
        assert caller.request("GET", path).status_code == 401
    assert caller.post(f"/records/{sop}/export", {}).status_code == 401


# --- machines -------------------------------------------------------------------------------------


def test_a_device_key_does_none_of_the_acts_of_the_service(lab: Lab) -> None:
    device = lab.device()
    run = lab.new_run()
    fields = {"name": "a.tif", "kind": "raw", "study": lab.n["study"], "session": lab.n["session"]}
    image = lab.door.submit(Change("create", "image", fields=fields), device).entries[0].number
    sop = lab.new_sop()
    lab.approve_sop(sop)
    acts = (
        ("start", run, {}),
        ("fail", run, {"error": "invented"}),
        ("accept", image, {"uncalibrated": True}),
        ("quarantine", image, {}),
        ("make_effective", sop, {}),
        ("lock", lab.number_of("nora"), {}),
        ("take_out_of_service", lab.n["instrument"], {}),
    )
    for act, number, given in acts:
        state = lab.row(number).state
        with refused("AUTH_ROLE"):
            lab.door.submit(Change(act, number=number, fields=given, reason="Because I hold a key."), device)
        assert lab.row(number).state == state
    with refused("AUTH_ROLE"):
        lab.door.submit(Change("create", "result_set", fields={"title": "Invented", "run": run}), device)


def test_a_device_does_not_fill_what_the_import_reads(lab: Lab) -> None:
    fields = {
        "name": "a.tif", "kind": "raw", "study": lab.n["study"], "session": lab.n["session"],
        "checks": [{"check": "parses", "verdict": "pass", "sentence": "So it says."}],
    }  # fmt: skip
    with refused("VAL_FORM"):
        lab.door.submit(Change("create", "image", fields=fields), lab.device())


def test_a_person_granted_the_service_role_is_not_the_service(lab: Lab) -> None:
    person = _enrolled_in_session(lab, "pim")
    lab.grant(lab.number_of("pim"), "SVC")
    run = lab.new_run()
    with refused("AUTH_ROLE"):
        person.do(run, "start")
    assert lab.row(run).state == "queued"


# --- sandbox --------------------------------------------------------------------------------------


def test_an_act_in_a_sandbox_changes_no_regulated_record(lab: Lab) -> None:
    chosen = lab.new_set()
    before = lab.row(chosen).version
    study = lab.new_study("sandbox")
    fields = {"title": "Trial", "study": study, "method": lab.n["method"], "image_set": chosen}
    run = lab.alan.create("analysis_run", **fields)
    assert lab.row(run).content["sandbox"] is True
    with refused("SEQ_PRE") as caught:
        lab.machine(run, "start")
    assert "sandbox" in caught[0].message
    assert lab.row(chosen).version == before


# --- files ----------------------------------------------------------------------------------------


def test_two_files_of_one_name_in_a_record_are_refused(lab: Lab) -> None:
    files = [lab.attach("scan.pdf", b"%PDF one"), lab.attach("scan.pdf", b"%PDF two")]
    fields = {"name": "a.tif", "kind": "raw", "study": lab.n["study"], "session": lab.n["session"]}
    image = lab.door.submit(Change("create", "image", fields=fields), lab.service()).entries[0].number
    with refused("VAL_FORM") as caught:
        lab.machine(image, "quarantine", reason="It cannot be read at all.", files=files)
    assert "scan.pdf" in caught[0].message
    assert lab.row(image).state == "registering"


@pytest.mark.parametrize("wrong", ["root", "size", "sha256"])
def test_a_file_that_is_not_kept_as_named_enters_no_record(lab: Lab, wrong: str) -> None:
    kept = lab.attach("scan.pdf", b"%PDF a scan")
    told = kept | ({"size": kept["size"] + 1} if wrong == "size" else {wrong: "ab" * 32})
    fields = {"name": "a.tif", "kind": "raw", "study": lab.n["study"], "session": lab.n["session"]}
    image = lab.door.submit(Change("create", "image", fields=fields), lab.service()).entries[0].number
    with refused("VAL_FORM"):
        lab.machine(image, "quarantine", reason="It cannot be read at all.", files=[told])
    assert lab.row(image).version == 1
    lab.machine(image, "quarantine", reason="It cannot be read at all.", files=[kept])


def test_a_number_made_from_a_code_is_the_code_as_kept(lab: Lab) -> None:
    made = lab.aurel.create("role", title="Extra", code=" XTR ", description="To see its number.")
    assert made == "ROLE-XTR"


# --- the interface --------------------------------------------------------------------------------


def test_a_signed_new_record_is_the_one_that_was_previewed(lab: Lab, api: Api) -> None:
    aurel = api("aurel")
    fields = {"person": lab.number_of("aurel"), "policy": "POL-0001", "statement": "I have read this."}
    body = {"type": "esign_acknowledgement", "fields": fields}
    shown = aurel.post("/records/preview", body).json()["shown"]
    signature = {"username": "aurel", "password": secret_of("aurel"), "shown": SHOWN}
    answer = aurel.post("/records", body | {"signature": signature})
    assert (answer.status_code, answer.json()["code"]) == (422, "VAL_FORM")
    other = {**fields, "statement": "Something else entirely."}
    answer = aurel.post("/records", {**body, "fields": other, "signature": signature | {"shown": shown}})
    assert (answer.status_code, answer.json()["code"]) == (422, "VAL_FORM")
    answer = aurel.post("/records", body | {"signature": signature | {"shown": shown}})
    assert answer.json().get("code") != "VAL_FORM", answer.text


def test_a_device_takes_no_evidence_out(lab: Lab, api: Api) -> None:
    statement = canonical.encode(
        {
            "device": lab.n["instrument"],
            "log": ORIGIN,
            "at": lab.accounts.now(),
            "nonce": os.urandom(16).hex(),
        }
    )
    body = {
        "device": lab.n["instrument"],
        "statement": statement.hex(),
        "signature": lab.device_key.sign(statement).hex(),
    }
    token = api("").post("/sessions/device", body).json()["token"]
    answer = Caller(api("").client, "", token).post(f"/records/{lab.n['study']}/export", {})
    assert (answer.status_code, answer.json()["code"]) == (403, "AUTH_ROLE")


def test_a_path_that_ends_like_an_upload_takes_no_larger_body(api: Api) -> None:
    answer = api("").request(
        "POST", "/nothing/files", content=b"{" * (5 << 20), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


def test_the_delay_after_failures_grows_and_spaces_around_the_name_do_not_shorten_it(
    lab: Lab, api: Api
) -> None:
    for _ in range(8):
        lab.accounts.add_failure("sign_in", name_key("nobody-here"))
    answers = [
        api("").post("/sessions", {"username": " " * n + "nobody-here", "password": "x"}) for n in range(4)
    ]
    assert {a.json()["code"] for a in answers} == {"THROTTLED"}
    assert 5 <= int(answers[0].headers["Retry-After"]) <= 8
    lab.ask(
        "update ops.throttle set since = since - interval '9 s' where key = %s returning 1",
        name_key("nobody-here"),
    )
    body = {"username": "nobody-here", "password": "x"}
    codes = [api("").post("/sessions", body).json()["code"] for _ in range(2)]
    assert codes == ["SIG_REAUTH", "THROTTLED"]


def test_guesses_made_at_the_same_time_do_not_outrun_the_count(lab: Lab) -> None:
    person = _enrolled_in_session(lab, "pablo")
    places = [replace(PLACE, address=f"192.0.2.{n}") for n in range(16)]
    guesses = [lambda p=p: lab.identity.sign_in("pablo", OTHER, p) for p in places]
    codes = [error.code for error in together(*guesses)]
    assert codes.count("SIG_REAUTH") <= 10, codes
    assert "ACCOUNT_LOCKED" in codes
    change = Change(
        "create",
        "esign_acknowledgement",
        fields={"person": lab.number_of("pablo"), "policy": "POL-0001", "statement": "Read."},
        shown=SHOWN,
    )
    sign = lambda: person.submit(change, Credential("pablo", OTHER))  # noqa: E731
    codes = [error.code for error in together(*[sign] * 16)]
    assert codes.count("SIG_REAUTH") <= 10, codes
    assert "ACCOUNT_LOCKED" in codes


def test_a_session_of_an_enrolment_ends_in_no_token(lab: Lab) -> None:
    number = _invited(lab, "pola")
    code = lab.identity.invite(lab.row(number).uid, lab.ada.uid)
    opened, *_ = lab.identity.begin_enrolment(code, "pola", secret_of("pola"), PLACE)
    assert context_of(opened.session).person == lab.row(number).uid
    with refused("AUTH_REQUIRED"):
        lab.identity.session(opened.token)
