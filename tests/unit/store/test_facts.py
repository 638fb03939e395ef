"""What a decision is made from: one statement, paths through links, numbers."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from coverslip_lab import Lab

from coverslip.errors import EnvironmentFault


def link(head) -> dict:  # type: ignore[no-untyped-def,type-arg]
    return {"field": "x", "type": head.kind, "uid": str(head.uid), "version": head.version}


def test_paths_go_from_the_proposed_link_through_the_stored_ones(lab: Lab) -> None:
    sop = lab.write("sop", "SOP-0001", state="effective")
    method = lab.write("method", "MTH-0001", fields={"sop": sop.link()})
    facts = lab.store.facts(
        {
            "proposed": {"method": method.link()},
            "reads": [
                {"as": "method", "from": "self", "path": "method"},
                {"as": "sop", "from": "method", "path": "sop"},
                {"as": "none", "from": "sop", "path": "sop"},
            ],
        }
    )
    assert [row["number"] for row in facts["reads"]["method"]] == ["MTH-0001"]
    assert [row["state"] for row in facts["reads"]["sop"]] == ["effective"]
    assert facts["reads"]["none"] == []
    assert "record" not in facts and "session" not in facts


def test_a_proposed_link_stands_in_for_the_stored_one(lab: Lab) -> None:
    one, two = lab.write("method", "MTH-0001"), lab.write("method", "MTH-0002")
    run = lab.write("analysis_run", "RUN-1", fields={"method": one.link()})
    plan = {
        "record": {"type": "analysis_run", "uid": str(run.uid)},
        "reads": [{"as": "m", "from": "self", "path": "method"}],
    }
    assert [row["number"] for row in lab.store.facts(plan)["reads"]["m"]] == ["MTH-0001"]
    plan["proposed"] = {"method": two.link()}
    assert [row["number"] for row in lab.store.facts(plan)["reads"]["m"]] == ["MTH-0002"]


def test_lists_and_tables_give_each_row_once_in_order(lab: Lab) -> None:
    images = [lab.write("image", f"IMG-000{n}") for n in range(3)]
    chosen = lab.write(
        "image_set",
        "SET-0001",
        fields={
            "members": [i.link() for i in images],
            "rows": [{"image": images[n].link()} for n in (2, 0, 2)],
        },
    )
    facts = lab.store.facts(
        {
            "record": {"number": "SET-0001"},
            "reads": [
                {"as": "members", "from": "self", "path": "members"},
                {"as": "rows", "from": "self", "path": "rows.image"},
            ],
        }
    )
    assert facts["record"]["uid"] == str(chosen.uid)
    assert [row["number"] for row in facts["reads"]["members"]] == ["IMG-0000", "IMG-0001", "IMG-0002"]
    assert [row["number"] for row in facts["reads"]["rows"]] == ["IMG-0002", "IMG-0000"]


def test_inbound_records_are_those_whose_field_links_here(lab: Lab) -> None:
    chosen = lab.write("image_set", "SET-0001")
    lab.write("analysis_run", "RUN-1", links=[{**link(chosen), "field": "image_set"}])
    lab.write("analysis_run", "RUN-2", links=[{**link(chosen), "field": "other"}])
    lab.write("review_case", "RVC-1", links=[{**link(chosen), "field": "image_set"}])
    read = {"as": "runs", "inbound_to": "self", "type": "analysis_run", "field": "image_set"}
    facts = lab.store.facts({"record": {"number": "SET-0001"}, "reads": [read]})
    assert [row["number"] for row in facts["reads"]["runs"]] == ["RUN-1"]


def test_inbound_records_are_read_without_those_in_closed_states_and_up_to_a_limit(lab: Lab) -> None:
    chosen, other = lab.write("image_set", "SET-0001"), lab.write("image_set", "SET-0002")
    for n, state in enumerate(("draft", "closed", "unheard_of", "draft", "voided")):
        lab.write("analysis_run", f"RUN-{n}", state=state, links=[{**link(chosen), "field": "image_set"}])
    lab.write("analysis_run", "RUN-8", links=[{**link(other), "field": "image_set"}])
    lab.write("analysis_run", "RUN-9", links=[{**link(chosen), "field": "other"}])
    read = {"as": "runs", "inbound_to": "self", "type": "analysis_run", "field": "image_set"}

    def found(**more: Any) -> list[str]:
        facts = lab.store.facts({"record": {"number": "SET-0001"}, "reads": [read | more]})
        return [row["number"] for row in facts["reads"]["runs"]]

    assert found(closed=["closed", "voided"]) == ["RUN-0", "RUN-2", "RUN-3"], "a state nobody names is open"
    assert found(closed=[]) == found() == ["RUN-0", "RUN-1", "RUN-2", "RUN-3", "RUN-4"]
    assert len(found(closed=["closed", "voided"], limit=2)) == 2
    assert found(closed=["draft", "closed", "unheard_of", "voided"]) == []


def test_a_link_dropped_from_a_version_is_no_longer_inbound(lab: Lab) -> None:
    chosen = lab.write("image_set", "SET-0001")
    run = lab.write("analysis_run", "RUN-1", links=[{**link(chosen), "field": "image_set"}])
    lab.write("analysis_run", after=run)
    read = {"as": "runs", "inbound_to": "self", "type": "analysis_run", "field": "image_set"}
    assert lab.store.facts({"record": {"number": "SET-0001"}, "reads": [read]})["reads"]["runs"] == []


def test_a_number_means_the_effective_revision_else_the_latest(lab: Lab) -> None:
    one = lab.write("sop", "SOP-0001", revision=1)
    lab.write("sop", "SOP-0001", revision=2)
    plan = {"reads": [{"as": "docs", "by_number": ["SOP-0001", "SOP-0009"]}]}
    assert [row["revision"] for row in lab.store.facts(plan)["reads"]["docs"]] == [2]
    lab.write("sop", after=one, revision=1, state="effective")
    assert [row["revision"] for row in lab.store.facts(plan)["reads"]["docs"]] == [1]
    asked = lab.store.facts({"record": {"number": "SOP-0001", "revision": 2}})
    assert asked["record"]["revision"] == 2


def test_records_of_a_type_are_filtered_by_person_state_and_value(lab: Lab) -> None:
    person, other = uuid4(), uuid4()
    for number, who, state, site in (
        ("ESA-1", person, "signed", "a"),
        ("ESA-2", person, "draft", "a"),
        ("ESA-3", other, "signed", "b"),
    ):
        lab.write(
            "esa", number, state=state, fields={"person": str(who), "place": site},
            links=[{"field": "person", "type": "user", "uid": str(who)}],
        )  # fmt: skip

    def numbers(**read: object) -> list[str]:
        return [row["number"] for row in lab.store.facts({"reads": [{"as": "x", **read}]})["reads"]["x"]]

    assert numbers(type="esa", where={"person": str(person)}) == ["ESA-1", "ESA-2"]
    assert numbers(type="esa", where={"person": str(person)}, states=["signed"]) == ["ESA-1"]
    assert numbers(by_type="esa", where={"place": "b"}) == ["ESA-3"]
    assert numbers(by_type="esa", limit=2) == ["ESA-1", "ESA-2"]
    assert numbers(by_type="esa", where={"place": "c"}) == []


def test_authority_is_that_of_the_sessions_person_and_of_now(lab: Lab) -> None:
    now = datetime.now(UTC)

    def row(code: str, start: int | None, end: int | None) -> dict[str, object]:
        value: dict[str, object] = {"person": str(lab.actor), "kind": "role", "code": code}
        if start is not None:
            value["valid_from"] = (now + timedelta(hours=start)).isoformat()
        if end is not None:
            value["valid_to"] = (now + timedelta(hours=end)).isoformat()
        return value

    rows = [row("always", None, None), row("past", -2, -1), row("future", 1, 2), row("present", -1, 1)]
    lab.write(
        "role_grant", "GRT-0001", authority=[*rows, {**row("theirs", None, None), "person": str(uuid4())}]
    )
    session = lab.open_session()
    facts = lab.store.facts({"session": str(session)})
    assert [a["code"] for a in facts["authority"]] == ["always", "present"]
    assert (
        facts["epoch"] == 1
        and facts["session"]["live"] is True
        and facts["session"]["person"] == str(lab.actor)
    )
    assert "token_hash" not in facts["session"]


def test_an_ended_session_is_given_but_not_live(lab: Lab) -> None:
    session = lab.open_session()
    with lab.connect("cs_writer") as conn:
        conn.execute("update ops.session set ended_at = now()")
    assert lab.store.facts({"session": str(session)})["session"]["live"] is False


def test_numbers_are_unique_under_concurrency(lab: Lab) -> None:
    drawn: list[int] = []

    def draw() -> None:
        drawn.extend(lab.store.facts({"number": "RUN"})["number"] for _ in range(25))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn) == list(range(1, 101))


@pytest.mark.parametrize("prefix", ["X", "TOOLONG", "run", "'; drop table ledger.entry; --"])
def test_a_malformed_prefix_gives_no_number(lab: Lab, prefix: str) -> None:
    with pytest.raises(EnvironmentFault):
        lab.store.facts({"number": prefix})


def test_the_installation_is_named_and_times_are_utc_microseconds(lab: Lab) -> None:
    facts = lab.store.facts({})
    assert facts["installation"]["uuid"] == str(lab.installation)
    assert facts["installation"]["origin"] == "lab.example/coverslip"
    assert len(facts["now"]) == 27 and facts["now"].endswith("Z")
