"""A refinement comes into force at the door: for every process at once, on the log, and forwards only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from coverslip.errors import Invalid, Refused
from fix_lab import Lab, Person

ROOM = {"word": "add_field", "name": "site_room", "kind": {"word": "Text", "max_length": 40}, "label": "Room",
        "required_at": ["frozen"]}  # fmt: skip
NO_ATTIC = {
    "word": "add_guard",
    "act": "freeze",
    "guard": {
        "word": "Compare", "path": ["site_room"], "op": "ne", "value": "attic",
        "message": "The attic is no laboratory.",
    },
}  # fmt: skip
LONGER = {"word": "raise_reason", "act": "edit", "minimum": 25}


def proposed(lab: Lab, *steps: dict[str, Any], kind: str = "image_set") -> str:
    """Return a refinement in draft."""
    return lab.aurel.create(
        "refinement", title="Rooms of the site", record_type=kind, patch={"steps": list(steps)},
        rationale="We work in several rooms.", migration_note="Open sets are given their room when frozen.",
        test_evidence="Tried on the training installation.",
    )  # fmt: skip


def in_force(lab: Lab, *steps: dict[str, Any], kind: str = "image_set") -> str:
    """Return a refinement that was approved."""
    number = proposed(lab, *steps, kind=kind)
    lab.aurel.do(number, "submit", sign=True)
    lab.quinn.do(number, "approve", sign=True)
    return number


@pytest.fixture
def withdrawing(lab: Lab) -> Iterator[list[str]]:
    """Numbers of refinements that are withdrawn after the test."""
    found: list[str] = []
    yield found
    for number in reversed(found):
        if lab.row(number).state == "in_force":
            lab.quinn.do(number, "withdraw", sign=True, why="The test is over, so it goes again.")


def new_set(lab: Lab, who: Person | None = None, **more: Any) -> str:
    return (who or lab.alan).create(
        "image_set", title="Control wells", study=lab.n["study"], members=[lab.new_image()], **more
    )


def test_a_refinement_in_force_asks_for_more_and_its_definition_is_on_the_log(
    lab: Lab, withdrawing: list[str]
) -> None:
    before = lab.door.catalogue["image_set"]
    number = in_force(lab, ROOM, NO_ATTIC, LONGER)
    withdrawing.append(number)
    refined = lab.door.catalogue["image_set"]
    assert (refined.shipped, refined.type.version) == (before.shipped, before.type.version + 1)
    made = new_set(lab, site_room="attic")
    with pytest.raises(Refused, match="attic is no laboratory"):
        lab.alan.do(made, "freeze", sign=True)
    with pytest.raises(Invalid, match="At least 25"):
        lab.alan.do(made, "edit", site_room="Room 12", why="Moved down.")
    lab.alan.do(made, "edit", site_room="Room 12", why="The plate was moved down to where the scope is.")
    lab.alan.do(made, "freeze", sign=True)
    assert lab.row(made).definition == refined.hash
    assert lab.replay() == []
