"""One page for every type: read, made, changed and signed by its declaration, refused in the door's words."""

from __future__ import annotations

import re

import pytest

from coverslip.kernel import words as w
from coverslip.records import all_types
from coverslip.web.times import at_workstation
from fix_lab import Lab, secret_of
from fix_pages import sequencing
from fix_reader import Form, Reader

REASON = "Written again after reading it aloud"


@pytest.fixture
def quinn(lab: Lab) -> Reader:
    return Reader(lab, "quinn")


@pytest.fixture
def aurel(lab: Lab) -> Reader:
    return Reader(lab, "aurel")


@pytest.mark.parametrize("name", [t.name for t in all_types()])
def test_every_type_has_a_list_and_a_page_that_says_how_it_works(lab: Lab, quinn: Reader, name: str) -> None:
    declared = lab.door.catalogue[name].type
    page = quinn.get(f"/types/{name}")
    assert declared.purpose.split("'")[0].split("<")[0][:40] in page
    assert f"<h1>How {declared.title} works</h1>" in quinn.get(f"/help/types/{name}").replace("&#39;", "'")


@pytest.mark.parametrize("name", [t.name for t in all_types()])
def test_every_type_has_a_form_or_a_refusal_that_teaches(lab: Lab, quinn: Reader, name: str) -> None:
    answer = quinn.client.get(f"/types/{name}/new")
    if answer.status_code == 200:
        form = Form.of(answer.text)
        typed = [n for n, f in lab.door.catalogue[name].type.fields.items() if f.source == "typed"]
        missing = [n for n in typed if f'name="f.{n}' not in answer.text]
        assert form.action == f"/types/{name}/new"
        assert not missing
    else:
        assert answer.status_code == 403
        assert "What to do" in answer.text
        assert "AUTH_ROLE" in answer.text


def test_a_record_shows_what_it_is_where_it_stands_and_every_tab(lab: Lab, quinn: Reader) -> None:
    number = lab.new_sop("Counting nuclei on slides")
    lab.approve_sop(number)
    page = quinn.get(f"/documents/{number}v1")
    assert "Counting nuclei on slides" in page
    assert "I approve this version for use" in page
    for tab in ("record", "related", "signatures", "versions", "audit", "print", "lineage"):
        assert number in quinn.get(f"/r/{number}v1/{tab}")


def test_the_audit_tab_hides_nothing_by_default_and_counts_what_a_filter_leaves_out(
    lab: Lab, quinn: Reader
) -> None:
    number = lab.new_sop()
    whole = quinn.get(f"/r/{number}/audit")
    entries = len(lab.history(number))
    assert f"{entries} of {entries} entries" in whole
    assert f"0 of {entries} entries" in quinn.get(f"/r/{number}/audit?show=refusals")


def test_a_record_is_made_by_its_form_and_what_is_wrong_stands_beside_its_field(
    lab: Lab, quinn: Reader
) -> None:
    before = lab.entries()
    wrong = quinn.fill("/types/deviation/new", **{"f.title": "Lamp flickered", "f.consequence": "many"})
    assert wrong.status_code == 422
    assert 'value="Lamp flickered"' in wrong.text
    assert 'id="f-consequence-e"' in wrong.text
    assert 'id="f-kind-e"' in wrong.text
    made = quinn.fill(
        "/types/deviation/new",
        **{
            "f.title": "Lamp flickered during B02",
            "f.kind": lab.door.catalogue["deviation"].type.fields["kind"].kind.choices[0],  # type: ignore[union-attr]
            "f.where": "Room 4",
            "f.description": "The lamp flickered twice.",
            "f.immediate_action": "Stopped and started again.",
            "f.consequence": "2",
            "f.extent": "1",
            **_where(lab),
        },
    )
    assert made.status_code == 303, re.findall(r'class="err".*?</span>|<dt>Why.*?</dd>', made.text)
    assert "DEV-" in made.headers["location"]
    assert lab.entries() > before
    assert not lab.replay()


