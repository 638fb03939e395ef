"""What comes next on a record is what leads it on, and nothing where nobody is waited for."""

from __future__ import annotations

import pytest

from coverslip.kernel.definition import define
from coverslip.records import all_types
from coverslip.web.framing import waited_for

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
