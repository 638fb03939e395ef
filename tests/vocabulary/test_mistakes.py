"""Every mistake that DOMAIN says is refused is refused, by the code and in the words it gives.

``NAMED`` is DOMAIN's list: for each type the codes of its mistakes (an ``N`` line may name a sentence without
a code, which is ``SEQ_PRE``). What has no row in the tables says where it is shown, or why it cannot be.
"""

from __future__ import annotations

import pytest

from coverslip.errors import CATALOGUE, CoverslipError
from coverslip.records import all_types
from fix_mistakes import EXPIRED, LABORATORY, PEOPLE, Mistake
from fix_mistakes_quality import LATER, QUALITY, REVIEW
from fix_world import World

MISTAKES = (*PEOPLE, *LABORATORY, *REVIEW, *QUALITY, *EXPIRED, *LATER)
NAMED: dict[str, tuple[str, ...]] = {
    "site": ("LOCKED", "SEQ_PRE"),
    "user": ("DUP", "AUTH_SHARED", "SEQ_STATE", "AUTH_ROLE"),
    "role_grant": ("AUTH_SELF", "SEQ_PRE", "VAL_REQ"),
    "training_record": ("AUTH_SELF", "LINK_VER", "VAL_RANGE"),
    "esign_acknowledgement": ("AUTH_ESIGN",),
    "certification_letter": ("VAL_REQ",),
    "delegation": ("AUTH_SELF",),
    "vocabulary": ("SEQ_PRE",),
    "document_sop": ("AUTH_SELF", "VAL_RANGE", "LINK_VER", "HASH", "LOCKED"),
    "periodic_review": ("SEQ_PRE",),
    "controlled_copy": ("REASON",),
    "form_record": ("VAL_REQ",),
    "document_external": ("LINK_VER",),
    "project": ("SEQ_PRE",),
    "study": ("SEQ_STATE", "REASON", "SEQ_PRE", "LINK_VER"),
    "specimen": ("VAL_RANGE", "SEQ_PRE"),
    "container": ("DUP", "SEQ_PRE", "LOCKED"),
    "instrument": ("SEQ_PRE",),
    "qualification": ("VAL_REQ", "LOCKED"),
    "calibration": ("LINK_VER", "VAL_RANGE"),
    "acquisition_session": ("SEQ_PRE", "SEQ_STATE"),
    "image": ("DUP", "VAL_RANGE", "LOCKED", "VAL_VOCAB"),
    "image_set": ("LOCKED", "SEQ_PRE"),
    "annotation": ("VAL_REQ",),
    "algorithm": ("LINK_VER", "VAL_VOCAB"),
    "parameter_set": ("VAL_RANGE",),
    "analysis_method": ("SEQ_PRE",),
    "analysis_run": ("SEQ_PRE", "SEQ_STATE"),
    "result_set": ("LOCKED", "SEQ_PRE"),
    "reprocessing_request": ("SEQ_PRE", "REASON"),
    "report": ("SEQ_PRE", "LOCKED"),
    "review_case": ("SEQ_PRE", "AUTH_SELF", "SIG_STALE"),
    "release_decision": ("AUTH_SELF", "SEQ_PRE", "VAL_REQ"),
    "inspection": ("SEQ_PRE",),
    "deviation": ("VAL_REQ", "REASON", "VAL_RANGE", "SEQ_STATE"),
    "ncr": ("SEQ_PRE", "HOLD"),
    "disposition": ("AUTH_SELF", "SEQ_PRE", "VAL_RANGE"),
    "capa": ("SEQ_PRE", "AUTH_SELF", "LOCKED"),
    "complaint": ("VAL_REQ", "SEQ_PRE"),
    "audit": ("AUTH_SELF",),
    "audit_finding": ("SEQ_PRE",),
    "change": ("SEQ_STATE", "VAL_REQ"),
    "risk_assessment": ("SEQ_PRE",),
    "supplier": ("HOLD",),
    "oos": ("SEQ_STATE", "VAL_REQ", "SEQ_PRE"),
    "incident": ("SEQ_PRE",),
    "audit_trail_review": ("SEQ_PRE",),
    "access_review": ("SEQ_PRE",),
    "restore_test": ("SEQ_PRE",),
    "system_review": ("SEQ_PRE",),
    "scope_item": ("REASON",),
    "gap_assessment": ("VAL_REQ",),
    "disposal": ("RETENTION",),
}
"""Types of records that are here, and the codes of the mistakes DOMAIN names for them."""
ELSEWHERE: dict[tuple[str, str], str] = {
    ("user", "AUTH_SHARED"): "A session, not a record: tests/adversarial/accounts.",
    ("training_record", "VAL_RANGE"): "No field takes the time of completion; it is the entry's.",
    ("document_sop", "HASH"): "No rendering of a file is kept yet beside its source.",
    ("acquisition_session", "SEQ_PRE"): "Methods are text; no setting has limits to compare with yet.",
    ("image", "VAL_RANGE"): "A check of the import: tests/unit/imaging, time outside the session.",
    ("image", "VAL_VOCAB"): "A check of the import: tests/unit/imaging, lossy originals.",
    ("analysis_method", "SEQ_PRE"): "A method names no specification yet, so no limits can differ.",
    ("reprocessing_request", "SEQ_PRE"): "Outputs made outside are not looked for yet.",
    ("review_case", "SIG_STALE"): "A rule: tests/unit/records/test_rules.py; the run is locked meanwhile.",
    ("release_decision", "SEQ_PRE"): "Lots come with production.",
    ("release_decision", "VAL_REQ"): "Conditional release comes with production.",
    ("access_review", "SEQ_PRE"): "Needs everybody's decision: tests/unit/review/test_access.py.",
}
"""Mistakes without a row: where they are shown, or why they cannot be made."""
UNNAMED = {
    "alert", "anomaly", "attachment", "comment", "curriculum", "hold", "legal_hold",
    "maintenance", "microscope_qc", "policy_notice", "refinement", "role", "supplier_qualification",
    "tag", "watch",
}  # fmt: skip
"""Types for which DOMAIN names no mistake, or only what is warned of."""
ONE_LIFECYCLE = {
    "document_policy", "document_work_instruction", "document_specification", "document_form",
    "document_test_method",
}  # fmt: skip
"""Documents declared by the same words as a procedure: what it refuses, they refuse."""


