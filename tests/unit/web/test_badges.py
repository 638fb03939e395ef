"""Every state of every type has a look that says no more than its declaration."""

from __future__ import annotations

import pytest

from coverslip.kernel.definition import define
from coverslip.records import all_types
from coverslip.web.badges import ICONS, badge

STATES = [(t, s) for t in all_types() for s in t.states]


@pytest.mark.parametrize(("declared", "state"), STATES, ids=[f"{t.name}-{s.name}" for t, s in STATES])
def test_a_look_says_no_more_than_the_declaration(declared, state) -> None:  # type: ignore[no-untyped-def]
    found = badge(define(declared), state.name)
    assert found.look in ICONS
    assert found.label.replace(" ", "_").lower() == state.name
    assert (found.look == "void") == state.voided
    if state.effective:
        assert found.look == "effective"
    if found.look == "effective":
        assert state.effective
    if found.look in ("draft", "review", "active"):
        assert not state.terminal
    if state.blocking:
        assert found.look == "hold"
