"""Two microscopes: qualified, calibrated, checked, maintained; one check fails."""

from __future__ import annotations

from typing import Any

from coverslip.cli.demo.playing import Play, Scope
from coverslip.client.device import DeviceKey

SERIAL = "5165008"
"""What the files of the first microscope say themselves."""


def _point(reading: str) -> dict[str, str]:
    return {"point": "100 um at 40x", "nominal": "100.00", "reading": reading, "limit": "0.20", "unit": "um"}


def checks(evenness: str) -> list[dict[str, Any]]:
    """Return the daily checks with one value each; evenness of illumination is 0.85 to 1.00."""
    return [
        {"check": "illumination evenness", "value": evenness, "unit": "1", "low": "0.85", "high": "1.00"},
        {"check": "stage repeatability", "value": "0.6", "unit": "um", "low": "0.0", "high": "2.0"},
    ]


def _register(play: Play, name: str, title: str, serial: str, room: str, reading: str) -> Scope:
    mia = play.mia
    key = DeviceKey.create(play.work / f"{name}.key")
    number = mia.create(
        "instrument",
        name=title,
        make="Molecular Devices",
        model="ImageXpress",
        serial=serial,
        interval_months=12,
        device_key=key.public,
        owner=mia.number,
        qc_frequency="weekly",
    )
    mia.act(number, "install", firmware="6.7.2", location=room)
    calibration = mia.create_signed(
        "calibration",
        instrument=number,
        performed_on=play.on(),
        standard="Stage micrometer SM-7",
        standard_certificate="SM-7/2026",
        standard_expires=play.on(400),
        next_due=play.on(330),
        as_found=[_point(reading)],
    )
    play.rita.act(calibration, "review")
    play.rita.sign(calibration, "accept")
    play.n[f"calibration_{name}"] = calibration
    play.n[name] = number
    play.quinn.sign(number, "put_in_service")
    return play.scope(name, number, key)


def two(play: Play) -> None:
    """Bring two microscopes into service, each with its first weekly check."""
    _register(play, "ix1", "ImageXpress in room 12", SERIAL, "Room 12", "100.04")
    _register(play, "ix2", "ImageXpress in room 14", "5165031", "Room 14", "99.93")
    for name in ("ix1", "ix2"):
        play.n[f"qc_{name}"] = qc(play, name, "0.94")


def qc(play: Play, name: str, evenness: str, days: int = 10) -> str:
    """Do and sign a weekly check; return its number."""
    number = play.omar.create(
        "microscope_qc",
        instrument=play.n[name],
        frequency="weekly",
        performed_on=play.on(),
        checks=checks(evenness),
        next_due=play.on(days),
        room_temperature={"value": "21.4", "unit": "Cel"},
    )
    play.omar.sign(number, "accept")
    return number


def weekly(play: Play) -> None:
    """The weekly check of the first microscope, and the last one is reviewed."""
    last, play.n["qc_ix1"] = play.n["qc_ix1"], qc(play, "ix1", "0.93")
    play.mia.sign(last, "review")


def both_weekly(play: Play) -> None:
    """The weekly check of both microscopes."""
    weekly(play)
    play.n["qc_ix2"] = qc(play, "ix2", "0.90")


def qualification(play: Play) -> None:
    """Qualify the performance of the first microscope, case by case."""
    case = {
        "case": "1",
        "step": "Image the same field ten times.",
        "expected": "Counts differ by 2 % at most.",
    }
    number = play.mia.create(
        "qualification",
        subject=play.n["ix1"],
        kind="PQ",
        protocol=f"{play.n['sop_imaging']} v1",
        test_cases=[case],
        planned_on=play.on(10),
    )
    play.n["qualification"] = number


def maintenance(play: Play) -> None:
    """Yearly work on the second microscope, verified by somebody else; the next is planned."""
    elif_ = play.people["elif"]
    number = elif_.create(
        "maintenance",
        instrument=play.n["ix2"],
        kind="planned",
        planned_on=play.on(2),
        description="Yearly service of stage and filter wheel.",
        tasks=[{"task": "Grease the stage"}, {"task": "Exercise the filter wheel"}],
    )
    elif_.act(number, "start")
    elif_.sign(
        number,
        "finish",
        tasks=[
            {"task": "Grease the stage", "result": "done"},
            {"task": "Exercise the filter wheel", "result": "done", "note": "Position 4 answers slowly."},
        ],
        impact="none",
    )
    play.rita.sign(number, "verify")
    play.n["maintenance"] = number


def failed_check(play: Play) -> None:
    """The weekly check of the second microscope fails: it stands down, is held, and a deviation is opened."""
    number = play.omar.create(
        "microscope_qc",
        instrument=play.n["ix2"],
        frequency="weekly",
        performed_on=play.on(),
        checks=checks("0.71"),
        next_due=play.on(7),
        note="The field is dark in the lower left corner.",
    )
    play.omar.tried_to_sign(number, "accept", "SEQ_PRE")
    made = play.omar.sign(
        number, "fail", "Evenness 0.71 is below 0.85; repeated twice with the same outcome."
    )
    play.n["qc_failed"] = number
    play.n["qc_deviation"] = next(e.number for e in made.entries if e.type == "deviation")
    play.n["qc_hold"] = next(e.number for e in made.entries if e.type == "hold")


def corrective(play: Play) -> None:
    """Repair is planned for the microscope that failed; the date passes without it."""
    play.n["repair"] = play.people["elif"].create(
        "maintenance",
        instrument=play.n["ix2"],
        kind="corrective",
        planned_on=play.on(3),
        description="The field is dark in the lower left corner: look at the light guide.",
        tasks=[{"task": "Replace the light guide"}, {"task": "Measure evenness"}],
    )
