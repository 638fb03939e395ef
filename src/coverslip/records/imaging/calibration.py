"""Calibration: an event with values as found and as left (DOMAIN 4.12).

Rules kept here: whoever performed it does not accept it; it is accepted only where the instrument
was left within limits, by a standard in date, with the next one due inside the interval; an
instrument whose calibration has run out, or failed since, is refused; a failed one lists what was
measured since the last good one, and the instrument is held, in the same act.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, computed_title, signing
from coverslip.records.imaging._affected import AFFECTED, affected_since, failure
from coverslip.records.quality.supplier import usable_supplier


def _latest(rows: Iterable[Row]) -> Row | None:
    return max(rows, key=lambda r: (str(r.fields["performed_on"]), r.number), default=None)


@rule("calibrated", 1)
def calibrated(inp: RuleInput) -> str | None:
    """Ask that every instrument read has an accepted calibration in date and none that failed since."""
    for instrument in inp.reads["instrument"]:
        rows = [c for c in inp.children["calibrations"] if c.fields["instrument"]["uid"] == instrument.uid]
        accepted = _latest(c for c in rows if c.state == "accepted")
        failed = _latest(c for c in rows if c.state == "failed")
        if accepted is None:
            return f"{instrument.number} has no accepted calibration."
        if failed is not None and failed.fields["performed_on"] > accepted.fields["performed_on"]:
            return f"{instrument.number} failed its calibration on {failed.fields['performed_on']}."
        if str(accepted.fields["next_due"]) < inp.today:
            return f"{instrument.number} calibration expired {accepted.fields['next_due']}."
    return None


def calibrated_guard(path: w.Path) -> w.Rule:
    """Return the guard "the instrument at ``path`` is calibrated now"."""
    return w.Rule(
        "calibrated",
        1,
        {"instrument": path},
        {"calibrations": (path, "calibration", "instrument")},
        message="The instrument is calibrated.",
    )


def _outside(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    errors = ((row, abs(Decimal(row["reading"]) - Decimal(row["nominal"]))) for row in rows)
    return [
        f"{row['point']}: error {error} {row['unit']} exceeds {row['limit']}"
        for row, error in errors
        if error > Decimal(row["limit"])
    ]


@rule("left_within_limits", 1)
def left_within_limits(inp: RuleInput) -> str | None:
    """Ask that every point lies within its limit: as left where adjusted, else as found."""
    adjusted = inp.fields.get("adjusted") is True
    rows = inp.fields.get("as_left" if adjusted else "as_found") or ()
    if not rows:
        return "Values as left are recorded after an adjustment."
    bad = _outside(rows)
    return f"Every point is within its limit ({'; '.join(bad)})." if bad else None


def _months_later(day: dt.date, months: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = dt.date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    last = (following - dt.timedelta(days=1)).day
    return dt.date(year, month + 1, min(day.day, last))


@rule("next_due_in_interval", 1)
def next_due_in_interval(inp: RuleInput) -> str | None:
    """Ask that the next calibration is due after this one and within the instrument's interval."""
    performed = dt.date.fromisoformat(str(inp.fields["performed_on"]))
    due = dt.date.fromisoformat(str(inp.fields["next_due"]))
    if str(performed) > inp.today:
        return f"The calibration was performed on {performed}, which is not past."
    for instrument in inp.reads["instrument"]:
        last = _months_later(performed, int(instrument.fields["interval_months"]))
        if not performed < due <= last:
            return f"Next calibration is due after {performed} and by {last} (it says {due})."
    return None


_POINTS = w.Table(
    {
        "point": w.Column(w.Text(200)),
        "nominal": w.Column(w.Decimal()),
        "reading": w.Column(w.Decimal()),
        "limit": w.Column(w.Decimal("0")),
        "unit": w.Column(w.Text(30)),
    },
    max_rows=500,
    min_rows=1,
)
_MEASURED = (
    "performed_on",
    "standard",
    "standard_certificate",
    "standard_expires",
    "as_found",
    "adjusted",
    "as_left",
    "environment",
    "uncertainty",
    "next_due",
    "certificate",
    "provider",
)
_CHECKS = (
    w.Compare(
        ("standard_expires",),
        "ge",
        other=("performed_on",),
        message="The standard was in date on the day of use.",
        code="LINK_VER",
    ),
    w.Rule(
        "next_due_in_interval",
        1,
        {"instrument": ("instrument",)},
        message="The next date is in the interval.",
        code="VAL_RANGE",
    ),
)

