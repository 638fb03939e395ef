"""Values of a controlled list: only what its version in force offers, and what was chosen stays as it was."""

from __future__ import annotations

import pytest

from fix_lab import refused
from fix_world import World, world

__all__ = ["world"]


def _entries(*values: tuple[str, bool]) -> list[dict[str, object]]:
    return [{"value": v, "meaning": f"What {v} means.", "retired": gone} for v, gone in values]


def _ncr(w: World, *codes: str) -> str:
    return w.new("ncr", defect_codes=list(codes))


@pytest.fixture(scope="module")
def lists(world: World) -> World:
    with refused("VAL_FORM") as said:
        _ncr(world, "fold")
    assert "list DEFECT" in said[0].message
    world.new(
        "vocabulary",
        "effective",
        code="DEFECT",
        title="Defects",
        entries=_entries(("fold", False), ("tear", False)),
    )
    return world


def test_only_what_the_list_in_force_offers_is_chosen_and_what_was_chosen_stays(lists: World) -> None:
    before = _ncr(lists, "fold", "tear")
    assert lists.row(before).fields["defect_codes"] == ["fold", "tear"]
    with refused("VAL_VOCAB") as said:
        _ncr(lists, "scratch")
    assert "fold, tear" in said[0].message
    entries = _entries(("fold", False), ("tear", True), ("scratch", False))
    lists.to(
        lists.revise("VOC-DEFECT", code="DEFECT", previous="VOC-DEFECT v1", entries=entries), "effective"
    )
    with refused("VAL_VOCAB"):
        _ncr(lists, "tear")
    assert lists.row(_ncr(lists, "scratch")).fields["defect_codes"] == ["scratch"]
    lists.do(before, "edit", title="Torn slides, box 7")
    assert lists.row(before).fields["defect_codes"] == ["fold", "tear"]
