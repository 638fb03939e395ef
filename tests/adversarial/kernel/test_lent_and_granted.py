"""What is lent counts where roles exclude each other, in whichever order lending and granting come."""

from __future__ import annotations

import datetime as dt

from fix_lab import TODAY, Lab, refused

TOMORROW = (TODAY + dt.timedelta(days=1)).isoformat()


def _asked(lab: Lab, giver: str, taker: str, role: str) -> str:
    number = lab.person(giver).create(
        "delegation",
        giver=lab.number_of(giver),
        taker=lab.number_of(taker),
        role=f"ROLE-{role}",
        start=TODAY.isoformat(),
        end=(TODAY + dt.timedelta(days=30)).isoformat(),
        reason="On leave, and work goes on meanwhile.",
    )
    lab.person(giver).do(number, "give", sign=True)
    return number


def _roles(lab: Lab, username: str) -> set[str]:
    held = lab.ask(
        "select code from projection.authority where person = %s and kind = 'role'", lab.person(username).uid
    )
    return {str(row[0]) for row in held}


def test_nobody_to_whom_review_is_lent_becomes_administrator(lab: Lab) -> None:
    number = _asked(lab, "rita", "nora", "REV")
    lab.nora.do(number, "accept", sign=True)
    asked = lab.quinn.create(
        "role_grant", person=lab.number_of("nora"), role="ROLE-ADM", justification="Needed here."
    )
    lab.machine(number, "begin")
    with refused("SEQ_PRE") as said:
        lab.vera.do(asked, "approve", sign=True)
    assert "segregation of duties" in said[0].message
    with refused("SEQ_PRE"):
        lab.quinn.create("role_grant", person=lab.number_of("nora"), role="ROLE-ADM", justification="Again.")
    assert _roles(lab, "nora") == {"REV"}
    lab.nora.do(number, "end_early", sign=True, why="No longer needed by anybody here.")
    lab.vera.do(asked, "approve", sign=True)
    assert _roles(lab, "nora") == {"ADM"}


def test_nothing_that_excludes_it_is_lent_to_somebody_who_will_be_administrator(lab: Lab) -> None:
    asked = lab.quinn.create(
        "role_grant", person=lab.number_of("sam"), role="ROLE-ADM", justification="Needed.", start=TOMORROW
    )
    lab.vera.do(asked, "approve", sign=True)
    number = _asked(lab, "rita", "sam", "REV")
    with refused("SEQ_PRE") as said:
        lab.sam.do(number, "accept", sign=True)
    assert "segregation of duties" in said[0].message


def test_nobody_asks_for_a_role_for_whom_they_act_for(lab: Lab) -> None:
    number = _asked(lab, "quinn", "mia", "QA")
    lab.vera.do(number, "approve", sign=True)
    lab.mia.do(number, "accept", sign=True)
    lab.machine(number, "begin")
    fields = {"role": "ROLE-TRN", "justification": "Needed here."}
    with refused("AUTH_SELF") as said:
        lab.mia.create("role_grant", person=lab.number_of("quinn"), **fields)
    assert "someone other than its holder" in said[0].message
    lab.mia.create("role_grant", person=lab.number_of("alan"), **fields)
