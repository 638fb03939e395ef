"""Gap assessment: a system against Part 11, Annex 11 and ALCOA+, clause by clause (DOMAIN 8.22).

Rules kept here: a new one lists every clause; "met" has its evidence; every gap has a risk, an action, an
owner and a date, or quality accepted it; the high risks are put right first; what was rated is not rated
again; what was done is written beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import Refusal, RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void
from coverslip.records.quality._gap_template import CLAUSES

_GAPS = ("partial", "gap")
_SHOWN = 8


def _rows(inp: RuleInput) -> list[dict[str, Any]]:
    return list(inp.fields.get("clauses") or ())


def _listed(clauses: Iterable[str]) -> str:
    names = list(clauses)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


@rule("gap_template", 1)
def gap_template(inp: RuleInput) -> list[dict[str, Any]]:
    """Return the clauses given, and a row to fill in for each clause of the texts that is missing."""
    rows = _rows(inp)
    there = {row["clause"] for row in rows}
    return rows + [{"clause": c, "requirement": r} for c, r in CLAUSES if c not in there]


@rule("every_clause_rated", 1)
def every_clause_rated(inp: RuleInput) -> str | None:
    """Ask that every clause of the texts is there and has a rating."""
    rated = {row["clause"] for row in _rows(inp) if row.get("rating")}
    wanted = [c for c, _ in CLAUSES] + [row["clause"] for row in _rows(inp)]
    missing = [c for c in dict.fromkeys(wanted) if c not in rated]
    return f"Every clause is rated (missing: {_listed(missing)})." if missing else None


@rule("met_has_evidence", 1)
def met_has_evidence(inp: RuleInput) -> Refusal | None:
    """Ask that every clause said to be met, or not to apply, says by which evidence or why."""
    bare = [
        r["clause"]
        for r in _rows(inp)
        if r.get("rating") == "met" and not (r.get("evidence") or r.get("file"))
    ]
    if bare:
        return Refusal("VAL_REQ", f"Evidence is required before a clause is met: {_listed(bare)}", {})
    silent = [r["clause"] for r in _rows(inp) if r.get("rating") == "n_a" and not r.get("current_control")]
    if silent:
        return Refusal("VAL_REQ", f"A clause that does not apply says why: {_listed(silent)}", {})
    return None


@rule("gaps_owned", 1)
def gaps_owned(inp: RuleInput) -> str | None:
    """Ask that every gap has a risk, and unless the gaps are accepted an action, its owner and a date."""
    wanted = ("risk",) if inp.fields.get("option") == "accept" else ("risk", "action", "owner", "due")
    bad = [r["clause"] for r in _rows(inp) if r.get("rating") in _GAPS and not all(r.get(c) for c in wanted)]
    return f"Every gap has {', '.join(wanted)} (missing at: {_listed(bad)})." if bad else None


def _done(fields: Mapping[str, Any]) -> set[str]:
    return {str(r["clause"]) for r in fields.get("progress") or ()}


def _open(inp: RuleInput, risk: str) -> list[str]:
    done = _done(inp.fields)
    gaps = (r for r in _rows(inp) if r.get("rating") in _GAPS and r.get("risk") == risk)
    return [str(r["clause"]) for r in gaps if r["clause"] not in done]


@rule("high_risks_first", 1)
def high_risks_first(inp: RuleInput) -> str | None:
    """Ask that no gap is put right while one of a higher risk is open, and that each one named is a gap."""
    before = _done(inp.record.fields) if inp.record is not None else set()
    newly = _done(inp.fields) - before
    risks = {str(r["clause"]): r.get("risk") for r in _rows(inp) if r.get("rating") in _GAPS}
    unknown = sorted(newly - set(risks))
    if unknown:
        return f"Only gaps are put right ({_listed(unknown)})."
    for higher, lower in (("H", ("M", "L")), ("M", ("L",))):
        open_ = _open(inp, higher)
        if open_ and any(risks[clause] in lower for clause in newly):
            return f"Risk {higher} comes first: {_listed(open_)} is still open."
    return None


@rule("gaps_closed", 1)
def gaps_closed(inp: RuleInput) -> str | None:
    """Ask that every gap is put right, unless the gaps were accepted."""
    if inp.fields.get("option") == "accept":
        return None
    open_ = [c for risk in "HML" for c in _open(inp, risk)]
    return f"Every gap is put right (open: {_listed(open_)})." if open_ else None


_TABLE = w.Table(
    {
        "clause": w.Column(w.Text(60)),
        "requirement": w.Column(w.Text(1000)),
        "current_control": w.Column(w.Text(2000), required=False),
        "evidence": w.Column(w.Link(()), required=False),
        "file": w.Column(w.File(), required=False),
        "rating": w.Column(w.Enum(("met", "partial", "gap", "n_a")), required=False),
        "risk": w.Column(w.Enum(("H", "M", "L")), required=False),
        "action": w.Column(w.Text(1000), required=False),
        "owner": w.Column(w.Link(("user",), "none"), required=False),
        "due": w.Column(w.Date(), required=False),
    },
    max_rows=300,
)
_PROGRESS = w.Table(
    {
        "clause": w.Column(w.Text(60)),
        "done_on": w.Column(w.Date()),
        "result": w.Column(w.Text(1000)),
        "evidence": w.Column(w.Link(()), required=False),
    },
    max_rows=300,
)
_SETTLED = ("assessed", "approved", "remediating", "closed", "voided")
_MAKERS = ("QA", "ENG", "SEC")
_READY = (
    w.Rule("every_clause_rated", 1, message="Every clause is rated."),
    w.Rule("met_has_evidence", 1, message="Evidence is required before a clause is met."),
    w.Rule("gaps_owned", 1, message="Every gap has its risk, action, owner and date."),
)

TYPE = w.Type(
    name="gap_assessment",
    title="Gap assessment",
    version=1,
    purpose="How far a system is from what Part 11, Annex 11 and ALCOA+ ask, and what is done about it.",
    number=w.Number("GAP"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "system": w.Field(
            w.Link(("scope_item",), "none"), "System", required=True, immutable_at=_SETTLED, critical=True
        ),
        "clauses": w.Field(
            _TABLE,
            "Clauses",
            immutable_at=_SETTLED,
            critical=True,
            help="Every clause is listed. Met needs evidence; a gap needs risk, action, owner and date.",
        ),
        "option": w.Field(
            w.Enum(("remediate", "replace", "accept")),
            "What to do",
            required_at=("assessed",),
            immutable_at=_SETTLED,
            critical=True,
        ),
        "progress": w.Field(
            _PROGRESS, "Put right", immutable_at=("draft", "assessed", "approved"), critical=True
        ),
        "accepted_because": w.Field(w.Text(2000, 10), "Accepted because", immutable_at=_SETTLED),
        "vendor_package": w.Field(w.Link(()), "Documents of the vendor", immutable_at=_SETTLED),
        "due_on": w.Field(w.Date(), "To be closed by", required_at=("assessed",)),
    },
    states=(
        w.State("draft"),
        w.State("assessed"),
        w.State("approved"),
        w.State("remediating"),
        w.State("closed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(_MAKERS, "draft", effects=(w.Compute("clauses", w.Rule("gap_template", 1)),)),
    edit=w.Editing(_MAKERS, ("draft",)),
    persons={"author": w.Signer("authored"), "editors": w.Touched(), "recorders": w.Actor("record_progress")},
    transitions=(
        w.Transition(
            "assess",
            "Submit",
            ("draft",),
            "assessed",
            _MAKERS,
            requires=(
                *_READY,
                w.When(
                    w.Compare(("option",), "eq", "accept"),
                    (w.Compare(("accepted_because",), "present", message="Accepting gaps is explained."),),
                ),
            ),
            signature=signing("authored", "I assessed this system clause by clause.", _MAKERS),
        ),
        w.Transition(
            "reject",
            "Send back",
            ("assessed",),
            "draft",
            ("QA",),
            reason=w.Reason(),
            clears=("authored",),
            aside=True,
        ),
        w.Transition(
            "approve",
            "Approve",
            ("assessed",),
            "approved",
            ("QA",),
            requires=_READY,
            signature=signing(
                "approved",
                "I approve this assessment and what is to be done.",
                ("QA",),
                ("author", "editors"),
            ),
        ),
        w.Transition("remediate", "Begin to put right", ("approved",), "remediating", _MAKERS),
        w.Transition(
            "record_progress",
            "Record what was done",
            ("remediating",),
            "",
            _MAKERS,
            fields=("progress",),
            requires=(w.Rule("high_risks_first", 1, message="The high risks come first."),),
        ),
        w.Transition(
            "close",
            "Close",
            ("remediating",),
            "closed",
            ("QA", "QAL"),
            requires=(w.Rule("gaps_closed", 1, message="Every gap is put right."),),
            signature=signing(
                "closed",
                "Every gap is put right, or accepted as approved.",
                ("QA", "QAL"),
                ("author", "recorders"),
            ),
            reason=w.Reason(),
        ),
        void(("draft", "assessed", "approved", "remediating")),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "system", "option", "due_on"),
    predicate_rules=("21 CFR 11.10(a)", "EU GMP Annex 11 §4"),
    due="due_on",
)
