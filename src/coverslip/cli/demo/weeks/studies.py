"""One project, one study with its plate and samples, sessions on two microscopes, images of every fate."""

from __future__ import annotations

from typing import Any

from coverslip.cli.demo.common import shipped
from coverslip.cli.demo.defects import write_foreign, write_part, write_truncated
from coverslip.cli.demo.playing import Play

NUCLEI = ("9987_B02_s1_w1.TIF", "9987_B02_s2_w1.TIF", "9987_B03_s1_w1.TIF", "9987_B03_s2_w1.TIF")
SECOND = ("9987_B02_s1_w2.TIF", "9987_B02_s2_w2.TIF", "9987_B03_s1_w2.TIF", "9987_B03_s2_w2.TIF")
THIRD = ("9987_B02_s1_w3.TIF", "9987_B02_s2_w3.TIF", "9987_B03_s1_w3.TIF", "9987_B03_s2_w3.TIF")
FIELD = "01_POS002_D.TIF"
FURTHER = tuple(f"{row}{column:02}" for row in "CD" for column in range(2, 8))
"""Wells of rows C and D, in the order of the parts of the field that stand for them."""
AT_THE_EDGE = [
    [8, 178], [4, 178], [0, 176], [0, 166], [6, 164], [11, 166], [14, 169], [12, 176], [8, 178],
]  # fmt: skip
"""Outline of a nucleus of B02, site 1, in pixels."""
TOUCHING = [
    [28, 154], [21, 152], [14, 148], [14, 142], [16, 141], [12, 137], [12, 135], [17, 130], [31, 130],
    [34, 134], [34, 138], [32, 140], [34, 143], [34, 148], [32, 152], [28, 154],
]  # fmt: skip
"""Outline of two nuclei of B03, site 1, in pixels."""
WHEN = "The files were acquired on 2024-07-09 by their publisher and are delivered for demonstration."
_SETTINGS = {"objective": "40x", "binning": "8x8", "exposure_ms": "100"}
_CHECKS = [{"check": "lamp", "result": "pass"}, {"check": "stage", "result": "pass"}]


def project(play: Play) -> None:
    """Open the project and its study, under a director, by the procedure in force."""
    sam = play.sam
    project = sam.create(
        "project",
        name="Compound 17, nuclei",
        sponsor="Demonstration sponsor",
        confidentiality="restricted",
        objectives="Does the compound change how many nuclei a field shows?",
        owner=sam.number,
        ends_on=play.on(120),
    )
    sam.act(
        project,
        "activate",
        members=[
            {"person": play.alan.number, "role": "analyst"},
            {"person": play.mei.number, "role": "analyst"},
        ],
    )
    study = sam.create(
        "study",
        title="Nuclei per field, control and treated wells",
        kind="release_assay",
        project=project,
        director=sam.number,
        objectives="Count nuclei in plate 3434: two sites of B02 and B03, one of each well in rows C and D.",
        protocol=f"{play.n['sop_imaging']} v1",
        acceptance_criteria="Every field has at least 20 nuclei; sites of a well differ by 30 % at most.",
        site="SITE-01",
        retention_class="DRUG",
    )
    sam.sign(study, "accept_responsibility")
    play.quinn.sign(study, "approve")
    sam.act(study, "start")
    play.n |= {"project": project, "study": study}


def second_study(play: Play) -> None:
    """A second study is drafted; its director has signed and quality is asked."""
    number = play.sam.create(
        "study",
        title="Stability of the stain over four weeks",
        kind="stability",
        project=play.n["project"],
        director=play.sam.number,
        objectives="Intensity of the nuclear stain after 1, 2 and 4 weeks.",
        protocol=f"{play.n['sop_imaging']} v1",
        site="SITE-01",
        retention_class="DRUG",
    )
    play.sam.sign(number, "accept_responsibility")
    play.n["study_2"] = number


def samples(play: Play) -> None:
    """Receive two specimens, hand one over, and lay out the plate."""
    petra, alan = play.petra, play.alan
    for name, title in (
        ("control", "Vehicle control, passage 12"),
        ("treated", "Compound 17, 1 uM, passage 12"),
    ):
        number = petra.create(
            "specimen",
            title=title,
            kind="cells",
            study=play.n["study"],
            quantity="5.0",
            unit="mL",
            expires=play.on(120),
        )
        petra.act(
            number,
            "receive",
            scanned_label=number,
            condition="ok",
            location="Bench 3",
            temperature_at_receipt={"value": "4.5", "unit": "Cel"},
        )
        petra.act(number, "store", location="Freezer 1", temperature="-80 C")
        play.n[f"specimen_{name}"] = number
    petra.act(play.n["specimen_treated"], "hand_over", receiver=alan.number, place="Cold room 2")
    alan.act(play.n["specimen_treated"], "accept_custody", condition_at_handover="ok")
    _plate(play)


def _layout(play: Play) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"position": "B02", "role": "neg_control", "specimen": play.n["specimen_control"]},
        {"position": "B03", "role": "sample", "specimen": play.n["specimen_treated"]},
        {"position": "A01", "role": "pos_control"},
        {"position": "A02", "role": "neg_control"},
    ]
    rows += [
        {"position": f"{row}{column:02}", "role": "sample", "specimen": play.n["specimen_treated"]}
        for row in "CD"
        for column in range(2, 8)
    ]
    return rows


def _plate(play: Play) -> None:
    plate = play.omar.create(
        "container", title="Plate 3434", kind="plate", format="96", critical=True, layout=_layout(play)
    )
    play.n["plate"] = plate
    play.alan.sign(plate, "qc_check")


