"""One's own pages: credentials, sessions, the lock and taking turns, with forms alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from coverslip.kernel.identity import Place, name_key
from coverslip.kernel.passkeys import LOOPBACK
from coverslip.web.security import csrf_token
from fix_lab import SHOWN, TODAY, Lab, Person, refused, secret_of
from fix_passkey import Key, b64, code_of, unb64, verified, with_passkey, without_password
from fix_reader import Reader

NAMES = (f"benedikt{n}" for n in range(100))


@pytest.fixture
def ben(lab: Lab) -> Iterator[Person]:
    name = next(NAMES)
    lab.invite(name, "Ben", ("AUT",))
    yield Person(
        lab, name, lab.identity.sign_in(name, secret_of(name), Place("m1", "testclient", "t", "UTC"))
    )
    lab.accounts.clear_failures("sign_in", name_key(name))


@pytest.fixture
def reader(lab: Lab, ben: Person) -> Reader:
    return Reader(lab, token=ben.token)


def test_a_locked_page_leads_to_the_lock_and_its_person_back(lab: Lab, ben: Person, reader: Reader) -> None:
    assert "Ben" in reader.get("/me")
    assert reader.post("/lock").headers["location"] == "/locked"
    away = reader.client.get("/me/sessions")
    assert away.headers["location"] == "/locked?next=%2Fme%2Fsessions"
    page = reader.get("/locked?next=/me/sessions")
    assert "Only Ben opens it again" in page
    assert reader.post("/unlock", password="something else entirely").status_code == 401
    back = reader.post("/unlock", password=secret_of(ben.username), next="/me/sessions")
    assert (back.status_code, back.headers["location"]) == (303, "/me/sessions")
    assert "this one" in reader.get("/me/sessions")


def test_the_lock_leads_nowhere_else(lab: Lab, ben: Person, reader: Reader) -> None:
    reader.post("/lock")
    back = reader.post("/unlock", password=secret_of(ben.username), next="//evil.example/")
    assert back.headers["location"] == "/work"
    assert reader.client.get("/locked").headers["location"] == "/work"


def test_a_lock_opens_only_from_its_own_page(lab: Lab, ben: Person, reader: Reader) -> None:
    reader.post("/lock")
    answer = reader.client.post(
        "/unlock", data={"password": secret_of(ben.username)}, headers={"origin": "http://testserver"}
    )
    assert answer.status_code == 403
    assert reader.client.get("/me").status_code == 303


def test_two_people_take_turns_at_one_computer(lab: Lab, ben: Person, reader: Reader) -> None:
    first = lab.identity.session(ben.token).id
    other = next(NAMES)
    lab.invite(other, "Bea", ())
    assert reader.post("/switch").headers["location"] == "/sign-in?said=switched"
    assert "Its person signs in here" in reader.get("/sign-in?said=switched")
    for name, printed in ((other, "Bea"), (ben.username, "Ben")):
        came = reader.post("/sign-in", username=name, password=secret_of(name), workstation="m1")
        assert came.status_code == 303, came.text
        assert printed in reader.get("/me")
        session = lab.identity.session(reader.token)
        assert (session.id == first) == (name == ben.username)
        if name == other:
            reader.post("/switch")


def test_an_app_is_added_with_forms_alone_and_then_asked_for(lab: Lab, ben: Person, reader: Reader) -> None:
    secret = secret_of(ben.username)
    wrong = reader.post("/me/credentials/codes/begin", username=ben.username, password="something else")
    assert wrong.status_code == 401
    page = reader.post("/me/credentials/codes/begin", username=ben.username, password=secret).text
    assert "<svg" in page
    assert "style=" not in page
    seed = re.search(r"Or type this: <span class=\"mono\">([A-Z2-7]+)<", page)
    ceremony = re.search(r'name="ceremony" value="([0-9a-f]+)"', page)
    assert seed and ceremony
    done = reader.post("/me/credentials/codes", ceremony=ceremony[1], code=code_of(lab, seed[1], -1))
    assert done.headers["location"] == "/me/credentials?said=codes"
    nobody = Reader(lab)
    assert (
        nobody.post("/sign-in", username=ben.username, password=secret, workstation="m1").status_code == 401
    )
    came = nobody.post(
        "/sign-in", username=ben.username, password=secret, workstation="m1", code=code_of(lab, seed[1])
    )
    assert came.status_code == 303
    removed = nobody.post("/me/credentials/codes/remove", username=ben.username, password=secret)
    assert removed.headers["location"] == "/me/credentials?said=removed"


def add(lab: Lab, person: Person, reader: Reader, key: Key) -> str:
    """Add a passkey as the script of the page does; return its key id."""
    secret = secret_of(person.username)
    begun = reader.post("/me/credentials/passkeys/begin", username=person.username, password=secret).json()
    assert begun["options"]["rp"]["id"] == "localhost"
    client, attestation = key.make(unb64(begun["options"]["challenge"]))
    made = {"id": b64(key.id), "client_data": b64(client), "attestation": b64(attestation)}
    listing = reader.post(
        "/me/credentials/passkeys", ceremony=begun["ceremony"], made=json.dumps(made), label="Drawer"
    ).json()
    done = reader.post("/me/credentials/passkeys/list", kid=listing["kid"], passkey=written(key, listing))
    assert done.status_code == 200, done.text
    return str(listing["kid"])


def written(key: Key, asked: dict[str, Any], **bent: Any) -> str:
    """Return the answer to what was asked, as the script writes it."""
    found = key.answer(unb64(asked["options"]["challenge"]), asked.get("ceremony", ""), **bent)
    return json.dumps(
        {
            "ceremony": found.ceremony,
            "id": b64(found.credential_id),
            "authenticator_data": b64(found.authenticator_data),
            "client_data": b64(found.client_data),
            "signature": b64(found.signature),
        }
    )


def test_a_verified_passkey_signs_in_and_signs_a_record(lab: Lab, ben: Person, reader: Reader) -> None:
    key, number = Key(), lab.number_of(ben.username)
    add(lab, ben, reader, key)
    assert "Waits for verification" in reader.get("/me/credentials")
    ben.create("esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="Read.")
    sop = ben.create(
        "document_sop", title="Counting", criticality="gxp", body="1.", change_summary="First.",
        training_depth="none", audience=[], effective_date="2099-01-01",
    )  # fmt: skip
    page = reader.get(f"/r/{sop}/do/submit")
    shown = re.search(r'name="shown" value="([0-9a-f]{64})"', page)
    assert shown
    assert f'data-passkey-answer="/r/{sop}v1/do/submit/passkey"' in page
    form = {"expected_version": "1", "shown": shown[1], "key": "k1"}
    early = reader.post(f"/r/{sop}/do/submit/passkey", **form)
    assert (early.status_code, early.json()["code"]) == (403, "IDENTITY_NOT_VERIFIED")
    verified(lab, number)
    asked = reader.post(f"/r/{sop}/do/submit/passkey", **form).json()
    bent = reader.post(
        f"/r/{sop}/do/submit", **form, passkey=written(key, asked, origin="http://evil.example")
    )
    assert bent.status_code == 401
    asked = reader.post(f"/r/{sop}/do/submit/passkey", **form).json()
    done = reader.post(f"/r/{sop}/do/submit", **form, passkey=written(key, asked))
    assert done.status_code == 303, done.text
    assert lab.row(sop).state == "in_review"
    nobody = Reader(lab)
    asked = nobody.post("/sign-in/challenge").json()
    assert asked["options"]["allowCredentials"] == []
    came = nobody.post("/sign-in/passkey", passkey=written(key, asked), workstation="m1", next="/me")
    assert (came.status_code, came.headers["location"]) == (303, "/me")
    again = Reader(lab).post("/sign-in/passkey", passkey=written(key, asked), workstation="m1")
    assert again.status_code == 401


def test_a_host_somebody_forged_changes_nothing_of_a_passkey(lab: Lab, ben: Person, reader: Reader) -> None:
    secret = secret_of(ben.username)
    answer = reader.client.post(
        "/me/credentials/passkeys/begin",
        data={"csrf": csrf_token(reader.token), "username": ben.username, "password": secret},
        headers={"host": "evil.example", "origin": "http://evil.example", "x-forwarded-host": "evil.example"},
    )
    assert answer.json()["options"]["rp"]["id"] == LOOPBACK.id
    asked = reader.client.post("/sign-in/challenge", headers={"host": "evil.example"}).json()
    assert asked["options"]["rpId"] == LOOPBACK.id


def test_a_lock_opens_with_a_passkey(lab: Lab, ben: Person, reader: Reader) -> None:
    key = with_passkey(lab, ben)
    reader.post("/lock")
    asked = reader.post("/unlock/challenge").json()
    assert [c["id"] for c in asked["options"]["allowCredentials"]] == [b64(key.id)]
    assert reader.post("/unlock", passkey=written(key, asked), next="/me").headers["location"] == "/me"


def test_garbage_in_place_of_an_answer_is_refused_in_words(lab: Lab, ben: Person, reader: Reader) -> None:
    for text in ("[]", "{}", "nonsense", '{"id": 5}', "{" * 5000):
        assert Reader(lab).post("/sign-in/passkey", passkey=text).status_code == 422, text[:20]
    answer = reader.post("/me/credentials/passkeys", ceremony="x", made="{}")
    assert answer.status_code == 422
    assert SHOWN not in answer.text


def test_a_passkey_is_withdrawn_with_a_reason(lab: Lab, ben: Person, reader: Reader) -> None:
    key = Key()
    kid = add(lab, ben, reader, key)
    assert reader.post(f"/me/credentials/passkeys/{kid}/withdraw", reason="x").status_code == 422
    gone = reader.post(f"/me/credentials/passkeys/{kid}/withdraw", reason="It was lost on the train.")
    assert gone.headers["location"] == "/me/credentials?said=withdrawn"
    assert "You have no passkey" in reader.get("/me/credentials")


def test_a_passkey_takes_the_place_of_both_components_on_ones_own_pages(
    lab: Lab, ben: Person, reader: Reader
) -> None:
    key = with_passkey(lab, ben)
    without_password(lab, ben)
    page = reader.get("/me/credentials")
    assert "Add with the passkey you have" in page
    assert "stays in one device" in page

    def proof() -> str:
        return written(key, reader.post("/me/credentials/challenge").json())

    nothing = reader.post("/me/credentials/passkeys/begin")
    assert nothing.status_code == 403
    begun = reader.post("/me/credentials/passkeys/begin", passkey=proof())
    assert begun.json()["options"]["excludeCredentials"][0]["id"] == b64(key.id)
    tested = reader.post("/me/credentials/test", passkey=proof())
    assert tested.headers["location"] == "/me/credentials?said=tested"
    assert reader.post("/me/credentials/test", passkey="").status_code == 422
    shown = reader.post("/me/credentials/codes/begin", passkey=proof()).text
    seed = re.search(r"Or type this: <span class=\"mono\">([A-Z2-7]+)<", shown)
    ceremony = re.search(r'name="ceremony" value="([0-9a-f]+)"', shown)
    assert seed and ceremony
    reader.post("/me/credentials/codes", ceremony=ceremony[1], code=code_of(lab, seed[1]))
    assert lab.identity.codes.has(ben.uid)
    assert reader.post("/me/credentials/codes/remove", passkey=proof()).status_code == 303
    assert not lab.identity.codes.has(ben.uid)


def test_security_is_led_to_the_identity_a_new_passkey_waits_for(
    lab: Lab, ben: Person, reader: Reader
) -> None:
    add(lab, ben, reader, Key())
    number = lab.number_of(ben.username)
    led = f'href="/r/{number}/do/verify_passkey"'
    for name, verifies in (("aurel", True), ("quinn", False)):
        page = Reader(lab, name).get(f"/admin/people/{number}")
        passkeys = page[page.index('id="passkeys"') : page.index("</table>", page.index('id="passkeys"'))]
        assert (led in passkeys) is verifies, name
    checked = {"document_kind": "passport", "manner": "in person", "on": TODAY.isoformat()}
    typed = {f"f.identity_check.1.{column}": value for column, value in checked.items()}
    path = f"/r/{number}/do/verify_passkey"
    unchanged = Reader(lab, "aurel").sign(path)
    assert unchanged.status_code == 409
    assert "Add one identity check" in unchanged.text
    assert Reader(lab, "aurel").sign(path, **typed).status_code == 303
    assert len(lab.identity.ring.in_force(ben.uid)) == 1


def test_security_withdraws_a_lost_passkey_and_its_sessions_end(
    lab: Lab, ben: Person, reader: Reader
) -> None:
    key, number = with_passkey(lab, ben), lab.number_of(ben.username)
    place = Place("m1", "testclient", "t", "UTC")
    came = lab.identity.sign_in_with_passkey(key.answer(lab.identity.ring.challenge()), place)
    kid = lab.identity.ring.told(ben.uid)[0]["kid"]
    for name, withdraws in (("aurel", True), ("ada", False), ("quinn", False)):
        seen = Reader(lab, name).get(f"/admin/people/{number}")
        assert "Last used (UTC)" in seen
        assert (f"/passkeys/{kid}/withdraw" in seen) is withdraws
    path = f"/admin/people/{number}/passkeys/{kid}/withdraw"
    reason = "It was left on the train."
    refused = Reader(lab, "ada").post(path, reason=reason)
    assert refused.status_code == 403
    assert "AUTH_ROLE" in refused.text
    assert lab.identity.session(came.token)
    aurel = Reader(lab, "aurel")
    assert aurel.post(path, reason="x").status_code == 422
    assert aurel.post(path, reason=reason).status_code == 303
    assert Reader(lab, token=came.token).client.get("/me").status_code == 303
    assert lab.identity.ring.in_force(ben.uid) == []
    assert lab.history(number)[-1]["sections"]["reason"] == reason
    nobody = Reader(lab)
    asked = nobody.post("/sign-in/challenge").json()
    assert nobody.post("/sign-in/passkey", passkey=written(key, asked), workstation="m1").status_code == 401


def test_sessions_are_listed_and_ended(lab: Lab, ben: Person, reader: Reader) -> None:
    place = Place("m1", "testclient", "t", "UTC")
    other = lab.identity.sign_in(ben.username, secret_of(ben.username), place)
    assert f"/me/sessions/{other.session.id}/end" in reader.get("/me/sessions")
    assert reader.post(f"/me/sessions/{other.session.id}/end").status_code == 303
    assert f"/me/sessions/{other.session.id}/end" not in reader.get("/me/sessions")
    assert reader.post(f"/me/sessions/{lab.quinn.context.session}/end").status_code == 404


def test_a_person_is_told_of_the_sign_in_before_and_of_a_failed_one_since(lab: Lab) -> None:
    lab.sign_in("vera")
    with refused("SIG_REAUTH"):
        lab.identity.sign_in("vera", "somebody else's guess at it", Place("", "10.1.2.3", "", "UTC"))
    lab.forget_sessions()
    page = Reader(lab, "vera").get("/work")
    assert "from ws-vera" in page
    assert "A failed attempt since then" in page
    lab.forget_sessions()
    assert "A failed attempt since then" not in Reader(lab, "vera").get("/work")
