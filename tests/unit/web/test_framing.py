"""What comes next on a record is what leads it on, and nothing where nobody is waited for."""

from __future__ import annotations

import pytest

from coverslip.application.open_acts import OpenAct
from coverslip.errors import CoverslipError, Refused
from coverslip.kernel.definition import define
from coverslip.kernel.rows import Row
from coverslip.records import all_types
from coverslip.web.framing import next_step, waited_for
from coverslip.work import waiting
from fix_rules import row as row_of

TYPES = {t.name: define(t) for t in all_types()}


@pytest.mark.parametrize(
    ("kind", "state", "act"),
    [
        ("document_sop", "draft", "submit"),
        ("document_sop", "in_review", "review"),
        ("document_sop", "in_approval", "approve"),
        ("deviation", "investigating", "submit"),
        ("deviation", "in_review", "approve"),
        ("image", "registering", "verify_import"),
        ("training_record", "assigned", "complete"),
    ],
)
def test_the_act_that_leads_on_comes_first(kind: str, state: str, act: str) -> None:
    assert act in waited_for(TYPES[kind], state)[:2]


def test_a_study_under_way_is_not_waiting_to_be_amended_or_stopped() -> None:
    first = waited_for(TYPES["study"], "in_progress")[0]
    order = [s.name for s in TYPES["study"].type.states]
    target = TYPES["study"].acts[first].to
    assert order.index(target) > order.index("in_progress")


@pytest.mark.parametrize("name", TYPES)
def test_nobody_is_waited_for_where_a_record_ends_rests_or_is_in_force(name: str) -> None:
    for state in TYPES[name].type.states:
        if state.terminal or state.resting or state.effective or state.voided:
            assert waited_for(TYPES[name], state.name) == []


def offered(kind: str, state: str, refusals: dict[str, CoverslipError]) -> tuple[Row, list[OpenAct]]:
    """Return a record in a state, and its acts: those named are refused, the others open."""
    definition = TYPES[kind]
    found = [t for t in definition.type.transitions if not t.consequence and state in t.from_]
    acts = [OpenAct(t.name, t.label, t, t.signature, refusals.get(t.name)) for t in found]
    return row_of("X-0001", state=state, kind=kind), acts


UNMET = Refused("SEQ_PRE", action="approve", conditions="a CAPA", unmet=["A CAPA is named."])
NOT_MINE = Refused("AUTH_ROLE", record="X-0001", role="QA", action="approve", roles="Technical reviewer")


def test_to_turn_back_is_no_next_step_while_going_on_lacks_a_condition() -> None:
    row, acts = offered("deviation", "in_review", {"approve": UNMET, "endorse": NOT_MINE})
    said, primary = next_step(TYPES["deviation"], row, acts)
    assert (said["act"].name, said["blocked"], primary) == ("approve", True, None)
    assert said["why"] == "Not met yet: A CAPA is named."


def test_what_leads_on_is_the_next_step_where_it_is_open() -> None:
    row, acts = offered("deviation", "in_review", {})
    said, primary = next_step(TYPES["deviation"], row, acts)
    assert primary is not None
    assert (said["act"].name, primary.name, said["blocked"]) == ("approve", "approve", False)


def test_where_somebody_else_is_waited_for_it_says_which_role() -> None:
    row, acts = offered("deviation", "in_review", {"approve": NOT_MINE, "endorse": NOT_MINE})
    said, primary = next_step(TYPES["deviation"], row, acts)
    assert primary is None
    assert "Waited for: " in said["why"]
    assert "Quality lead" in said["why"] or "(QA" in said["why"]
    assert said["why"].endswith("You hold: Technical reviewer.")


def test_what_stands_on_somebody_elses_asking_is_not_offered_first() -> None:
    row, acts = offered("training_record", "assigned", {"complete": NOT_MINE, "acknowledge": NOT_MINE})
    said, primary = next_step(TYPES["training_record"], row, acts)
    assert primary is None or primary.name != "exempt"
    assert said["act"] is None or said["act"].name != "exempt"


def test_what_happens_by_itself_on_a_day_is_not_waved_through_by_hand() -> None:
    row, acts = offered("document_sop", "approved", {})
    said, primary = next_step(TYPES["document_sop"], row, acts)
    assert (said["act"], primary) == (None, None)


def test_what_is_in_the_way_is_told_in_short() -> None:
    long = f"Every exception is answered (open: {'RES-2026-00004, ' * 20}and more)."
    asked = ["The checklist is filled in.", long, "A third.", "A fourth.", "A fifth."]
    told = Refused("SEQ_PRE", action="technical", conditions="many", unmet=asked)
    said = waiting.in_the_way(told)
    assert said == (
        "Not met yet: The checklist is filled in; Every exception is answered; A third; and 2 more."
    )
