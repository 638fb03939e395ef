"""What is built on a record lengthens its period; what merely speaks of it does not."""

from __future__ import annotations

from typing import Any

from fix_lab import Lab
from fix_retention import EVENT, over


def told(lab: Lab, number: str) -> dict[str, Any]:
    return lab.services().retaining.one(lab.row(number))


def image_of(lab: Lab, study: str) -> str:
    """Return an available image of a study of its own, taken while the study went on."""
    session = lab.new_session(study=study)
    lab.start_session(session)
    image = lab.new_image(session, study)
    return image


def studied(lab: Lab) -> tuple[str, str]:
    """Return a study whose retention is over, and an image of it."""
    study = lab.new_study("glp")
    lab.start_study(study)
    image = image_of(lab, study)
    lab.quinn.do(study, "terminate", sign=True, why="The sponsor has withdrawn.")
    return over(lab, study), image


def found_wrong(lab: Lab, image: str) -> str:
    """Return a deviation that rests on an image."""
    at = lab.accounts.now()
    return lab.alan.create(
        "deviation", title="Filter differs", kind="unplanned", found_at=at, occurred_at=at, place="Room 2",
        what="The emission filter was another.", immediate_action="Stopped.", consequence=2, extent=1,
        affected=[image],
    )  # fmt: skip


def test_a_raw_image_is_kept_as_long_as_anything_built_on_it(lab: Lab) -> None:
    study, image = studied(lab)
    assert told(lab, image)["keep_until"] == "2022-01-31"
    assert told(lab, image)["due"]
    deviation = found_wrong(lab, image)
    found = told(lab, image)
    assert found["open"]
    assert f"waiting for: deviation expiry (211.180(a), {deviation})" in found["sentence"]
    assert {clock["record"] for clock in found["clocks"]} == {study, deviation}


def test_what_the_image_came_from_is_kept_with_it(lab: Lab) -> None:
    study, image = studied(lab)
    session = str(lab.row(image).fields["session"]["number"])
    assert told(lab, session)["due"]
    assert told(lab, study)["due"]
    found_wrong(lab, image)
    assert told(lab, session)["open"]
    assert told(lab, study)["open"]
    assert told(lab, over(lab))["due"]


def test_holds_disposals_and_legal_holds_lengthen_nothing(lab: Lab) -> None:
    _, image = studied(lab)
    before = told(lab, image)["clocks"]
    hold = lab.quinn.create("hold", subject=image, reason="A question is open about it.")
    lab.quinn.create(
        "legal_hold", sign=True, title="Inquiry", ground="inspection", reason="Asked.", asked_by="Counsel",
        subjects=[image],
    )  # fmt: skip
    lab.vera.create(
        "disposal", title="Old", basis="SOP.", owner=lab.number_of("sam"), records=[image], archive_check="ok"
    )
    found = told(lab, image)
    assert found["clocks"] == before
    assert not found["due"]
    assert (found["on_hold"], len(found["preserved_by"])) == ([hold], 1)


def test_an_event_entered_later_moves_everything_that_belongs_to_the_study(lab: Lab) -> None:
    study, image = studied(lab)
    assert told(lab, image)["keep_until"] == "2022-01-31"
    lab.quinn.do(study, "record_events", why="A second product was approved.", retention_events=[
        EVENT | {"event": "approval", "on": "2025-06-30"}
    ])  # fmt: skip
    assert told(lab, image)["keep_until"] == told(lab, study)["keep_until"] == "2027-06-30"
    entry = lab.history(study)[-1]
    assert entry["sections"]["reason"] == "A second product was approved."


def test_a_sandbox_record_is_asked_by_no_rule(lab: Lab) -> None:
    study = lab.new_study("sandbox")
    assert "sandbox, not regulated" in told(lab, study)["sentence"]
