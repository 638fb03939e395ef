"""What an instrument measured since it was last known to be right, and what follows when it was not.

Rules kept here: the list is computed from what is recorded, never typed; it begins on the day of the
last good check, that day included; with no good check before, everything is on it.
"""

from __future__ import annotations

from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records.imaging._service import NOT_IN_USE

READ_AT_MOST = 10_000
"""Records linked to one that are read for a decision, oldest first; of an instrument with more the list is
not complete, and the deviation says so."""
AFFECTED = w.Field(
    w.Link(("acquisition_session", "microscope_qc"), "version"),
    "Measured since the last good check",
    many=True,
    source="computed",
    critical=True,
    help="Every session and check done with the instrument since then; a session names its images.",
)


def _of(rows: tuple[Row, ...], instrument: str) -> list[Row]:
    return [r for r in rows if r.fields.get("instrument", {}).get("uid") == instrument]


def _last_good(inp: RuleInput, good: tuple[str, ...]) -> str:
    """Return the day of the last good check before this one; empty where there is none."""
    own = inp.record.uid if inp.record is not None else ""
    performed = str(inp.fields["performed_on"])
    days = [
        str(r.fields["performed_on"])
        for r in _of(inp.children["checks"], str(inp.fields["instrument"]["uid"]))
        if r.uid != own and r.state in good and str(r.fields["performed_on"]) <= performed
    ]
    return max(days, default="")


def _measured(inp: RuleInput, since: str) -> list[dict[str, Any]]:
    instrument = str(inp.fields["instrument"]["uid"])
    own = inp.record.uid if inp.record is not None else ""
    sessions = [
        r
        for r in _of(inp.children["sessions"], instrument)
        if "started_at" in r.fields and str(r.fields.get("ended_at", inp.now))[:10] >= since
    ]
    checks = [
        r
        for r in _of(inp.children["controls"], instrument)
        if r.uid != own and r.state != "voided" and str(r.fields["performed_on"]) >= since
    ]
    return [r.link() for r in sorted((*sessions, *checks), key=lambda r: r.number)]


@rule("affected_since_calibration", 1)
def affected_since_calibration(inp: RuleInput) -> list[dict[str, Any]]:
    """Return links to what was measured since the last accepted calibration."""
    return _measured(inp, _last_good(inp, ("accepted",)))


@rule("affected_since_qc", 1)
def affected_since_qc(inp: RuleInput) -> list[dict[str, Any]]:
    """Return links to what was measured since the last microscope QC that passed."""
    return _measured(inp, _last_good(inp, ("passed", "reviewed")))


def affected_since(rule_name: str, checks: str) -> w.Compute:
    """Return the effect that lists what was measured since the last good record of type ``checks``."""
    at = ("instrument",)
    return w.Compute(
        "affected",
        w.Rule(
            rule_name,
            1,
            {},
            {
                "checks": (at, checks, "instrument"),
                "sessions": (at, "acquisition_session", "instrument"),
                "controls": (at, "microscope_qc", "instrument"),
            },
            "What was measured since.",
        ),
    )


def _deviation(inp: RuleInput, what: str) -> dict[str, Any]:
    """Return the fields of the deviation: its class is quality's to reconsider, its list is not."""
    instrument = inp.fields["instrument"]["number"]
    measured = inp.fields.get("affected", [])
    own = [inp.record.link()] if inp.record is not None else []
    place = next((str(r.fields["location"]) for r in inp.reads["instrument"] if "location" in r.fields), "")
    cut = any(len(rows) >= READ_AT_MOST for rows in inp.children.values())
    missing = " The list is not complete: complete it from the sessions of the instrument." if cut else ""
    return {
        "title": f"{instrument} failed its {what} on {inp.fields['performed_on']}",
        "place": place or instrument,
        "what": f"{instrument} failed its {what}; {len(measured)} records were measured with it since the"
        f" last good check.{missing}",
        "consequence": 3,
        "extent": 3 if measured or cut else 1,
        "affected": own + measured,
    }


@rule("deviation_of_calibration", 1)
def deviation_of_calibration(inp: RuleInput) -> list[dict[str, Any]]:
    """Return the one deviation a failed calibration opens."""
    return [_deviation(inp, "calibration")]


@rule("deviation_of_qc", 1)
def deviation_of_qc(inp: RuleInput) -> list[dict[str, Any]]:
    """Return the deviation a failed check opens where something was measured since the last good one."""
    measured = [link for link in inp.fields.get("affected", ()) if link["type"] == "acquisition_session"]
    cut = len(inp.children.get("sessions", ())) >= READ_AT_MOST
    return [_deviation(inp, "microscope QC")] if measured or cut else []


def failure(why: str, deviation: str) -> tuple[w.Effect, ...]:
    """Return what a failed check does: the instrument leaves service and is held, and a deviation opens.

    ``deviation`` names the rule that says which.
    """
    at = ("instrument",)
    return (
        w.Do(at, "stand_down", NOT_IN_USE),
        w.Create(
            "hold",
            "cause",
            {"subject": w.Value("path", path=at), "reason": w.Value("literal", why)},
        ),
        w.Create(
            "deviation",
            "",
            {
                "kind": w.Value("literal", "unplanned"),
                "found_at": w.Value("now"),
                "occurred_at": w.Value("now"),
                "immediate_action": w.Value("literal", "The instrument is out of service and on hold."),
            },
            each=w.Rule(
                deviation,
                1,
                {"instrument": at},
                {
                    "sessions": (at, "acquisition_session", "instrument"),
                    "controls": (at, "microscope_qc", "instrument"),
                },
                "What the failed check opens.",
            ),
        ),
    )
