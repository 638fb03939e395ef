"""Inspection: a random sample is measured, and a rule, not a person, accepts or rejects (DOMAIN 8.3).

Rules kept here: the sample is drawn by the server from a kept seed; nothing is complete while a drawn
sample has no reading; whoever inspected does not review; accept and reject follow from the readings; a
rejection holds the subject and opens the nonconformity in the same transaction; a decided lot is
inspected again only by a disposition.
"""

from __future__ import annotations

import hashlib
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void
from coverslip.records.quality._sampling import CLASSES, complete_samples, draw, malformed, outcome_of

_EVER = ("planned", "sampling", "testing", "complete", "reviewed", "accepted", "rejected")
_DRAWN = _EVER[1:]
_DONE = _EVER[3:]
_CONSEQUENCE = {"critical": 4, "major": 3, "minor": 2}
"""Consequence of a nonconformity by the worst class that failed; quality classifies it again if needed."""


@rule("not_decided_before", 1)
def not_decided_before(inp: RuleInput) -> str | None:
    """Refuse a second inspection of what was decided, until one accepts; a disposition asks for it."""
    own = inp.record.uid if inp.record is not None else ""
    for row in inp.children["inspections"]:
        decided = row.uid != own and row.state in ("accepted", "rejected")
        if (
            decided
            and row.fields.get("stage") == inp.fields.get("stage")
            and not inp.fields.get("disposition")
        ):
            return f"This lot was decided ({row.number}). Re-inspection needs a disposition."
    return None


@rule("plan_possible", 1)
def plan_possible(inp: RuleInput) -> str | None:
    """Ask that the sample fits into the lot, codes are single and a variable has a limit."""
    lot, n = int(inp.fields["lot_size"]), int(inp.fields["sample_size"])
    if n > lot:
        return f"A sample of {n} cannot be drawn from {lot}."
    rows = inp.fields.get("characteristics", ())
    codes = [str(row["code"]) for row in rows]
    twice = sorted({c for c in codes if codes.count(c) > 1})
    if twice:
        return f"Every characteristic has a code of its own ({', '.join(twice)} is there twice)."
    bare = [c["code"] for c in rows if c["kind"] == "variable" and not ("low" in c or "high" in c)]
    return f"Every variable has a limit ({', '.join(bare)} has none)." if bare else None


@rule("sample_seed", 1)
def sample_seed(inp: RuleInput) -> str:
    """Return the seed: of the record's id and the server's time, both fixed by nobody who inspects."""
    uid = inp.record.uid if inp.record is not None else ""
    return hashlib.sha256(f"{uid}\n{inp.now}".encode()).hexdigest()


@rule("sample_list", 1)
def sample_list(inp: RuleInput) -> list[dict[str, int]]:
    """Return the units drawn, in ascending order."""
    drawn = draw(str(inp.fields["seed"]), int(inp.fields["lot_size"]), int(inp.fields["sample_size"]))
    return [{"no": i, "unit": unit} for i, unit in enumerate(drawn, 1)]


@rule("readings_of_drawn_samples", 1)
def readings_of_drawn_samples(inp: RuleInput) -> str | None:
    """Refuse a reading of what was not drawn or is not asked for, and a second one of the same."""
    return next(iter(malformed(inp.fields)), None)


@rule("every_sample_read", 1)
def every_sample_read(inp: RuleInput) -> str | None:
    """Ask that every drawn sample was read in every characteristic."""
    needed, recorded = len(inp.fields.get("samples", ())), complete_samples(inp.fields)
    return None if recorded == needed else f"{needed} needed, {recorded} recorded."


@rule("inspection_counts", 1)
def inspection_counts(inp: RuleInput) -> list[dict[str, Any]]:
    """Return defectives and acceptance number of each class."""
    found = outcome_of(inp.fields)
    return [{"class_": c, "defectives": found.defectives[c], "allowed": found.allowed[c]} for c in CLASSES]


