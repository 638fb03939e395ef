"""NCR: what does not conform is contained, decided by those who must, and nothing of it is left over
(DOMAIN 8.5).

Rules kept here: containment holds what is concerned; the class is computed; a board decides, not the
raiser; nothing closes while a piece has no disposition; whoever raised it does not close it.
"""

from __future__ import annotations

from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void
from coverslip.records.quality import _case
from coverslip.records.quality._severity import COMPUTE_CLASS, COMPUTE_DUE, RATED, rated_fields
from coverslip.records.quality.deviation import AUTHORITY_GUARD, CAPA_GUARD

OPEN = ("open", "contained", "under_review", "disposition_proposed", "dispositioned", "executed")
DECIDED = ("decided", "executed")


def pieces(rows: Any) -> int:
    """Return the sum of the quantities of table rows."""
    return sum(int(row["quantity"]) for row in rows or ())


@rule("nothing_left_over", 1)
def nothing_left_over(inp: RuleInput) -> str | None:
    """Ask that every piece has a disposition that was decided."""
    total = pieces(inp.fields.get("quantities"))
    decided = sum(
        pieces(row.fields.get("lines")) for row in inp.children["dispositions"] if row.state in DECIDED
    )
    if decided >= total:
        return None
    return f"{total - decided} of {total} pieces have no disposition."


@rule("hold_of_each_subject", 1)
def hold_of_each_subject(inp: RuleInput) -> list[dict[str, Any]]:
    """Return one hold for each further record concerned."""
    return [{"subject": link} for link in inp.fields.get("also_affected", ())]


_WHY = w.Value("path", path=("title",))
_LEFT = w.Rule(
    "nothing_left_over",
    1,
    {},
    {"dispositions": ((), "disposition", "ncr")},
    message="Every piece has a disposition.",
)
_CONTAIN = w.Transition(
    "contain",
    "Contain",
    ("open",),
    "contained",
    ("OPR", "ANL", "WHS", "ENG", "QA", "QAL"),
    fields=("containment",),
    requires=(w.Compare(("containment",), "present", message="What was done to contain it is said."),),
    effects=(
        w.Create(
            "hold",
            "cause",
            {"subject": w.Value("path", path=("subject",)), "reason": _WHY},
            (w.Compare(("inspection",), "absent"),),
        ),
        w.Create("hold", "cause", {"reason": _WHY}, (), w.Rule("hold_of_each_subject", 1)),
        COMPUTE_DUE,
    ),
)

TYPE = w.Type(
    name="ncr",
    title="Nonconformity",
    version=1,
    purpose="Material, work or data that does not meet its requirement, and what became of all of it.",
    number=w.Number("NCR", 4, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300, 10), "Title", required=True, help="Also the reason shown on the hold."),
        "source": w.Field(
            w.Enum(
                (
                    "incoming",
                    "in_process",
                    "final",
                    "customer",
                    "audit",
                    "image",
                    "supplier",
                    "storage",
                    "service",
                )
            ),
            "Found in",
            required=True,
        ),
        "subject": w.Field(
            w.Link((), "version"), "What does not conform", required=True, critical=True, immutable_at=OPEN
        ),
        "also_affected": w.Field(
            w.Link((), "version"),
            "Also concerned",
            many=True,
            critical=True,
            immutable_at=OPEN[1:],
            help="Held together with the first.",
        ),
        "inspection": w.Field(w.Link(("inspection",), "none"), "Found by inspection", immutable_at=OPEN),
        "requirement": w.Field(w.Rich(5000), "Required", required=True, critical=True),
        "actual": w.Field(w.Rich(5000), "Found", required=True, critical=True),
        "quantities": w.Field(
            w.Table(
                {
                    "item": w.Column(w.Text(200)),
                    "quantity": w.Column(w.Int(1, 10_000_000)),
                    "unit": w.Column(w.Text(30), required=False),
                },
                max_rows=500,
                min_rows=1,
            ),
            "Quantities",
            required=True,
            critical=True,
        ),
        "defect_codes": w.Field(w.Vocab("DEFECT"), "Defect codes", many=True),
        **rated_fields(),
        "safety_characteristic": w.Field(
            w.Bool(), "A safety characteristic is concerned", default=False, critical=True
        ),
        "medical_device": w.Field(w.Bool(), "Part of a medical device", default=False, critical=True),
        "containment": w.Field(w.Rich(10_000), "Containment", critical=True),
        "evidence": w.Field(w.Link((), "version"), "Images and evidence", many=True),
        "supplier": w.Field(w.Link((), "none"), "Supplier"),
        "capa": w.Field(w.Link(("capa",), "none"), "CAPA"),
        "capa_decision": w.Field(w.Rich(5000), "Why no CAPA"),
        "regulatory_assessment": w.Field(w.Rich(10_000), "Must an authority be told"),
        "management_told_on": w.Field(w.Date(), "Management told on"),
        **_case.due_fields(),
    },
    states=(
        *(w.State(name) for name in OPEN),
        w.State("closed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("*",), "open", effects=(COMPUTE_CLASS, w.Set("due", w.Value("today", days=1))), consequence=True
    ),
    edit=w.Editing(
        ("QA", "QAL", "ENG"),
        OPEN,
        ("raiser",),
        (w.Rule("changed_by_its_act", 1, message="Class and due day change by acts of their own."),),
    ),
    persons={"raiser": w.Actor("create")},
    transitions=(
        _CONTAIN,
        w.Transition(
            "classify",
            "Classify",
            ("open", "contained", "under_review"),
            "",
            ("QA", "QAL"),
            fields=RATED,
            effects=(COMPUTE_CLASS, COMPUTE_DUE),
            reason=w.Reason(),
        ),
        w.Transition("start_review", "Start review", ("contained",), "under_review", ("QA", "QAL", "ENG")),
        w.Transition(
            "propose_disposition",
            "Propose a disposition",
            ("under_review",),
            "disposition_proposed",
            consequence=True,
        ),
        w.Transition(
            "take_back_disposition",
            "Look again",
            ("disposition_proposed",),
            "under_review",
            consequence=True,
        ),
        w.Transition(
            "accept_disposition",
            "Take the disposition",
            ("disposition_proposed",),
            "dispositioned",
            consequence=True,
        ),
        w.Transition(
            "execute_disposition",
            "Record as executed",
            ("dispositioned",),
            "executed",
            consequence=True,
        ),
        w.Transition(
            "review_more",
            "Decide on what is left",
            ("executed",),
            "under_review",
            ("QA", "QAL"),
            reason=w.Reason(),
        ),
        w.Transition(
            "close",
            "Close",
            ("executed",),
            "closed",
            ("QA", "QAL"),
            requires=(_LEFT, CAPA_GUARD, AUTHORITY_GUARD),
            signature=signing(
                "closed",
                "I close this nonconformity; nothing of it is left over.",
                ("QA", "QAL"),
                ("raiser",),
            ),
        ),
        _case.extension(OPEN, ("raiser",)),
        void(("open", "contained", "under_review")),
    ),
    retention=w.Retention("DRUG"),
    due="due",
    summary=("title", "subject", "severity", "source", "due"),
    predicate_rules=(
        "ISO 13485 8.3",
        "21 CFR 211.80",
        "21 CFR 211.110(c)",
        "21 CFR 211.165(f)",
        "21 CFR 211.192",
    ),
)
