"""CAPA as 8D: from the team to what shows that the cause is gone (DOMAIN 8.8).

Rules kept here: the owner signs every discipline and decides none; quality approves containment, cause
and actions; what will show effectiveness is fixed before anything is implemented and not after; nobody
judges before its window ends, and never the owner; what did not work goes back to the cause, and is
counted; retraining alone is no answer to a cause that came back.
"""

from __future__ import annotations

import datetime as dt

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void
from coverslip.records.quality import _case

WORKED = (
    "d0_screening",
    "d1_team",
    "d2_problem",
    "d3_containment",
    "d4_root_cause",
    "d5_actions",
    "d6_implementation",
    "d7_prevention",
)
_AFTER_D5 = ("d6_implementation", "d7_prevention", "effectiveness_check", "closed")
_FROM_D4 = (
    "sign_root_cause",
    "approve_root_cause",
    "sign_actions",
    "approve_actions",
    "sign_implementation",
    "sign_prevention",
    "sign_lessons",
)
RETRAINING = "retraining"
_MONTHS_12 = dt.timedelta(days=365)


@rule("retraining_is_not_enough", 1)
def retraining_is_not_enough(inp: RuleInput) -> str | None:
    """Refuse retraining as the only action where the cause came back within 12 months after retraining.

    It came back when this CAPA was ineffective before, or others answered the same cause code by retraining;
    those were found when quality approved the cause.
    """
    actions = [str(row["kind"]) for row in inp.fields.get("chosen_actions", ())]
    if not actions or set(actions) != {RETRAINING}:
        return None
    oldest = (dt.date.fromisoformat(inp.today) - _MONTHS_12).isoformat()
    items = (inp.fields.get("recurrences") or {}).get("items", ())
    n = sum(str(item["opened"]) >= oldest for item in items) + int(inp.fields.get("times_ineffective", 0))
    return f"This cause recurred {n}× after retraining." if n else None


@rule("window_end", 1)
def window_end(inp: RuleInput) -> str:
    """Return the first day on which effectiveness may be judged."""
    days = int(inp.fields.get("window_days", 90))
    return (dt.date.fromisoformat(inp.today) + dt.timedelta(days=days)).isoformat()


@rule("one_more_ineffective", 1)
def one_more_ineffective(inp: RuleInput) -> int:
    """Return how often this CAPA was judged ineffective, this time included."""
    return int(inp.fields.get("times_ineffective", 0)) + 1


_TEXT = w.Column(w.Text(1000, 3))
_CAUSES = w.Table(
    {
        "aspect": w.Column(w.Enum(("occurrence", "escape", "systemic"))),
        "cause": _TEXT,
        "shown_by": w.Column(w.Text(1000), required=False),
    },
    max_rows=100,
    min_rows=1,
)
_CRITERION = w.Table(
    {
        "metric": w.Column(w.Text(300, 3)),
        "baseline": w.Column(w.Text(100)),
        "target": w.Column(w.Text(100)),
        "sample_size": w.Column(w.Text(100)),
    },
    max_rows=20,
    min_rows=1,
)
_RESULT = w.Table(
    {
        "metric": w.Column(w.Text(300, 3)),
        "result": w.Column(w.Text(300)),
        "met": w.Column(w.Bool()),
    },
    max_rows=20,
    min_rows=1,
)
_RETRAINING = w.Rule(
    "retraining_is_not_enough", 1, message="Retraining alone does not answer a cause that came back."
)


@rule("all_aspects_of_cause", 1)
def all_aspects_of_cause(inp: RuleInput) -> str | None:
    """Ask why it occurred, why it was not found, and what in the system let both happen."""
    have = {str(row["aspect"]) for row in inp.fields.get("root_cause", ())}
    missing = [a for a in ("occurrence", "escape", "systemic") if a not in have]
    return f"The root cause says all three: {', '.join(missing)} is missing." if missing else None


