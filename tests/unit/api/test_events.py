"""The event feed: everything on the ledger once, in order, for those who look after it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import pytest

from coverslip.bootstrap.founding import sequencer_of
from fix_caller import Caller
from fix_lab import TODAY, Lab

Api = Callable[[str], Caller]


def integrate(lab: Lab) -> None:
    """Give everything that waits its place in the tree."""
    sequencer = sequencer_of(lab.home, lab.signer)
    while not (done := sequencer.step()).leader or done.integrated:
        time.sleep(0.01)
    sequencer.close()


def everything(caller: Caller, **query: Any) -> list[dict[str, Any]]:
    """Read page by page until nothing more comes."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        asked = "&".join(f"{k}={v}" for k, v in {**query, "after": after}.items())
        page = caller.get(f"/events?{asked}")
        if not page["events"]:
            return found
        found += page["events"]
        after = page["next"]


def test_pages_give_every_entry_once_and_in_the_order_of_the_tree(lab: Lab, api: Api) -> None:
    integrate(lab)
    events = everything(api("quinn"), limit=7)
    wanted = lab.ask(
        "select l.idx::int, convert_from(e.leaf, 'UTF8')::jsonb ->> 'act' from ledger.leaf l"
        " join ledger.entry e on e.id = l.entry_id order by l.idx"
    )
    assert len(events) > 100
    assert [(int(e["cursor"]), e["act"]) for e in events] == wanted
    assert [int(e["cursor"]) for e in events] == list(range(len(wanted)))


def test_an_event_says_who_did_what_when_on_which_record_and_its_state_since(lab: Lab, api: Api) -> None:
    sop = lab.new_sop("Read by the feed")
    integrate(lab)
    before = api("quinn").get("/events?limit=1000")
    while before["events"]:
        before = api("quinn").get(f"/events?limit=1000&after={before['next']}")
    lab.aurel.do(sop, "submit", sign=True)
    integrate(lab)
    following = api("quinn").get(f"/events?after={before['next']}&type=document_sop")["events"]
    assert [(e["number"], e["act"], e["state"], e["version"]) for e in following] == [
        (sop, "submit", "in_review", 2)
    ]
    event = following[0]
    assert (event["actor"]["name"], event["actor"]["uid"]) == ("Aurel Author", lab.aurel.uid)
    assert (event["meaning"], event["title"]) == ("authored", "Read by the feed")
    assert event["at"] == lab.history(sop)[-1]["at"]


def test_whoever_goes_on_from_a_cursor_is_told_nothing_twice(lab: Lab, api: Api) -> None:
    integrate(lab)
    end = ""
    while (page := api("quinn").get(f"/events?limit=1000&after={end}"))["events"]:
        end = page["next"]
    assert api("quinn").get(f"/events?after={end}") == {"events": [], "next": end}
    lab.new_sop()
    assert api("quinn").get(f"/events?after={end}")["events"] == [], "it has no place in the tree yet"
    integrate(lab)
    numbers = [e["type"] for e in api("quinn").get(f"/events?after={end}")["events"]]
    assert "document_sop" in numbers


def test_a_type_alone_is_told_alone_and_completely(lab: Lab, api: Api) -> None:
    integrate(lab)
    quinn = api("quinn")
    every = [e["cursor"] for e in everything(quinn, limit=1000) if e["type"] == "role_grant"]
    alone = everything(quinn, type="role_grant", limit=3)
    assert [e["cursor"] for e in alone] == every
    assert every


def test_a_refusal_is_an_event_about_the_record_it_was_refused_on(lab: Lab, api: Api) -> None:
    sop = lab.new_sop()
    assert api("aurel").post(f"/records/{sop}/acts/obsolete", {"expected_version": 1}).status_code == 403
    integrate(lab)
    events = [e for e in everything(api("quinn"), limit=1000) if e["number"] == sop]
    assert [(e["kind"], e.get("state", "")) for e in events] == [("record", "draft"), ("refusal", "")]


@pytest.mark.parametrize("username", ["quinn", "ada"])
def test_who_looks_after_the_ledger_reads_the_feed(lab: Lab, api: Api, username: str) -> None:
    integrate(lab)
    assert api(username).get("/events?limit=1")["events"]


def test_an_inspector_reads_the_feed(lab: Lab, api: Api) -> None:
    number = lab.invite("ivan", "Ivan Inspector", ())
    lab.grant(number, "INS", end=(TODAY + dt.timedelta(days=30)).isoformat())
    integrate(lab)
    ivan = Caller(api("quinn").client, "ivan", lab.sign_in("ivan").token)
    assert ivan.get("/events?limit=1")["events"]


@pytest.mark.parametrize("username", ["alan", "rita", "sam", "nora"])
def test_others_do_not_and_the_refusal_is_recorded(lab: Lab, api: Api, username: str) -> None:
    answer = api(username).request("GET", "/events")
    assert (answer.status_code, answer.json()["code"]) == (403, "AUTH_ROLE")
    assert "Inspector or Quality unit or Security officer or Quality lead" in answer.json()["detail"]
    refused = lab.ask(
        "select count(*)::int from ledger.entry where actor = %s"
        " and convert_from(leaf, 'UTF8')::jsonb ->> 'type' = 'refusal'",
        getattr(lab, username).uid,
    )
    assert refused[0][0] >= 1


def test_nobody_signed_in_reads_nothing_and_a_wrong_cursor_or_type_is_refused(lab: Lab, api: Api) -> None:
    assert api("").request("GET", "/events").status_code == 401
    assert api("quinn").request("GET", "/events?after=x").status_code == 422
    assert api("quinn").request("GET", "/events?type=nothing").status_code == 404
    assert api("quinn").request("GET", "/events?limit=0").status_code == 422
