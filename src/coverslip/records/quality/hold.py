"""Hold: quality stops a record; while active, nothing goes on with it (DOMAIN 1.6, 5.9).

Rules kept here: a hold names its record and its reason for ever; only quality sets one, or a record that
found something wrong, which it then names as its cause; only quality lifts it, signed and with a reason,
and not before the board has said what becomes of the nonconformity it was set for.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, signing

_EVER = ("active", "lifted")
_UNDECIDED = ("open", "contained", "under_review", "disposition_proposed")


@rule("nonconformity_decided", 1)
def nonconformity_decided(inp: RuleInput) -> str | None:
    """Refuse lifting while the nonconformity that set the hold, or its inspection opened, is undecided."""
    own = [row for row in inp.reads["cause"] if row.type == "ncr"]
    left = sorted(row.number for row in (*own, *inp.children["opened"]) if row.state in _UNDECIDED)
    return f"It is decided what becomes of {', '.join(left)}." if left else None


_DECIDED = w.Rule(
    "nonconformity_decided",
    1,
    {"cause": ("cause",)},
    {"opened": (("cause",), "ncr", "inspection")},
    message="It is decided what becomes of the nonconformity.",
)

TYPE = w.Type(
    name="hold",
    title="Hold",
    version=2,
    purpose="Stops every act on a record until quality lifts it.",
    number=w.Number("HLD"),
    gxp=REGULATED,
    title_field="reason",
    fields={
        "subject": w.Field(
            w.Link((), "version"), "Record held", required=True, immutable_at=_EVER, critical=True
        ),
        "reason": w.Field(w.Text(500, 10), "Reason", required=True, immutable_at=_EVER, critical=True),
        "cause": w.Field(
            w.Link((), "none"),
            "Because of",
            immutable_at=_EVER,
            critical=True,
            help="The rejected inspection or the nonconformity that set this hold.",
        ),
    },
    states=(w.State("active", blocking=True), w.State("lifted", terminal=True, locked=True)),
    create=w.Making(("QA",), "active", consequence=True),
    transitions=(
        w.Transition(
            "lift",
            "Lift",
            ("active",),
            "lifted",
            ("QA",),
            requires=(_DECIDED,),
            signature=signing("approved", "I lift this hold for the reason given.", ("QA",)),
            reason=w.Reason(),
        ),
    ),
    blocks="subject",
    retention=w.Retention("SYS"),
    summary=("reason", "subject", "cause"),
    predicate_rules=("21 CFR 11.10(f)", "21 CFR 211.22"),
    migration_note="A hold may name what it was set for, and records may set one; old ones name none."
    " One set for a nonconformity is lifted once that is decided.",
)
