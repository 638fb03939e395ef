"""Form record: an executed form, with the version of its template inside (DOMAIN 4.4).

Rules kept here: what is filled in has the names, kinds, bounds and choices of the template's version; a value
from a spreadsheet carries the original file; who filled it in does not verify it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, amend, signing, void
from coverslip.records.documents._governing import choices_of

_AFTER = ("completed", "verified")


def _misfit(column: Mapping[str, Any], value: str) -> str:
    """Return how a value does not fit its field of the form; empty where it fits."""
    kind = column.get("kind")
    try:
        if kind in ("whole_number", "decimal"):
            number = Decimal(value)
            if not number.is_finite() or (kind == "whole_number" and number != number.to_integral_value()):
                return f"is a {str(kind).replace('_', ' ')}"
            low, high = column.get("low"), column.get("high")
            if (low is not None and number < Decimal(low)) or (high is not None and number > Decimal(high)):
                return f"is within {low or '…'} and {high or '…'}"
        elif kind == "date":
            dt.date.fromisoformat(value)
    except (InvalidOperation, ValueError):
        return f"is a {str(kind).replace('_', ' ')}"
    if kind == "yes_no" and value not in ("yes", "no"):
        return "is yes or no"
    if kind == "choice" and value not in choices_of(column):
        return f"is one of {', '.join(choices_of(column))}"
    return ""


@rule("values_fit_template", 1)
def values_fit_template(inp: RuleInput) -> str | None:
    """Ask that every value is of a field of the template, given once, and of its kind."""
    template = next(iter(inp.reads["template"]), None)
    columns = {str(c["name"]): c for c in (template.fields.get("columns") or ())} if template else {}
    seen: set[str] = set()
    for row in inp.fields.get("values") or ():
        name = str(row.get("name", ""))
        if name not in columns:
            return f"{name} is not a field of {template.label if template else 'the form'}."
        if name in seen:
            return f"{name} is given once."
        seen.add(name)
        misfit = _misfit(columns[name], str(row.get("value", "")))
        if misfit:
            return f"{columns[name].get('label', name)} {misfit} (it is {row.get('value', '')})."
    return None


@rule("form_filled_in", 1)
def form_filled_in(inp: RuleInput) -> str | None:
    """Ask that every needed field of the template is filled in."""
    template = next(iter(inp.reads["template"]), None)
    given = {str(row.get("name", "")) for row in inp.fields.get("values") or ()}
    columns = (template.fields.get("columns") or ()) if template else ()
    left = [str(c.get("label", c["name"])) for c in columns if c.get("needed") and c["name"] not in given]
    return f"Still to be filled in: {', '.join(left)}." if left else None


_READS: dict[str, w.Path] = {"template": ("template",)}
_FITS = w.Rule("values_fit_template", 1, _READS, message="Every value fits its field of the form.")
_ORIGINALS = w.Filled(
    "values",
    ("original",),
    0,
    ("source", "spreadsheet"),
    message="Attach the original file; its hash is kept.",
    code="VAL_REQ",
)
_VALUES = w.Table(
    {
        "name": w.Column(w.Text(60, 1, "[a-z][a-z0-9_]*")),
        "value": w.Column(w.Rich(20_000)),
        "source": w.Column(w.Enum(("typed", "instrument", "spreadsheet"))),
        "original": w.Column(w.File(), required=False),
    },
    max_rows=500,
)

TYPE = w.Type(
    name="form_record",
    title="Form record",
    version=1,
    purpose="A form somebody filled in and somebody else verified.",
    number=w.Number("FRR", yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "template": w.Field(
            w.Link(("document_form",), "version", ("effective",)),
            "Form",
            required=True,
            immutable_at=("open", *_AFTER),
            critical=True,
        ),
        "subject": w.Field(w.Link(()), "About", immutable_at=_AFTER),
        "values": w.Field(
            _VALUES,
            "Values",
            required_at=("completed",),
            immutable_at=_AFTER,
            critical=True,
            help="One row for each field filled in; a value from a spreadsheet carries the file.",
        ),
        "remarks": w.Field(w.Rich(5000), "Remarks"),
    },
    states=(
        w.State("open"),
        w.State("completed", locked=True),
        w.State("verified", locked=True, resting=True),
        VOIDED,
    ),
    create=w.Making(
        ("*",),
        "open",
        requires=(_FITS, _ORIGINALS),
        effects=(w.Snapshot(("template",), "template"),),
    ),
    edit=w.Editing(("*",), ("open",), requires=(_FITS, _ORIGINALS)),
    persons={"executor": w.Signer("executed"), "editors": w.Touched()},
    transitions=(
        w.Transition(
            "complete",
            "Complete",
            ("open",),
            "completed",
            ("*",),
            fields=("values", "remarks"),
            requires=(
                _FITS,
                _ORIGINALS,
                w.Rule("form_filled_in", 1, _READS, message="Every needed field is filled in."),
            ),
            signature=signing("executed", "I filled in this form as I did the work.", ("*",)),
            effects=(w.Snapshot(("template",), "template"),),
        ),
        w.Transition(
            "verify",
            "Verify",
            ("completed",),
            "verified",
            ("REV", "QA"),
            signature=signing(
                "verified",
                "I checked what was filled in as a second person.",
                ("REV", "QA"),
                ("executor", "editors"),
            ),
        ),
        w.Transition(
            "send_back",
            "Send back",
            ("completed",),
            "open",
            ("REV", "QA"),
            reason=w.Reason(),
            clears=("executed", "complete"),
        ),
        amend(("verified",), "open", ("QA",), ("executed", "verified", "complete", "verify")),
        void(),
    ),
    retention=w.Retention("DOC"),
    summary=("title", "template", "subject"),
    predicate_rules=("21 CFR 211.188", "21 CFR 11.10(k)", "ISO 13485 4.2.5"),
)
