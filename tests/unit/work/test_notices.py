"""Notices: what others did to what is watched, made or owned; nothing is lost between two looks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from coverslip.bootstrap.founding import sequencer_of
from coverslip.bootstrap.working import working
from fix_caller import Caller
from fix_lab import Lab, Person

Api = Callable[[str], Caller]


def integrate(lab: Lab) -> int:
    """Give every entry its place in the tree; return the last index."""
    sequencer = sequencer_of(lab.home, lab.signer)
    while not (done := sequencer.step()).leader or done.integrated:
        time.sleep(0.01)
    sequencer.close()
    return int(lab.reading.status()["size"]) - 1


def look(lab: Lab, person: Person, after: int | None = None) -> list[dict[str, Any]]:
    work = working(lab.accounts._pool, lab.store, lab.door)
    found: list[dict[str, Any]] = []
    while True:
        page = work.events(person.uid, after, 3)
        found += page["events"]
        after = page["next"]
        if not page["more"]:
            return found


def told(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(e["number"], e["act"], e["why"]) for e in events]


def test_what_others_do_to_ones_own_record_and_beside_it_is_told_and_what_one_does_oneself_is_not(
    lab: Lab,
) -> None:
    start = integrate(lab)
    sop = lab.new_sop()
    lab.aurel.do(sop, "submit", sign=True)
    lab.rita.do(sop, "review", sign=True)
    comment = lab.alan.create("comment", subject=f"{sop} v1", text="Which objective?")
    assert ("", "") not in [(e["number"], e["act"]) for e in look(lab, lab.aurel, start)]
    integrate(lab)
    assert told(look(lab, lab.aurel, start)) == [(sop, "review", "yours"), (comment, "create", "beside")]
    event = look(lab, lab.aurel, start)[0]
    assert (event["by"], event["label"], event["state"]) == ("Rita Reviewer", f"{sop} v1", "in_approval")
    assert look(lab, lab.olga, start) == [], "it is none of hers"


def test_who_watches_is_told_until_they_stop_and_a_later_version_too(lab: Lab) -> None:
    sop = lab.new_sop()
    watch = lab.olga.create("watch", subject=f"{sop} v1")
    start = integrate(lab)
    lab.approve_sop(sop)
    lab.work().due()
    fields = {"body": "2.", "change_summary": "S.", "training_depth": "none", "audience": []}
    lab.aurel.create(
        "document_sop", next_of=sop, title="Next", criticality="gxp", effective_date="2099-01-01", **fields
    )
    integrate(lab)
    found = look(lab, lab.olga, start)
    assert {e["why"] for e in found} == {"watched"}
    assert [e["label"] for e in found if e["act"] == "create"] == [f"{sop} v2"]
    lab.olga.do(watch, "end")
    assert look(lab, lab.olga, start) == []


def test_a_marker_moves_on_only_when_told_and_never_back(lab: Lab, api: Api) -> None:
    aurel = api("aurel")
    sop = lab.new_sop()
    start = integrate(lab)
    aurel.post("/me/events/seen", {"index": start})
    lab.rex.do(sop, "edit", why="Made it clearer for readers.", title="Clearer")
    assert aurel.get("/me/events")["events"] == [], "its place in the tree is not known yet"
    last = integrate(lab)
    for _ in range(2):
        page = aurel.get("/me/events")
        assert told(page["events"]) == [(sop, "edit", "yours")], "looking alone forgets nothing"
    assert aurel.post("/me/events/seen", {"index": page["next"]}).json() == {"seen": last}
    assert aurel.get("/me/events")["events"] == []
    assert aurel.post("/me/events/seen", {"index": 0}).json() == {"seen": last}
    assert aurel.post("/me/events/seen", {"index": 2**52}).json() == {"seen": last}, "not beyond the log"
    lab.rex.do(sop, "edit", why="Made it clearer still.", title="Clearest")
    integrate(lab)
    assert told(aurel.get("/me/events")["events"]) == [(sop, "edit", "yours")]
    assert api("alan").get("/me/events")["seen"] == 0, "a marker is one person's own"