@rule("result_for_every_metric", 1)
def result_for_every_metric(inp: RuleInput) -> str | None:
    """Ask for a result for every metric of the criterion."""
    have = {str(row["metric"]) for row in inp.fields.get("result", ())}
    missing = [r["metric"] for r in inp.fields.get("criterion", ()) if r["metric"] not in have]
    return f"Every metric has a result (missing: {', '.join(missing)})." if missing else None


@rule("criterion_met", 1)
def criterion_met(inp: RuleInput) -> str | None:
    """Ask that every metric was met."""
    bad = [str(row["metric"]) for row in inp.fields.get("result", ()) if row["met"] is not True]
    return f"Every metric was met (not: {', '.join(bad)})." if bad else None


def _step(
    name: str,
    label: str,
    from_: str,
    to: str,
    said: str,
    requires: tuple[w.Guard, ...] = (),
    effects: tuple[w.Effect, ...] = (),
) -> w.Transition:
    """Return the act by which the owner signs one discipline."""
    return w.Transition(
        name,
        label,
        (from_,),
        to,
        persons=("owner",),
        requires=requires,
        effects=effects,
        signature=signing("authored", said),
    )


def _approval(
    name: str,
    from_: str,
    to: str,
    signed: str,
    said: str,
    days: int,
    requires: tuple[w.Guard, ...] = (),
    effects: tuple[w.Effect, ...] = (),
) -> w.Transition:
    """Return quality's approval of what the owner signed; the next is due ``days`` after the start."""
    what = signed.removeprefix("sign_").replace("_", " ")
    return w.Transition(
        name,
        f"Approve {what}",
        (from_,),
        to,
        ("QA",),
        requires=(
            w.Signed("authored", act=signed, message=f"The owner signed {what} of {{number}}."),
            *requires,
        ),
        effects=(w.Set("due", w.Value("path", path=("opened_on",), days=days)), *effects),
        signature=signing("approved", said, ("QA",), ("owner", "editors")),
    )


def _filled(table: str, *columns: str, message: str) -> w.Filled:
    return w.Filled(table, columns, message=message)


_FIELDS: dict[str, w.Field] = {
    "title": w.Field(w.Text(300, 5), "Title", required=True),
    "kind": w.Field(w.Enum(("corrective", "preventive")), "Kind", required=True, critical=True),
    "sources": w.Field(
        w.Link((), "none"),
        "Raised from",
        many=True,
        required_at=("d1_team",),
        critical=True,
        help="Nonconformity, deviation, complaint, finding, out-of-specification result or review.",
    ),
    "owner": w.Field(
        _case.USER, "Owner", required=True, critical=True, immutable_at=(*WORKED[1:], "effectiveness_check")
    ),
    "team": w.Field(
        w.Table({"person": w.Column(_case.USER), "role": w.Column(w.Text(100))}, max_rows=50, min_rows=1),
        "D1 Team",
        required_at=("d2_problem",),
    ),
    "problem": w.Field(
        w.Table(
            {
                "aspect": w.Column(w.Enum(("what", "where", "when", "who", "how_many"))),
                "is_": w.Column(w.Text(500)),
                "is_not": w.Column(w.Text(500)),
            },
            max_rows=50,
            min_rows=1,
        ),
        "D2 Problem",
        required_at=("d3_containment",),
        critical=True,
    ),
    "containment": w.Field(
        _case.action_table(("effective", w.Column(w.Bool(), required=False))), "D3 Containment", critical=True
    ),
    "root_cause": w.Field(_CAUSES, "D4 Root cause", critical=True, immutable_at=_AFTER_D5),
    "cause_code": w.Field(
        w.Text(60, 2, "[a-z][a-z0-9_]*"),
        "Cause code",
        critical=True,
        required_at=("d5_actions",),
        immutable_at=("d5_actions", *_AFTER_D5),
        help="The same code for the same cause, so that its return is seen.",
    ),
    "recurrences": w.Field(
        w.Json(),
        "The same cause before",
        source="computed",
        critical=True,
        help="CAPAs with this cause code that were answered by retraining, as found when it was approved.",
    ),
    "chosen_actions": w.Field(
        w.Table(
            {
                "action": w.Column(w.Text(500, 5)),
                "kind": w.Column(
                    w.Enum(
                        (
                            "elimination",
                            "design",
                            "process",
                            "software",
                            "procedure",
                            "inspection",
                            "retraining",
                        )
                    )
                ),
                "verified_by": w.Column(w.Text(500)),
            },
            max_rows=100,
            min_rows=1,
        ),
        "D5 Chosen actions",
        required_at=("d6_implementation",),
        critical=True,
        immutable_at=_AFTER_D5,
    ),
    "criterion": w.Field(
        _CRITERION,
        "Effectiveness criterion",
        required_at=("d6_implementation",),
        critical=True,
        immutable_at=_AFTER_D5,
        help="What will be measured, from where, to where, on how many; fixed before implementing.",
    ),
    "window_days": w.Field(
        w.Int(1, 1000), "Effectiveness window, days", default=90, critical=True, immutable_at=_AFTER_D5
    ),
    "implementation": w.Field(_case.action_table(), "D6 Implementation", critical=True),
    "changes": w.Field(w.Link(("change",), "none"), "Changes", many=True, critical=True),
    "prevention": w.Field(
        w.Rich(20_000),
        "D7 Prevention",
        required_at=("effectiveness_check",),
        help="Documents, training, risk file, similar work.",
    ),
    "lessons": w.Field(w.Rich(20_000), "D8 Recognition and lessons", required_at=("closed",)),
    "result": w.Field(_RESULT, "Effectiveness result", critical=True),
    "window_ends": w.Field(w.Date(), "Window ends", source="computed", critical=True),
    "times_ineffective": w.Field(w.Int(0), "Judged ineffective", source="computed", critical=True),
    "opened_on": w.Field(w.Date(), "Opened on", source="computed"),
    **_case.due_fields(),
}
_JUDGED = (
    w.Reached(("window_ends",), "Effectiveness window ends {date}."),
    w.Rule("result_for_every_metric", 1, message="Every metric of the criterion has a result."),
)

