"""A series with a passkey: each record has a statement and an answer of its own, whatever is tried."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from httpx import Response

from coverslip.bootstrap.faces import Faces
from coverslip.kernel import prepared
from coverslip.kernel.identity import Place
from coverslip.kernel.prepared import Waiting
from coverslip.ledger import canonical
from coverslip.verifier.keys import check_scheme
from coverslip.web.routes import series
from fix_lab import Lab, Person, secret_of
from fix_pages import Elements, Visitor
from fix_passkey import PRESENT, Key, b64, unb64, with_passkey, without_password

WHERE = "type=document_sop&act=submit"
WHY = "A word of the title was wrong."


def written(key: Key, asked: dict[str, Any], *, ceremony: str = "", **bent: Any) -> str:
    """Return the answer to what was asked, as the script of the page writes it."""
    found = key.answer(unb64(asked["options"]["challenge"]), ceremony or asked["ceremony"], **bent)
    parts = {
        "id": found.credential_id,
        "authenticator_data": found.authenticator_data,
        "client_data": found.client_data,
        "signature": found.signature,
    }
    return json.dumps({"ceremony": found.ceremony} | {name: b64(value) for name, value in parts.items()})


@dataclass
class Desk:
    """Somebody at the page of a series, with a passkey."""

    lab: Lab
    person: Person
    key: Key
    visitor: Visitor

    def sop(self) -> str:
        return self.person.create(
            "document_sop", title="Counting", criticality="gxp", body="1.", change_summary="First.",
            training_depth="none", audience=[], effective_date="2099-01-01",
        )  # fmt: skip

    def page(self, *numbers: str) -> dict[str, str]:
        """Open the page; return what it holds of these records."""
        answer = self.visitor.get(f"/series?{WHERE}")
        assert answer.status_code == 200, answer.text[:1000]
        fields = {}
        for number in numbers:
            for name in ("shown", "version", "key"):
                found = re.search(rf'name="{name}\.{number}v1" value="([^"]+)"', answer.text)
                assert found, f"{number} is not in the series"
                fields[f"{name}.{number}v1"] = found[1]
        return fields

    def prepare(self, fields: dict[str, str], number: str) -> Response:
        return self.visitor.post(f"/series/passkey?{WHERE}", fields | {"confirm": f"{number}v1"})

    def one(self, fields: dict[str, str], number: str, passkey: str) -> Response:
        return self.visitor.post(
            f"/series/one?{WHERE}", fields | {"confirm": f"{number}v1", "passkey": passkey}
        )

    def signed(self, fields: dict[str, str], number: str) -> Response:
        return self.one(fields, number, written(self.key, self.prepare(fields, number).json()))

    def states(self, *numbers: str) -> list[str]:
        return [self.lab.row(number).state for number in numbers]


@pytest.fixture(scope="module")
def holder(lab: Lab) -> tuple[Person, Key]:
    """Otto, an author whose only credential is a passkey."""
    number = lab.invite("otto", "Otto", ("AUT",))
    otto = lab.sign_in("otto")
    otto.create("esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="Read.")
    key = with_passkey(lab, otto)
    without_password(lab, otto)
    return otto, key


def opened(lab: Lab, key: Key, faced: Faces) -> Desk:
    """Let Otto sign in with his passkey."""
    place = Place("ws-otto", "127.0.0.1", "tests", "America/New_York")
    came = lab.identity.sign_in_with_passkey(key.answer(lab.identity.ring.challenge()), place)
    return Desk(lab, Person(lab, "otto", came), key, Visitor(faced, "otto", came.token))


@pytest.fixture
def desk(
    lab: Lab,
    holder: tuple[Person, Key],
    faced: Faces,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    """Otto in a session of this test alone; what other tests left unsigned crowds nothing out."""
    monkeypatch.setattr(series, "MOST", 90)
    otto, key = holder
    yield opened(lab, key, faced)
    lab.accounts.clear_failures("signing", otto.uid)


def test_each_record_is_signed_over_a_statement_of_its_own(desk: Desk, lab: Lab) -> None:
    numbers = [desk.sop() for _ in range(3)]
    fields = desk.page(*numbers)
    for number in numbers:
        done = desk.signed(fields, number)
        assert (done.status_code, done.json()["state"]) == (200, "In review"), done.text
    made = [lab.history(number)[-1]["sections"]["signature"] for number in numbers]
    assert len({one["client_data"] for one in made}) == 3
    for number, one in zip(numbers, made, strict=True):
        assert one["statement"]["record"]["number"] == number
        assert one["statement"]["components"] == ["passkey", "user_verification"]
        message = b"coverslip-signature-v1\n" + canonical.encode(one["statement"])
        parts = [bytes.fromhex(one[n]) for n in ("public", "signature", "authenticator_data", "client_data")]
        check_scheme("webauthn-p256", parts[0], message, *parts[1:])


def test_the_answer_for_one_record_signs_no_other(desk: Desk) -> None:
    one, other = desk.sop(), desk.sop()
    fields = desk.page(one, other)
    asked = desk.prepare(fields, one).json()
    answer = desk.one(fields, other, written(desk.key, asked))
    assert (answer.status_code, answer.json()["code"], answer.json()["ends"]) == (401, "SIG_REAUTH", True)
    theirs = desk.prepare(fields, other).json()
    again = desk.one(fields, other, written(desk.key, asked, ceremony=theirs["ceremony"]))
    assert (again.status_code, again.json()["code"]) == (401, "SIG_REAUTH")
    assert desk.states(one, other) == ["draft", "draft"]


def test_answers_that_changed_places_sign_nothing(desk: Desk) -> None:
    one, other = desk.sop(), desk.sop()
    fields = desk.page(one, other)
    first, second = desk.prepare(fields, one).json(), desk.prepare(fields, other).json()
    for number, asked, place in ((one, second, first), (other, first, second)):
        answer = desk.one(fields, number, written(desk.key, asked, ceremony=place["ceremony"]))
        assert answer.status_code == 401
    assert desk.states(one, other) == ["draft", "draft"]


def test_an_answer_that_signed_once_signs_nothing_again(desk: Desk) -> None:
    one, other = desk.sop(), desk.sop()
    fields = desk.page(one, other)
    asked = desk.prepare(fields, one).json()
    answer = written(desk.key, asked)
    assert desk.one(fields, one, answer).status_code == 200
    version = desk.lab.row(one).version
    # The same form sent twice is the same signing; with a key of its own it is another, and refused.
    assert desk.one(fields, one, answer).status_code == 200
    assert desk.one(fields | {f"key.{one}v1": "another"}, one, answer).status_code == 401
    assert desk.one(fields, other, answer).status_code == 401
    assert desk.lab.row(one).version == version
    assert desk.states(other) == ["draft"]


def test_a_statement_prepared_in_one_session_is_answered_in_no_other(
    desk: Desk,
    lab: Lab,
    faced: Faces,
) -> None:
    number = desk.sop()
    fields = desk.page(number)
    asked = desk.prepare(fields, number).json()
    later = opened(lab, desk.key, faced)
    answer = later.one(fields, number, written(desk.key, asked))
    assert (answer.status_code, answer.json()["code"]) == (401, "SIG_REAUTH")
    assert desk.states(number) == ["draft"]


def test_what_one_person_prepared_another_does_not_answer(desk: Desk, lab: Lab, faced: Faces) -> None:
    number = desk.sop()
    fields = desk.page(number)
    asked = desk.prepare(fields, number).json()
    theirs = Desk(lab, lab.rex, with_passkey(lab, lab.rex), Visitor(faced, "rex", lab.rex.token))
    for key in (desk.key, theirs.key):
        answer = theirs.one(fields, number, written(key, asked))
        assert (answer.status_code, answer.json()["code"]) == (401, "SIG_REAUTH")
    assert desk.states(number) == ["draft"]
    assert desk.one(fields, number, written(theirs.key, asked)).status_code == 401
    assert desk.states(number) == ["draft"]


def test_what_waited_too_long_is_prepared_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    number = desk.sop()
    fields = desk.page(number)
    asked = desk.prepare(fields, number).json()
    real = prepared.monotonic_s
    with monkeypatch.context() as later:
        later.setattr(prepared, "monotonic_s", lambda: real() + prepared.LASTS_S + 1)
        answer = desk.one(fields, number, written(desk.key, asked)).json()
    assert "no longer prepared" in answer["message"]
    assert "Sign again" in answer["remedy"]
    assert answer["ends"] is True
    assert desk.states(number) == ["draft"]
    assert desk.signed(fields, number).status_code == 200


def test_an_answer_without_user_verification_signs_nothing_and_ends_the_series(desk: Desk, lab: Lab) -> None:
    number = desk.sop()
    fields = desk.page(number)
    asked = desk.prepare(fields, number).json()
    answer = desk.one(fields, number, written(desk.key, asked, flags=PRESENT))
    assert (answer.status_code, answer.json()["code"], answer.json()["ends"]) == (401, "SIG_REAUTH", True)
    assert desk.states(number) == ["draft"]
    assert [d["code"] for d in lab.refusals(number)] == ["SIG_REAUTH"]


def test_a_record_that_grew_stale_is_refused_alone_and_says_since_when(desk: Desk, lab: Lab) -> None:
    stale, sound = desk.sop(), desk.sop()
    fields = desk.page(stale, sound)
    desk.person.do(stale, "edit", why=WHY, title="Counting nuclei")
    answer = desk.prepare(fields, stale).json()
    assert (answer["code"], answer["ends"]) == ("SIG_STALE", False)
    assert f"{stale} v1 changed at" in answer["message"]
    assert desk.signed(fields, sound).status_code == 200
    # Between what was prepared and the answer, too.
    later = desk.sop()
    fields = desk.page(later)
    asked = desk.prepare(fields, later).json()
    desk.person.do(later, "edit", why=WHY, title="Counting nuclei")
    answer = desk.one(fields, later, written(desk.key, asked)).json()
    assert (answer["code"], answer["ends"]) == ("SIG_STALE", False)
    assert desk.states(stale, sound, later) == ["draft", "in_review", "draft"]


def test_a_version_nobody_has_written_yet_is_no_way_round_what_was_shown(desk: Desk) -> None:
    number = desk.sop()
    fields = desk.page(number) | {f"version.{number}v1": "2", f"shown.{number}v1": "5" * 64}
    assert desk.prepare(fields, number).status_code == 422
    assert desk.states(number) == ["draft"]


def test_one_answer_is_for_one_confirmed_record_of_this_series(desk: Desk, lab: Lab) -> None:
    one, other = desk.sop(), desk.sop()
    fields = desk.page(one, other)
    asked = desk.prepare(fields, one).json()
    for confirmed in ([], [f"{one}v1", f"{other}v1"], ["POL-0001"], [lab.n["study"]], ["SOP-9999"]):
        sent = fields | {"confirm": confirmed, "passkey": written(desk.key, asked)}
        answer = desk.visitor.post(f"/series/one?{WHERE}", sent)
        assert answer.status_code in (401, 404, 422), confirmed
    wrong = desk.visitor.post("/series/one?type=document_sop&act=approve", fields | {"confirm": f"{one}v1"})
    assert wrong.status_code in (401, 403, 404, 409, 422)
    assert desk.states(one, other) == ["draft", "draft"]


def test_what_was_prepared_is_gone_after_a_restart_and_what_was_typed_is_not(
    desk: Desk, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = desk.sop()
    fields = desk.page(number)
    asked = desk.prepare(fields, number).json()
    monkeypatch.setattr(lab.door, "_waiting", Waiting())  # as in a process that has just begun
    answer = desk.one(fields, number, written(desk.key, asked)).json()
    assert "the server was started again" in answer["message"]
    assert desk.signed(fields, number).status_code == 200

    typed = {"f.person": lab.number_of("otto"), "f.policy": "POL-0001", "f.statement": "Read once more."}
    new = "/types/esign_acknowledgement/new"
    first = desk.visitor.post(new, typed | {"key": "k-restart"}).text
    typed["shown"] = next(i["value"] for i in Elements(first).named("input") if i.get("name") == "shown")
    asked = desk.visitor.post(f"{new}/passkey", typed | {"key": "k-restart"}).json()
    monkeypatch.setattr(lab.door, "_waiting", Waiting())
    sent = typed | {"key": "k-restart", "passkey": written(desk.key, asked)}
    refused = desk.visitor.post(new, sent)
    assert refused.status_code == 401
    assert "the server was started again" in refused.text
    assert "Sign again: it is prepared anew, from what you typed" in refused.text
    for kept in ("Read once more.", "k-restart", "POL-0001"):
        assert kept in refused.text


def test_a_session_locked_within_a_series_signs_no_further(desk: Desk, lab: Lab) -> None:
    one, other = desk.sop(), desk.sop()
    fields = desk.page(one, other)
    assert desk.signed(fields, one).status_code == 200
    asked = desk.prepare(fields, other).json()
    desk.visitor.post("/lock")
    answer = desk.one(fields, other, written(desk.key, asked))
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/locked")
    assert desk.states(one, other) == ["in_review", "draft"]


def test_a_series_with_a_reason_enters_it_with_each_and_asks_for_it_first(lab: Lab, faced: Faces) -> None:
    numbers = [lab.invite(name, name, ()) for name in ("gone1", "gone2")]
    aurel, where = Visitor(faced, "aurel", lab.aurel.token), "type=user&act=disable"
    shown = aurel.get(f"/series?{where}").text
    assert 'name="reason" required minlength="10"' in shown
    form: dict[str, Any] = {"confirm": numbers, "username": "aurel", "password": secret_of("aurel")}
    for number in numbers:
        for name in ("shown", "version", "key"):
            found = re.search(rf'name="{name}\.{number}" value="([^"]+)"', shown)
            assert found
            form[f"{name}.{number}"] = found[1]
    assert "0 signed of 2" in aurel.post(f"/series?{where}", form).text
    assert "2 signed of 2" in aurel.post(f"/series?{where}", form | {"reason": WHY}).text
    assert [lab.history(number)[-1]["sections"]["reason"] for number in numbers] == [WHY, WHY]


def test_my_work_leads_to_what_can_be_signed_as_a_series(desk: Desk) -> None:
    assert desk.sop() != desk.sop()
    assert 'href="/series?type=document_sop&amp;act=submit"' in desk.visitor.get("/work").text


# --- without scripts ---------------------------------------------------------------------------------


def _password_form(lab: Lab, faced: Faces, count: int) -> tuple[Visitor, list[str], dict[str, Any]]:
    numbers = [lab.new_sop() for _ in range(count)]
    aurel = Visitor(faced, "aurel", lab.aurel.token)
    desk = Desk(lab, lab.aurel, Key(), aurel)
    fields: dict[str, Any] = desk.page(*numbers)
    sent = {"confirm": [f"{n}v1" for n in numbers], "username": "aurel", "password": secret_of("aurel")}
    return aurel, numbers, fields | sent


def test_a_wrong_password_ends_the_series_before_the_next_record(lab: Lab, faced: Faces) -> None:
    aurel, numbers, form = _password_form(lab, faced, 3)
    answer = aurel.post(f"/series?{WHERE}", form | {"password": "not this one at all"})
    assert answer.status_code == 401
    assert "0 signed of 3" in answer.text
    assert answer.text.count("the series ended before it") == 3
    assert [len(lab.refusals(number)) for number in numbers] == [1, 0, 0]
    lab.accounts.clear_failures("signing", lab.aurel.uid)


def test_a_series_sent_twice_is_signed_once(lab: Lab, faced: Faces) -> None:
    aurel, numbers, form = _password_form(lab, faced, 2)
    assert "2 signed of 2" in aurel.post(f"/series?{WHERE}", form).text
    versions = [lab.row(number).version for number in numbers]
    assert "2 signed of 2" in aurel.post(f"/series?{WHERE}", form).text
    assert [lab.row(number).version for number in numbers] == versions


def test_what_is_no_record_of_the_series_is_refused_among_the_others(lab: Lab, faced: Faces) -> None:
    aurel, numbers, form = _password_form(lab, faced, 2)
    form["confirm"] = [form["confirm"][0], "SOP-9999", lab.n["study"], form["confirm"][1]]
    answer = aurel.post(f"/series?{WHERE}", form)
    assert answer.status_code == 200
    assert "2 signed of 4" in answer.text
    assert {lab.row(number).state for number in numbers} == {"in_review"}
