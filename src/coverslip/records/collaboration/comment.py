"""Comment: somebody says or asks something about a record, one field of it, or a place in an image.

Rules kept here:

* A comment is a stream of its own. It never changes the record it is about, so that no signature there goes
  stale by it; it is found beside the record and goes with its copies.
* Only the author edits it, with a reason and with every earlier text kept; it is withdrawn, never deleted.
* A field named is one the record's type has, a region lies within the image, and a reply is about what the
  comment replied to is about.
* It decides nothing: no state of another record rests on it, so that it is not signed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import VOIDED, void
from coverslip.records.collaboration._about import KEPT_WITH, UNREGULATED, subject

_EVER = ("open", "answered", "resolved", "withdrawn", "voided")
_BOX = ("x", "y", "width", "height")
_PLANE = ("z", "c", "t")


@rule("comment_field_exists", 1)
def comment_field_exists(inp: RuleInput) -> str | None:
    """Ask that the field pinned to is one of the subject: filled there, or declared by its type.

    ``name``, ``table.column`` and ``table[2].column`` are understood; rows count from 0.
    """
    pinned = inp.fields.get("field")
    if pinned is None:
        return None
    found = re.fullmatch(r"([a-z][a-z0-9_]*)(?:\[([0-9]{1,5})\])?(?:\.([a-z][a-z0-9_]*))?", str(pinned))
    if found is None:
        return "The field is named as in 'title', 'rows.value' or 'rows[2].value'."
    name, row, column = found.groups()
    for subject_row in inp.reads["subject"]:
        value = subject_row.fields.get(name)
        columns = _columns(subject_row.type, name, value)
        if columns is None or (column and column not in columns):
            return f"{subject_row.label} has the field '{pinned}'."
        if row and (not isinstance(value, list) or int(row) >= len(value)):
            return f"{subject_row.label} has a row {row} in '{name}'."
    return None


def _columns(kind: str, name: str, value: Any) -> set[str] | None:
    """Return the columns of a field, none for a plain one; ``None`` where there is no such field."""
    from coverslip.records import all_types  # declarations list this one: read when asked, not when loaded

    declared = next((t.fields[name].kind for t in all_types() if t.name == kind and name in t.fields), None)
    if declared is None and value is None:
        return None
    columns = set(declared.columns) if isinstance(declared, w.Table) else set()
    for row in value if isinstance(value, list) else ():
        columns |= set(row) if isinstance(row, dict) else set()
    return columns


@rule("comment_region_in_image", 1)
def comment_region_in_image(inp: RuleInput) -> str | None:
    """Ask that a region is a box of whole pixels within the image, on planes it has (counted from 0)."""
    region = inp.fields.get("region")
    if region is None:
        return None
    images = [row for row in inp.reads["subject"] if "dims" in row.fields]
    if not images:
        return "A region is marked on an image."
    dims = images[0].fields["dims"]
    whole = isinstance(region, Mapping) and set(_BOX) <= set(region) <= {*_BOX, *_PLANE}
    if not whole or any(type(v) is not int or v < 0 for v in region.values()):
        return "The region has x, y, width, height and may have z, c, t, all whole numbers from 0."
    if not region["width"] or not region["height"]:
        return "The region is at least one pixel wide and high."
    right, below = region["x"] + region["width"], region["y"] + region["height"]
    if right > int(dims.get("x", 0)) or below > int(dims.get("y", 0)):
        size = f"{dims.get('x')} x {dims.get('y')}"
        return f"The region lies within {size} pixels (it ends at {right}, {below})."
    for axis in _PLANE:
        if axis in region and region[axis] >= int(dims.get(axis, 1)):
            return f"The image has a plane {axis} {region[axis]} (it has {dims.get(axis, 1)}, from 0 on)."
    return None


@rule("comment_reply_same_subject", 1)
def comment_reply_same_subject(inp: RuleInput) -> str | None:
    """Ask that a reply is about the record that the comment replied to is about."""
    number = (inp.fields.get("subject") or {}).get("number")
    for row in inp.reads["reply_to"]:
        other = row.fields["subject"]["number"]
        if other != number:
            return f"A reply to {row.label} is about {other}, as {row.label} is."
    return None


_PINNED = (
    w.Rule("comment_field_exists", 1, {"subject": ("subject",)}, message="The field is one of the record."),
    w.Rule(
        "comment_region_in_image", 1, {"subject": ("subject",)}, message="The region lies within the image."
    ),
    w.Rule(
        "comment_reply_same_subject", 1, {"reply_to": ("reply_to",)},
        message="A reply is about the same record as the comment replied to.",
    ),
)  # fmt: skip

TYPE = w.Type(
    name="comment",
    title="Comment",
    version=1,
    purpose="What somebody says or asks about a record, a field of it or a place in an image.",
    number=w.Number("CMT", 5, yearly=True),
    gxp="none",
    title_field="text",
    fields={
        "subject": subject(_EVER),
        "text": w.Field(w.Rich(10_000), "Text", required=True),
        "field": w.Field(
            w.Text(150), "Field", immutable_at=_EVER, help="A field of it, such as title or rows.value."
        ),
        "region": w.Field(
            w.Json(500), "Region of the image", immutable_at=_EVER,
            help='Pixels from the upper left corner: {"x": 10, "y": 20, "width": 64, "height": 64, "z": 0}.',
        ),
        "reply_to": w.Field(w.Link(("comment",), "none"), "Reply to", immutable_at=_EVER),
        "asked": w.Field(w.Link(("user",), "none"), "Asked of", help="Whose answer is waited for."),
        "answer": w.Field(w.Rich(10_000), "Answer", required_at=("answered",), source="typed"),
    },
    states=(
        w.State("open"),
        w.State("answered"),
        w.State("resolved", terminal=True, locked=True),
        w.State("withdrawn", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("*",), "open", requires=_PINNED),
    edit=w.Editing((), ("open",), ("author",)),
    persons={"author": w.Actor("create"), "asked": w.PersonAt(("asked",))},
    transitions=(
        w.Transition(
            "answer", "Answer", ("open", "answered"), "answered", ("*",), ("asked",), fields=("answer",)
        ),
        w.Transition("resolve", "Resolve", ("open", "answered"), "resolved", ("*",), ("author",)),
        w.Transition(
            "withdraw", "Withdraw", ("open", "answered"), "withdrawn", persons=("author",), reason=w.Reason()
        , aside=True),
        void(("open", "answered")),
    ),
    retention=KEPT_WITH,
    summary=("subject", "field", "text", "asked"),
    predicate_rules=("21 CFR 11.10(e)",),
    sandbox=UNREGULATED,
)  # fmt: skip
