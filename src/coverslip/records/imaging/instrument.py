"""Instrument: a source of measurements, known by its key (DOMAIN 4.10).

Rules kept here: its content is fixed while in service, so that a changed firmware is seen; it goes
into service only with a calibration in date, qualified where its criticality asks, and with every work
on it verified; a failed check takes it out of service in the same act.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import HASH, REGULATED, signing
from coverslip.records.imaging.calibration import calibrated_guard
from coverslip.records.imaging.qualification import of_kind

GATED = "gxp_critical"
"""Criticality of an instrument that goes into service only when qualified."""
_QUALIFIED_BY = ("IQ", "OQ", "PQ")


@rule("instrument_qualified", 1)
def instrument_qualified(inp: RuleInput) -> str | None:
    """Ask for approved IQ, OQ and PQ of a critical instrument, and for what maintenance asked for since."""
    if inp.record is None:
        return None
    own, rows = inp.record.uid, inp.children["qualifications"]
    if inp.fields.get("criticality") == GATED:
        missing = [kind for kind in _QUALIFIED_BY if not of_kind(rows, kind, own)]
        if missing:
            return f"{', '.join(missing)} of {inp.record.number} {_are(missing)} approved."
    approved = [str(r.fields.get("approved_on", "")) for r in rows if r.state == "approved"]
    for work in inp.children["maintenance"]:
        needed = work.state == "verified" and work.fields.get("requalification") == "needed"
        if needed and not any(day >= str(work.fields["finished_on"]) for day in approved):
            return f"{inp.record.number} is qualified again after {work.number}."
    return None


@rule("firmware_qualified", 1)
def firmware_qualified(inp: RuleInput) -> str | None:
    """Ask for firmware that the last approved qualification names, where it names what it qualified."""
    stated = [
        (str(r.fields.get("approved_on", "")), r.number, str(r.fields["software_versions"]))
        for r in inp.children["qualifications"]
        if r.state == "approved" and r.fields.get("software_versions")
    ]
    firmware = str(inp.fields.get("firmware", ""))
    if not stated or not firmware:
        return None
    qualified = max(stated)[2]
    if _words(firmware) <= _words(qualified):
        return None
    return f"Firmware {firmware} is not the qualified {qualified}; assess by change control."


def _words(text: str) -> set[str]:
    return {word.strip(".,;:()") for word in text.casefold().split()}


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


_INTERVALS = w.Table(
    {
        "event": w.Column(w.Enum(("calibration", "qualification", "maintenance", "microscope_qc"))),
        "months": w.Column(w.Int(1, 120)),
        "tolerance_days": w.Column(w.Int(0, 90), required=False),
    },
    max_rows=50,
)
_LATER = ("installed", "in_service", "out_of_service", "retired")
_COMPONENTS = w.Table(
    {
        "kind": w.Column(
            w.Enum(("objective", "filter", "camera", "light_source", "stage", "software", "other"))
        ),
        "name": w.Column(w.Text(200)),
        "serial": w.Column(w.Text(100), required=False),
        "magnification": w.Column(w.Decimal("0"), required=False),
        "numerical_aperture": w.Column(w.Decimal("0", "2"), required=False),
        "software_version": w.Column(w.Text(100), required=False),
    },
    max_rows=200,
)

TYPE = w.Type(
    name="instrument",
    title="Instrument",
    version=2,
    purpose="A microscope or other source, with identity, calibration and service state.",
    number=w.Number("INS"),
    gxp=REGULATED,
    title_field="name",
    fields={
        "name": w.Field(w.Text(200), "Name", required=True),
        "class": w.Field(
            w.Enum(("microscope", "slide_scanner", "plate_imager", "camera", "reader", "other")),
            "Class",
            default="microscope",
        ),
        "make": w.Field(w.Text(200), "Maker", required=True),
        "model": w.Field(w.Text(200), "Model", required=True),
        "serial": w.Field(
            w.Text(100), "Serial number", required=True, unique="type", immutable_at=_LATER, critical=True
        ),
        "asset": w.Field(w.Text(100), "Asset number"),
        "site": w.Field(w.Link(("site",), "none"), "Site"),
        "location": w.Field(w.Text(200), "Location"),
        "device_key": w.Field(HASH, "Device key (Ed25519 public, hex)", unique="type", critical=True),
        "firmware": w.Field(w.Text(100), "Firmware", required_at=("in_service",), critical=True),
        "components": w.Field(_COMPONENTS, "Components"),
        "interval_months": w.Field(w.Int(1, 60), "Calibrate every (months)", required=True, critical=True),
        "intervals": w.Field(_INTERVALS, "Other intervals", critical=True),
        "qc_frequency": w.Field(
            w.Enum(("none", "daily", "weekly", "monthly")),
            "Microscope QC",
            critical=True,
            help="Where it is asked for, nothing is acquired while it is overdue or failed.",
        ),
        "criticality": w.Field(
            w.Enum((GATED, "gxp_supporting", "non_gxp")),
            "Criticality",
            critical=True,
            help="A critical instrument goes into service only with IQ, OQ and PQ approved.",
        ),
        "owner": w.Field(
            w.Link(("user",), "none"),
            "Responsible",
            critical=True,
            help="A device acts by itself; this person answers for it. Needed before it goes into service.",
        ),
        "gamp_category": w.Field(w.Enum(("1", "3", "4", "5")), "GAMP category"),
        "procedure": w.Field(w.Link(("document_sop",), "version"), "Operating procedure"),
    },
    states=(
        w.State("received"),
        w.State("installed"),
        w.State("in_service", locked=True, resting=True),
        w.State("out_of_service"),
        w.State("retired", terminal=True, locked=True),
    ),
    create=w.Making(("MET", "QA"), "received"),
    edit=w.Editing(("MET",), ("received", "installed", "out_of_service")),
    persons={"registrar": w.Actor("create"), "editors": w.Actor("edit")},
    transitions=(
        w.Transition(
            "install",
            "Install",
            ("received",),
            "installed",
            ("MET",),
            fields=("location", "firmware", "components", "device_key"),
        ),
        w.Transition(
            "put_in_service",
            "Put in service",
            ("installed", "out_of_service"),
            "in_service",
            ("QA", "MET"),
            requires=(
                w.Compare(("owner",), "present", message="A person answers for this instrument."),
                calibrated_guard(()),
                w.Rule(
                    "instrument_qualified",
                    1,
                    {},
                    {
                        "qualifications": ((), "qualification", "subject"),
                        "maintenance": ((), "maintenance", "instrument"),
                    },
                    "The instrument is qualified.",
                ),
                w.Rule(
                    "firmware_qualified",
                    1,
                    {},
                    {"qualifications": ((), "qualification", "subject")},
                    "The firmware is the qualified one.",
                ),
                w.NoOpen(
                    (),
                    "maintenance",
                    "instrument",
                    ("planned",),
                    "Maintenance {number} is verified (it is {state}).",
                ),
                w.InState(
                    ("procedure",),
                    ("effective",),
                    empty_ok=True,
                    message="Procedure {number} is in force (it is {state}).",
                ),
            ),
            signature=signing(
                "approved",
                "I approve that this instrument is used as it stands here.",
                ("QA", "MET"),
                ("registrar", "editors"),
            ),
        ),
        w.Transition(
            "take_out_of_service",
            "Take out of service",
            ("in_service",),
            "out_of_service",
            ("MET", "QA", "SVC"),
            reason=w.Reason(),
            stops=True,
        ),
        w.Transition(
            "stand_down", "Stand down", ("in_service",), "out_of_service", consequence=True, stops=True
        ),
        w.Transition(
            "retire",
            "Retire",
            ("received", "installed", "out_of_service"),
            "retired",
            ("QA",),
            signature=signing("closed", "This instrument is not used again.", ("QA",)),
            reason=w.Reason(),
            aside=True,
        ),
    ),
    provides=(w.IdentifiesDevice(("in_service",), "device_key", "serial"),),
    retention=w.Retention("SYS"),
    summary=("name", "make", "model", "serial"),
    predicate_rules=("21 CFR 211.68", "21 CFR 211.160(b)(4)", "21 CFR 58.61", "ISO 13485 7.6"),
    migration_note="Version 2: criticality, microscope QC, intervals and owner may be stated; a critical"
    " instrument needs IQ, OQ and PQ before service, and a failed check stands it down; who edited it"
    " does not approve it; firmware other than the qualified one is refused."
    " Instruments that state none of these go into service as before, once a person"
    " answers for them.",
)
