"""Vocabulary: a controlled list of values, such as the meanings of signatures (DOMAIN 1.2, 3.10).

Rules kept here: a value is added or retired, never removed, changed or taken back from retirement, so that
what old records say keeps its meaning; a meaning that a declared type signs with is listed and not retired.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED
from coverslip.records.organisation._revisioned import AFTER_DRAFT, PERSONS, STATES, transitions

SIGNATURE_MEANINGS = "SIGNATURE-MEANING"
"""Code of the list of what signatures may mean."""


def _signed_with() -> set[str]:
    # Found late: this type is itself one of them.
    from coverslip.records import all_types

    signatures = [t.create.signature for t in all_types()]
    signatures += [tr.signature for t in all_types() for tr in t.transitions]
    return {s.meaning for s in signatures if s is not None}


@rule("entries_only_grow", 1)
def entries_only_grow(inp: RuleInput) -> str | None:
    """Ask that a later version keeps every value of the one before it, word for word; it may retire them."""
    revision = inp.record.revision if inp.record is not None else 1
    if revision < 2:
        return None
    before = next(iter(inp.reads["previous"]), None)
    if before is None or inp.record is None or before.number != inp.record.number:
        return "The version before this one is named."
    after = {str(row["value"]): row for row in inp.fields.get("entries") or ()}
    for row in before.fields.get("entries") or ():
        now = after.get(str(row["value"]))
        if now is None:
            return f"'{row['value']}' is retired, not removed."
        if now.get("meaning") != row.get("meaning"):
            return f"The meaning of '{row['value']}' stays as it is; add another value."
        if row.get("retired") and not now.get("retired"):
            return f"'{row['value']}' was retired and stays so; add another value."
    return None


@rule("values_listed_once", 1)
def values_listed_once(inp: RuleInput) -> str | None:
    """Ask that no value is listed twice, upper and lower case taken alike."""
    values = [str(row["value"]).casefold() for row in inp.fields.get("entries") or ()]
    twice = sorted({v for v in values if values.count(v) > 1})
    return f"Each value is listed once ({', '.join(twice)} is there twice)." if twice else None


@rule("meanings_in_use_stay", 1)
def meanings_in_use_stay(inp: RuleInput) -> str | None:
    """Ask of the list of signature meanings that it has every meaning a declared type signs with."""
    if inp.fields.get("code") != SIGNATURE_MEANINGS:
        return None
    listed = {str(row["value"]) for row in inp.fields.get("entries") or () if not row.get("retired")}
    left = sorted(_signed_with() - listed)
    return f"Record types sign with {', '.join(left)}; these are listed and not retired." if left else None


_ENTRIES = w.Table(
    {
        "value": w.Column(w.Text(100)),
        "meaning": w.Column(w.Rich(2000)),
        "retired": w.Column(w.Bool()),
    },
    max_rows=2000,
    min_rows=1,
)
_CHECKS = (
    w.Rule("entries_only_grow", 1, {"previous": ("previous",)}, message="Values are retired, not removed."),
    w.Rule("values_listed_once", 1, message="Each value is listed once."),
    w.Rule("meanings_in_use_stay", 1, message="Meanings that record types sign with are listed."),
)

TYPE = w.Type(
    name="vocabulary",
    title="Vocabulary",
    version=1,
    purpose="A list of values that fields offer, each with what it means.",
    number=w.Number("VOC", code="code"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "code": w.Field(
            w.Text(40, 2, "[A-Z][A-Z0-9]*(-[A-Z0-9]+)*"),
            "Code",
            required=True,
            immutable_at=("draft", *AFTER_DRAFT),
            critical=True,
            help="Becomes part of the number, such as VOC-DEFECT, and stays for ever.",
        ),
        "title": w.Field(w.Text(200), "Title", required=True),
        "previous": w.Field(
            w.Link(("vocabulary",), "version", ("effective",)),
            "Version before",
            immutable_at=AFTER_DRAFT,
            help="Needed from version 2 on.",
        ),
        "entries": w.Field(
            _ENTRIES,
            "Values",
            required_at=("in_review",),
            immutable_at=AFTER_DRAFT,
            critical=True,
            help="Values are retired, not removed or changed.",
        ),
    },
    states=STATES,
    create=w.Making(("AUT", "QA", "ENG"), "draft"),
    edit=w.Editing(("AUT", "QA", "ENG"), ("draft",)),
    persons=PERSONS,
    transitions=transitions("list", ("AUT", "QA", "ENG"), _CHECKS),
    provides=(w.Lists(("effective",), "entries", "value", "retired"),),
    revisions=True,
    retention=w.Retention("SYS"),
    summary=("code", "title"),
    predicate_rules=("21 CFR 11.50(a)(3)", "21 CFR 11.10(f)"),
)