@rule("inspection_outcome", 1)
def inspection_outcome(inp: RuleInput) -> str:
    """Return accept where every class stays within its acceptance number, else reject."""
    return "reject" if outcome_of(inp.fields).failed else "accept"


@rule("inspection_requirement", 1)
def inspection_requirement(inp: RuleInput) -> str:
    """Return what was required, as the nonconformity will say it."""
    found = outcome_of(inp.fields)
    return "; ".join(f"{c}: {found.allowed[c]} defective or fewer" for c in CLASSES)


@rule("inspection_finding", 1)
def inspection_finding(inp: RuleInput) -> str:
    """Return what was found, with the figures."""
    found, n = outcome_of(inp.fields), int(inp.fields["sample_size"])
    counts = "; ".join(f"{c}: {found.defectives[c]} of {n}" for c in CLASSES)
    shown = "; ".join(found.found[:20])
    more = f"; and {len(found.found) - 20} more" if len(found.found) > 20 else ""
    return f"{counts}. {shown}{more}".strip()


@rule("inspection_quantity", 1)
def inspection_quantity(inp: RuleInput) -> list[dict[str, Any]]:
    """Return what a rejection concerns: the whole lot the sample was drawn from."""
    item = str(inp.fields["subject"]["number"])
    return [{"item": item, "quantity": int(inp.fields["lot_size"]), "unit": str(inp.fields["unit"])}]


@rule("inspection_consequence", 1)
def inspection_consequence(inp: RuleInput) -> int:
    """Return the consequence of a rejection, by the worst class that failed."""
    failed = outcome_of(inp.fields).failed
    return _CONSEQUENCE[failed[0]] if failed else 1


@rule("inspection_title", 1)
def inspection_title(inp: RuleInput) -> str:
    """Return stage and subject."""
    stage = str(inp.fields["stage"]).replace("_", " ")
    return f"{stage} inspection of {inp.fields['subject']['number']}"


_COMPUTED = (
    ("counts", "inspection_counts"),
    ("outcome", "inspection_outcome"),
    ("requirement", "inspection_requirement"),
    ("finding", "inspection_finding"),
    ("quantities", "inspection_quantity"),
    ("consequence", "inspection_consequence"),
)
_PLAN = w.Rule("plan_possible", 1, message="The sample fits into the lot.")
_FORM = w.Rule("readings_of_drawn_samples", 1, message="Only drawn samples are read.")
_READ = w.Rule("every_sample_read", 1, message="Every drawn sample was read.")
_ONCE = w.Rule(
    "not_decided_before",
    1,
    {},
    {"inspections": (("subject",), "inspection", "subject")},
    message="Re-inspection needs a disposition.",
)


def _by_path(name: str) -> w.Value:
    return w.Value("path", path=(name,))


_REJECTION = (
    w.Create("hold", "cause", {"subject": _by_path("subject"), "reason": _by_path("title")}),
    w.Create(
        "ncr",
        "inspection",
        {
            "title": _by_path("title"),
            "source": _by_path("found_in"),
            "subject": _by_path("subject"),
            "requirement": _by_path("requirement"),
            "actual": _by_path("finding"),
            "quantities": _by_path("quantities"),
            "consequence": _by_path("consequence"),
            "extent": w.Value("literal", 3),
        },
    ),
)


def _decided(outcome: str) -> w.Compare:
    return w.Compare(
        ("outcome",), "eq", outcome, message="The readings decide, not the reader: they say {value}."
    )


