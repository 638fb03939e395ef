"""Risk assessment by failure mode and effect, of a design, process, method or system (DOMAIN 8.12).

Rules kept here: risk priority number and action priority are computed, and a wrong one typed is refused; a
high risk has an action, or somebody who may accept responsibility has signed for it; occurrence and detection
are rated better only with evidence, severity only after a change of design.

The action priorities are the published AIAG-VDA table by bands of severity, occurrence and detection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._lifecycle import master_transitions
from coverslip.records._shared import REGULATED, VOIDED, signing, void

_O_BANDS = ((8, 0), (6, 1), (4, 2), (2, 3), (1, 4))
_D_BANDS = ((7, 0), (5, 1), (2, 2), (1, 3))
_LOW = ("LLLL", "LLLL", "LLLL", "LLLL", "LLLL")
_PRIORITY = (
    (9, ("HHHH", "HHHH", "HHHM", "HMLL", "LLLL")),
    (7, ("HHHH", "HHHM", "HMMM", "MMLL", "LLLL")),
    (4, ("HHMM", "MMML", "MLLL", "LLLL", "LLLL")),
    (2, ("MMLL", "LLLL", "LLLL", "LLLL", "LLLL")),
    (1, _LOW),
)
"""From which severity on, then one word per occurrence band (8-10, 6-7, 4-5, 2-3, 1), one letter per
detection band (7-10, 5-6, 2-4, 1)."""


def action_priority(severity: int, occurrence: int, detection: int) -> str:
    """Return ``H``, ``M`` or ``L`` for ratings of 1 to 10."""
    row = next(words for least, words in _PRIORITY if severity >= least)
    word = row[next(i for least, i in _O_BANDS if occurrence >= least)]
    return word[next(i for least, i in _D_BANDS if detection >= least)]


def _rated(row: Mapping[str, Any], after: str = "") -> dict[str, Any]:
    ratings = [row.get(f"{name}{after}") for name in ("s", "o", "d")]
    if any(r is None for r in ratings):
        return {}
    s, o, d = (int(r) for r in ratings if r is not None)
    return {f"rpn{after}": s * o * d, f"ap{after}": action_priority(s, o, d)}


@rule("rated_items", 1)
def rated_items(inp: RuleInput) -> list[dict[str, Any]] | None:
    """Return the items with risk priority number and action priority, before and after actions."""
    rows = inp.fields.get("items") or ()
    return [{**row, **_rated(row), **_rated(row, "_after")} for row in rows] or None


def _name(index: int, row: Mapping[str, Any]) -> str:
    return f"row {index} ({row['failure_mode']})"


@rule("ratings_computed", 1)
def ratings_computed(inp: RuleInput) -> str | None:
    """Ask that no risk priority number or action priority says something else than its ratings."""
    wrong = []
    for index, row in enumerate(inp.fields.get("items") or (), 1):
        for name, right in {**_rated(row), **_rated(row, "_after")}.items():
            if name in row and row[name] != right:
                wrong.append(f"{_name(index, row)}: {name.upper()} is {right} (it says {row[name]})")
    return f"Priorities are computed from the ratings: {'; '.join(wrong)}." if wrong else None


def _unproven(row: Mapping[str, Any]) -> str | None:
    after = {name: row.get(f"{name}_after") for name in ("s", "o", "d")}
    given = [v for v in after.values() if v is not None]
    if not given:
        return None
    if len(given) < len(after):
        return "is rated again in all of S, O and D"
    if int(after["s"] or 0) < int(row["s"]) and "design_change" not in row:
        return "names the design change by which S dropped"
    dropped = any(int(after[n] or 0) < int(row[n]) for n in ("o", "d"))
    return "names the evidence by which O or D dropped" if dropped and "evidence" not in row else None


@rule("drops_proven", 1)
def drops_proven(inp: RuleInput) -> str | None:
    """Ask that O and D drop only with evidence, and S only by a change of design."""
    rows = enumerate(inp.fields.get("items") or (), 1)
    bad = [f"{_name(i, row)} {why}" for i, row in rows if (why := _unproven(row))]
    return f"A better rating is proven: {'; '.join(bad)}." if bad else None


@rule("high_risks_acted_on", 1)
def high_risks_acted_on(inp: RuleInput) -> str | None:
    """Ask for an action on every item of priority H, at or over the RPN threshold or of high severity.

    Passes where somebody signed ``accepted_responsibility`` for what stays.
    """
    if inp.record is not None and inp.record.people.get("signed_accepted_responsibility"):
        return None
    rpn_limit = int(inp.fields.get("rpn_threshold", 100))
    s_limit = int(inp.fields.get("severity_threshold", 9))
    open_ = []
    for index, row in enumerate(inp.fields.get("items") or (), 1):
        rated = _rated(row)
        needs = rated["ap"] == "H" or rated["rpn"] >= rpn_limit or int(row["s"]) >= s_limit
        if needs and not all(row.get(c) for c in ("action", "action_owner", "action_due")):
            open_.append(f"{_name(index, row)} with AP {rated['ap']}, RPN {rated['rpn']}, S {row['s']}")
    if not open_:
        return None
    return f"Every high risk has an action, its owner and its date, or is accepted: {'; '.join(open_)}."


_RATING = w.Int(1, 10)
_ITEMS = w.Table(
    {
        "function": w.Column(w.Text(300)),
        "failure_mode": w.Column(w.Text(300)),
        "effect": w.Column(w.Text(500)),
        "s": w.Column(_RATING),
        "cause": w.Column(w.Text(500)),
        "prevention": w.Column(w.Text(500), required=False),
        "o": w.Column(_RATING),
        "detection": w.Column(w.Text(500), required=False),
        "d": w.Column(_RATING),
        "rpn": w.Column(w.Int(1, 1000), required=False),
        "ap": w.Column(w.Enum(("H", "M", "L")), required=False),
        "action": w.Column(w.Text(1000), required=False),
        "action_owner": w.Column(w.Link(("user",), "none"), required=False),
        "action_due": w.Column(w.Date(), required=False),
        "evidence": w.Column(w.Link(()), required=False),
        "design_change": w.Column(w.Link(("change",)), required=False),
        "s_after": w.Column(_RATING, required=False),
        "o_after": w.Column(_RATING, required=False),
        "d_after": w.Column(_RATING, required=False),
        "rpn_after": w.Column(w.Int(1, 1000), required=False),
        "ap_after": w.Column(w.Enum(("H", "M", "L")), required=False),
    },
    max_rows=1000,
    min_rows=1,
)
_SETTLED = ("submitted", "effective", "superseded", "retired", "voided")
_MAKERS = ("ENG", "AUT", "QA")
_RATED = w.Compute("items", w.Rule("rated_items", 1))
_COMPUTED = w.Rule("ratings_computed", 1, message="Priorities are computed from the ratings.")
_READY = (_COMPUTED, w.Rule("drops_proven", 1, message="A better rating is proven."))
_ACTED = w.Rule("high_risks_acted_on", 1, message="Every high risk has an action or is accepted.")

_transitions = (
    *master_transitions(
        _MAKERS, _READY, "I approve this risk assessment.", (_ACTED,), (_RATED,), ("accepted_responsibility",)
    ),
    w.Transition(
        "accept_risk",
        "Accept responsibility for what stays",
        ("submitted",),
        "",
        ("QAL", "SDR"),
        signature=signing(
            "accepted_responsibility",
            "I accept responsibility for the high risks that stay without an action.",
            ("QAL", "SDR"),
            ("author", "editors"),
        ),
        reason=w.Reason(30),
    ),
    void(),
)

TYPE = w.Type(
    name="risk_assessment",
    title="Risk assessment",
    version=1,
    purpose="What can fail, how bad it would be, and what is done about it.",
    number=w.Number("FMEA"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "kind": w.Field(
            w.Enum(("design", "process", "method", "system")), "Kind", required=True, immutable_at=_SETTLED
        ),
        "scope": w.Field(w.Rich(10_000), "Scope", required=True, immutable_at=_SETTLED, critical=True),
        "subject": w.Field(w.Link((), "none"), "What is assessed", immutable_at=_SETTLED),
        "trigger": w.Field(
            w.Link(()),
            "Looked at again because of",
            many=True,
            immutable_at=_SETTLED,
            help="The change or corrective action after which the risks are rated anew.",
        ),
        "method": w.Field(w.Enum(("ap", "rpn")), "Ranked by", default="ap", immutable_at=_SETTLED),
        "rpn_threshold": w.Field(
            w.Int(1, 100),
            "Action from this RPN on",
            default=100,
            immutable_at=_SETTLED,
            critical=True,
            help="100, or lower where you want to be stricter.",
        ),
        "severity_threshold": w.Field(
            w.Int(1, 9),
            "Action from this severity on",
            default=9,
            immutable_at=_SETTLED,
            critical=True,
            help="9, or lower where you want to be stricter.",
        ),
        "items": w.Field(
            _ITEMS,
            "Failure modes",
            required=True,
            immutable_at=_SETTLED,
            critical=True,
            help="Rate S, O and D from 1 to 10; RPN and action priority are computed.",
        ),
        "risk_file": w.Field(w.Text(200), "Reference of the ISO 14971 file", immutable_at=_SETTLED),
        "review_by": w.Field(w.Date(), "Look at it again by", immutable_at=_SETTLED),
    },
    states=(
        w.State("draft"),
        w.State("submitted"),
        w.State("effective", locked=True, effective=True, resting=True),
        w.State("superseded", terminal=True, locked=True),
        w.State("retired", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(_MAKERS, "draft", requires=_READY, effects=(_RATED,)),
    edit=w.Editing(_MAKERS, ("draft",), requires=(_COMPUTED,)),
    persons={"author": w.Signer("authored"), "editors": w.Touched()},
    transitions=_transitions,
    revisions=True,
    retention=w.Retention("SYS"),
    summary=("title", "kind", "review_by"),
    predicate_rules=("ICH Q9", "ISO 13485 7.1", "ISO 14971", "EU GMP Annex 11 §1"),
    due="review_by",
)
