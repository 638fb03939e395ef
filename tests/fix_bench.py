"""Work at the bench: specimens, plates, instruments and their checks, made through the one door."""

from __future__ import annotations

import datetime as dt
from typing import Any

from coverslip.kernel.change import Receipt
from fix_lab import LATER, TODAY, Lab

WHY = "Needed here, as the plan of this laboratory says."
POINT = {"point": "10 um", "nominal": "10.00", "reading": "10.01", "limit": "0.05", "unit": "um"}
OFF = POINT | {"reading": "10.40"}


def day(days: int) -> str:
    return (TODAY + dt.timedelta(days=days)).isoformat()


def commands(lab: Lab, *numbers: str) -> set[str]:
    """Return the ids of the commands that wrote the versions of records that stand now."""
    rows = [lab.row(number) for number in numbers]
    found = lab.ask(
        "select convert_from(leaf, 'UTF8')::jsonb ->> 'cmd', record_id::text,"
        " (convert_from(leaf, 'UTF8')::jsonb -> 'record' ->> 'ver')::int"
        " from ledger.entry where record_id = any(%s::uuid[])",
        [row.uid for row in rows],
    )
    latest = {(row.uid, row.version) for row in rows}
    return {str(cmd) for cmd, uid, version in found if (uid, version) in latest}


def linked(lab: Lab, number: str, type_: str) -> list[str]:
    return [row.number for row in lab.reading.linked(lab.row(number).uid) if row.type == type_]


def specimen(lab: Lab, *, received: bool = True, **more: Any) -> str:
    fields = {"title": "Section 7", "kind": "tissue", "study": lab.n["study"], "unit": "mL"} | more
    number = lab.alan.create("specimen", **fields)
    if received:
        receive(lab, number)
    return number


def receive(lab: Lab, number: str, **more: Any) -> Receipt:
    given = {"scanned_label": number, "condition": "ok", "location": "Bench 3"} | more
    return lab.alan.do(number, "receive", **given)


def layout(lab: Lab, **more: Any) -> list[dict[str, Any]]:
    return [
        {"position": "A01", "role": "pos_control"},
        {"position": "A02", "role": "neg_control"},
        {"position": "C05", "role": "sample", "specimen": specimen(lab)} | more,
    ]


def plate(lab: Lab, checked: bool = True, **more: Any) -> str:
    fields = {
        "title": "Plate 1",
        "study": lab.n["study"],
        "kind": "plate",
        "format": "96",
        "critical": True,
        "layout": layout(lab),
    }
    number = lab.alan.create("container", **(fields | more))
    if checked:
        lab.olga.do(number, "qc_check", sign=True)
    return number


def calibration(lab: Lab, instrument: str, done: int = 0, **more: Any) -> str:
    fields = {
        "instrument": instrument,
        "performed_on": day(done),
        "standard": "Micrometer SM-7",
        "standard_certificate": "C-1",
        "standard_expires": LATER,
        "as_found": [POINT],
        "next_due": LATER,
    }
    return lab.mia.create("calibration", sign=True, **(fields | more))


def accepted(lab: Lab, instrument: str, done: int = 0) -> str:
    number = calibration(lab, instrument, done)
    lab.rita.do(number, "review")
    lab.quinn.do(number, "accept", sign=True)
    return number


def instrument(lab: Lab, serial: str, *, service: bool = True, **more: Any) -> str:
    number = lab.mia.create(
        "instrument",
        name=f"Microscope {serial}",
        make="Maker",
        model="M",
        serial=serial,
        interval_months=60,
        owner=lab.number_of("mia"),
        **more,
    )
    lab.mia.do(number, "install", firmware="1.0", location="Room 9")
    accepted(lab, number, -30)
    if service:
        lab.quinn.do(number, "put_in_service", sign=True)
    return number


def qc(lab: Lab, instrument: str, value: str = "0.5", done: int = 0, due: int = 1) -> str:
    return lab.olga.create(
        "microscope_qc",
        instrument=instrument,
        frequency="daily",
        performed_on=day(done),
        next_due=day(due),
        checks=[{"check": "field illumination", "value": value, "low": "0.4", "high": "0.6"}],
    )
