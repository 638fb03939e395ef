"""Acts asked about together are judged as each of them is alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coverslip.application import open_acts as opening
from coverslip.errors import CoverslipError
from coverslip.kernel.rows import Row
from fix_lab import Lab

PEOPLE = ("alan", "quinn", "rita", "ada")


def _said(error: CoverslipError | None) -> Any:
    return None if error is None else (error.code, error.message, error.remedy, sorted(error.values))


def _compared(lab: Lab, row: Row) -> int:
    acts = [*lab.door.catalogue[row.type].acts, "edit", "no_such_act"]
    for name in PEOPLE:
        context = lab.person(name).context
        alone = {act: _said(lab.door.explain(row, context, act)) for act in acts}
        together = {a: _said(e) for a, e in lab.door.explain_all(row, context, acts).items()}
        assert list(together) == acts
        assert together == alone, f"{row.label}, {name}"
        offered = {act: _said(lab.door.offer(row, context, act)) for act in acts}
        assert {a: _said(e) for a, e in lab.door.offer_all(row, context, acts).items()} == offered
    return len(acts)


def test_every_act_on_every_record_of_a_laboratory_is_judged_alike(lab: Lab) -> None:
    found = lab.ask(
        "select number, revision from (select number, revision, row_number() over"
        " (partition by type, state order by number) as n from projection.record) x where n <= 2"
    )
    rows = [lab.reading.find(number, revision) for number, revision in found]
    assert sum(_compared(lab, row) for row in rows if row is not None) > 100


def test_a_record_that_is_not_there_is_refused_as_when_asked_alone(lab: Lab) -> None:
    row = replace(lab.row(lab.n["study"]), number="STU-2099-999")
    context = lab.person("alan").context
    together = lab.door.explain_all(row, context, ["edit"])
    assert _said(together["edit"]) == _said(lab.door.explain(row, context, "edit"))
    assert together["edit"] is not None and together["edit"].code == "NOT_FOUND"


def test_acts_of_a_page_are_read_at_once_however_many(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    row, context = lab.row(lab.n["study"]), lab.person("alan").context
    services = lab.services()
    opening.open_acts(services, row, context)
    asked: list[Any] = []
    store = lab.door._store
    facts = type(store).facts
    monkeypatch.setattr(type(store), "facts", lambda self, plan: asked.append(plan) or facts(self, plan))
    acts = opening.open_acts(services, row, context)
    assert len(acts) > 2
    assert len(asked) <= 3  # the record, the versions in force, the newest ones; not one for each act
