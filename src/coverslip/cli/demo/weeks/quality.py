"""Quality at work: deviations, nonconformity, CAPA, change, complaint, audit, suppliers, risks."""

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


def complaint(play: Play) -> None:
    """A sponsor complains; quality triages, decides on reportability, engineering investigates."""
    number = play.sam.create(
        "complaint",
        title="Counts twice as high as by hand",
        received_at=play.clock.stamp()[:19] + "Z",
        channel="e_mail",
        complainant_name="Dr. A. Customer",
        complainant_address="2 Hospital Way",
        product="Report on nuclei per field",
        nature="For one field we count half as many by hand.",
        allegation="data",
        retention_class="DRUG",
        concerns=[play.n["run_1"]],
    )
    play.quinn.act(number, "triage", investigation_needed="yes")
    play.vera.sign(
        number,
        "decide_reportability",
        reportable="no",
        reportable_because="Nobody was harmed and nobody could have been.",
    )
    play.people["elif"].act(number, "investigate")
    play.n["complaint"] = number


def audit(play: Play) -> None:
    """An internal audit of the bench: reported, with two findings, one answered."""
    number = play.quinn.create(
        "audit",
        title="Microscope rooms, logbooks and labels",
        kind="internal",
        scope="Logbooks, labels and checks of both microscopes.",
        area="Bench",
        auditees=[play.omar.number, play.alan.number],
        auditors=[play.vera.number],
        criteria=[f"{play.n['sop_imaging']} v1"],
        planned_on=play.on(),
        plan="A morning in both rooms with the logbooks.",
    )
    asked = {"question": "Are checks done before the first session of the day?", "clause": "21 CFR 211.68"}
    play.vera.act(number, "execute", executed_on=play.on(), checklist=[asked])
    play.vera.sign(
        number,
        "report",
        report="Checks are done; one label was written over.",
        checklist=[asked | {"answer": "conforms", "note": "Five days looked at."}],
    )
    findings = [
        play.vera.create(
            "audit_finding",
            title=title,
            audit=number,
            **{"class": level},
            requirement="Labels are replaced, never written over.",
            evidence=evidence,
            area="Bench",
            owner=owner.number,
            due_on=play.on(days),
        )
        for title, level, evidence, owner, days in (
            ("A label was written over", "minor", "Plate 3401, left side, room 12.", play.omar, 30),
            ("No spare light guide", "observation", "Cupboard of room 14.", play.people["elif"], 4),
        )
    ]
    play.omar.act(
        findings[0],
        "respond",
        response="We saw it too.",
        root_cause="The printer of labels stood in another room.",
        actions=[{"action": "Move the printer", "owner": play.omar.number, "due": play.on(7)}],
    )
    play.n |= {"audit": number, "findings": findings}


def suppliers(play: Play) -> None:
    """One supplier is approved with a certificate that runs out soon; another waits for its review."""
    first = play.petra.create(
        "supplier", name="Clearwell Plates", kind="material", sites=["1 Lens Street"], contact="O. Optics"
    )
    second = play.petra.create(
        "supplier", name="Lumen Light Guides", kind="material", sites=["4 Fibre Road"], contact="L. Lumen"
    )
    fields: dict[str, Any] = {
        "criticality": "medium",
        "questionnaire": [{"question": "Is each lot measured?", "answer": "Each lot.", "acceptable": True}],
        "rating": "A",
        "requal_months": 24,
    }
    qualified = play.quinn.create(
        "supplier_qualification",
        supplier=first,
        scope="Plates of 96 wells.",
        certificates=[{"kind": "iso_9001", "certificate_number": "Q-1", "valid_to": play.on(60)}],
        **fields,
    )
    play.petra.sign(qualified, "review")
    play.vera.sign(qualified, "approve")
    waiting = play.vera.create(
        "supplier_qualification",
        supplier=second,
        scope="Light guides.",
        certificates=[{"kind": "iso_9001", "certificate_number": "L-7", "valid_to": play.on(200)}],
        **fields,
    )
    play.n |= {
        "supplier": first,
        "supplier_2": second,
        "qualified": qualified,
        "qualification_waiting": waiting,
    }


def risks(play: Play) -> None:
    """The risks of counting, in force; those of labels, submitted."""
    item: dict[str, Any] = {
        "function": "Segmentation",
        "failure_mode": "Nuclei that touch are counted as one",
        "effect": "Count too low",
        "s": 5,
        "cause": "Too little contrast",
        "o": 3,
        "detection": "Second look at the overlay",
        "d": 3,
    }
    engineer = play.people["elif"]
    first = engineer.create(
        "risk_assessment",
        title="Counting of nuclei",
        kind="method",
        scope="From capture to the reported count.",
        items=[item],
        review_by=play.on(300),
    )
    engineer.sign(first, "submit")
    play.quinn.sign(first, "approve")
    second = engineer.create(
        "risk_assessment",
        title="Labels of plates and slides",
        kind="method",
        scope="From printing to the freezer.",
        items=[
            item | {"function": "Label", "failure_mode": "Label written over", "effect": "Mix-up", "s": 8}
        ],
        review_by=play.on(300),
    )
    engineer.sign(second, "submit")
    play.n |= {"risk": first, "risk_waiting": second}


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
