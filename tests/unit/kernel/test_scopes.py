"""Who changes what a guard counts takes its scope; who leaves it as it was waits for nobody."""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.kernel.decide import scope_key
from fix_lab import Lab


@pytest.fixture
def taken(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The scopes of each command from here on."""
    found: list[set[int]] = []
    commit = lab.store.commit

    def watched(batch: Any) -> Any:
        found.append({scope.key for scope in batch.scopes})
        return commit(batch)

    monkeypatch.setattr(lab.store, "commit", watched)
    return found


def of_study(lab: Lab, number: str) -> int:
    return scope_key("acquisition_session", "study", lab.row(number).uid)


def test_a_change_of_other_fields_takes_none(lab: Lab, taken: list[set[int]]) -> None:
    plate = lab.alan.create("container", title="Plate 1", kind="plate", format="96", study=lab.n["study"])
    del taken[:]
    lab.alan.do(plate, "edit", why="As asked for by the reviewer.", consumable_lot="L-77")
    assert taken == [set()]


def test_a_new_record_and_a_change_of_state_take_theirs(lab: Lab, taken: list[set[int]]) -> None:
    session = lab.new_session()
    assert of_study(lab, lab.n["study"]) in taken[-1]
    del taken[:]
    lab.start_session(session)
    assert of_study(lab, lab.n["study"]) in taken[-1]


def test_what_a_rule_reads_whole_is_taken_at_every_change(lab: Lab) -> None:
    catalogue = lab.door.catalogue
    assert ("calibration", "instrument") in catalogue.read_whole
    assert ("acquisition_session", "study") in catalogue.counted - catalogue.read_whole
    assert catalogue.read_whole <= catalogue.counted