def _where(lab: Lab) -> dict[str, str]:
    """Return something for every other text a deviation asks for at once."""
    fields = lab.door.catalogue["deviation"].type.fields
    return (
        {
            f"f.{name}": "Described in words"
            for name, f in fields.items()
            if f.required and f.source == "typed" and type(f.kind).__name__ in ("Text", "Rich")
        }
        | {"f.title": "Lamp flickered during B02"}
        | {
            f"f.{name}": at_workstation(lab.accounts.now(), "America/New_York")[:16]
            for name, f in fields.items()
            if isinstance(f.kind, w.Instant)
        }
    )


def test_an_edit_changes_only_what_was_typed_and_asks_why(lab: Lab, aurel: Reader) -> None:
    number = lab.new_sop("Counting nuclei")
    path = f"/r/{number}v1/do/edit"
    unexplained = aurel.fill(path, **{"f.title": "Counting nuclei twice"})
    assert unexplained.status_code == 422
    assert "REASON" in unexplained.text
    done = aurel.fill(path, **{"f.title": "Counting nuclei twice", "reason": REASON})
    assert done.status_code == 303
    row = lab.row(number)
    assert row.title == "Counting nuclei twice"
    changed = [c for e in lab.history(number)[-1:] for c in [e["sections"].get("reason", "")]]
    assert changed == [REASON]
    nothing = aurel.fill(path, reason=REASON)
    assert nothing.status_code == 422
    assert "at least one new value" in nothing.text


def test_a_signature_is_over_what_was_shown_and_a_stale_form_signs_nothing(lab: Lab, aurel: Reader) -> None:
    number = lab.new_sop("Counting nuclei")
    path = f"/r/{number}v1/do/submit"
    form = Form.of(aurel.get(path))
    lab.aurel.do(number, "edit", why=REASON, title="Counting them otherwise")
    typed = form.values | {"username": "aurel", "password": secret_of("aurel")}
    late = aurel.client.post(path, data=typed, headers={"origin": "http://testserver"})
    assert late.status_code in (409, 422)
    assert lab.row(number).state == "draft"
    assert aurel.sign(path).status_code == 303
    assert lab.row(number).state == "in_review"


def test_a_wrong_password_signs_nothing_and_is_never_shown_again(lab: Lab, aurel: Reader) -> None:
    number = lab.new_sop()
    answer = aurel.fill(f"/r/{number}v1/do/submit", username="aurel", password="not this one at all")
    assert answer.status_code == 401
    assert "not this one at all" not in answer.text
    assert lab.row(number).state == "draft"


def test_sent_twice_a_form_is_done_once(lab: Lab, aurel: Reader) -> None:
    number = lab.new_sop()
    path = f"/r/{number}v1/do/edit"
    form = Form.of(aurel.get(path))
    typed = form.values | {"f.title": "Once only", "reason": REASON}
    first = aurel.client.post(path, data=typed, headers={"origin": "http://testserver"})
    entries = len(lab.history(number))
    second = aurel.client.post(path, data=typed, headers={"origin": "http://testserver"})
    assert (first.status_code, second.status_code) == (303, 303)
    assert len(lab.history(number)) == entries


def test_what_the_door_refuses_the_page_refuses_in_the_same_words(lab: Lab, quinn: Reader) -> None:
    number = lab.new_sop()
    lab.approve_sop(number)
    before = len(lab.refusals(number))
    page = quinn.get(f"/r/{number}v1/do/edit", 423)
    told = lab.refusals(number)
    assert len(told) == before + 1
    assert str(told[-1]["message"]).replace("'", "&#39;") in page
    assert "LOCKED" in page


def test_a_bundle_leaves_as_a_download_and_is_an_entry(lab: Lab, quinn: Reader) -> None:
    number = lab.new_sop()
    with sequencing(lab):
        answer = quinn.post(f"/r/{number}v1/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.content[:2] == b"PK"
    assert [e for e in lab.history(number) if e["type"] == "export"]


def test_nobody_signed_in_is_led_to_the_sign_in_and_back(lab: Lab, quinn: Reader) -> None:
    quinn.client.cookies.clear()
    assert quinn.where("/types/image?state=available") == "/sign-in?next=%2Ftypes%2Fimage%3Fstate%3Davailable"
