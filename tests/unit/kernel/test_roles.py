"""Roles in words: nobody is told a code, nor to be the installation."""

from __future__ import annotations

import datetime as dt

from coverslip.kernel import roles
from coverslip.records.founding import ROLES
from fix_lab import TODAY, Lab, refused


def test_every_shipped_role_has_its_title_from_one_place() -> None:
    assert {code: title for code, (title, _) in ROLES.items()} == dict(roles.TITLES)
    assert all(duty.endswith(".") for _, duty in ROLES.values())


def test_what_no_person_can_hold_is_named_only_where_nothing_else_would_do() -> None:
    assert roles.any_of(("SVC", "DEV", "OPR")) == "Operator"
    assert roles.any_of(("SVC",)) == "of the installation itself"
    assert roles.any_of(("SVC", "DEV")) == "of the installation itself or of a registered instrument"
    assert roles.remedy(("SVC", "DEV")) and not roles.remedy(("SVC", "OPR")) and not roles.remedy(())


def test_a_role_of_the_sites_own_is_called_by_its_code() -> None:
    assert (roles.title("HISTOLOGY"), roles.all_of(())) == ("HISTOLOGY", "none")


def test_a_refusal_says_roles_in_words(lab: Lab) -> None:
    sop = lab.new_sop()
    lab.aurel.do(sop, "submit", sign=True)
    with refused("AUTH_ROLE") as said:
        lab.aurel.do(sop, "review", sign=True)
    wanted, held = "Technical reviewer", "Author, Security officer, Training administrator"
    assert said[0].message == f"You need the role {wanted} to review {sop} v1. You hold: {held}."
    assert said[0].remedy == f"Ask a person who holds {wanted} to do it, or have the role granted."


def test_what_only_the_installation_does_asks_nobody_to_do_it(lab: Lab) -> None:
    sop = lab.new_sop(effective_date=(TODAY + dt.timedelta(days=9)).isoformat())
    lab.aurel.do(sop, "submit", sign=True)
    with refused("AUTH_ROLE") as said:
        lab.quinn.do(sop, "make_effective")
    assert "of the installation itself" in said[0].message and "SVC" not in said[0].message
    assert said[0].remedy == "Nobody does this by hand: it happens by itself."