TYPE = w.Type(
    name="calibration",
    title="Calibration",
    version=2,
    purpose="That an instrument measured right, against what, and until when that holds.",
    number=w.Number("CAL"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "instrument": w.Field(w.Link(("instrument",), "none"), "Instrument", required=True),
        "performed_on": w.Field(w.Date(), "Performed on", required=True, critical=True),
        "standard": w.Field(w.Text(300), "Standard", required=True, critical=True),
        "standard_certificate": w.Field(w.Text(200), "Certificate of the standard", required=True),
        "standard_expires": w.Field(w.Date(), "Standard valid until", required=True, critical=True),
        "as_found": w.Field(_POINTS, "As found", required=True, critical=True),
        "adjusted": w.Field(w.Bool(), "Adjusted", default=False, critical=True),
        "as_left": w.Field(_POINTS, "As left", critical=True),
        "environment": w.Field(w.Text(300), "Environment"),
        "uncertainty": w.Field(w.Text(200), "Uncertainty"),
        "next_due": w.Field(w.Date(), "Next due", required=True, critical=True),
        "certificate": w.Field(w.File(), "Certificate"),
        "provider": w.Field(
            w.Link(("supplier",), "none"), "Done by", critical=True, help="A supplier, where it was not you."
        ),
        "affected": AFFECTED,
    },
    states=(
        w.State("performed"),
        w.State("reviewed"),
        w.State("accepted", locked=True, resting=True),
        w.State("failed", terminal=True, locked=True),
    ),
    create=w.Making(
        ("MET",),
        "performed",
        requires=(*_CHECKS, usable_supplier("provider")),
        effects=(computed_title(instrument=("instrument",)),),
        signature=signing("executed", "I performed this calibration and recorded what I saw.", ("MET",)),
    ),
    persons={"performer": w.Signer("executed"), "editors": w.Touched()},
    transitions=(
        w.Transition(
            "correct",
            "Correct",
            ("performed",),
            "",
            ("MET",),
            fields=_MEASURED,
            requires=(*_CHECKS, usable_supplier("provider")),
            signature=signing("executed", "I corrected this calibration as the reason says.", ("MET",)),
            reason=w.Reason(),
            touches=True,
        ),
        w.Transition(
            "review",
            "Review",
            ("performed",),
            "reviewed",
            ("REV", "QA"),
            independent_of=("performer", "editors"),
        ),
        w.Transition(
            "return_to_performer",
            "Send back",
            ("reviewed",),
            "performed",
            ("REV", "QA"),
            independent_of=("performer", "editors"),
            reason=w.Reason(),
        ),
        w.Transition(
            "accept",
            "Accept",
            ("reviewed",),
            "accepted",
            ("REV", "QA"),
            requires=(*_CHECKS, w.Rule("left_within_limits", 1, message="Every point is within its limit.")),
            signature=signing(
                "reviewed",
                "I reviewed this calibration and accept it.",
                ("REV", "QA"),
                ("performer", "editors"),
            ),
        ),
        w.Transition(
            "fail",
            "Record as failed",
            ("performed", "reviewed"),
            "failed",
            ("REV", "QA"),
            effects=(
                affected_since("affected_since_calibration", "calibration"),
                *failure("The instrument failed its calibration.", "deviation_of_calibration"),
            ),
            signature=signing(
                "rejected",
                "This calibration failed; what was measured since the last is to be assessed.",
                ("REV", "QA"),
                ("performer", "editors"),
            ),
            reason=w.Reason(),
            aside=True,
        ),
    ),
    retention=w.Retention("SYS"),
    summary=("instrument", "performed_on", "next_due"),
    predicate_rules=("21 CFR 211.68", "21 CFR 211.160(b)(4)", "ISO 13485 7.6"),
    migration_note="Version 2: failing lists what was measured since the last accepted calibration, stands"
    " the instrument down and holds it. A supplier may be named as who did it. Calibrations failed before"
    " list nothing.",
)
