"""What is offered in advance: an act whose form is yet to be filled in can be begun."""

from __future__ import annotations

import pytest

from coverslip.errors import CoverslipError
from fix_lab import TODAY, Lab


def _enrolled(lab: Lab, username: str) -> str:
    number = lab.ada.create("user", username=username, printed_name=username.title(), kind="person")
    lab.enrol(number, username)
    return number


def test_an_act_is_offered_that_asks_for_what_its_guards_want(lab: Lab) -> None:
    row = lab.row(_enrolled(lab, "hugo"))
    assert lab.door.explain(row, lab.aurel.context, "activate") is not None
    assert lab.door.offer(row, lab.aurel.context, "activate") is None


def test_an_act_cannot_be_begun_by_whom_it_is_not_for(lab: Lab) -> None:
    row = lab.row(_enrolled(lab, "ines"))
    refusal = lab.door.offer(row, lab.alan.context, "activate")
    assert refusal is not None and refusal.code == "AUTH_ROLE"


def test_a_guard_over_other_records_is_not_set_aside(lab: Lab) -> None:
    run = lab.new_run()
    hold = lab.quinn.create("hold", subject=run, reason="Looked into: a smudge.")
    refusal = lab.door.offer(lab.row(run), lab.alan.context, "submit")
    assert refusal is not None
    lab.quinn.do(hold, "lift", sign=True, why="Looked into, nothing found.")


def test_what_was_left_out_is_asked_when_it_is_done(lab: Lab) -> None:
    number = _enrolled(lab, "jana")
    before = lab.row(number).version
    with pytest.raises(CoverslipError, match=r"(?i)identity"):
        lab.aurel.do(number, "activate", sign=True)
    assert lab.row(number).version == before
    seen = [{"document_kind": "passport", "manner": "in person", "on": TODAY.isoformat()}]
    lab.aurel.do(number, "activate", sign=True, identity_check=seen)
    assert lab.row(number).state == "active"
