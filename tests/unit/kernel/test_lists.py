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


def test_a_value_that_is_listed_is_kept_as_chosen(lists: World) -> None:
    assert lists.row(_ncr(lists, "fold", "tear")).fields["defect_codes"] == ["fold", "tear"]


def test_a_value_that_is_not_listed_is_refused_with_what_is(lists: World) -> None:
    with refused("VAL_VOCAB") as said:
        _ncr(lists, "scratch")
    assert "fold, tear" in said[0].message


def test_a_retired_value_is_chosen_no_more_and_old_records_keep_it(lists: World) -> None:
    before = _ncr(lists, "tear")
    entries = _entries(("fold", False), ("tear", True), ("scratch", False))
    lists.to(
        lists.revise("VOC-DEFECT", code="DEFECT", previous="VOC-DEFECT v1", entries=entries), "effective"
    )
    with refused("VAL_VOCAB"):
        _ncr(lists, "tear")
    assert lists.row(_ncr(lists, "scratch")).fields["defect_codes"] == ["scratch"]
    assert lists.row(before).fields["defect_codes"] == ["tear"]
    lists.do(before, "edit", title="Torn slides, box 7")
    assert lists.row(before).fields["defect_codes"] == ["tear"]
