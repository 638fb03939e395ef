"""Renderings read back: what a print says, by label, and a small type that has every kind of field."""

from __future__ import annotations

from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.definition import Definition, define
from coverslip.kernel.rows import Blocker, Row
from coverslip.kernel.sheet import Entry, Grid, Sheet, read

TYPE = w.Type(
    name="check_sheet",
    title="Check sheet",
    version=1,
    purpose="Carries one field of every kind.",
    number=w.Number("CHK"),
    gxp="gmp",
    fields={
        "title": w.Field(w.Text(), "Title", required=True),
        "text": w.Field(w.Rich(), "What was seen"),
        "kind": w.Field(w.Enum(("not_started", "in_work")), "How far"),
        "passed": w.Field(w.Bool(), "Passed"),
        "count": w.Field(w.Int(), "How many"),
        "share": w.Field(w.Decimal(), "Share"),
        "width": w.Field(w.Quantity("um"), "Pixel width"),
        "day": w.Field(w.Date(), "Day"),
        "seen_at": w.Field(w.Instant(), "Seen at"),
        "subject": w.Field(w.Link(()), "Subject"),
        "report": w.Field(w.File(), "Report"),
        "notes": w.Field(w.Text(), "Notes", many=True),
        "settings": w.Field(w.Json(), "Settings of the microscope, all of them"),
        "checks": w.Field(
            w.Table(
                {
                    "what": w.Column(w.Text()),
                    "result": w.Column(w.Enum(("pass", "not_applicable"))),
                    "seen_at": w.Column(w.Instant(), required=False),
                }
            ),
            "Checks",
        ),
    },
    states=(w.State("in_work"), w.State("done", terminal=True, locked=True)),
    create=w.Making(("OPR",), "in_work"),
    transitions=(w.Transition("finish", "Finish", ("in_work",), "done", ("OPR",)),),
    retention=w.Retention("10y"),
    title_field="title",
)
FIELDS: dict[str, Any] = {
    "title": "Lamp check",
    "text": "First line, quite even.\n\n## A heading of the author's\nlast line",
    "kind": "in_work",
    "passed": False,
    "count": 3,
    "share": "0.50",
    "width": {"value": "0.325", "unit": "um"},
    "day": "2026-11-20",
    "seen_at": "2026-11-20T14:32:07.120000Z",
    "subject": {
        "type": "sop", "uid": "01", "number": "SOP-0012", "revision": 3, "version": 4, "hash": "ab" * 32,
    },
    "report": {
        "name": "lamp.pdf", "size": 1_234_567, "sha256": "cd" * 32, "root": "ef" * 32,
        "media_type": "application/pdf",
    },
    "notes": ["cold start", "door open"],
    "settings": {
        "lamp": {"hours": 12, "on": True}, "channels": ["DAPI", {"name": "note: GFP"}], "comment": "a\nb",
        "pixel_size": {"value": "0.65", "unit": "um"}, "nothing_here": [],
    },
    "checks": [
        {"result": "pass", "what": "lamp"},
        {"result": "not_applicable", "seen_at": "2026-11-20T14:00:00Z", "what": "shutter"},
    ],
    "old_field": "kept",
}  # fmt: skip
SIGNED: dict[str, Any] = {
    "name": "Olga Operator",
    "role": "OPR",
    "behalf": None,
    "at_text": "2026-11-20 15:00:00 UTC (10:00:00 −05:00 America/New_York)",
    "meaning": "executed",
    "meaning_text": "I did this as recorded.",
    "version": 2,
    "text": "Olga Operator (OPR), 2026-11-20 15:00:00 UTC (10:00:00 −05:00 America/New_York), executed:"
    " I did this as recorded.",
}


def definition() -> Definition:
    """Return the type's definition."""
    return define(TYPE)


def row_of(fields: dict[str, Any], title: str = "Lamp check", **more: Any) -> Row:
    """Return a record of the type with these fields."""
    given: dict[str, Any] = {"version": 3, "state": "in_work", "gxp": "gmp", "content": {}} | more
    given["content"] = given["content"] | {"fields": fields}
    return Row("check_sheet", "01", "CHK-0007", 0, seq=1, title=title, leaf_hash="", definition="", **given)


def held(row: Row, reason: str) -> Row:
    """Return the same record under a hold."""
    content = {k: v for k, v in row.content.items() if k != "fields"}
    return row_of(row.fields, row.title, content=content, blockers=(Blocker("HLD-0001", reason, "02"),))


def sheet_of(text: str) -> Sheet:
    """Read a print back."""
    found = read(text)
    assert found is not None, text
    return found


def printed(text: str) -> dict[str, tuple[str, ...]]:
    """Return the lines of each field a print states, by its label."""
    content = next(part for part in sheet_of(text).parts if part.heading == "Content")
    return {one.label: one.lines for one in content.items if isinstance(one, Entry)}


def signed_by(text: str, name: str) -> dict[str, str]:
    """Return what a print says of the signature of somebody."""
    found = next(part for part in sheet_of(text).parts if part.heading == "Signatures").items[0]
    assert isinstance(found, Grid), "nobody signed"
    rows = [{cell.label: "\n".join(cell.lines) for cell in row} for row in found.rows]
    return next(row for row in rows if row["Name"] == name)


__all__ = [
    "FIELDS", "SIGNED", "TYPE", "definition", "held", "printed", "row_of", "sheet_of", "signed_by",
]  # fmt: skip
