"""Specimens and containers in a whole laboratory: custody, aliquots, layouts."""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.errors import CoverslipError
from coverslip.kernel.change import Receipt
from fix_bench import (
    WHY,
    commands,
    day,
    layout,
    linked,
    plate,
    receive,
    specimen,
)
from fix_lab import LATER, TODAY, Lab, Person, refused
from fix_together import together

# --- specimens -------------------------------------------------------------------------------------


def test_a_specimen_is_received_under_the_label_expected_and_no_other(lab: Lab) -> None:
    number = specimen(lab, received=False, external_id="TUBE-77", quantity="5.0")
    entries = lab.entries()
    with refused("SEQ_PRE") as caught:
        receive(lab, number, scanned_label="TUBE-78")
    assert "You scanned TUBE-78; step expects TUBE-77. Nothing was recorded as done" in str(caught[0])
    assert lab.row(number).state == "registered"
    assert lab.entries() == entries + 1  # the refusal, and nothing else
    receive(lab, number, scanned_label="TUBE-77")
    assert lab.row(number).fields["custodian"]["number"] == lab.number_of("alan")


def test_the_chain_of_custody_names_giver_receiver_place_and_condition(lab: Lab) -> None:
    number = specimen(lab)
    lab.alan.do(number, "hand_over", receiver=lab.number_of("olga"), place="Cold room 2")
    assert lab.row(number).fields["custodian"]["number"] == lab.number_of("alan")
    lab.olga.do(number, "accept_custody", condition_at_handover="compromised")
    fields = lab.row(number).fields
    first, second = fields["custody"]
    assert first["receiver"]["number"] == lab.number_of("alan")
    assert "giver" not in first
    assert [second[k]["number"] for k in ("giver", "receiver")] == [
        lab.number_of("alan"),
        lab.number_of("olga"),
    ]
    assert (second["place"], second["condition"]) == ("Cold room 2", "compromised")
    assert second["at"] > first["at"]
    assert (fields["custodian"]["number"], fields["handover"]) == (lab.number_of("olga"), "none")


def test_a_temperature_at_receipt_carries_its_unit_and_stays_in_the_chain_of_custody(lab: Lab) -> None:
    number = specimen(lab, received=False)
    for wrong, code in (
        ({"value": "277.6", "unit": "K"}, "VAL_UNIT"),
        ({"value": "-300", "unit": "Cel"}, "VAL_RANGE"),
        ("4.5", "VAL_FORM"),
    ):
        with refused(code):
            receive(lab, number, temperature_at_receipt=wrong)
    receive(lab, number, temperature_at_receipt={"value": "4.5", "unit": "Cel"})
    assert lab.row(number).fields["custody"][0]["temperature"] == {"value": "4.5", "unit": "Cel"}


def test_only_the_receiver_accepts_and_only_the_holder_hands_over(lab: Lab) -> None:
    number = specimen(lab)
    with refused("AUTH_ROLE"):
        lab.olga.do(number, "hand_over", receiver=lab.number_of("olga"), place="Room 1")
    with refused("SEQ_PRE"):
        lab.alan.do(number, "hand_over", receiver=lab.number_of("alan"), place="Room 1")
    lab.alan.do(number, "hand_over", receiver=lab.number_of("olga"), place="Room 1")
    with refused("AUTH_ROLE"):
        lab.alan.do(number, "accept_custody", condition_at_handover="ok")
    with refused("SEQ_PRE"):
        lab.olga.do(number, "accept_custody")  # the condition is stated anew each time
    with refused("SEQ_PRE"):
        lab.alan.do(number, "take_out")
    lab.alan.do(number, "withdraw_handover", why=WHY)
    with refused("SEQ_PRE"):
        lab.olga.do(number, "accept_custody", condition_at_handover="ok")
    assert len(lab.row(number).fields["custody"]) == 1


def test_nobody_types_a_link_of_the_chain(lab: Lab) -> None:
    number = specimen(lab)
    row = {"receiver": lab.number_of("olga"), "place": "X", "condition": "ok", "at": f"{TODAY}T00:00:00Z"}
    with refused("VAL_FORM"):
        lab.alan.do(number, "edit", why=WHY, custody=[row])


def test_an_aliquot_is_a_specimen_of_its_own_taken_from_its_parent_at_once(lab: Lab) -> None:
    number = specimen(lab, quantity="5.00", expires=LATER)
    done = lab.alan.do(number, "take_aliquot", taken="1.25", aliquot_title="Section 7, part 1")
    (made,) = linked(lab, number, "specimen")
    aliquot, parent = lab.row(made), lab.row(number)
    assert parent.fields["quantity"] == "3.75"
    assert (aliquot.fields["quantity"], aliquot.fields["unit"]) == ("1.25", "mL")
    assert aliquot.fields["expires"] == LATER
    assert aliquot.fields["aliquot_of"]["number"] == number
    assert aliquot.fields["aliquot_of"]["version"] == parent.version
    assert {e.number for e in done.entries} == {number, made}
    assert len(commands(lab, number, made)) == 1


def test_no_aliquot_leaves_less_than_nothing(lab: Lab) -> None:
    number = specimen(lab, quantity="1.0")
    with refused("VAL_RANGE") as caught:
        lab.alan.do(number, "take_aliquot", taken="1.1", aliquot_title="Too much")
    assert "1.1 is outside 0–1.0 mL" in str(caught[0])
    lab.alan.do(number, "take_aliquot", taken="1.0", aliquot_title="All")
    with refused("VAL_REQ"):
        lab.alan.do(number, "take_aliquot", aliquot_title="The quantity is said each time")
    assert lab.row(number).fields["quantity"] == "0.0"
    assert len(linked(lab, number, "specimen")) == 1


