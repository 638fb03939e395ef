"""Quality at work: deviations, nonconformity, corrective action, changes, an incident."""

from __future__ import annotations

from typing import Any

from coverslip.cli.demo.playing import Play, Player
from coverslip.records.quality.change import AREAS


def investigated_deviation(play: Play) -> None:
    """The failed check is investigated by engineering, with cause and impact, for review."""
    number = play.n["qc_deviation"]
    engineer = play.people["elif"]
    play.quinn.act(number, "assign", owner=engineer.number)
    affected = play.quinn.show(number)["fields"].get("affected", [])
    engineer.edit(
        number,
        "Writing down what was found.",
        root_cause=[
            {
                "method": "five_why",
                "category": "equipment",
                "cause": "The light guide is aged; its end is cloudy.",
            }
        ],
        other_batches="The sessions of this microscope since its last good check were looked at one by one.",
        impact=[
            {"record": one["number"], "assessment": "No image of it was used for a result."}
            for one in affected
        ],
        actions=[{"action": "Replace the light guide", "owner": engineer.number, "due": play.on(3)}],
    )
    engineer.sign(number, "submit")


def minor_deviation(play: Play) -> None:
    """A small one, found and closed within two weeks by those who must."""
    at = play.clock.stamp()
    number = play.alan.create(
        "deviation",
        title="Room 12 was 2 degrees warmer than written",
        kind="unplanned",
        found_at=at,
        occurred_at=at,
        place="Room 12",
        what="The room was at 24 degrees for an hour; the procedure says 20 to 22.",
        immediate_action="Imaging waited until the room was at 22 degrees.",
        consequence=1,
        extent=1,
        affected=[play.n["session_2"]],
    )
    engineer = play.people["elif"]
    play.vera.act(number, "assign", owner=engineer.number)
    engineer.edit(
        number,
        "Writing down what was found.",
        root_cause=[{"method": "five_why", "category": "environment", "cause": "The door stood open."}],
        other_batches="No other session ran in that hour.",
        impact=[
            {"record": play.n["session_2"], "assessment": "Began after the room had cooled; nothing follows."}
        ],
    )
    engineer.sign(number, "submit")
    play.quinn.sign(number, "approve")
    engineer.edit(
        number,
        "The action is done.",
        actions=[
            {"action": "A door closer was fitted", "done_on": play.on(), "evidence": "Photograph of the door"}
        ],
    )
    play.rita.sign(number, "verify")
    play.vera.sign(number, "close_minor")
    play.n["deviation_minor"] = number


def open_deviation(play: Play) -> None:
    """One raised today that nobody has been assigned to."""
    at = play.clock.stamp()
    play.n["deviation_open"] = play.omar.create(
        "deviation",
        title="Lens tissue of another maker was used",
        kind="unplanned",
        found_at=at,
        occurred_at=at,
        place="Room 12",
        what="The tissue named in the instruction had run out; another one was used on the 40x objective.",
        immediate_action="The objective was looked at; no scratch is seen.",
        consequence=2,
        extent=1,
        affected=[play.n["session_2"]],
    )


def nonconformity(play: Play) -> None:
    """A box of plates with scratches: contained, classified, and before the review board."""
    box = play.omar.create(
        "container", title="Box 7 of empty plates", kind="plate", format="96", critical=False
    )
    number = play.omar.create(
        "ncr",
        title="Plates with scratched bottoms, box 7",
        source="incoming",
        subject=box,
        requirement="No scratch in the field of view.",
        actual="Scratches on 12 of 50 plates.",
        quantities=[{"item": "Plates of box 7", "quantity": 50, "unit": "pieces"}],
        defect_codes=["scratch"],
        consequence=2,
        extent=2,
    )
    play.petra.act(
        number, "contain", containment="Box 7 is closed, marked and stands on the quarantine shelf."
    )
    play.quinn.act(number, "start_review")
    board = play.people["elif"].create(
        "disposition",
        ncr=number,
        lines=[{"item": "Plates of box 7", "quantity": 50, "action": "return_to_supplier"}],
        justification="Scratches cannot be removed and the supplier takes the box back.",
    )
    play.quinn.act(board, "open_vote")
    play.quinn.sign(board, "vote_qa")
    play.n |= {"ncr": number, "board": board}


