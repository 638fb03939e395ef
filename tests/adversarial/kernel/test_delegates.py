"""A duty lent: the delegate acts for the giver, both count, and nothing outlives the giver's own right."""

from __future__ import annotations

import datetime as dt
from typing import Any

from coverslip.kernel import history
from coverslip.kernel.change import Change
from coverslip.kernel.view import render
from fix_lab import SHOWN, TODAY, Lab, refused
from fix_view import signed_by


def _lend(lab: Lab, giver: str, taker: str, role: str, days: int = 30) -> str:
    """Lend a role and let it begin."""
    number = lab.person(giver).create(
        "delegation",
        giver=lab.number_of(giver),
        taker=lab.number_of(taker),
        role=f"ROLE-{role}",
        start=TODAY.isoformat(),
        end=(TODAY + dt.timedelta(days=days)).isoformat(),
        reason="On leave, and work goes on meanwhile.",
    )
    lab.person(giver).do(number, "give", sign=True)
    lab.person(taker).do(number, "accept", sign=True)
    lab.machine(number, "begin")
    return number


def _join(lab: Lab, username: str, name: str, *roles: str) -> None:
    lab.invite(username, name, roles)
    lab.acknowledge(username, lab.number_of(username))


def _sop() -> dict[str, Any]:
    return {
        "title": "Delegated review",
        "criticality": "gxp",
        "body": "Count what is there.",
        "change_summary": "First version.",
        "training_depth": "none",
        "audience": ["ROLE-ANL"],
    }


def _dated(lab: Lab, author: str = "aurel") -> str:
    date = (TODAY + dt.timedelta(days=9)).isoformat()
    number = lab.person(author).create("document_sop", **_sop(), effective_date=date)
    lab.person(author).do(number, "submit", sign=True)
    return number


def test_a_delegate_reviews_for_the_giver_and_everything_names_both(lab: Lab) -> None:
    lent = _lend(lab, "rita", "olga", "REV")
    number = _dated(lab)
    lab.olga.do(number, "review", sign=True)
    entry = lab.history(number)[-1]
    assert (entry["actor"], entry["behalf"]) == (lab.olga.uid, lab.rita.uid)
    assert lab.row(number).people["signed_reviewed"] == [lab.olga.uid, lab.rita.uid]
    shown = history.manifests(lab.history(number))[-1]
    assert f"Olga Operator for Rita Reviewer, delegation {lent} (REV)" in shown["text"]
    row = lab.row(number)
    printed = render(lab.door.catalogue.under(row.type, row.definition), row, [shown])
    said = signed_by(printed, "Olga Operator")
    assert (said["As"], said["For"]) == ("Technical reviewer", "Rita Reviewer")
    assert said["By delegation"] == lent
    assert entry["sections"]["signature"]["statement"]["signer"]["behalf"]["person"] == lab.rita.uid


def test_without_the_delegation_the_same_person_is_refused(lab: Lab) -> None:
    with refused("AUTH_ROLE"):
        lab.alan.do(_dated(lab), "review", sign=True)


def test_who_the_giver_may_not_be_the_delegate_may_not_be_either(lab: Lab) -> None:
    """Rex wrote the document and may not review it; nor may anybody for him."""
    _lend(lab, "rex", "sam", "REV")
    with refused("AUTH_SELF") as said:
        lab.sam.do(_dated(lab, "rex"), "review", sign=True)
    assert "the person you act for" in said[0].message
    lab.sam.do(_dated(lab), "review", sign=True)


def test_who_did_it_for_another_may_not_do_what_asks_a_third_person(lab: Lab) -> None:
    """Vera reviewed for Rita; neither she nor Rita approves what was reviewed, although Vera is QA."""
    _lend(lab, "rita", "vera", "REV")
    number = _dated(lab)
    lab.vera.do(number, "review", sign=True)
    with refused("AUTH_SELF"):
        lab.vera.do(number, "approve", sign=True)
    lab.quinn.do(number, "approve", sign=True)


def test_what_a_person_holds_themselves_wins_over_what_is_lent(lab: Lab) -> None:
    _lend(lab, "rita", "rex", "REV")
    number = _dated(lab)
    lab.rex.do(number, "review", sign=True)
    assert lab.history(number)[-1]["behalf"] == ""


def test_a_delegate_acts_no_longer_once_the_giver_has_lost_the_role(lab: Lab) -> None:
    """The delegate's session has just acted: what is held of their authority is over with the giver's."""
    _join(lab, "gina", "Gina Giver", "REV")
    _lend(lab, "gina", "mia", "REV")
    lab.mia.do(_dated(lab), "review", sign=True)
    grant = next(
        r for r in lab.reading.linked(lab.person("gina").uid)
        if r.type == "role_grant" and r.state == "active" and r.fields["role"]["number"] == "ROLE-REV"
    )  # fmt: skip
    lab.quinn.do(grant.number, "revoke", sign=True, why="Gina has left the department.")
    with refused("AUTH_ROLE"):
        lab.mia.do(_dated(lab), "review", sign=True)


def test_the_giver_losing_the_role_between_reading_and_writing_stops_the_delegate(lab: Lab) -> None:
    _join(lab, "gwen", "Gwen Giver", "REV")
    _lend(lab, "gwen", "nora", "REV")
    number = _dated(lab)
    grant = next(
        r for r in lab.reading.linked(lab.person("gwen").uid)
        if r.type == "role_grant" and r.state == "active" and r.fields["role"]["number"] == "ROLE-REV"
    )  # fmt: skip
    original, seen = lab.store.commit, list[int]()

    def late(batch: Any) -> Any:
        if not seen:
            seen.append(1)
            lab.quinn.do(grant.number, "revoke", sign=True, why="Revoked while she was signing.")
        return original(batch)

    lab.store.commit = late  # type: ignore[method-assign]
    try:
        with refused("AUTH_ROLE"):
            change = Change("review", number=number, expected_version=lab.row(number).version, shown=SHOWN)
            lab.nora.submit(change, lab.nora.credential)
    finally:
        lab.store.commit = original  # type: ignore[method-assign]
    assert lab.row(number).state == "in_review"


def test_what_is_lent_is_not_lent_on(lab: Lab) -> None:
    _join(lab, "gus", "Gus Giver", "REV")
    _join(lab, "tom", "Tom Taker")
    _lend(lab, "gus", "tom", "REV")
    with refused("SEQ_PRE"):
        _lend(lab, "tom", "nora", "REV")


def test_an_ended_delegation_ends_at_once(lab: Lab) -> None:
    _join(lab, "ted", "Ted Taker")
    lent = _lend(lab, "rita", "ted", "REV")
    lab.person("ted").do(_dated(lab), "review", sign=True)
    lab.rita.do(lent, "end_early", sign=True, why="I am back from leave.")
    with refused("AUTH_ROLE"):
        lab.person("ted").do(_dated(lab), "review", sign=True)


def test_every_projection_is_what_the_ledger_says(lab: Lab) -> None:
    assert lab.replay() == []