def _named(mistake: Mistake) -> str:
    return f"{mistake.type}-{mistake.code}-{mistake.words[:30]}"


@pytest.mark.parametrize("mistake", MISTAKES, ids=_named)
def test_the_mistake_is_refused_by_its_code_and_in_its_words(world: World, mistake: Mistake) -> None:
    number = mistake.given(world)
    with pytest.raises(CoverslipError) as refusal:
        mistake.tried(world, number)
    told = refusal.value
    assert (told.code, told.status) == (mistake.code, CATALOGUE[mistake.code].status), told.message
    assert mistake.words in told.message


def test_every_mistake_named_has_a_row_or_says_where_it_is_shown() -> None:
    rows = {(m.type, m.code) for m in MISTAKES}
    named = {(type_, code) for type_, codes in NAMED.items() for code in codes}
    assert sorted(named - rows - ELSEWHERE.keys()) == []
    assert sorted(ELSEWHERE.keys() - named) == [], "named by nobody"
    assert sorted(ELSEWHERE.keys() & rows) == [], "has a row now"


def test_every_type_is_looked_at() -> None:
    types = {t.name for t in all_types()}
    assert sorted(types - NAMED.keys() - UNNAMED - ONE_LIFECYCLE) == []
    assert sorted((NAMED.keys() | UNNAMED | ONE_LIFECYCLE) - types) == []
