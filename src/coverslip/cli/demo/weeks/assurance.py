"""What quality looks at beside single events: a complaint, an audit, suppliers, risks."""

from __future__ import annotations

from typing import Any

from coverslip.cli.demo.playing import Play


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