def _session(play: Play, who: str, scope: str, title: str, plate: str = "") -> str:
    person = play.people[who]
    number = person.create(
        "acquisition_session",
        title=title,
        study=play.n["study"],
        operator=person.number,
        instrument=play.n[scope],
        method=f"{play.n['sop_imaging']} v1",
        time_explanation=WHEN,
        **({"containers": [plate]} if plate else {}),
    )
    person.act(
        number,
        "start",
        settings=_SETTINGS,
        checks=_CHECKS,
        device_clock_offset_ms=12,
        room_temperature={"value": "21.8", "unit": "Cel"},
    )
    return number


def first_session(play: Play) -> None:
    """Image the plate: four fields arrive whole, two files do not."""
    omar, scope = play.omar, play.scopes["ix1"]
    session = _session(play, "omar", "ix1", "Plate 3434, nuclei", play.n["plate"])
    scope.switch_on()
    play.n["images"] = scope.deliver_all(session, NUCLEI)
    truncated, foreign = play.work / "9987_B04_s1_w1.TIF", play.work / "9987_B05_s1.ome.tif"
    write_truncated(shipped(NUCLEI[0]), truncated)
    write_foreign(shipped(NUCLEI[0]), foreign, "IX-99999")
    play.n["quarantined"] = [str(scope.deliver(session, file)["number"]) for file in (truncated, foreign)]
    omar.act(
        session,
        "complete",
        not_imaged="B04 and B05: their files are in quarantine. Rows C and D: not planned today.",
    )
    play.rita.sign(session, "verify")
    play.n["session_1"] = session


def second_session(play: Play) -> None:
    """The second channel of the same wells; left for a reviewer to verify."""
    scope = play.scopes["ix1"]
    session = _session(play, "alan", "ix1", "Plate 3434, second channel")
    scope.switch_on()
    play.n["images_2"] = scope.deliver_all(session, SECOND)
    play.alan.act(session, "complete")
    play.n["session_2"] = session


def other_microscope(play: Play) -> None:
    """The files of the first microscope are sent from the second one: each is quarantined."""
    scope = play.scopes["ix2"]
    session = _session(play, "omar", "ix2", "Plate 3434, third channel, room 14")
    scope.switch_on()
    play.n["images_3"] = scope.deliver_all(session, THIRD[:2])
    play.omar.act(
        session, "abort", "The export folder of room 12 was sent by mistake; nothing of room 14 was imaged."
    )
    play.n["session_3"] = session


def running_session(play: Play) -> None:
    """A session that is still running when the lab is opened."""
    scope = play.scopes["ix1"]
    session = _session(play, "omar", "ix1", "Plate 3434, third channel")
    scope.switch_on()
    play.n["images_4"] = scope.deliver_all(session, THIRD[2:])
    play.n["session_4"] = session


def manual_import(play: Play) -> None:
    """Images from a disk: one verified by a second person, the next waits for one."""
    mei = play.mei
    found = [
        mei.lab.ingest(play.n["study"], shipped(name), sequence=n + 1, reason=reason)
        for n, (name, reason) in enumerate(
            (
                (
                    "AS_09125_050116030001_D03f00d0.tif",
                    "Reference field D03, DNA stain, brought on a disk by the sponsor.",
                ),
                ("BBBC022_IXMtest_A02_s9.tif", "Reference field A02, brought on a disk by the sponsor."),
            )
        )
    ]
    first, second = (str(one["number"]) for one in found)
    mei.tried_to_sign(first, "verify_import", "AUTH_SELF")
    play.rita.sign(first, "verify_import")
    play.by_itself()
    play.n |= {"imported": first, "import_waiting": second}


def further_rows(play: Play) -> None:
    """Rows C and D come on a disk, as the second microscope is held; a second person verifies each file."""
    source, found = shipped(FIELD), []
    for place, well in enumerate(FURTHER):
        file = play.work / f"3434_{well}_s1.tif"
        write_part(source, file, place // 4, place % 4, 3, 4)
        made = play.mei.lab.ingest(
            play.n["study"],
            file,
            sequence=place + 1,
            reason=f"Well {well}: our second microscope is held, so rows C and D came on a disk. "
            f"For the demonstration it is a part of the published field {FIELD}.",
        )
        found.append(str(made["number"]))
    for number in found:
        play.rita.sign(number, "verify_import")
    play.by_itself()
    play.n["images_rows"] = found


def refused_start(play: Play) -> None:
    """The operator tries the microscope that is held, in good faith, and is told why not."""
    session = play.omar.create(
        "acquisition_session",
        title="Plate 3434, row C",
        study=play.n["study"],
        operator=play.omar.number,
        instrument=play.n["ix2"],
        method=f"{play.n['sop_imaging']} v1",
    )
    play.omar.tried(session, "start", "HOLD", settings=_SETTINGS, checks=_CHECKS, device_clock_offset_ms=9)
    play.n["session_refused"] = session


def outlines(play: Play) -> None:
    """Two nuclei outlined: one reviewed, one still a draft."""
    fields: dict[str, Any] = {
        "coordinate_space": "pixel",
        "class": "nucleus",
        "blinded": True,
        "tool": "By hand in the viewer",
    }
    first = play.alan.create(
        "annotation",
        title="Nucleus at the edge of B02",
        image=play.n["images"][0],
        geometry={"type": "Polygon", "coordinates": [AT_THE_EDGE]},
        **fields,
    )
    play.alan.sign(first, "finalise")
    second = play.mei.create(
        "annotation",
        title="Two nuclei that touch, B03",
        image=play.n["images"][2],
        geometry={"type": "Polygon", "coordinates": [TOUCHING]},
        value="Counted as one",
        **fields,
    )
    play.n |= {"annotation": first, "annotation_draft": second}
