"""Microscope QC: the daily or weekly check that gates acquisition (DOMAIN 4.10, 4.13).

Rules kept here: every value lies within its limits or the check has failed; a failed check holds the
instrument in the same act and lists what was measured since the last good one; while the next check is
overdue, or one is undecided or failed, nothing is acquired.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, signing, void
from coverslip.records.imaging._affected import AFFECTED, affected_since, failure

_DECIDED = ("passed", "reviewed", "failed", "voided")
_PASSED = ("passed", "reviewed")
_CHECKERS = ("OPR", "ANL", "MET")


def _outside(row: Mapping[str, Any]) -> bool:
    value = Decimal(row["value"])
    return ("low" in row and value < Decimal(row["low"])) or ("high" in row and value > Decimal(row["high"]))


def _out_of_limits(inp: RuleInput) -> list[str]:
    return [
        f"{row['check']}: {row['value']} {row.get('unit', '')}".strip()
        + f" is outside {row.get('low', '…')}–{row.get('high', '…')}"
        for row in inp.fields.get("checks", ())
        if _outside(row)
    ]


@rule("qc_within_limits", 1)
def qc_within_limits(inp: RuleInput) -> str | None:
    """Ask that every value lies within its limits."""
    bad = _out_of_limits(inp)
    return f"Every value is within its limits ({'; '.join(bad)})." if bad else None


@rule("qc_limits_stated", 1)
def qc_limits_stated(inp: RuleInput) -> str | None:
    """Ask that every check has a limit, and no lower one above its upper one."""
    for row in inp.fields.get("checks", ()):
        if "low" not in row and "high" not in row:
            return f"Check {row['check']} has a limit."
        if "low" in row and "high" in row and Decimal(row["low"]) > Decimal(row["high"]):
            return f"The limits of {row['check']} are in order."
    return None


@rule("qc_dates_in_order", 1)
def qc_dates_in_order(inp: RuleInput) -> str | None:
    """Ask that the check was done by today and the next is due after it."""
    done, due = str(inp.fields["performed_on"]), str(inp.fields["next_due"])
    if done > inp.today:
        return f"The check was done on {done}, which is not past."
    return None if done < due else f"The next check is due after {done} (it says {due})."


def _newest(rows: list[Row]) -> Row | None:
    return max(rows, key=lambda r: (str(r.fields["performed_on"]), r.number), default=None)


@rule("qc_current", 1)
def qc_current(inp: RuleInput) -> str | None:
    """Ask that the instrument's last check passed and the next is not overdue.

    An instrument that declares no frequency and has no checks is not asked.
    """
    for instrument in inp.reads["instrument"]:
        rows = [
            r
            for r in inp.children["checks"]
            if r.fields["instrument"]["uid"] == instrument.uid and r.state != "voided"
        ]
        if not rows and instrument.fields.get("qc_frequency", "none") == "none":
            continue
        good = _newest([r for r in rows if r.state in _PASSED])
        if good is None:
            return f"{instrument.number} has no microscope QC that passed."
        since = str(good.fields["performed_on"])
        for row in rows:
            later = (str(row.fields["performed_on"]), row.number) > (since, good.number)
            if later and row.state == "failed":
                return f"{instrument.number} failed its microscope QC on {row.fields['performed_on']}."
            if later and row.state not in _DECIDED:
                return f"{row.number} of {row.fields['performed_on']} is decided."
        if str(good.fields["next_due"]) < inp.today:
            return f"{instrument.number} microscope QC was due {good.fields['next_due']}."
    return None


def qc_guard(path: w.Path) -> w.Rule:
    """Return the guard "the instrument at ``path`` passed its microscope QC and it is not overdue"."""
    return w.Rule(
        "qc_current",
        1,
        {"instrument": path},
        {"checks": (path, "microscope_qc", "instrument")},
        message="The microscope QC of the instrument is current.",
    )


_CHECKS = w.Table(
    {
        "check": w.Column(w.Text(200)),
        "value": w.Column(w.Decimal()),
        "unit": w.Column(w.Text(30), required=False),
        "low": w.Column(w.Decimal(), required=False),
        "high": w.Column(w.Decimal(), required=False),
    },
    max_rows=100,
    min_rows=1,
)
_SOUND = (
    w.Rule("qc_limits_stated", 1, message="Every check has a limit."),
    w.Rule("qc_dates_in_order", 1, message="The next check is due after this one."),
)

TYPE = w.Type(
    name="microscope_qc",
    title="Microscope QC",
    version=1,
    purpose="That a microscope was fit for use on a day, and until when that holds.",
    number=w.Number("MQC", 5, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "instrument": w.Field(
            w.Link(("instrument",), "none"),
            "Instrument",
            required=True,
            immutable_at=("performed", *_DECIDED),
            critical=True,
        ),
        "frequency": w.Field(w.Enum(("daily", "weekly", "monthly")), "Frequency", required=True),
        "performed_on": w.Field(w.Date(), "Done on", required=True, critical=True),
        "checks": w.Field(_CHECKS, "Checks", required=True, critical=True),
        "procedure": w.Field(w.Link(("document_sop",), "version", ("effective",)), "Procedure"),
        "next_due": w.Field(
            w.Date(),
            "Next due",
            required=True,
            critical=True,
            help="The last day on which something may be acquired without another check.",
        ),
        "room_temperature": w.Field(
            w.Quantity("Cel", "-20", "60"), "Room temperature (°C)", help="While the check was done."
        ),
        "note": w.Field(w.Rich(5000), "Note"),
        "affected": AFFECTED,
    },
    states=(
        w.State("performed"),
        w.State("passed", locked=True),
        w.State("reviewed", terminal=True, locked=True),
        w.State("failed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        _CHECKERS, "performed", requires=_SOUND, effects=(computed_title(instrument=("instrument",)),)
    ),
    edit=w.Editing(_CHECKERS, ("performed",), requires=_SOUND),
    persons={"performer": w.Actor("create"), "signer": w.Signer("executed"), "editors": w.Touched()},
    transitions=(
        w.Transition(
            "accept",
            "Record as passed",
            ("performed",),
            "passed",
            _CHECKERS,
            requires=(w.Rule("qc_within_limits", 1, message="Every value is within its limits."),),
            signature=signing("executed", "I did this check, and it passed.", _CHECKERS),
        ),
        w.Transition(
            "fail",
            "Record as failed",
            ("performed",),
            "failed",
            (*_CHECKERS, "REV", "QA"),
            effects=(
                affected_since("affected_since_qc", "microscope_qc"),
                *failure("The microscope failed its QC.", "deviation_of_qc"),
            ),
            signature=signing(
                "rejected",
                "This check failed; the instrument is held.",
                (*_CHECKERS, "REV", "QA"),
            ),
            reason=w.Reason(),
            aside=True,
        ),
        w.Transition(
            "review",
            "Review",
            ("passed",),
            "reviewed",
            ("REV", "MET", "QA"),
            signature=signing(
                "reviewed",
                "I reviewed this check against its limits.",
                ("REV", "MET", "QA"),
                ("performer", "signer", "editors"),
            ),
        ),
        void(("performed",)),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "frequency", "performed_on", "next_due"),
    predicate_rules=("21 CFR 211.68", "21 CFR 211.160(b)(4)", "21 CFR 58.63"),
)
