"""Disposal and legal holds in an installation: what must be kept is kept, by whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fix_lab import Lab, refused
from fix_retention import EVENT, ended_study, over

WHY = "Released by counsel, letter on file."


def listed(lab: Lab, *records: str) -> str:
    """Return a disposal in draft; Sam owns the records."""
    return lab.vera.create(
        "disposal",
        title="Studies approved in 2020",
        basis="SOP on disposal, section 4.",
        owner=lab.number_of("sam"),
        records=list(records),
        archive_check="Bundles verified offline, report in the archive.",
    )


def proposed(lab: Lab, *records: str) -> str:
    number = listed(lab, *records)
    lab.vera.do(number, "propose")
    return number


def approved(lab: Lab, *records: str) -> str:
    number = proposed(lab, *records)
    lab.sam.do(number, "approve_as_owner", sign=True)
    lab.quinn.do(number, "approve", sign=True)
    return number


def execute(lab: Lab, number: str) -> None:
    lab.aurel.do(number, "execute", sign=True, method="media_destroyed", certificate=lab.attach("c.pdf"))


def hold_legally(lab: Lab, **named: Any) -> str:
    return lab.quinn.create(
        "legal_hold",
        sign=True,
        title="Inquiry 7",
        ground="litigation",
        reason="A claim is before the court.",
        asked_by="Counsel",
        **named,
    )


def test_a_disposal_keeps_what_was_known_and_removes_no_entry(lab: Lab) -> None:
    study = over(lab)
    number = approved(lab, study)
    before = lab.entries()
    execute(lab, number)
    lab.quinn.do(number, "witness", sign=True)
    assert lab.entries() > before
    row, gone = lab.row(number), lab.row(study)
    stone = row.fields["tombstone"]["records"][0]
    assert row.state == "closed"
    assert (stone["number"], stone["version"], stone["hash"]) == (study, gone.version, gone.leaf_hash)
    assert any("accepted_responsibility" in text for text in stone["signed"])
    assert len(row.fields["tombstone"]["approved_by"]) == 2
    assert lab.history(study)
    assert lab.replay() == []


def test_each_look_at_the_clocks_names_the_tree_it_looked_at(lab: Lab) -> None:
    number = approved(lab, over(lab))
    execute(lab, number)
    found = [
        e["sections"]["content"]["fields"]["candidates"][0]
        for e in lab.history(number)
        if e["act"] in ("propose", "approve_as_owner", "approve", "execute")
    ]
    assert len(found) == 4
    assert all(row["due"] and row["rule_version"] == "1" for row in found)
    sizes = [row["tree_size"] for row in found]
    assert sizes == sorted(sizes)


@pytest.fixture(autouse=True)
def _no_legal_hold_outlives_its_test(lab: Lab) -> Iterator[None]:
    yield
    for row in lab.reading.in_state("legal_hold", "active"):
        lab.quinn.do(row.number, "propose_release", sign=True, why=WHY)
    for row in lab.reading.in_state("legal_hold", "release_proposed"):
        lab.vera.do(row.number, "release", sign=True, why=WHY)


@pytest.mark.parametrize("ended", [False, True])
def test_what_is_open_is_not_disposed_of(lab: Lab, ended: bool) -> None:
    study = ended_study(lab) if ended else lab.n["study"]
    number = listed(lab, study)
    with refused("RETENTION") as caught:
        lab.vera.do(number, "propose")
    assert caught[0].message.startswith(f"{study} must be kept until ")
    assert "58.195(b)" in caught[0].message
    assert lab.row(number).state == "draft"
    assert lab.refusals(number)[-1]["code"] == "RETENTION"


def test_what_is_not_yet_due_is_kept_until_its_date(lab: Lab) -> None:
    study = ended_study(lab)
    lab.quinn.do(study, "record_events", why="Submitted this year.", retention_events=[
        EVENT | {"event": "submission", "on": "2026-01-31"}
    ])  # fmt: skip
    with refused("RETENTION") as caught:
        lab.vera.do(listed(lab, study), "propose")
    assert (
        f"{study} must be kept until 2031-01-31, because 58.195(b) ({study}): study {study}"
        " date of submission to FDA 2026-01-31 + 5 y." in caught[0].message
    )


@pytest.mark.parametrize("field", ["subjects", "scope"])
def test_a_legal_hold_stops_the_disposal_at_every_step(lab: Lab, field: str) -> None:
    study = over(lab)
    number = approved(lab, study)
    hold = hold_legally(lab, **{field: [study]})
    with refused("RETENTION") as caught:
        execute(lab, number)
    assert f"{study} must be kept until {hold} is released, because a legal hold preserves it." in (
        caught[0].message
    )
    lab.quinn.do(hold, "propose_release", sign=True, why=WHY)
    with refused("RETENTION"):
        execute(lab, number)
    lab.vera.do(hold, "release", sign=True, why=WHY)
    execute(lab, number)
    assert lab.row(number).state == "executed"


def test_a_legal_hold_on_a_study_preserves_what_was_made_for_it(lab: Lab) -> None:
    study = over(lab)
    hold = hold_legally(lab, subjects=[lab.n["study"]])
    kept = lab.services().retaining.one(lab.row(lab.n["session"]))
    assert hold in kept["preserved_by"]
    assert hold not in lab.services().retaining.one(lab.row(study))["preserved_by"]
    lab.quinn.do(hold, "propose_release", sign=True, why=WHY)
    lab.vera.do(hold, "release", sign=True, why=WHY)
    assert hold not in lab.services().retaining.one(lab.row(lab.n["session"]))["preserved_by"]


def test_a_legal_hold_on_a_result_preserves_what_it_stands_on(lab: Lab) -> None:
    images = lab.new_set()
    image = lab.row(images).fields["members"][0]["number"]
    hold = hold_legally(lab, subjects=[images])
    assert lab.services().retaining.one(lab.row(image))["preserved_by"] == [hold]
    assert hold not in lab.services().retaining.one(lab.row(lab.n["instrument"]))["preserved_by"]


def test_nobody_releases_a_legal_hold_alone(lab: Lab) -> None:
    hold = hold_legally(lab, subjects=[lab.n["session"]])
    with refused("SEQ_STATE"):
        lab.quinn.do(hold, "release", sign=True, why=WHY)
    lab.quinn.do(hold, "propose_release", sign=True, why=WHY)
    with refused("AUTH_SELF"):
        lab.quinn.do(hold, "release", sign=True, why=WHY)
    with refused("AUTH_ROLE"):
        lab.rita.do(hold, "release", sign=True, why=WHY)
    lab.vera.do(hold, "keep", why="The claim goes on.")
    lab.vera.do(hold, "propose_release", sign=True, why=WHY)
    lab.quinn.do(hold, "release", sign=True, why=WHY)
    assert lab.row(hold).state == "released"


def test_a_legal_hold_only_grows(lab: Lab) -> None:
    study, other = lab.n["study"], lab.n["session"]
    hold = hold_legally(lab, subjects=[study])
    with refused("SEQ_PRE") as caught:
        lab.quinn.do(hold, "extend", why="Another record is named.", subjects=[other])
    assert f"{study} stays preserved" in caught[0].message
    lab.quinn.do(hold, "extend", why="Another record is named.", subjects=[study, other])
    with refused("SEQ_PRE"):
        hold_legally(lab)


def test_a_hold_on_a_record_stops_its_disposal(lab: Lab) -> None:
    study = over(lab)
    number = proposed(lab, study)
    hold = lab.quinn.create("hold", subject=study, reason="A question is open about it.")
    with refused("HOLD") as caught:
        lab.sam.do(number, "approve_as_owner", sign=True)
    assert hold in caught[0].message
    lab.quinn.do(hold, "lift", sign=True, why="The question is answered.")
    lab.sam.do(number, "approve_as_owner", sign=True)


def test_owner_and_quality_are_two_people_and_neither_proposed(lab: Lab) -> None:
    number = proposed(lab, over(lab))
    with refused("AUTH_ROLE"):
        lab.quinn.do(number, "approve_as_owner", sign=True)
    lab.sam.do(number, "approve_as_owner", sign=True)
    with refused("AUTH_SELF"):
        lab.vera.do(number, "approve", sign=True)
    with refused("SEQ_STATE"):
        execute(lab, number)
    lab.quinn.do(number, "approve", sign=True)
    execute(lab, number)
    with refused("AUTH_SELF"):
        lab.aurel.do(number, "witness", sign=True)


def test_the_owner_who_proposed_does_not_approve(lab: Lab) -> None:
    number = listed(lab, over(lab))
    lab.sam.do(number, "propose")
    with refused("AUTH_SELF"):
        lab.sam.do(number, "approve_as_owner", sign=True)
    lab.sam.do(number, "return", why="Somebody else proposes it.")
    lab.vera.do(number, "propose")
    lab.sam.do(number, "approve_as_owner", sign=True)


def test_a_record_that_changed_since_it_was_listed_is_listed_anew(lab: Lab) -> None:
    study = over(lab)
    number = proposed(lab, study)
    lab.quinn.do(study, "record_events", why="A second approval letter.", retention_events=[
        EVENT | {"event": "approval", "on": "2020-01-31"},
        EVENT | {"event": "approval", "on": "2021-01-31"},
    ])  # fmt: skip
    with refused("SEQ_PRE") as caught:
        lab.sam.do(number, "approve_as_owner", sign=True)
    assert f"{study} changed since the list was proposed" in caught[0].message
    lab.vera.do(number, "return", why="The study has changed.")
    lab.vera.do(number, "propose")
    lab.sam.do(number, "approve_as_owner", sign=True)


def test_nothing_is_disposed_of_twice(lab: Lab) -> None:
    study = over(lab)
    first = approved(lab, study)
    second = proposed(lab, study)
    execute(lab, first)
    with refused("SEQ_PRE") as caught:
        lab.sam.do(second, "approve_as_owner", sign=True)
    assert f"{study} was disposed of under {first}" in caught[0].message


def test_execution_needs_the_certificate(lab: Lab) -> None:
    number = approved(lab, over(lab))
    with refused("VAL_REQ"):
        lab.aurel.do(number, "execute", sign=True, method="media_destroyed")


def test_what_was_disposed_of_is_no_longer_listed_as_due_and_says_so(lab: Lab) -> None:
    study = over(lab)
    retaining = lab.services().retaining
    assert study in {r["number"] for r in retaining.due("")[0]}
    number = approved(lab, study)
    execute(lab, number)
    assert study not in {r["number"] for r in retaining.due("")[0]}
    assert retaining.one(lab.row(study))["disposed_under"] == number
