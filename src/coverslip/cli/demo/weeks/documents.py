"""Procedures in several states, the curriculum, the matrix of training, and the list of defects."""

from __future__ import annotations

from typing import Any

from coverslip.cli.demo.playing import Play, done

_IMAGING = (
    "1. Check lamp and stage. 2. Read the label of the plate. 3. Image two sites of each planned well. "
    "4. What cannot be imaged is written down with its reason."
)
_COUNTING = (
    "1. Freeze the image set before any result is seen. 2. Count nuclei with the approved method. "
    "3. Interpret each flagged field. 4. A second person reviews."
)
_DEVIATIONS = (
    "1. Write down what happened within one working day. 2. Contain it. 3. Quality assigns an owner. "
    "4. Cause, impact on every record, actions, verification."
)
_CLEANING = "1. Switch the lamp off. 2. Breathe on the lens. 3. Wipe once, from the middle outwards."
_BACKUP = (
    "1. Read the report of the night. 2. Restore one backup each quarter. 3. Compare it with what is live."
)


def _written(play: Play, title: str, body: str, audience: list[str], **more: Any) -> str:
    """Write a procedure and submit it; return its number."""
    dora = play.dora
    number = dora.create("document_sop", title=title, criticality=more.pop("criticality", "gxp_critical"))
    fields = {
        "body": body,
        "change_summary": "First version.",
        "training_depth": "read_understood",
        "audience": audience,
        "effective_date": play.on(),
        "review_months": 24,
        "owner": dora.number,
    }
    dora.edit(number, "Writing the first version.", **{**fields, **more})
    dora.sign(number, "submit")
    return number


def _approved(play: Play, number: str) -> list[str]:
    """Review and approve a procedure; return the training it asks for."""
    play.rita.sign(number, "review")
    return done(play.quinn.sign(number, "approve"), "training_record")


def _trained(play: Play, records: list[str], but: tuple[str, ...] = ()) -> None:
    """Let everybody asked read and sign, except those named."""
    by_number = {p.number: p for p in play.people.values() if p.number}
    for number in records:
        person = by_number[str(play.dora.show(number)["fields"]["person"]["number"])]
        if person.username not in but:
            person.sign(number, "complete")


def first_procedures(play: Play) -> None:
    """Two procedures come into force: imaging and counting; a third is left to be read by some."""
    for name, title, body, audience in (
        ("sop_imaging", "Imaging of stained plates", _IMAGING, ["ROLE-OPR"]),
        ("sop_counting", "Counting of stained nuclei", _COUNTING, ["ROLE-ANL"]),
    ):
        play.n[name] = _written(play, title, body, audience)
        _trained(play, _approved(play, play.n[name]))
    play.by_itself()


def defects(play: Play) -> None:
    """Put the list of defects into force."""
    entries = [
        {"value": "scratch", "meaning": "A scratch in the field of view.", "retired": False},
        {"value": "bubble", "meaning": "Air under the cover glass.", "retired": False},
        {"value": "smudged_label", "meaning": "The label cannot be read with certainty.", "retired": False},
    ]
    number = play.dora.create(
        "vocabulary", code="DEFECT", title="Defects of plates and slides", entries=entries
    )
    play.dora.sign(number, "submit")
    play.ivo.sign(number, "review")
    play.quinn.sign(number, "approve")


def later_procedures(play: Play) -> None:
    """Deviations (approved, partly trained), cleaning (in review), backup (draft)."""
    play.n["sop_deviations"] = _written(
        play, "Deviations and their investigation", _DEVIATIONS, ["ROLE-ENG", "ROLE-MET", "ROLE-REV"],
        effective_date=play.on(5),
    )  # fmt: skip
    _trained(play, _approved(play, play.n["sop_deviations"]), but=("mia", "ivo"))
    play.n["sop_cleaning"] = _written(play, "Cleaning of objectives", _CLEANING, ["ROLE-OPR"])
    play.n["sop_backup"] = play.dora.create(
        "document_sop",
        title="Backup and restore",
        criticality="gxp",
        body=_BACKUP,
        change_summary="First version.",
    )


def curriculum(play: Play) -> None:
    """What operators and analysts read."""
    dora = play.dora
    number = dora.create(
        "curriculum",
        title="What an operator reads",
        role="ROLE-OPR",
        items=[
            {
                "document": play.n["sop_imaging"],
                "depth": "read_understood",
                "grace_days": 0,
                "refresh_months": 12,
            },
            {"document": play.n["sop_counting"], "depth": "read_understood", "grace_days": 0},
        ],
    )
    dora.sign(number, "submit")
    play.ivo.sign(number, "review")
    play.quinn.sign(number, "approve")
    play.n["curriculum"] = number
    play.read("omar", "alan")


def second_version(play: Play) -> None:
    """Under the change on flagged fields the counting procedure gets a second version, to be reviewed."""
    body = _COUNTING.replace("3. Interpret", "3. Have a second analyst look at each flagged field; interpret")
    label = play.dora.revise(
        play.n["sop_counting"],
        "document_sop",
        title="Counting of stained nuclei",
        criticality="gxp_critical",
        body=body,
        change_summary="A second analyst looks at flagged fields.",
        change_control=play.n["change"],
        training_depth="assessed",
        audience=["ROLE-ANL"],
        effective_date=play.on(21),
        owner=play.dora.number,
    )
    play.dora.sign(label, "submit")
    play.n["sop_counting_v2"] = label


def external(play: Play) -> None:
    """A standard from outside, looked at and taken into use; its next edition waits."""
    number = play.dora.create(
        "document_external",
        title="Microscopes: values for tolerances",
        issuer="ISO",
        edition="2019",
        kind="standard",
    )
    play.n["standard"] = number


def matrix(play: Play) -> None:
    """Leave the matrix honest: somebody is late, somebody is asked again."""
    play.dora.create(
        "training_record",
        person=play.omar.number,
        document=f"{play.n['sop_deviations']} v1",
        depth="read_understood",
        due=play.on(4),
    )