TYPE = w.Type(
    name="capa",
    title="CAPA",
    version=1,
    purpose="Why something went wrong, what removes the cause, and what shows that it is gone.",
    number=w.Number("CAPA", 4, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields=_FIELDS,
    states=(
        *(w.State(name) for name in WORKED),
        w.State("effectiveness_check"),
        w.State("closed", terminal=True, locked=True),
        w.State("rejected", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("*",),
        "d0_screening",
        effects=(
            w.Set("opened_on", w.Value("today")),
            w.Set("times_ineffective", w.Value("literal", 0)),
            w.Set("due", w.Value("today", days=3)),
        ),
    ),
    edit=w.Editing(
        ("QA", "QAL"),
        (*WORKED, "effectiveness_check"),
        ("owner", "raiser"),
        (w.Rule("changed_by_its_act", 1, message="Owner and due day change by acts of their own."),),
    ),
    persons={"raiser": w.Actor("create"), "owner": w.PersonAt(("owner",)), "editors": w.Actor("edit")},
    transitions=(
        _step("take_on", "D0 Take on", "d0_screening", "d1_team", "I take on this CAPA as its owner."),
        w.Transition(
            "reject",
            "Reject",
            ("d0_screening",),
            "rejected",
            ("QA",),
            signature=signing("rejected", "No CAPA is needed, for the reason given.", ("QA",), ("raiser",)),
            reason=w.Reason(20),
            aside=True,
        ),
        _step("sign_team", "D1 Sign team", "d1_team", "d2_problem", "This team works on it."),
        _step("sign_problem", "D2 Sign problem", "d2_problem", "d3_containment", "This is the problem."),
        _step(
            "sign_containment",
            "D3 Sign containment",
            "d3_containment",
            "",
            "This contains the problem.",
            (
                _filled(
                    "containment",
                    "done_on",
                    "effective",
                    message="Every containment action is done and judged.",
                ),
            ),
        ),
        _approval(
            "approve_containment",
            "d3_containment",
            "d4_root_cause",
            "sign_containment",
            "I approve the containment.",
            30,
        ),
        _step(
            "sign_root_cause",
            "D4 Sign root cause",
            "d4_root_cause",
            "",
            "This is the root cause.",
            (
                w.Compare(("root_cause",), "present", message="The root cause is stated."),
                w.Rule("all_aspects_of_cause", 1, message="Occurrence, escape and system are all explained."),
            ),
        ),
        _approval(
            "approve_root_cause",
            "d4_root_cause",
            "d5_actions",
            "sign_root_cause",
            "I approve the root cause.",
            30,
            effects=(w.Gather("recurrences", "cause_recurrences", 1),),
        ),
        _step(
            "sign_actions",
            "D5 Sign actions",
            "d5_actions",
            "",
            "These actions remove the cause, and this will show it.",
            (
                w.Compare(("chosen_actions",), "present", message="The actions are chosen."),
                w.Compare(("criterion",), "present", message="What will show effectiveness is stated."),
                _RETRAINING,
            ),
        ),
        _approval(
            "approve_actions",
            "d5_actions",
            "d6_implementation",
            "sign_actions",
            "I approve the actions and fix what will show their effect.",
            90,
            (_RETRAINING,),
        ),
        _step(
            "sign_implementation",
            "D6 Sign implementation",
            "d6_implementation",
            "d7_prevention",
            "Every action is implemented.",
            (
                _filled(
                    "implementation",
                    "done_on",
                    "evidence",
                    message="Every action is done, with its evidence.",
                ),
                w.InState(
                    ("changes",),
                    ("closed", "effective"),
                    "{number} is effective or closed (it is {state}).",
                    True,
                ),
            ),
        ),
        _step(
            "sign_prevention",
            "D7 Sign prevention",
            "d7_prevention",
            "effectiveness_check",
            "This keeps it from coming back elsewhere.",
            effects=(
                w.Compute("window_ends", w.Rule("window_end", 1)),
                w.Set("due", w.Value("path", path=("window_ends",), days=14)),
            ),
        ),
        _step(
            "sign_lessons",
            "D8 Sign lessons",
            "effectiveness_check",
            "",
            "This is what we learned, and who is to be thanked.",
            (w.Compare(("lessons",), "present", message="What was learned is written."),),
        ),
        w.Transition(
            "close",
            "Close as effective",
            ("effectiveness_check",),
            "closed",
            ("QA", "QAL"),
            fields=("result",),
            requires=(
                *_JUDGED,
                w.Rule("criterion_met", 1, message="Every metric was met."),
                w.Signed("authored", act="sign_lessons", message="The owner signed the lessons of {number}."),
            ),
            signature=signing(
                "closed", "I judge the actions effective and close.", ("QA", "QAL"), ("owner",)
            ),
        ),
        w.Transition(
            "judge_ineffective",
            "Judge ineffective",
            ("effectiveness_check",),
            "d4_root_cause",
            ("QA", "QAL"),
            fields=("result",),
            requires=_JUDGED,
            effects=(
                w.Compute("times_ineffective", w.Rule("one_more_ineffective", 1)),
                w.Set("due", w.Value("today", days=30)),
                w.Set("opened_on", w.Value("today")),
            ),
            signature=signing(
                "rejected",
                "The actions were not effective; the cause is looked for again.",
                ("QA", "QAL"),
                ("owner",),
            ),
            reason=w.Reason(20),
            clears=_FROM_D4,
        ),
        w.Transition(
            "reassign",
            "Assign anew",
            ("d0_screening",),
            "",
            ("QA", "QAL"),
            fields=("owner",),
            reason=w.Reason(),
        ),
        _case.extension((*WORKED, "effectiveness_check")),
        void(WORKED),
    ),
    retention=w.Retention("DOC"),
    due="due",
    summary=("title", "kind", "owner", "times_ineffective", "due"),
    predicate_rules=("ISO 13485 8.5.2", "ISO 13485 8.5.3", "21 CFR 820.10", "21 CFR 211.192"),
)
