"""Nobody signs what was not before them, also where the record does not exist before it is signed."""

from __future__ import annotations

import html
from typing import Any

import pytest

from coverslip.application import viewing
from fix_lab import Lab, secret_of
from fix_pages import Elements, Pages, Visitor, record_entries

KIND = "legal_hold"


@pytest.fixture
def quinn(pages: Pages) -> Visitor:
    return pages("quinn")


def typed(lab: Lab, title: str) -> dict[str, str]:
    return {
        "f.title": title,
        "f.ground": "inspection",
        "f.reason": "An authority asked for the records of this study.",
        "f.asked_by": "Inspector, letter of today",
        "f.subjects": lab.n["sop"],
        "reason": "The authority asked in writing.",
    }


def components() -> dict[str, str]:
    return {"username": "quinn", "password": secret_of("quinn")}


def hidden(page: str, name: str) -> list[str]:
    return [i["value"] for i in Elements(page).named("input") if i.get("name") == name]


def made(lab: Lab) -> int:
    return int(lab.ask("select count(*) from projection.record where type = %s", KIND)[0][0])


def test_a_record_that_begins_signed_is_shown_before(lab: Lab, quinn: Visitor) -> None:
    before = made(lab)
    empty = quinn.get(f"/types/{KIND}/new").text
    assert not hidden(empty, "password"), "components are not asked for before there is something to sign"
    answer = quinn.post(f"/types/{KIND}/new", typed(lab, "Inquiry 1") | components())
    assert (answer.status_code, made(lab)) == (200, before), "nothing was shown, so nothing is signed"
    fields: dict[str, Any] = {k[2:]: v for k, v in typed(lab, "Inquiry 1").items() if k.startswith("f.")}
    view = viewing.preview(lab.services(), KIND, fields | {"subjects": [fields["subjects"]]})
    assert hidden(answer.text, "shown") == [view.shown]
    assert "You are signing this" in answer.text and view.text in html.unescape(answer.text)
    sent = typed(lab, "Inquiry 1") | components() | {"shown": view.shown}
    done = quinn.post(f"/types/{KIND}/new", sent)
    assert (done.status_code, made(lab)) == (303, before + 1), done.text[:2000]


def test_what_changed_since_it_was_shown_is_shown_again(lab: Lab, quinn: Visitor) -> None:
    before, entries = made(lab), record_entries(lab)
    first = quinn.post(f"/types/{KIND}/new", typed(lab, "Inquiry 2"))
    shown = hidden(first.text, "shown")[0]
    other = quinn.post(f"/types/{KIND}/new", typed(lab, "Inquiry 3") | components() | {"shown": shown})
    assert (other.status_code, made(lab), record_entries(lab)) == (200, before, entries)
    assert "is not what was shown before" in other.text
    assert 'class="l">Inquiry 3<' in other.text and "Inquiry 2" not in other.text
    assert hidden(other.text, "shown") not in ([shown], [])


def test_a_passkey_is_asked_for_nothing_that_was_not_shown(lab: Lab, quinn: Visitor) -> None:
    refused = quinn.post(f"/types/{KIND}/new/passkey", typed(lab, "Inquiry 4"))
    assert (refused.status_code, "options" in refused.json()) == (409, False), refused.text
    stale = quinn.post(f"/types/{KIND}/new/passkey", typed(lab, "Inquiry 4") | {"shown": "0" * 64})
    assert (stale.status_code, stale.json()["code"]) == (422, "VAL_FORM")


def test_a_file_that_was_brought_need_not_be_brought_again(lab: Lab, pages: Pages) -> None:
    """Or what is signed the second time would no longer hold the file that was shown the first time."""
    alan = pages("alan")
    form = {"f.instrument": "INS-9999", "f.performed_on": "2026-11-01"}
    upload = {"f.certificate": ("certificate.pdf", b"%PDF-1.4 certificate", "application/pdf")}
    first = alan.post("/types/calibration/new", form, files=upload).text
    kept, shown = hidden(first, "f.certificate.kept"), hidden(first, "shown")
    assert len(kept) == 1 and '"name": "certificate.pdf"' in kept[0]
    again = alan.post("/types/calibration/new", form | {"f.certificate.kept": kept[0]}).text
    assert hidden(again, "shown") == shown and len(shown) == 1
