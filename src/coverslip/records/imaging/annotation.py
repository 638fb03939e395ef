"""Annotation: what somebody marked on an image (DOMAIN 4.16).

Rules kept here: an annotation is pinned to raw pixels, directly or through the raw image a derived one
was made from; once final it is never changed, another version is drawn beside it, and both
are kept.
"""

from __future__ import annotations

import re
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, sandbox, signing, void

_SHAPES = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,9})?")
_SETTLED = ("final", "reviewed")
_DRAWERS = ("ANL", "OPR", "REV")


def _coordinates(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_coordinates(item) for item in value)
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and _NUMBER.fullmatch(value) is not None
    )


def _geometry(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind == "FeatureCollection":
        return bool(value.get("features")) and all(_geometry(item) for item in value["features"])
    if kind == "Feature":
        return _geometry(value.get("geometry"))
    if kind == "GeometryCollection":
        return bool(value.get("geometries")) and all(_geometry(item) for item in value["geometries"])
    return (
        kind in _SHAPES and isinstance(value.get("coordinates"), list) and _coordinates(value["coordinates"])
    )


@rule("geometry_drawn", 1)
def geometry_drawn(inp: RuleInput) -> str | None:
    """Ask for GeoJSON (coordinates whole or decimal text, no floats) or a mask, one or both."""
    drawn = inp.fields.get("geometry")
    if drawn is None:
        return None if "mask" in inp.fields else "A geometry or a mask is given."
    return None if _geometry(drawn) else "The geometry is GeoJSON, its coordinates whole or decimal text."


@rule("raw_referenced", 1)
def raw_referenced(inp: RuleInput) -> str | None:
    """Ask that a derived image is annotated with reference to the raw image it was made from."""
    for image in inp.reads["image"]:
        if image.fields["kind"] == "raw":
            continue
        raws = inp.reads["raw"]
        if not raws:
            return f"Raw image is required: {image.number} is derived."
        parents = {str(link["uid"]) for link in image.fields.get("parents", ())}
        strange = [r.number for r in raws if r.fields["kind"] != "raw" or r.uid not in parents]
        if strange:
            return f"{strange[0]} is a raw image that {image.number} was made from."
    return None


_PINNED = w.Rule(
    "raw_referenced",
    1,
    {"image": ("image",), "raw": ("raw_image",)},
    message="The raw image is named.",
    code="VAL_REQ",
)
_DRAWN = w.Rule("geometry_drawn", 1, message="A geometry or a mask is given.")

TYPE = w.Type(
    name="annotation",
    title="Annotation",
    version=1,
    purpose="What was marked or labelled on an image, by whom and with what.",
    number=w.Number("ANN", 5, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "What is marked", required=True),
        "image": w.Field(
            w.Link(("image",), "version", ("available",)),
            "Image",
            required=True,
            immutable_at=("draft", *_SETTLED),
            critical=True,
        ),
        "raw_image": w.Field(
            w.Link(("image",), "version"),
            "Raw image",
            critical=True,
            help="Needed where the image annotated is a derived one.",
        ),
        "geometry": w.Field(w.Json(1_000_000), "Geometry (GeoJSON)", critical=True),
        "mask": w.Field(w.File(), "Mask", critical=True),
        "coordinate_space": w.Field(
            w.Enum(("pixel", "micrometre")), "Coordinates in", required=True, critical=True
        ),
        "plane": w.Field(w.Text(100), "Plane (channel, z, t)"),
        "class": w.Field(w.Text(100), "Class", required=True, critical=True),
        "value": w.Field(w.Text(300), "Value", critical=True),
        "blinded": w.Field(w.Bool(), "Drawn blinded", required=True, critical=True),
        "tool": w.Field(w.Text(200), "Tool and its version", required=True),
        "confidence": w.Field(w.Decimal("0", "1"), "Confidence (0 to 1)"),
        "comment": w.Field(w.Rich(5000), "Comment"),
    },
    states=(
        w.State("draft"),
        w.State("final", locked=True, resting=True),
        w.State("reviewed", locked=True, resting=True),
        VOIDED,
    ),
    create=w.Making(_DRAWERS, "draft", requires=(_PINNED, _DRAWN)),
    edit=w.Editing(_DRAWERS, ("draft",), requires=(_PINNED, _DRAWN)),
    persons={"author": w.Signer("authored"), "drawer": w.Actor("create"), "editors": w.Touched()},
    transitions=(
        w.Transition(
            "finalise",
            "Make final",
            ("draft",),
            "final",
            _DRAWERS,
            requires=(w.NotOnHold(("image",), "The image is not on hold."),),
            signature=signing("authored", "I drew this annotation and it is final.", _DRAWERS),
        ),
        w.Transition(
            "review",
            "Review",
            ("final",),
            "reviewed",
            ("REV",),
            signature=signing(
                "reviewed",
                "I compared this annotation with the image.",
                ("REV",),
                ("author", "drawer", "editors"),
            ),
        ),
        void(("draft", "final", "reviewed")),
    ),
    revisions=True,
    retention=w.Retention(longest_of=("image", "study")),
    summary=("title", "image", "class", "value"),
    predicate_rules=("21 CFR 58.130(e)", "21 CFR 211.194(a)(4)"),
    sandbox=sandbox("image", "study"),
)
