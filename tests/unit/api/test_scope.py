"""The scope inventory: every type, why it is kept and what applies, in one action that is an entry."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from typing import Any

import pytest

from coverslip.ledger import canonical
from fix_caller import Caller
from fix_lab import TODAY, Lab

Api = Callable[[str], Caller]


def _rows(caller: Caller, as_of: str = "") -> dict[str, dict[str, Any]]:
    found = caller.get(f"/scope?as_of={as_of}")
    return {r["name"]: r for r in found["items"]}


def _item(lab: Lab, **more: Any) -> str:
    fields: dict[str, Any] = {
        "kind": "record_type",
        "name": "Comments in this laboratory",
        "record_type": "comment",
        "predicate_rules": ["21 CFR 58.130(e)"],
        "required_by_rule": True,
        "used_electronically": True,
        "predominant_copy": "electronic",
        "risk": "M",
        "owner": lab.number_of("mia"),
    }
    return lab.quinn.create("scope_item", **fields | more)


def _decide(lab: Lab, number: str, act: str, **fields: Any) -> None:
    lab.quinn.do(number, "assess")
    lab.vera.do(number, act, sign=True, why="As computed from the rules named here.", **fields)


def test_every_type_is_listed_with_rules_retention_and_signatures(lab: Lab, api: Api) -> None:
    rows = _rows(api("alan"))
    assert {d.name for d in lab.door.catalogue} <= set(rows)
    calibration = rows["calibration"]
    assert calibration["required"] == "required by rule"
    assert calibration["part11"] == "applies"
    assert calibration["retention"] == "SYS"
    assert "accept: reviewed by REV or QA, independent of performer, editors" in calibration["signatures"]
    assert calibration["scope"] == "as shipped"
    assert calibration["definition"].endswith(lab.door.catalogue["calibration"].hash)


def test_a_type_without_a_rule_is_labelled_and_gets_the_same_trail(lab: Lab, api: Api) -> None:
    free = [d.name for d in lab.door.catalogue if not d.type.predicate_rules]
    rows = _rows(api("alan"))
    for name in free:
        assert rows[name]["required"] == "not a required record"
        assert "it gets the same trail" in rows[name]["part11_reason"]
    assert {r["required"] for r in rows.values()} <= {"required by rule", "not a required record"}


def test_a_decision_of_quality_wins_from_its_day_on_and_not_before(lab: Lab, api: Api) -> None:
    shipped = list(lab.door.catalogue["comment"].type.predicate_rules)
    number = _item(lab)
    assert _rows(api("alan"))["comment"]["scope"] == "as shipped", "nothing is decided yet"
    _decide(lab, number, "include")
    decided = _rows(api("alan"))["comment"]
    assert (decided["scope"], decided["scope_item"]) == ("in_scope", number)
    assert (decided["rules"], decided["shipped_rules"]) == (["21 CFR 58.130(e)"], shipped)
    assert decided["part11_reason"] == "Required by 21 CFR 58.130(e) and kept electronically."
    assert _rows(api("alan"), "2020-01-01")["comment"]["scope"] == "as shipped"
    assert _rows(api("alan"), TODAY.isoformat())["comment"]["scope"] == "in_scope"
    lab.quinn.do(number, "change_scope", sign=True, why="The rule does not ask for these.")
    assert _rows(api("alan"))["comment"]["scope"] == "in_scope", "until quality decides anew"


def test_systems_are_listed_beside_the_types_with_the_reason_they_are_left_out(lab: Lab, api: Api) -> None:
    number = _item(lab, kind="system", name="Old scanner", record_type=None)
    _decide(lab, number, "exclude", out_of_scope_because="Switched off; its records are on paper.")
    row = _rows(api("alan"))["Old scanner"]
    assert (row["kind"], row["scope"]) == ("system", "out_of_scope")
    assert row["reason"] == "Switched off; its records are on paper."
    lab.vera.do(number, "retire", sign=True, why="The scanner has left the house.")
    assert "Old scanner" not in _rows(api("alan"))


def test_the_export_is_an_entry_with_the_hash_of_what_was_given(lab: Lab, api: Api) -> None:
    rita = api("rita")
    before = lab.entries()
    found = rita.get("/scope")
    assert found["sha256"] == hashlib.sha256(canonical.encode(found["items"])).hexdigest()
    assert lab.entries() == before + 1
    said = lab.reading.history(lab.rita.context.session)[-1]
    assert (said["type"], said["act"]) == ("export", "scope")
    assert said["sections"]["detail"]["sha256"] == found["sha256"]


def test_the_file_for_a_spreadsheet_has_the_same_rows_and_no_formula(lab: Lab, api: Api) -> None:
    number = _item(lab, kind="system", name="=1+1", record_type=None)
    _decide(lab, number, "include")
    found = api("alan").get("/scope")
    lines = list(csv.DictReader(io.StringIO(found["csv"])))
    assert [line["name"].removeprefix("'") for line in lines] == [r["name"] for r in found["items"]]
    assert "'=1+1" in {line["name"] for line in lines}
    assert list(lines[0]) == found["columns"]


@pytest.mark.parametrize("as_of", ["yesterday", "2026-13", "2026-11-21T00:00:00Z"])
def test_a_day_that_is_none_is_refused(api: Api, as_of: str) -> None:
    assert api("alan").request("GET", f"/scope?as_of={as_of}").status_code == 422


def test_nobody_sees_the_inventory_without_signing_in(api: Api) -> None:
    assert api("").request("GET", "/scope").status_code == 401
