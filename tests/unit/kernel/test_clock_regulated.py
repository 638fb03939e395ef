"""On a regulated installation people sign only while the clock is known to be right; entries go on."""

from __future__ import annotations

import pytest

from coverslip.kernel.clock import ClockState
from fix_lab import TODAY, Lab, refused


def letter(lab: Lab) -> str:
    """Return a certification letter that waits for its signature."""
    number = lab.quinn.create(
        "certification_letter",
        organisation="Test Lab",
        sites=["SITE-01"],
        statement="Our signatures bind.",
        signed_by="Q",
        addressee="FDA",
        channel="electronic",
        covers_from=TODAY.isoformat(),
    )
    lab.quinn.do(number, "sign_on_paper", handwritten_scan=lab.attach())
    lab.quinn.do(number, "send", sent_on=TODAY.isoformat())
    return number


@pytest.mark.parametrize(
    "clock",
    [
        ClockState(),
        ClockState(0, "chrony", False),
        ClockState(1_000_001, "chrony", True),
        ClockState(-2_000_000, "sntp", True),
    ],
    ids=repr,
)
def test_with_a_clock_not_known_to_be_right_nobody_signs(production_lab: Lab, clock: ClockState) -> None:
    lab = production_lab
    lab.state["clock"] = clock
    number = letter(lab)  # entries without a signature go on
    before = lab.row(number).version
    with refused("CLOCK"):
        lab.quinn.do(number, "acknowledge", sign=True)
    assert lab.row(number).version == before
    assert [d["code"] for d in lab.refusals(number)] == ["CLOCK"]


@pytest.mark.parametrize("offset", [0, 999_999, -1_000_000])
def test_within_a_second_of_a_named_source_people_sign(production_lab: Lab, offset: int) -> None:
    lab = production_lab
    lab.state["clock"] = ClockState(offset, "chrony", True)
    number = letter(lab)
    lab.quinn.do(number, "acknowledge", sign=True)
    assert lab.row(number).state == "acknowledged_on_file"


def test_what_the_clock_was_is_in_every_entry(production_lab: Lab) -> None:
    lab = production_lab
    lab.state["clock"] = ClockState(1234, "chrony", True)
    letter(lab)
    leaf = lab.ask(
        "select convert_from(leaf, 'UTF8')::jsonb -> 'clock' from ledger.entry order by id desc limit 1"
    )
    assert leaf[0][0] == {"off_us": 1234, "src": "chrony", "ok": True}
