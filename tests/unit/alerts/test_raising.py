"""An alert is a record: raised once per happening, by the installation, and answered for by a person."""

from __future__ import annotations

import pytest

from coverslip.errors import Invalid
from fix_lab import Lab, refused
from fix_together import together


def raised(lab: Lab, bucket: str, **more: object) -> str:
    return lab.alerts().raise_alert(
        "environment", "warning", f"Something happened: {bucket}.", bucket=bucket, **more
    )  # type: ignore[arg-type]


def test_an_alert_is_a_numbered_record_that_waits_for_a_person(lab: Lab) -> None:
    number = raised(lab, "first", about=[lab.n["sop"]], evidence={"count": 3})
    row = lab.row(number)
    assert number.startswith("ALR-") and row.state == "open"
    assert row.fields["recipients"] == ["SEC", "QA"]
    assert row.fields["about"][0]["number"] == lab.n["sop"]
    assert row.fields["raised_at"] < row.fields["escalate_at"]
    assert lab.replay() == []


def test_one_happening_is_one_alert_however_often_and_by_however_many_it_is_raised(lab: Lab) -> None:
    number = raised(lab, "again")
    assert raised(lab, "again") == number
    numbers = together(*[lambda: raised(lab, "at once")] * 6)
    assert len(set(numbers)) == 1, numbers
    assert raised(lab, "another") not in numbers


def test_without_a_bucket_kind_records_and_day_are_the_happening(lab: Lab) -> None:
    alerts = lab.alerts()
    first = alerts.raise_alert("clock", "critical", "The clock is off.", [lab.n["sop"]])
    assert alerts.raise_alert("clock", "critical", "The clock is still off.", [lab.n["sop"]]) == first
    assert alerts.raise_alert("anchor", "critical", "No anchor.", [lab.n["sop"]]) != first
    assert alerts.raise_alert("clock", "critical", "The clock is off.") != first


def test_what_is_no_kind_of_alert_is_refused_and_not_guessed(lab: Lab) -> None:
    with pytest.raises(Invalid):
        lab.alerts().raise_alert("weather", "critical", "It rains.")
    with pytest.raises(Invalid):
        lab.alerts().raise_alert("clock", "terrible", "It is late.", bucket="late")


def test_people_cannot_raise_an_alert_nor_change_what_it_says(lab: Lab) -> None:
    with refused("AUTH_ROLE"):
        lab.aurel.create("alert", kind="clock", severity="notice", what="All is well.", bucket="mine")
    number = raised(lab, "unchanging")
    for person in (lab.ada, lab.aurel, lab.quinn):
        with refused("LOCKED"):
            person.do(number, "edit", why="It should not say this.", what="All is well.")


def test_a_responsible_person_acknowledges_with_what_was_done_and_then_closes(lab: Lab) -> None:
    number = raised(lab, "answered")
    with refused("VAL_REQ"):
        lab.aurel.do(number, "acknowledge")
    lab.aurel.do(number, "acknowledge", action="Looked at the rack; a fan had stopped. Replaced it.")
    acknowledged = [e for e in lab.history(number) if e["act"] == "acknowledge"][-1]
    assert acknowledged["actor"] == lab.aurel.uid and acknowledged["at"]
    with refused("SEQ_STATE"):
        lab.quinn.do(number, "acknowledge", action="Looked at it once more, the same.")
    lab.quinn.do(number, "close", sign=True, why="The fan runs again.")
    assert lab.row(number).state == "closed"


def test_neither_others_nor_the_service_nor_the_person_concerned_acknowledge(lab: Lab) -> None:
    number = raised(lab, "about aurel", concerns=[lab.number_of("aurel")])
    done = "Nothing to see here, move along."
    with refused("AUTH_ROLE"):
        lab.alan.do(number, "acknowledge", action=done)
    with refused("AUTH_ROLE"):
        lab.machine(number, "acknowledge", action=done)
    with refused("AUTH_SELF"):
        lab.aurel.do(number, "acknowledge", action=done)
    with refused("SEQ_STATE"):
        lab.quinn.do(number, "close", why="Closed without a look.")
    lab.quinn.do(number, "acknowledge", action="Asked Aurel; it was a mistyped password.")
    with refused("AUTH_SELF"):
        lab.aurel.do(number, "close", why="It was only me.")


def test_only_the_person_concerned_says_whether_it_was_them(lab: Lab) -> None:
    number = raised(lab, "asked", concerns=[lab.number_of("nora")])
    with refused("AUTH_ROLE"):
        lab.alan.do(number, "answer", owner_says="it_was_me")
    lab.nora.do(number, "answer", owner_says="it_was_not_me")
    assert lab.row(number).fields["owner_says"] == "it_was_not_me"
    assert lab.row(number).state == "open"


def test_a_type_without_a_sequence_of_its_own_draws_numbers_that_never_repeat(lab: Lab) -> None:
    assert lab.ask("select to_regclass('ops.number_alr')") == [(None,)]
    numbers = together(*[lambda n=n: raised(lab, f"number {n}") for n in range(8)])
    assert len(set(numbers)) == 8


def test_what_happens_after_an_alert_was_answered_is_raised_again_and_once(lab: Lab) -> None:
    before = lab.accounts.now()
    number = raised(lab, "hourly", at=before)
    assert raised(lab, "hourly", at=lab.accounts.now()) == number, "while nobody answered, one is enough"
    unanswered = lab.accounts.now()
    lab.aurel.do(number, "acknowledge", action="Looked at it; nothing was taken.")
    later = lab.accounts.now()
    numbers = together(*[lambda: raised(lab, "hourly", at=later)] * 4)
    assert len(set(numbers)) == 1 and numbers[0] != number
    lab.quinn.do(number, "close", sign=True, why="Nothing was taken.")
    assert raised(lab, "hourly", at=later) == numbers[0], "looked at again, it is told already"
    assert raised(lab, "hourly", at=before) == raised(lab, "hourly", at=unanswered) == number
    lab.aurel.do(numbers[0], "acknowledge", action="Looked at it a second time.")
    assert raised(lab, "hourly", at=later) == numbers[0]
    assert raised(lab, "hourly", at=lab.accounts.now()) not in (number, numbers[0])


def test_an_answer_of_the_person_concerned_silences_nothing(lab: Lab) -> None:
    number = raised(lab, "theirs", concerns=[lab.number_of("nora")], at=lab.accounts.now())
    lab.aurel.do(number, "acknowledge", action="Asked her for an answer.")
    later = lab.accounts.now()
    lab.nora.do(number, "answer", owner_says="it_was_me")
    assert raised(lab, "theirs", at=later) != number


def test_what_has_no_time_of_its_own_is_raised_once_however_it_was_answered(lab: Lab) -> None:
    number = raised(lab, "daily")
    lab.aurel.do(number, "acknowledge", action="Looked at it; nothing was taken.")
    assert raised(lab, "daily") == number
