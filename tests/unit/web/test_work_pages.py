"""My work: what others did in sentences, alerts acknowledged in place, counts of the menu."""

from __future__ import annotations

import re
import time

from coverslip.bootstrap.founding import sequencer_of
from fix_lab import Lab
from fix_reader import Reader


def integrate(lab: Lab) -> None:
    """Give every entry its place in the tree, by which news are told."""
    sequencer = sequencer_of(lab.home, lab.signer)
    while not (done := sequencer.step()).leader or done.integrated:
        time.sleep(0.01)
    sequencer.close()


def test_an_alert_is_acknowledged_where_it_is_read(lab: Lab) -> None:
    number = lab.alerts().raise_alert(
        "fixity", "warning", "An object was read again and differs.", [lab.n["study"]]
    )
    reader = Reader(lab, "aurel")
    page = reader.get("/work")
    form = page[page.index(f'action="/r/{number}/do/acknowledge"') :].partition("</form>")[0]
    sent = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', form))
    assert sent["then"] == "work"
    given = {k: v for k, v in sent.items() if k != "csrf"} | {"f.action": "Read again from the copy."}
    answer = reader.post(f"/r/{number}/do/acknowledge", **given)
    assert answer.headers["location"] == f"/work?just={number}"
    assert lab.row(number).state == "acknowledged"
    after = reader.get(f"/work?just={number}")
    assert "Acknowledged." in after
    assert f'action="/r/{number}/do/acknowledge"' not in after


def test_an_alert_is_not_acknowledged_on_a_version_that_was_not_shown(lab: Lab) -> None:
    number = lab.alerts().raise_alert(
        "fixity", "warning", "Another object differs.", [lab.n["study"]], bucket="another"
    )
    answer = Reader(lab, "aurel").post(
        f"/r/{number}/do/acknowledge",
        **{"expected_version": "7", "key": "x" * 8, "then": "work", "f.action": "Read again from the copy."},
    )
    assert answer.status_code in (409, 422)
    assert lab.row(number).state == "open"


def test_what_others_did_is_told_in_sentences(lab: Lab) -> None:
    number = lab.new_sop("Told in sentences")
    lab.quinn.create("watch", subject=number)
    lab.aurel.do(number, "submit", sign=True)
    integrate(lab)
    page = Reader(lab, "quinn").get("/work")
    assert re.search(rf"Aurel[^<]*</span> submitted <a[^>]*>{number} v1</a> for review\.", page)


def test_the_menu_counts_what_waits(lab: Lab) -> None:
    before = Reader(lab, "rita").client.get("/me/counts").json()
    lab.new_review()
    after = Reader(lab, "rita").client.get("/me/counts").json()
    assert int(after["review"].rstrip("+")) == int(before["review"].rstrip("+")) + 1
    assert int(after["work"].rstrip("+")) >= 1


def test_counts_are_only_for_who_is_signed_in(lab: Lab) -> None:
    assert Reader(lab).client.get("/me/counts").status_code == 303


def test_records_are_offered_while_one_types(lab: Lab) -> None:
    number = lab.new_sop("Quickly found procedure")
    found = Reader(lab, "quinn").client.get(f"/search/quick?q={number[:6]}").json()
    assert number in {one["label"].partition(" ")[0] for one in found}
    assert all(one["href"].startswith("/") for one in found)
    assert Reader(lab, "quinn").client.get("/search/quick?q=S").json() == []
