"""Named rules of legal hold, disposal and events for retention, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from coverslip.kernel import rules
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import Refusal, RuleInput

NOW = "2026-11-21T04:00:00.000000Z"


def row(number: str, fields: dict[str, Any] | None = None, state: str = "active") -> Row:
    return Row("x", number, number, 0, 1, 1, state, "", "gmp", "", "", {"fields": fields or {}})


def link(number: str) -> dict[str, Any]:
    return {"type": "x", "uid": number, "number": number}


def ask(
    name: str,
    fields: dict[str, Any],
    record: Row | None = None,
    reads: Mapping[str, tuple[Row, ...]] | None = None,
    children: Mapping[str, tuple[Row, ...]] | None = None,
) -> Any:
    return rules.find(name, 1)(RuleInput(fields, record, reads or {}, children or {}, "ann", NOW))


def candidate(number: str = "STU-1", **more: Any) -> dict[str, Any]:
    found = {"number": number, "record": link(number) | {"hash": "aa"}, "keep_until": "2020-01-01"}
    return found | {"because": "58.195(b)", "due": True} | more


@pytest.mark.parametrize("field", ["subjects", "scope"])
def test_a_legal_hold_names_something(field: str) -> None:
    assert ask("legal_hold_names_something", {field: [link("STU-1")]}) is None
    assert "At least one record" in ask("legal_hold_names_something", {"subjects": []})


@pytest.mark.parametrize("field", ["subjects", "scope"])
def test_what_a_legal_hold_preserves_stays_preserved(field: str) -> None:
    before = row("LHD-1", {field: [link("STU-1")]})
    more = {field: [link("STU-2"), link("STU-1")]}
    assert ask("legal_hold_only_grows", more, before) is None
    assert "STU-1 stays preserved" in ask("legal_hold_only_grows", {field: [link("STU-2")]}, before)


def test_records_go_only_after_their_retention() -> None:
    assert ask("disposal_retention_over", {"candidates": [candidate()]}) is None
    found = ask("disposal_retention_over", {"candidates": [candidate(), candidate("STU-2", due=False)]})
    assert isinstance(found, Refusal)
    assert (found.code, found.values["record"], found.values["until"]) == (
        "RETENTION",
        "STU-2",
        "2020-01-01",
    )


def test_records_that_a_legal_hold_names_do_not_go() -> None:
    reads = {"records": (row("STU-1"),)}

    def asked(hold: Row, role: str = "subjects") -> Any:
        children: dict[str, tuple[Row, ...]] = {"subjects": (), "scopes": ()} | {role: (hold,)}
        return ask("disposal_not_preserved", {}, None, reads, children)

    assert asked(row("LHD-1", {"subjects": [link("STU-1")]}, "released")) is None
    found = asked(row("LHD-1", {"subjects": [link("STU-1")]}, "release_proposed"))
    assert (found.code, found.values["record"]) == ("RETENTION", "STU-1")
    assert found.values["until"] == "LHD-1 is released"
    assert asked(row("LHD-1", {"scope": [link("STU-1")]}), "scopes").code == "RETENTION"


@pytest.mark.parametrize(
    "later",
    [
        candidate(keep_until="2021-01-01"),
        candidate(because="other"),
        candidate(record=link("STU-1") | {"hash": "bb"}),
    ],
)
def test_a_list_that_changed_is_proposed_anew(later: dict[str, Any]) -> None:
    before = row("DSP-1", {"candidates": [candidate()]})
    reads = {"records": (replace(row("STU-1"), leaf_hash="aa"),)}
    assert ask("disposal_unchanged", {"candidates": [candidate(tree_size=9)]}, before, reads) is None
    assert "STU-1 changed since" in ask("disposal_unchanged", {"candidates": [later]}, before, reads)


def test_a_record_that_changed_between_the_look_and_the_act_is_seen() -> None:
    before = row("DSP-1", {"candidates": [candidate()]})
    reads = {"records": (replace(row("STU-1"), leaf_hash="cc"),)}
    assert "STU-1 changed" in ask("disposal_unchanged", {"candidates": [candidate()]}, before, reads)


def test_nothing_goes_twice() -> None:
    reads = {"records": (row("STU-1"),)}
    own, other = row("DSP-1"), row("DSP-2", {"records": [link("STU-1")]}, "executed")

    def asked(*found: Row) -> Any:
        return ask("disposal_once", {}, own, reads, {"disposals": found})

    assert asked(own, row("DSP-2", {"records": [link("STU-1")]}, "rejected")) is None
    assert asked(row("DSP-3", {"records": [link("STU-9")]}, "closed")) is None
    assert asked(own, other) == "STU-1 was disposed of under DSP-2."


@pytest.mark.parametrize("day", ["2028-02-29", "2030-05", "2026-12-31"])
def test_days_of_the_calendar_start_clocks(day: str) -> None:
    assert ask("retention_days_exist", {"retention_events": [{"on": day}]}) is None


@pytest.mark.parametrize("day", ["2026-02-29", "2030-04-31"])
def test_other_days_do_not(day: str) -> None:
    assert f"{day} is a day" in ask("retention_days_exist", {"retention_events": [{"on": day}]})