TYPE = w.Type(
    name="inspection",
    title="Inspection",
    version=1,
    purpose="What a random sample showed, and whether by rule the whole is accepted.",
    number=w.Number("INSP", 4, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", source="computed"),
        "subject": w.Field(
            w.Link((), "version"),
            "Inspected",
            required=True,
            critical=True,
            immutable_at=_EVER,
            help="A specimen, container, image set, document or any other record.",
        ),
        "stage": w.Field(
            w.Enum(("incoming", "in_process", "final", "image_based", "periodic")),
            "Stage",
            required=True,
            immutable_at=_EVER,
        ),
        "found_in": w.Field(
            w.Enum(("incoming", "in_process", "final", "image", "storage")),
            "A nonconformity counts as found in",
            default="in_process",
        ),
        "procedure": w.Field(w.Link((), "version"), "Procedure"),
        "disposition": w.Field(
            w.Link(("disposition",), "none", ("decided",)),
            "Re-inspection asked by",
            immutable_at=_EVER,
        ),
        "lot_size": w.Field(
            w.Int(1, 10_000_000), "Lot size", required=True, critical=True, immutable_at=_DRAWN
        ),
        "unit": w.Field(w.Text(30), "Counted in", default="pieces", immutable_at=_DRAWN),
        "sample_size": w.Field(
            w.Int(1, 10_000), "Sample size", required=True, critical=True, immutable_at=_DRAWN
        ),
        "allowed_critical": w.Field(
            w.Int(0, 0),
            "Critical defectives allowed",
            default=0,
            critical=True,
            immutable_at=_DRAWN,
            help="None: a critical class accepts on zero.",
        ),
        "allowed_major": w.Field(
            w.Int(0, 1000), "Major defectives allowed", default=0, critical=True, immutable_at=_DRAWN
        ),
        "allowed_minor": w.Field(
            w.Int(0, 1000), "Minor defectives allowed", default=0, critical=True, immutable_at=_DRAWN
        ),
        "characteristics": w.Field(
            w.Table(
                {
                    "code": w.Column(w.Text(30, 1, "[A-Za-z0-9_.-]+")),
                    "name": w.Column(w.Text(200)),
                    "kind": w.Column(w.Enum(("attribute", "variable"))),
                    "class_": w.Column(w.Enum(CLASSES)),
                    "low": w.Column(w.Decimal(), required=False),
                    "high": w.Column(w.Decimal(), required=False),
                    "unit": w.Column(w.Text(30), required=False),
                },
                max_rows=100,
                min_rows=1,
            ),
            "Characteristics",
            required=True,
            critical=True,
            immutable_at=_DRAWN,
        ),
        "seed": w.Field(w.Text(64, 64), "Seed of the sample", source="computed", critical=True),
        "samples": w.Field(
            w.Table({"no": w.Column(w.Int(1)), "unit": w.Column(w.Int(1))}),
            "Samples drawn",
            source="computed",
            critical=True,
        ),
        "readings": w.Field(
            w.Table(
                {
                    "sample": w.Column(w.Int(1)),
                    "characteristic": w.Column(w.Text(30)),
                    "value": w.Column(w.Decimal(), required=False),
                    "passed": w.Column(w.Bool(), required=False),
                    "instrument": w.Column(w.Link(("instrument",), "none"), required=False),
                    "image": w.Column(w.Link(("image",), "none"), required=False),
                    "defect_code": w.Column(w.Vocab("DEFECT"), required=False),
                },
                max_rows=100_000,
            ),
            "Readings",
            critical=True,
            immutable_at=_DONE,
        ),
        "counts": w.Field(
            w.Table(
                {
                    "class_": w.Column(w.Enum(CLASSES)),
                    "defectives": w.Column(w.Int(0)),
                    "allowed": w.Column(w.Int(0)),
                }
            ),
            "Defectives",
            source="computed",
            critical=True,
        ),
        "outcome": w.Field(w.Enum(("accept", "reject")), "By the readings", source="computed", critical=True),
        "requirement": w.Field(w.Rich(5000), "Required", source="computed"),
        "finding": w.Field(w.Rich(5000), "Found", source="computed"),
        "quantities": w.Field(
            w.Table(
                {
                    "item": w.Column(w.Text(200)),
                    "quantity": w.Column(w.Int(1)),
                    "unit": w.Column(w.Text(30)),
                }
            ),
            "Concerned by a rejection",
            source="computed",
        ),
        "consequence": w.Field(w.Int(1, 5), "Consequence of a rejection", source="computed"),
        "due": w.Field(w.Date(), "Due"),
    },
    states=(
        *(w.State(name) for name in _EVER[:5]),
        w.State("accepted", terminal=True, locked=True),
        w.State("rejected", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("OPR", "ANL", "ENG", "QA", "WHS"),
        "planned",
        requires=(_PLAN, _ONCE),
        effects=(w.Compute("title", w.Rule("inspection_title", 1)),),
    ),
    edit=w.Editing(("OPR", "ANL", "ENG", "QA", "WHS"), ("planned",), requires=(_PLAN,)),
    persons={
        "inspector": w.Actor("record"),
        "finisher": w.Signer("executed"),
        "reviewer": w.Signer("reviewed"),
        "editors": w.Actor("edit"),
    },
    transitions=(
        w.Transition(
            "draw",
            "Draw the sample",
            ("planned",),
            "sampling",
            ("OPR", "ANL", "ENG", "QA", "WHS"),
            requires=(_PLAN, w.NotOnHold(("subject",), "What is inspected is not on hold.")),
            effects=(
                w.Compute("seed", w.Rule("sample_seed", 1)),
                w.Compute("samples", w.Rule("sample_list", 1)),
            ),
        ),
        w.Transition(
            "begin_testing", "Begin testing", ("sampling",), "testing", ("OPR", "ANL", "ENG", "QA", "WHS")
        ),
        w.Transition(
            "record",
            "Record readings",
            ("testing",),
            "",
            ("OPR", "ANL", "QA", "WHS"),
            fields=("readings",),
            requires=(_FORM,),
        ),
        w.Transition(
            "complete",
            "Complete",
            ("testing",),
            "complete",
            ("OPR", "ANL", "QA", "WHS"),
            requires=(_FORM, _READ),
            effects=tuple(w.Compute(field, w.Rule(name, 1)) for field, name in _COMPUTED),
            signature=signing(
                "executed",
                "I inspected the samples drawn and recorded what I saw.",
                ("OPR", "ANL", "QA", "WHS"),
            ),
        ),
        w.Transition(
            "send_back",
            "Send back",
            ("complete", "reviewed"),
            "testing",
            ("REV", "QA"),
            independent_of=("inspector", "finisher"),
            reason=w.Reason(20),
            clears=("complete", "executed", "review", "reviewed"),
        ),
        w.Transition(
            "review",
            "Review",
            ("complete",),
            "reviewed",
            ("REV",),
            signature=signing(
                "reviewed",
                "I reviewed the sample, the readings and the count.",
                ("REV",),
                ("inspector", "finisher"),
            ),
        ),
        w.Transition(
            "accept",
            "Accept",
            ("reviewed",),
            "accepted",
            ("QA",),
            requires=(_decided("accept"), _ONCE),
            signature=signing(
                "approved",
                "By its readings this is accepted.",
                ("QA",),
                ("inspector", "finisher", "reviewer", "editors"),
            ),
        ),
        w.Transition(
            "reject",
            "Reject",
            ("reviewed",),
            "rejected",
            ("QA",),
            requires=(_decided("reject"), _ONCE),
            effects=_REJECTION,
            signature=signing(
                "rejected",
                "By its readings this is rejected and held.",
                ("QA",),
                ("inspector", "finisher", "reviewer", "editors"),
            ),
            aside=True,
        ),
        void(("planned", "sampling", "testing")),
    ),
    retention=w.Retention("DRUG"),
    due="due",
    summary=("title", "subject", "outcome", "sample_size", "due"),
    predicate_rules=(
        "21 CFR 211.84",
        "21 CFR 211.110",
        "21 CFR 211.160",
        "21 CFR 211.165",
        "ISO 13485 8.2.6",
    ),
)