def corrective_action(play: Play) -> None:
    """An 8D that stands at the root cause: containment approved, cause signed by its owner."""
    engineer = play.people["elif"]
    number = play.quinn.create(
        "capa",
        title="Uneven light was found by the weekly check only",
        kind="corrective",
        owner=engineer.number,
        sources=[play.n["qc_deviation"]],
        team=[
            {"person": play.omar.number, "role": "Operator"},
            {"person": play.mia.number, "role": "Metrology"},
        ],
        problem=[
            {"aspect": "what", "is_": "Dark lower left corner", "is_not": "Out of focus"},
            {"aspect": "where", "is_": "Room 14", "is_not": "Room 12"},
        ],
    )
    for act in ("take_on", "sign_team", "sign_problem"):
        engineer.sign(number, act)
    engineer.edit(
        number,
        "What contains it is done.",
        containment=[
            {
                "action": "Both microscopes are checked before each session",
                "done_on": play.on(),
                "evidence": "Sheet of checks, room 12",
                "effective": True,
            }
        ],
    )
    engineer.sign(number, "sign_containment")
    play.quinn.sign(number, "approve_containment")
    engineer.edit(
        number,
        "What was found out about the cause.",
        root_cause=[
            {"aspect": "occurrence", "cause": "The light guide ages.", "shown_by": "A new one is even."},
            {
                "aspect": "escape",
                "cause": "Evenness is looked at once a week.",
                "shown_by": "The plan of checks.",
            },
            {
                "aspect": "systemic",
                "cause": "Light guides are not on the maintenance plan.",
                "shown_by": "The plan.",
            },
        ],
        cause_code="light_guide",
    )
    engineer.sign(number, "sign_root_cause")
    play.n["capa"] = number


def change_plates(play: Play) -> None:
    """A change of the plates' supplier, assessed; areas answer one by one."""
    play.n["change_plates"] = _change(
        play,
        play.petra,
        "Plates of another maker",
        "part",
        "Plates of 96 wells come from Clearwell instead of the maker before.",
        "The maker before stops making them.",
        play.people["elif"],
    )


def change_counting(play: Play) -> None:
    """A change of the counting procedure: its new version is written under it."""
    number = _change(
        play,
        play.aurel,
        "A second analyst looks at flagged fields",
        "document",
        "The counting procedure asks for a second analyst where a field is flagged.",
        "A flagged field was interpreted by one person only.",
        play.dora,
        affected=[f"{play.n['sop_counting']} v1"],
    )
    play.aurel.sign(number, "submit")
    play.dora.sign(number, "review_area")
    play.quinn.sign(number, "approve")
    play.aurel.act(number, "implement")
    play.n["change"] = number


def _change(
    play: Play, by: Player, title: str, kind: str, what: str, why: str, owner: Player, **more: Any
) -> str:
    impact: list[dict[str, Any]] = [
        {"area": area, "effect": "none", "why": "It is not touched."} for area in AREAS
    ]
    impact[0] = {
        "area": AREAS[0],
        "effect": "To be watched",
        "action": "Compare ten fields",
        "owner": owner.number,
    }
    return str(
        by.create(
            "change",
            title=title,
            kind=kind,
            description=what,
            reason=why,
            change_class="minor",
            impact=impact,
            plan=[
                {"action": "Compare ten fields before and after", "owner": owner.number, "due": play.on(10)}
            ],
            test_plan="Ten fields, counted before and after.",
            rollback="What was before stays at hand for a month.",
            effective_from=play.on(21),
            **more,
        )
    )


def incident(play: Play) -> None:
    """The computer of room 14 stood still; security investigates."""
    number = play.omar.create(
        "incident",
        title="Acquisition computer of room 14 stood still",
        kind="system",
        detected_at=play.clock.stamp(),
        detected_by="The operator at the bench",
        what="Images were no longer written: the disk was full.",
        severity="medium",
        containment="The session was aborted, copies were cleared.",
    )
    play.sofia.act(number, "assign", owner=play.sofia.number)
    play.n["incident"] = number
