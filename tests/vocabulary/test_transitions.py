"""Generated from the declarations: what every type permits is done, what it does not is refused.

Parametrised over the shipped types, so that none is missed; values come from the examples.
"""

from __future__ import annotations

import pytest

from coverslip.kernel import words as w
from coverslip.records import all_types
from fix_world import World

each = pytest.mark.parametrize("t", all_types(), ids=lambda t: t.name)


@each
def test_every_act_can_be_done_and_leads_where_declared(t: w.Type, world: World) -> None:
    for found in t.transitions:
        if found.consequence:
            continue
        number = world.new(t.name, _source(found, t))
        world.step(number, found.name)
        assert world.row(number).state == (found.to or _source(found, t)), found.name


def _source(found: w.Transition, t: w.Type) -> str:
    return t.create.state if found.from_[0] == "*live" else found.from_[0]
