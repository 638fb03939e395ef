"""Image: raw or derived, immutable from the moment it is registered (DOMAIN 4.14).

Rules kept here: nobody edits an image; the same pixels are registered once, and a delivery in
quarantine does not take their place; a manual import needs a reason and a second person; an image is
excluded, never deleted.
"""

from __future__ import annotations

from decimal import Decimal

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import HASH, REGULATED, sandbox, signing

_EVER = ("registering", "available", "quarantined", "excluded")
_KEPT = ("available", "quarantined", "excluded")
_MAX_PIXEL_UM = Decimal(50)
_READ = (
    "files",
    "root",
    "format",
    "dims",
    "bit_depth",
    "pixel_size_x_um",
    "pixel_size_y_um",
    "pixel_size_z_um",
    "uncalibrated",
    "channels",
    "acquired_at",
    "checks",
    "metadata",
    "delivery",
    "converter",
    "label_present",
)


@rule("image_checks_pass", 1)
def image_checks_pass(inp: RuleInput) -> str | None:
    """Ask that the image was checked and no check failed; says what the first failed ones found."""
    rows = inp.fields.get("checks") or ()
    if not rows:
        return "The image is checked."
    failed = [str(row["sentence"]) for row in rows if row["verdict"] == "fail"]
    return " ".join(failed[:5]) or None


@rule("excluded_by_request", 1)
def excluded_by_request(inp: RuleInput) -> str | None:
    """Ask, once an analysis looked at the image, for the request or investigation that leaves it out."""
    used = sorted(row.number for row in inp.children["sets"] if row.state == "used")
    if not used or inp.fields.get("excluded_by"):
        return None
    return f"Exclude through a reprocessing request ({', '.join(used[:5])} was analysed with this image)."


@rule("pixel_size_stated", 1)
def pixel_size_stated(inp: RuleInput) -> str | None:
    """Ask for a pixel size above 0 and at most 50 um in x and y, or the mark "uncalibrated"."""
    if inp.fields.get("uncalibrated") is True:
        return None
    sizes = [inp.fields.get("pixel_size_x_um"), inp.fields.get("pixel_size_y_um")]
    if all(size is not None and 0 < Decimal(size) <= _MAX_PIXEL_UM for size in sizes):
        return None
    return "The pixel size is known, or the image is marked as uncalibrated."


_CHECKS = w.Table(
    {
        "check": w.Column(w.Text(100)),
        "verdict": w.Column(w.Enum(("pass", "absent", "explained", "fail"))),
        "expected": w.Column(w.Text(500), required=False),
        "found": w.Column(w.Text(500), required=False),
        "sentence": w.Column(w.Text(1000)),
    },
    max_rows=200,
)
_CHANNELS = w.Table(
    {
        "index": w.Column(w.Int(0, 1000)),
        "name": w.Column(w.Text(200)),
        "fluor": w.Column(w.Text(200), required=False),
        "excitation_nm": w.Column(w.Decimal("0"), required=False),
        "emission_nm": w.Column(w.Decimal("0"), required=False),
        "exposure_ms": w.Column(w.Decimal("0"), required=False),
    },
    max_rows=200,
)
_MANUAL = w.Compare(("manual_import",), "eq", True)
_PIXELS = w.Decimal("0", places=12)


def _read(
    kind: w.Kind, label: str, *, needed: bool = False, critical: bool = False, many: bool = False
) -> w.Field:
    """Return a field that the import reads from the delivery."""
    return w.Field(
        kind,
        label,
        required_at=("available",) if needed else (),
        immutable_at=_KEPT,
        many=many,
        critical=critical,
        source="import",
    )


