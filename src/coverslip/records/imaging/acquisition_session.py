"""Acquisition session: one sitting at one instrument (DOMAIN 4.13).

Rules kept here: nothing is acquired with an instrument out of service or calibration, by a person
not trained on the method, outside a study in progress, with a device clock five seconds off, while its
microscope QC is overdue or failed, or from a container nobody checked.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, sandbox, signing
from coverslip.records.imaging.calibration import calibrated_guard
from coverslip.records.imaging.microscope_qc import qc_guard

MAX_CLOCK_OFFSET_MS = 5000
_AFTER_START = ("running", "completed", "verified", "aborted")


@rule("daily_checks_pass", 1)
def daily_checks_pass(inp: RuleInput) -> str | None:
    """Ask that no daily check recorded failed."""
    failed = [row["check"] for row in inp.fields.get("checks", ()) if row["result"] == "fail"]
    return f"Daily checks pass (failed: {', '.join(failed)})." if failed else None


@rule("device_clock_close", 1)
def device_clock_close(inp: RuleInput) -> str | None:
    """Refuse a device clock five seconds off or more; smaller offsets are only recorded."""
    offset = inp.fields.get("device_clock_offset_ms", 0)
    if abs(offset) < MAX_CLOCK_OFFSET_MS:
        return None
    return f"The instrument clock is within 5 s of the server's (it is {offset} ms off)."


TYPE = w.Type(
    name="acquisition_session",
    title="Acquisition session",
    version=2,
    purpose="Who acquired images, with what, by which method and settings.",
    number=w.Number("ACQ", 5, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "study": w.Field(
            w.Link(("study",), "none"), "Study", required=True, immutable_at=("prepared", *_AFTER_START)
        ),
        "operator": w.Field(w.Link(("user",), "none"), "Operator", required=True, immutable_at=_AFTER_START),
        "instrument": w.Field(w.Link(("instrument",), "none"), "Instrument", immutable_at=_AFTER_START),
        "method": w.Field(
            w.Link(("document_sop",), "version", ("effective",)),
            "Method",
            immutable_at=_AFTER_START,
            critical=True,
        ),
        "containers": w.Field(
            w.Link(("container",), "none"),
            "Slides and plates",
            many=True,
            immutable_at=_AFTER_START,
            critical=True,
        ),
        "settings": w.Field(w.Json(100_000), "Settings", required_at=("running",), critical=True),
        "environment": w.Field(w.Json(10_000), "Environment"),
        "room_temperature": w.Field(w.Quantity("Cel", "-20", "60"), "Room temperature (°C)"),
        "room_humidity": w.Field(w.Quantity("%", "0", "100"), "Room humidity (%)"),
        "checks": w.Field(
            w.Table(
                {
                    "check": w.Column(w.Text(200)),
                    "result": w.Column(w.Enum(("pass", "fail"))),
                    "note": w.Column(w.Text(500), required=False),
                },
                max_rows=100,
            ),
            "Daily checks",
            critical=True,
        ),
        "device_clock_offset_ms": w.Field(w.Int(), "Instrument clock offset (ms)", critical=True),
        "time_explanation": w.Field(
            w.Rich(2000), "Why image times lie outside the session", critical=True, immutable_at=_AFTER_START
        ),
        "started_at": w.Field(w.Instant(), "Started", source="computed"),
        "ended_at": w.Field(w.Instant(), "Ended", source="computed"),
        "not_imaged": w.Field(w.Rich(10_000), "Planned positions not imaged, and why"),
    },
    states=(
        w.State("prepared"),
        w.State("running"),
        w.State("completed"),
        w.State("verified", locked=True),
        w.State("aborted", terminal=True, locked=True),
    ),
    create=w.Making(("OPR", "ANL"), "prepared"),
    edit=w.Editing(("OPR", "ANL"), ("prepared", "running")),
    persons={
        "operator": w.PersonAt(("operator",)),
        "starter": w.Actor("start"),
        "completer": w.Actor("complete"),
        "editors": w.Touched(),
    },
    transitions=(
        w.Transition(
            "start",
            "Start",
            ("prepared",),
            "running",
            ("OPR", "ANL"),
            fields=(
                "settings",
                "checks",
                "device_clock_offset_ms",
                "environment",
                "room_temperature",
                "room_humidity",
            ),
            requires=(
                w.InState(
                    ("study",),
                    ("in_progress",),
                    "Study {number} is in progress (it is {state}).",
                    code="SEQ_STATE",
                ),
                w.InState(("instrument",), ("in_service",), "The instrument is in service."),
                calibrated_guard(("instrument",)),
                qc_guard(("instrument",)),
                w.InState(
                    ("containers",),
                    ("qc_checked", "loaded", "imaged"),
                    "Container {number} is checked (it is {state}).",
                    empty_ok=True,
                ),
                w.NotOnHold(("containers",), "No container is on hold."),
                w.Compare(("method",), "present", message="A method is named."),
                w.InState(
                    ("method",),
                    ("effective",),
                    empty_ok=True,
                    message="{number} is in force (it is {state}).",
                ),
                w.Trained(("method",), "You are trained on the method."),
                w.NotOnHold(("instrument",), "The instrument is not on hold."),
                w.NotOnHold(("study",), "The study is not on hold."),
                w.Rule("daily_checks_pass", 1, message="Daily checks pass."),
                w.Rule("device_clock_close", 1, message="The instrument clock is close to the server's."),
            ),
            effects=(
                w.Set("started_at", w.Value("now")),
                w.Snapshot(("instrument",), "instrument"),
                w.Snapshot(("method",), "method"),
                w.Do(("containers",), "load_for_imaging", ("loaded", "imaged")),
            ),
            touches=True,
        ),
        w.Transition(
            "complete",
            "Complete",
            ("running",),
            "completed",
            ("OPR", "ANL", "SVC"),
            fields=("environment", "not_imaged"),
            effects=(
                w.Set("ended_at", w.Value("now")),
                w.Do(("containers",), "image", ("imaged", "layout_amended", "archived", "discarded")),
            ),
        ),
        w.Transition(
            "verify",
            "Verify",
            ("completed",),
            "verified",
            ("REV", "QA"),
            signature=signing(
                "verified",
                "I checked settings and images of this session against its method.",
                ("REV", "QA"),
                ("operator", "starter", "completer", "editors"),
            ),
        ),
        w.Transition(
            "abort",
            "Abort",
            ("prepared", "running"),
            "aborted",
            ("OPR", "ANL"),
            effects=(w.Set("ended_at", w.Value("now")),),
            reason=w.Reason(),
            aside=True,
        ),
    ),
    retention=w.Retention(longest_of=("study",)),
    summary=("title", "study", "instrument", "operator"),
    predicate_rules=("21 CFR 211.194", "21 CFR 58.130"),
    sandbox=sandbox("study"),
    migration_note="Version 2: a session may name slides and plates, whose layout is fixed once it starts;"
    " it does not start while the microscope QC of its instrument is overdue or failed. Older sessions"
    " name none. Room temperature and humidity may be recorded with their units.",
)
