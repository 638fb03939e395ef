"""Curriculum: what the holders of a role are trained on, and how deeply (DOMAIN 3.5).

Rules kept here: a critical document leaves no days of grace; a document is listed once. Whoever holds the
role and is not trained is refused at each act, from the moment the curriculum is in force; grace moves the
day by which training is asked, never the authority.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED
from coverslip.records.documents._document import DOCUMENT_TYPES
from coverslip.records.organisation._revisioned import AFTER_DRAFT, PERSONS, STATES, transitions


@rule("no_grace_where_critical", 1)
def no_grace_where_critical(inp: RuleInput) -> str | None:
    """Ask that no item leaves days of grace for a document critical to GxP."""
    critical = {r.number for r in inp.reads["documents"] if r.fields.get("criticality") == "gxp_critical"}
    bad = sorted(
        str(item["document"]["number"])
        for item in inp.fields.get("items") or ()
        if int(item.get("grace_days", 0)) > 0 and item["document"]["number"] in critical
    )
    return f"Critical documents leave no days of grace ({', '.join(bad)})." if bad else None


@rule("documents_listed_once", 1)
def documents_listed_once(inp: RuleInput) -> str | None:
    """Ask that no document is listed twice."""
    numbers = [str(item["document"]["number"]) for item in inp.fields.get("items") or ()]
    twice = sorted({n for n in numbers if numbers.count(n) > 1})
    return f"Each document is listed once ({', '.join(twice)} is there twice)." if twice else None


_ITEMS = w.Table(
    {
        "document": w.Column(w.Link(DOCUMENT_TYPES, "none", ("approved", "effective"))),
        "depth": w.Column(w.Enum(("read_understood", "assessed", "observed_task"))),
        "grace_days": w.Column(w.Int(0, 90)),
        "refresh_months": w.Column(w.Int(1, 120), required=False),
    },
    max_rows=500,
    min_rows=1,
)
_CHECKS = (
    w.Rule(
        "no_grace_where_critical",
        1,
        {"documents": ("items.document",)},
        message="Critical documents leave no days of grace.",
    ),
    w.Rule("documents_listed_once", 1, message="Each document is listed once."),
)

TYPE = w.Type(
    name="curriculum",
    title="Curriculum",
    version=1,
    purpose="The documents and tasks that holders of a role are trained on.",
    number=w.Number("CUR"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "role": w.Field(
            w.Link(("role",), "none", ("effective",)),
            "Role",
            required=True,
            immutable_at=AFTER_DRAFT,
            critical=True,
        ),
        "items": w.Field(
            _ITEMS,
            "Documents",
            required_at=("in_review",),
            immutable_at=AFTER_DRAFT,
            critical=True,
            help="Training is asked on the version in force, and on the next one from its approval on.",
        ),
    },
    states=STATES,
    create=w.Making(("TRN", "AUT"), "draft"),
    edit=w.Editing(("TRN", "AUT"), ("draft",)),
    persons=PERSONS,
    transitions=transitions("curriculum", ("TRN", "AUT"), _CHECKS),
    provides=(w.RequiresTraining(("effective",), "items.document", role="role"),),
    revisions=True,
    retention=w.Retention("PERS"),
    summary=("title", "role"),
    predicate_rules=("21 CFR 11.10(i)", "21 CFR 211.25", "ISO 13485 6.2"),
)