def test_two_aliquots_taken_at_once_never_leave_less_than_nothing(lab: Lab) -> None:
    for _ in range(3):
        number = specimen(lab, quantity="1.0")
        version = lab.row(number).version

        def take(who: Person, number: str = number, version: int = version) -> Receipt:
            return who.do(number, "take_aliquot", version=version, taken="0.7", aliquot_title="A part")

        outcomes = together(lambda: take(lab.alan), lambda: take(lab.olga))
        lost = [o for o in outcomes if isinstance(o, CoverslipError)]
        assert [error.code for error in lost] == ["SIG_STALE"]
        assert lab.row(number).fields["quantity"] == "0.3"
        assert len(linked(lab, number, "specimen")) == 1


def test_an_expired_specimen_is_not_used(lab: Lab) -> None:
    number = specimen(lab, received=False, expires=day(-1), quantity="2")
    with refused("VAL_RANGE") as caught:
        receive(lab, number)
    assert f"Specimen expired {day(-1)}" in str(caught[0])
    good = specimen(lab, expires=day(0), quantity="2")
    lab.alan.do(good, "take_out")


def test_quarantine_stops_use_until_quality_releases(lab: Lab) -> None:
    number = specimen(lab)
    lab.alan.do(number, "quarantine", why=WHY)
    with refused("SEQ_STATE"):
        lab.alan.do(number, "take_out")
    with refused("AUTH_ROLE"):
        lab.alan.do(number, "release", sign=True, why=WHY)
    lab.vera.do(number, "release", sign=True, why=WHY)
    lab.alan.do(number, "take_out")


def test_a_specimen_on_hold_is_still_quarantined_but_not_used(lab: Lab) -> None:
    number = specimen(lab)
    lab.quinn.create("hold", subject=number, reason="Label doubtful.")
    with refused("HOLD"):
        lab.alan.do(number, "take_out")
    lab.alan.do(number, "quarantine", why=WHY)
    assert lab.row(number).state == "quarantined"


def test_two_people_dispose_and_only_after_the_day_it_is_kept_until(lab: Lab) -> None:
    number = specimen(lab)
    with refused("RETENTION") as caught:
        lab.alan.do(number, "dispose", sign=True, why=WHY, disposal_manner="Incinerated", keep_until=LATER)
    assert f"The specimen must be kept until {LATER}" in str(caught[0])
    lab.alan.do(number, "dispose", sign=True, why=WHY, disposal_manner="Incinerated", keep_until=day(0))
    with refused("AUTH_SELF"):
        lab.alan.do(number, "witness_disposal", sign=True)
    lab.olga.do(number, "witness_disposal", sign=True)
    assert lab.row(number).state == "disposed"


# --- containers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ({"position": "I01"}, "SEQ_PRE", "I01"),
        ({"position": "A13"}, "SEQ_PRE", "A13"),
        ({"position": "C5"}, "SEQ_PRE", "C5"),
        ({"position": "A01"}, "DUP", "A01 is given once, unless pooled"),
    ],
)
def test_a_layout_with_a_position_that_is_not_there_or_twice_is_not_kept(
    lab: Lab, more: dict[str, Any], code: str, said: str
) -> None:
    with refused(code) as caught:
        plate(lab, checked=False, layout=layout(lab, **more))
    assert said in str(caught[0])


def test_a_plate_is_checked_by_a_second_person_and_with_its_controls(lab: Lab) -> None:
    bare = plate(lab, checked=False, layout=layout(lab)[2:])
    with refused("SEQ_PRE") as caught:
        lab.olga.do(bare, "qc_check", sign=True)
    assert "1 pos control (there are 0) and 1 neg control (there are 0)" in str(caught[0])
    full = plate(lab, checked=False)
    with refused("AUTH_SELF"):
        lab.alan.do(full, "qc_check", sign=True)
    lab.olga.do(full, "qc_check", sign=True)


def test_the_layout_is_fixed_once_imaged_and_amended_only_with_a_reason_and_a_second_person(lab: Lab) -> None:
    number = plate(lab)
    session = lab.new_session(containers=[number])
    lab.start_session(session)
    assert lab.row(number).state == "loaded"
    lab.alan.do(session, "complete")
    assert lab.row(number).state == "imaged"
    assert len(commands(lab, number, session)) == 1
    other = layout(lab, position="C06")
    with refused("LOCKED"):
        lab.alan.do(number, "edit", why=WHY, layout=other)
    with refused("SEQ_STATE"):
        lab.olga.do(number, "return_to_preparation", why=WHY)
    reason = "The robot was started one column late, as its log shows."
    with refused("VAL_REQ"):
        lab.rex.do(number, "amend_layout", sign=True, why=reason, layout=other)
    impact = "RES-2026-00001 gave C05 for C06; evaluated again."
    with refused("REASON"):
        lab.rex.do(number, "amend_layout", sign=True, why="typo", layout=other, amendment_impact=impact)
    lab.rex.do(number, "amend_layout", sign=True, why=reason, layout=other, amendment_impact=impact)
    with refused("AUTH_SELF"):
        lab.rex.do(number, "verify_amendment", sign=True)
    lab.rita.do(number, "verify_amendment", sign=True)
    row = lab.row(number)
    assert (row.state, row.fields["layout_version"]) == ("imaged", 2)


def test_nothing_is_acquired_from_a_container_nobody_checked(lab: Lab) -> None:
    number = plate(lab, checked=False)
    session = lab.new_session(containers=[number])
    with refused("SEQ_PRE") as caught:
        lab.start_session(session)
    assert f"Container {number} is checked (it is prepared)" in str(caught[0])
