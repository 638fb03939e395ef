"""Many changes in one command and late entries over the interface; work and what stands beside a record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from coverslip.kernel.change import Change
from coverslip.review.exceptions import gatherer
from fix_caller import Caller
from fix_lab import Lab

Api = Callable[[str], Caller]


HOLD = {"reason": "I would like it to stop."}


def tags(lab: Lab, words: list[str]) -> list[dict[str, Any]]:
    return [{"act": "create", "type": "tag", "fields": {"subject": lab.n["study"], "word": w}} for w in words]


def test_two_hundred_are_written_in_one_command_with_one_entry_each(lab: Lab, api: Api) -> None:
    before = lab.ask("select max(id) from ledger.entry")[0][0]
    body = {"changes": tags(lab, [f"word {n}" for n in range(200)])}
    answer = api("alan").post("/bulk", body, idempotency_key="two-hundred")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert len({e["number"] for e in found["entries"]}) == 200
    again = api("alan").post("/bulk", body, idempotency_key="two-hundred")
    assert again.json()["replayed"]
    assert again.json()["command"] == found["command"]
    commands = lab.ask(
        "select count(*), count(distinct command_id) from ledger.entry where id > %s and kind = 'tag'", before
    )
    assert commands == [(200, 1)]


@pytest.mark.parametrize("bad", ["study", "word 7"])
def test_one_that_is_refused_among_two_hundred_lets_nothing_be_written(lab: Lab, api: Api, bad: str) -> None:
    wanted = tags(lab, [f"{bad} other {n}" for n in range(200)])
    lab.olga.create("tag", subject=lab.n["study"], word=f"taken by {bad}")
    wanted[117]["fields"]["word"] = f"taken by {bad}"
    caller = api("alan")
    made = lab.ask("select count(*) from projection.record where type = 'tag'")
    answer = caller.post("/bulk", {"changes": wanted})
    assert (answer.status_code, answer.json()["code"]) == (409, "DUP")
    assert lab.ask("select count(*) from projection.record where type = 'tag'") == made


def test_a_refusal_names_its_line_and_record(lab: Lab, api: Api) -> None:
    sop = lab.new_sop()
    changes = [*tags(lab, ["fine"]), {"act": "submit", "number": f"{sop} v1", "expected_version": 1}]
    answer = api("aurel").post("/bulk", {"changes": changes})
    assert (answer.status_code, answer.json()["code"]) == (409, "SIG_REQUIRED"), answer.text
    assert answer.json()["line"] == 2
    assert sop in answer.text
    assert lab.ask("select count(*) from projection.record where type = 'tag' and title = 'fine'") == [(0,)]


def test_nobody_does_in_bulk_what_they_may_not_do_alone(lab: Lab, api: Api) -> None:
    changes = [
        *tags(lab, ["alone"]),
        {"act": "create", "type": "hold", "fields": HOLD | {"subject": lab.n["study"]}},
    ]
    assert api("alan").post("/bulk", {"changes": changes}).json()["code"] == "AUTH_ROLE"
    assert api("alan").post("/bulk", {"changes": []}).status_code == 422
    assert api("alan").post("/bulk", {"changes": tags(lab, ["x"] * 501)}).status_code == 422


def test_a_late_entry_asks_a_reason_and_is_told_as_late(lab: Lab, api: Api) -> None:
    then = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=3)).isoformat()
    body: dict[str, Any] = {
        "type": "comment", "fields": {"subject": lab.n["study"], "text": "The lamp flickered."},
        "occurred_at": then,
    }  # fmt: skip
    alan = api("alan")
    refused = alan.post("/records", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "REASON"), refused.text
    made = alan.post("/records", body | {"reason": "Noted on paper, the network was down."})
    assert made.status_code == 201, made.text
    number = made.json()["entries"][0]["number"]
    entry = alan.get(f"/records/{number}/history")["entries"][0]
    assert entry["late"] is True
    assert entry["occurred_at"][:16] == then[:16]
    shown = alan.get(f"/records/{number}")
    assert (shown["late"], shown["occurred_at"][:16]) == (True, then[:16])
    assert "late entry" in alan.get(f"/records/{number}/view")["text"]
    ahead = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
    future = alan.post("/records", body | {"occurred_at": ahead, "reason": "It will have been so."})
    assert (future.status_code, future.json()["code"]) == (422, "VAL_RANGE")
    plain = alan.post("/records", {k: v for k, v in body.items() if k != "occurred_at"}).json()
    assert alan.get(f"/records/{plain['entries'][0]['number']}")["late"] is False


def test_a_late_entry_is_an_exception_of_the_review(lab: Lab) -> None:
    then = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=3)).isoformat()
    study = lab.row(lab.n["study"])
    change = Change(
        "create", "comment", fields={"subject": study.number, "text": "It was warm in the room."},
        reason="Noted on paper, the network was down.", occurred_at=then,
    )  # fmt: skip
    number = lab.alan.submit(change).entries[0].number
    items = gatherer(lab.reading)(study)["items"]
    late = [i for i in items if i["record"] == number and "Late entry" in i["sentence"]]
    assert [i["severity"] for i in late] == ["warn"]
    assert "Alan Analyst" in late[0]["sentence"]
    assert "the network was down" in late[0]["sentence"]


def test_work_and_what_stands_beside_are_shown_over_the_interface(lab: Lab, api: Api) -> None:
    sop = lab.new_sop()
    alan = api("alan")
    comment = alan.new("comment", subject=f"{sop} v1", text="Which one?", field="body")
    alan.new("tag", subject=f"{sop} v1", word="urgent")
    alan.new("watch", subject=f"{sop} v1")
    alan.new("attachment", subject=f"{sop} v1", what="Sketch", file=lab.attach("sketch.pdf"))
    hold = api("vera").new("hold", subject=f"{sop} v1", reason="The text is in question.")
    around = api("aurel").get(f"/records/{sop}")["around"]
    assert [(c["number"], c["field"], c["by"]) for c in around["comments"]] == [
        (comment, "body", "Alan Analyst")
    ]
    assert [t["word"] for t in around["tags"]] == ["urgent"]
    assert [a["file"]["name"] for a in around["attachments"]] == ["sketch.pdf"]
    assert [(h["number"], h["state"]) for h in around["holds"]] == [(hold, "active")]
    assert around["watchers"] == 1
    page = api("aurel").get("/me/work?limit=1")
    assert page["next"]
    assert api("aurel").get(f"/me/work?limit=1&cursor={page['next']}")["items"] != page["items"]
    assert api("aurel").request("GET", "/me/work?cursor=nonsense").status_code == 422
    assert api("aurel").request("GET", "/me/work?limit=0").status_code == 422


def test_lists_are_narrowed_and_leave_out_what_was_voided(lab: Lab, api: Api) -> None:
    one = lab.alan.create("comment", subject=lab.n["study"], text="Made by mistake, number one.")
    two = lab.alan.create("comment", subject=lab.n["study"], text="Made by mistake, number two.")
    lab.alan.create("tag", subject=two, word="Mistake")
    lab.vera.do(one, "void", sign=True, why="It was written about another study.")
    alan = api("alan")

    def found(query: str) -> set[str]:
        return {r["number"] for r in alan.get(f"/records?limit=200&{query}")["records"]}

    assert one not in found("type=comment")
    assert two in found("type=comment")
    assert one in found("type=comment&voided=true")
    assert one in found("type=comment&state=voided")
    assert {one, two} <= found("q=made by mistake"), "a search finds everything"
    assert found("tag=MISTAKE") == {two}
    assert found("tag=nothing") == set()


def test_what_is_overdue_is_listed(lab: Lab, api: Api) -> None:
    sop = lab.new_sop()
    lab.approve_sop(sop)
    yesterday = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)).isoformat()
    today = dt.datetime.now(dt.UTC).date().isoformat()
    late, punctual = (
        lab.aurel.create(
            "training_record",
            person=lab.number_of("mia"),
            document=f"{sop} v1",
            depth="read_understood",
            due=day,
        )
        for day in (yesterday, today)
    )
    found = {r["number"] for r in api("aurel").get("/records?type=training_record&overdue=true")["records"]}
    assert late in found
    assert punctual not in found
    lab.mia.do(late, "complete", sign=True)
    found = {r["number"] for r in api("aurel").get("/records?type=training_record&overdue=true")["records"]}
    assert late not in found
