"""A signature for somebody else says for whom, and the entry says the same."""

from __future__ import annotations

from typing import Any

import pytest
from bundle_lab import Lab, Person, uuid

from coverslip.ledger import leaf as leaf_format
from coverslip.verifier.report import FINDING, HOLDS, Report

DELEGATION = "DLG-0005"


@pytest.fixture
def lab() -> Lab:
    return Lab().live()


def _said(lab: Lab, signer: Person, giver: Person, **changes: Any) -> dict[str, Any]:
    behalf = {"person": giver.id, "name": giver.name, "delegation": DELEGATION, **changes}
    own = {"person": signer.id, "username": signer.username, "name": signer.name, "role": signer.role}
    return {"signer": {**own, "behalf": behalf}}


def _entry(lab: Lab, signer: Person, *, behalf: str | None, statement: dict[str, Any]) -> Report:
    lab.append(
        "image",
        uuid("image"),
        "release",
        signer,
        {"content": lab.content("image", "IMG-2027-000001", "released")},
        keep=("personal", "files"),
        signer=signer,
        meaning="released",
        forge_statement=statement,
        forge_leaf={
            "actor": leaf_format.Actor(signer.id, uuid(f"session {signer.username}"), "password", behalf)
        },
    )
    return lab.verify(lab.bundle())


def test_a_signature_for_another_that_entry_and_statement_agree_on_holds_and_is_printed(lab: Lab) -> None:
    report = _entry(lab, lab.quinn, behalf=lab.pat.id, statement=_said(lab, lab.quinn, lab.pat))
    assert report.exit_code == HOLDS, report.text()


@pytest.mark.parametrize("case", ["entry only", "statement only", "another giver", "another name"])
def test_entry_and_statement_that_differ_in_whom_it_is_for_are_found(lab: Lab, case: str) -> None:
    quinn, pat, mia = lab.quinn, lab.pat, lab.mia
    behalf, statement = {
        "entry only": (pat.id, {}),
        "statement only": (None, _said(lab, quinn, pat)),
        "another giver": (mia.id, _said(lab, quinn, pat)),
        "another name": (pat.id, _said(lab, quinn, pat, name="Somebody Else")),
    }[case]
    report = _entry(lab, quinn, behalf=behalf, statement=statement)
    assert report.exit_code == FINDING, report.text()
    assert any("signed for" in one.sentence() for one in report.findings), report.text()


def test_a_giver_who_signs_an_entry_the_delegate_made_is_found(lab: Lab) -> None:
    """Whose session it was signs: naming the giver in the entry does not let the giver's key in."""
    lab.append(
        "image",
        uuid("image"),
        "release",
        lab.quinn,
        {"content": lab.content("image", "IMG-2027-000001", "released")},
        keep=("personal", "files"),
        signer=lab.pat,
        meaning="released",
        forge_leaf={"actor": leaf_format.Actor(lab.quinn.id, uuid("session quinn"), "password", lab.pat.id)},
    )
    report = lab.verify(lab.bundle())
    assert report.exit_code == FINDING
    assert any("but the entry was made by" in one.sentence() for one in report.findings), report.text()