TYPE = w.Type(
    name="image",
    title="Image",
    version=2,
    purpose="What an instrument saw, byte for byte, with what is known about it.",
    number=w.Number("IMG", 6, yearly=True),
    gxp=REGULATED,
    title_field="name",
    fields={
        "name": w.Field(w.Text(300), "Name", required=True, immutable_at=_EVER),
        "study": w.Field(w.Link(("study",), "none"), "Study", required=True, immutable_at=_EVER),
        "session": w.Field(w.Link(("acquisition_session",), "none"), "Session", immutable_at=_EVER),
        "kind": w.Field(w.Enum(("raw", "derived")), "Kind", required=True, immutable_at=_EVER, critical=True),
        "parents": w.Field(w.Link(("image",), "version"), "Derived from", many=True, immutable_at=_EVER),
        "run": w.Field(w.Link(("analysis_run",), "none"), "Made by run", immutable_at=_EVER),
        "position": w.Field(w.Text(100), "Position", immutable_at=_EVER),
        "manual_import": w.Field(
            w.Bool(), "Imported by hand", default=False, immutable_at=_EVER, critical=True
        ),
        "import_reason": w.Field(w.Rich(5000), "Why by hand", immutable_at=_EVER, critical=True),
        "files": _read(w.File(), "Files", needed=True, critical=True, many=True),
        "root": _read(HASH, "Root hash", needed=True, critical=True),
        "registered_root": w.Field(
            HASH,
            "Registered root hash",
            unique="type",
            source="computed",
            help="Set when the image becomes available; pixels are registered once.",
        ),
        "format": _read(
            w.Enum(("ome_tiff", "ome_zarr", "tiff", "png", "jpeg", "vendor_converted")), "Format", needed=True
        ),
        "dims": _read(w.Json(2000), "Size (x, y, z, c, t, levels)", needed=True),
        "bit_depth": _read(w.Int(1, 64), "Bits per sample"),
        "pixel_size_x_um": _read(_PIXELS, "Pixel size x (um)", critical=True),
        "pixel_size_y_um": _read(_PIXELS, "Pixel size y (um)", critical=True),
        "pixel_size_z_um": _read(_PIXELS, "Slice distance z (um)"),
        "uncalibrated": _read(w.Bool(), "Uncalibrated", critical=True),
        "channels": _read(_CHANNELS, "Channels"),
        "acquired_at": _read(w.Instant(), "Acquired", critical=True),
        "checks": _read(_CHECKS, "Checks", critical=True),
        "metadata": _read(w.Json(), "Metadata of the file"),
        "delivery": _read(w.Json(20_000), "Delivery (device, manner)"),
        "converter": _read(w.Json(2000), "Converter (name, version, hash)"),
        "label_present": _read(w.Bool(), "Label or macro image present"),
        "excluded_by": w.Field(
            w.Link(("reprocessing_request", "oos"), "none"),
            "Excluded by",
            critical=True,
            immutable_at=("registering", "quarantined", "excluded"),
            help="Needed once an analysis has looked at the image: the request or investigation.",
        ),
    },
    states=(
        w.State("registering"),
        w.State("available", locked=True, resting=True),
        w.State("quarantined", terminal=True, locked=True),
        w.State("excluded", terminal=True, locked=True),
    ),
    create=w.Making(
        ("SVC", "DEV", "OPR", "ANL"),
        "registering",
        requires=(
            w.When(
                _MANUAL,
                (w.Compare(("import_reason",), "present", message="Say why it is imported by hand."),),
            ),
            w.When(
                w.Compare(("kind",), "eq", "derived"),
                (w.Compare(("parents",), "present", message="A derived image names its parents."),),
            ),
        ),
    ),
    persons={
        "importer": w.Actor("create"),
        "operator": w.Actor("start", ("session",)),
        "editors": w.Touched(),
    },
    transitions=(
        w.Transition(
            "describe",
            "Describe import",
            ("registering",),
            "",
            ("SVC",),
            fields=_READ,
            requires=(w.Compare(("manual_import",), "eq", True, message="The image was imported by hand."),),
        ),
        w.Transition(
            "verify_import",
            "Verify manual import",
            ("registering",),
            "",
            ("OPR", "ANL", "REV", "QA"),
            requires=(w.Compare(("manual_import",), "eq", True, message="The image was imported by hand."),),
            signature=signing(
                "verified",
                "I compared this import with its source.",
                ("OPR", "ANL", "REV", "QA"),
                ("importer",),
            ),
        ),
        w.Transition(
            "accept",
            "Register",
            ("registering",),
            "available",
            ("SVC",),
            fields=_READ,
            requires=(
                w.InState(("study",), ("in_progress",), "Study {number} is in progress (it is {state})."),
                w.When(
                    w.Compare(("kind",), "eq", "raw"),
                    (
                        w.When(
                            w.Compare(("manual_import",), "ne", True),
                            (
                                w.InState(
                                    ("session",),
                                    ("running", "completed", "verified"),
                                    "A raw image belongs to a session that was started.",
                                ),
                            ),
                        ),
                    ),
                ),
                w.When(_MANUAL, (w.Signed("verified", message="A second person verified the import."),)),
                w.Rule("image_checks_pass", 1, message="The image passes its checks."),
                w.Rule("pixel_size_stated", 1, message="The pixel size is known."),
            ),
            effects=(w.Set("registered_root", w.Value("path", path=("root",))),),
        ),
        w.Transition(
            "quarantine",
            "Quarantine",
            ("registering",),
            "quarantined",
            ("SVC",),
            fields=_READ,
            reason=w.Reason(),
            aside=True,
        ),
        w.Transition(
            "exclude",
            "Exclude",
            ("available",),
            "excluded",
            ("REV",),
            fields=("excluded_by",),
            requires=(
                w.Rule(
                    "excluded_by_request",
                    1,
                    children={"sets": ((), "image_set", "members")},
                    message="Images that were analysed are excluded through a reprocessing request.",
                ),
            ),
            signature=signing(
                "approved",
                "I approve that this image is not used; it is kept.",
                ("REV",),
                ("importer", "operator", "editors"),
            ),
            reason=w.Reason(20),
        ),
    ),
    migration_note="Version 2: nobody is waited for while an image is available; one that was analysed is"
    " excluded only by the request or investigation named. Images excluded before name none.",
    retention=w.Retention(longest_of=("study",)),
    summary=("name", "session", "format", "acquired_at"),
    predicate_rules=("21 CFR 58.3(k)", "21 CFR 211.194(a)(4)", "21 CFR 211.180(d)"),
    sandbox=sandbox("study"),
)
