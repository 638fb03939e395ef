"""Acts of any type asked about together are judged as each of them is alone."""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.errors import CoverslipError
from fix_world import World

KINDS = (
    "analysis_run", "calibration", "capa", "change", "comment", "container", "deviation", "document_sop",
    "hold", "incident", "instrument", "legal_hold", "oos", "review_case", "risk_assessment", "role_grant",
    "specimen", "study", "supplier", "training_record",
)  # fmt: skip

ROLES = ("ANL", "QA", "OPR", "ADM")


def _said(error: CoverslipError | None) -> Any:
    return None if error is None else (error.code, error.message, error.remedy, sorted(error.values))


@pytest.mark.parametrize("kind", KINDS)
def test_every_act_on_a_record_is_judged_alike(world: World, kind: str) -> None:
    row, lab = world.row(world.any(kind)), world.lab
    acts = [*lab.door.catalogue[kind].acts, "edit"]
    for person in (world.person(role) for role in ROLES):
        alone = {act: _said(lab.door.explain(row, person.context, act)) for act in acts}
        together = {a: _said(e) for a, e in lab.door.explain_all(row, person.context, acts).items()}
        assert together == alone, f"{row.label}, {person.username}"
        offered = {act: _said(lab.door.offer(row, person.context, act)) for act in acts}
        assert {a: _said(e) for a, e in lab.door.offer_all(row, person.context, acts).items()} == offered
