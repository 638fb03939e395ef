"""Container: slide, plate, dish or tube, and what lies where on it (DOMAIN 4.9).

Rules kept here: a second person checks layout and controls before anything is imaged; from loading on
the layout is fixed, and what was wrong is corrected by an amendment with its reason and its effect on
results, verified by somebody else.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, VOIDED, sandbox, signing, void
from coverslip.records.imaging import _layout as _layout

_CHECKED = ("qc_checked", "loaded", "imaged", "layout_amended", "archived", "discarded")
_ROLES = ("sample", "pos_control", "neg_control", "blank", "reference", "empty")
_FORMATS = ("slide_1x3", "6", "12", "24", "48", "96", "384", "1536", "custom")
_CHECKERS = ("OPR", "ANL", "REV", "QA")
LAYOUT = w.Table(
    {
        "position": w.Column(w.Text(20)),
        "role": w.Column(w.Enum(_ROLES)),
        "specimen": w.Column(w.Link(("specimen",), "version"), required=False),
        "treatment": w.Column(w.Text(300), required=False),
        "concentration": w.Column(w.Decimal("0"), required=False),
        "concentration_unit": w.Column(w.Text(30), required=False),
        "replicate": w.Column(w.Int(1, 10_000), required=False),
        "pooled": w.Column(w.Bool(), required=False),
    },
    max_rows=5000,
    min_rows=1,
)
_WELL_FORMED = (
    w.Rule("positions_valid", 1, message="Positions exist on the container."),
    w.Rule("positions_once", 1, message="Every position is given once.", code="DUP"),
)
_COMPLETE = (
    *_WELL_FORMED,
    w.Compare(("layout",), "present", message="The layout is complete."),
    w.Rule("layout_filled", 1, message="Every sample position names its specimen."),
    w.Rule("controls_present", 1, message="The controls asked for are there."),
)
_USABLE = w.Rule(
    "specimens_usable", 1, {"specimens": ("layout.specimen",)}, message="Every specimen is at hand."
)

TYPE = w.Type(
    name="container",
    title="Slide or plate",
    version=1,
    purpose="What was put where, so that every position of an image is known.",
    number=w.Number("CNT", 5, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Name", required=True),
        "study": w.Field(w.Link(("study",), "none"), "Study", immutable_at=_CHECKED, critical=True),
        "kind": w.Field(
            w.Enum(("slide", "plate", "dish", "tube")), "Kind", required=True, immutable_at=_CHECKED
        ),
        "format": w.Field(w.Enum(_FORMATS), "Format", required=True, immutable_at=_CHECKED, critical=True),
        "barcode": w.Field(w.Text(100), "Barcode", unique="type", immutable_at=_CHECKED),
        "consumable_lot": w.Field(w.Text(100), "Lot of the consumable"),
        "stain_lots": w.Field(w.Text(100), "Lots of stains and labels", many=True),
        "critical": w.Field(
            w.Bool(),
            "Critical",
            default=False,
            immutable_at=_CHECKED,
            critical=True,
            help="A critical container has a positive and a negative control or more.",
        ),
        "positive_controls": w.Field(
            w.Int(0, 1000), "Positive controls, at least", default=0, immutable_at=_CHECKED, critical=True
        ),
        "negative_controls": w.Field(
            w.Int(0, 1000), "Negative controls, at least", default=0, immutable_at=_CHECKED, critical=True
        ),
        "layout": w.Field(LAYOUT, "Layout", critical=True, help="Wells by row letter and column: C05."),
        "layout_version": w.Field(w.Int(1), "Layout version", source="computed"),
        "amendment_impact": w.Field(
            w.Rich(10_000),
            "Effect of the amendment on results",
            required_at=("layout_amended",),
            critical=True,
        ),
        "affected_results": w.Field(
            w.Link(("result_set",), "none"), "Results evaluated again", many=True, critical=True
        ),
    },
    states=(
        w.State("prepared"),
        w.State("qc_checked"),
        w.State("loaded"),
        w.State("imaged", locked=True, resting=True),
        w.State("layout_amended", locked=True),
        w.State("archived", terminal=True, locked=True),
        w.State("discarded", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("OPR", "ANL"),
        "prepared",
        requires=_WELL_FORMED,
        effects=(w.Compute("layout_version", w.Rule("next_layout_version", 1, message="Counts.")),),
    ),
    edit=w.Editing(("OPR", "ANL"), ("prepared",), requires=_WELL_FORMED),
    persons={
        "preparer": w.Actor("create"),
        "editors": w.Touched(),
        "amender": w.Actor("amend_layout"),
    },
    transitions=(
        w.Transition(
            "qc_check",
            "Check layout",
            ("prepared",),
            "qc_checked",
            _CHECKERS,
            requires=(*_COMPLETE, _USABLE),
            signature=signing(
                "verified",
                "I checked layout, controls and labels of this container.",
                _CHECKERS,
                ("preparer", "editors"),
            ),
        ),
        w.Transition(
            "return_to_preparation",
            "Send back",
            ("qc_checked",),
            "prepared",
            _CHECKERS,
            effects=(w.Compute("layout_version", w.Rule("next_layout_version", 1, message="Counts.")),),
            reason=w.Reason(),
            clears=("verified",),
        ),
        w.Transition("load", "Load", ("qc_checked",), "loaded", ("OPR", "ANL"), requires=(_USABLE,)),
        w.Transition("load_for_imaging", "Load", ("qc_checked",), "loaded", consequence=True),
        w.Transition("image", "Record as imaged", ("qc_checked", "loaded"), "imaged", consequence=True),
        w.Transition(
            "amend_layout",
            "Amend layout",
            ("imaged",),
            "layout_amended",
            ("OPR", "ANL"),
            fields=("layout", "amendment_impact", "affected_results"),
            requires=_COMPLETE,
            effects=(w.Compute("layout_version", w.Rule("next_layout_version", 1, message="Counts.")),),
            signature=signing(
                "executed",
                "I correct this layout as the reason says; results were evaluated.",
                ("OPR", "ANL"),
            ),
            reason=w.Reason(30),
            clears=("verified",),
        ),
        w.Transition(
            "verify_amendment",
            "Verify amendment",
            ("layout_amended",),
            "imaged",
            ("REV", "QA"),
            signature=signing(
                "verified",
                "I checked the amended layout and its effect on results.",
                ("REV", "QA"),
                ("amender",),
            ),
        ),
        w.Transition(
            "archive",
            "Archive",
            ("imaged",),
            "archived",
            ("OPR", "WHS", "QA"),
            signature=signing("executed", "I put this container into the archive.", ("OPR", "WHS", "QA")),
        ),
        w.Transition(
            "discard",
            "Discard",
            ("prepared", "qc_checked", "loaded", "imaged"),
            "discarded",
            ("OPR", "ANL", "QA"),
            signature=signing("executed", "I discarded this container.", ("OPR", "ANL", "QA")),
            reason=w.Reason(),
        ),
        void(("prepared",)),
    ),
    retention=w.Retention(longest_of=("study",)),
    summary=("title", "kind", "format", "study"),
    predicate_rules=("21 CFR 58.130(c)", "21 CFR 211.194"),
    sandbox=sandbox("study"),
)
