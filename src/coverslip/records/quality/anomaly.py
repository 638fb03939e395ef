"""Anomaly: a flag that somebody must answer (DOMAIN 7.3).

Rules kept here: a flag stops no work and no bench; while it warns or is critical and nobody answered it,
nothing it names is released; none of the people it names answers it; a critical one quality answers.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, VOIDED, signing, void
from coverslip.records.quality import _case

_EVER = ("raised", "assigned", "answered", "closed")
_ANSWERED = ("answered", "closed")
_GIVEN = ("answer", "explanation", "deviation", "incident")
_NAMED = (
    w.When(
        w.Compare(("answer",), "eq", "deviation"),
        (w.Compare(("deviation",), "present", message="The answer names the deviation raised."),),
    ),
    w.When(
        w.Compare(("answer",), "eq", "incident"),
        (w.Compare(("incident",), "present", message="The answer names the incident raised."),),
    ),
    w.Compare(("answer",), "present", message="The answer is chosen."),
    w.Compare(("explanation",), "present", message="The answer is explained."),
)


def _answer(name: str, label: str, who: tuple[str, ...], *requires: w.Guard) -> w.Transition:
    return w.Transition(
        name,
        label,
        ("raised", "assigned"),
        "answered",
        who,
        fields=_GIVEN,
        requires=(*requires, *_NAMED),
        signature=signing("reviewed", "I looked at what this flag shows and answer it.", who, ("actors",)),
    )


TYPE = w.Type(
    name="anomaly",
    title="Anomaly",
    version=1,
    purpose="A flag over what was recorded, and a person's answer to it.",
    number=w.Number("ANO", 4, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300, 5), "What it shows", required=True, immutable_at=_EVER),
        "rule": w.Field(
            w.Text(30, 3, "[A-Z]{3}-[0-9]{2,4}|manual"),
            "Rule",
            required=True,
            immutable_at=_EVER,
            help="The rule's number, or 'manual' where a person saw it.",
        ),
        "rule_version": w.Field(w.Int(1), "Version of the rule", default=1, immutable_at=_EVER),
        "window_from": w.Field(w.Instant(), "From", required=True, immutable_at=_EVER),
        "window_to": w.Field(w.Instant(), "To", required=True, immutable_at=_EVER),
        "severity": w.Field(
            w.Enum(("info", "warn", "critical")), "Severity", required=True, critical=True, immutable_at=_EVER
        ),
        "subjects": w.Field(
            w.Link((), "none"), "Records it names", many=True, critical=True, immutable_at=_EVER
        ),
        "actors": w.Field(
            _case.USER, "People it names", many=True, immutable_at=_EVER, help="They do not answer it."
        ),
        "evidence": w.Field(
            w.Text(80),
            "Entries",
            many=True,
            required=True,
            immutable_at=_EVER,
            help="Ids of the ledger entries the rule counted.",
        ),
        "assignee": w.Field(_case.USER, "Assigned to", required_at=("assigned",)),
        "answer": w.Field(
            w.Enum(("explained", "deviation", "incident", "rule_tuned")),
            "Answer",
            critical=True,
            immutable_at=_ANSWERED,
        ),
        "explanation": w.Field(w.Rich(10_000), "Explanation", critical=True, immutable_at=_ANSWERED),
        "deviation": w.Field(w.Link(("deviation",), "none"), "Deviation", immutable_at=_ANSWERED),
        "incident": w.Field(w.Link(("incident",), "none"), "Incident", immutable_at=_ANSWERED),
        "due": w.Field(w.Date(), "Due", source="computed"),
    },
    states=(
        w.State("raised"),
        w.State("assigned"),
        w.State("answered"),
        w.State("closed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("SVC", "QA"),
        "raised",
        requires=(
            w.Compare(
                ("window_to",), "ge", other=("window_from",), message="The window ends after it begins."
            ),
        ),
        effects=(w.Set("due", w.Value("today", days=14)),),
        consequence=True,
    ),
    persons={
        "actors": w.PersonAt(("actors",)),
        "answerer": w.Signer("reviewed"),
        "assignee": w.PersonAt(("assignee",)),
    },
    transitions=(
        w.Transition(
            "assign", "Assign", ("raised", "assigned"), "assigned", ("QA", "QAL"), fields=("assignee",)
        ),
        _answer(
            "answer",
            "Answer",
            ("REV", "QA", "QAL", "SEC", "SDR", "ENG"),
            w.Compare(("severity",), "ne", "critical", message="A critical flag is answered by quality."),
        ),
        _answer("answer_critical", "Answer for quality", ("QA", "QAL")),
        w.Transition(
            "send_back",
            "Ask again",
            ("answered",),
            "assigned",
            ("QA", "QAL"),
            fields=("assignee",),
            independent_of=("actors",),
            reason=w.Reason(20),
            clears=("answer", "answer_critical", "reviewed"),
        ),
        w.Transition(
            "close",
            "Close",
            ("answered",),
            "closed",
            ("QA", "QAL"),
            signature=signing("closed", "The answer stands; I close this flag.", ("QA", "QAL"), ("actors",)),
        ),
        void(("raised", "assigned")),
    ),
    retention=w.Retention("SYS"),
    due="due",
    summary=("title", "rule", "severity", "subjects", "due"),
    predicate_rules=("21 CFR 11.10(e)", "21 CFR 211.192", "EU GMP Annex 11 §9"),
)
