"""Incident: something happened to systems, data, accounts or surroundings (DOMAIN 8.15).

Rules kept here: a security officer leads; where data integrity is concerned a deviation is raised and
the quality lead endorses; nothing is closed while the account concerned can still act.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED
from coverslip.records.quality import _case

_LEAD = ("SEC", "QA", "QAL")
_ALWAYS = (*_case.OPEN, "closed")
_INTEGRITY = w.Compare(("kind",), "eq", "data_integrity")
_DEVIATION = w.Compare(
    ("deviation",), "present", message="A data-integrity incident names the deviation raised for it."
)
_ACCOUNT = w.When(
    w.Compare(("account",), "present"),
    (
        w.InState(
            ("account",), ("locked", "disabled"), "{number} can no longer act (the account is still {state})."
        ),
    ),
)

TYPE = w.Type(
    name="incident",
    title="Incident",
    version=1,
    purpose="What happened to systems, data, accounts or surroundings, and how it was contained.",
    number=w.Number("INC", 4, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300, 5), "Title", required=True),
        "kind": w.Field(
            w.Enum(("security", "credential", "data_integrity", "system", "environment", "safety")),
            "Kind",
            required=True,
            critical=True,
            immutable_at=_case.FIXED,
            help="credential: lost, stolen or shared; revoke it first, then write.",
        ),
        "detected_at": w.Field(
            w.Instant(), "Detected at", required=True, critical=True, immutable_at=_ALWAYS
        ),
        "detected_by": w.Field(
            w.Text(200), "Detected by", required=True, help="A person, a system, or a rule by its number."
        ),
        "what": w.Field(
            w.Rich(20_000), "What happened", required=True, critical=True, immutable_at=_case.FIXED
        ),
        "severity": w.Field(
            w.Enum(("low", "medium", "high", "critical")),
            "Severity",
            required=True,
            critical=True,
            immutable_at=_case.FIXED,
        ),
        "containment": w.Field(w.Rich(20_000), "Containment", required=True, critical=True),
        "account": w.Field(
            w.Link(("user",), "none"),
            "Account concerned",
            critical=True,
            immutable_at=_case.FIXED,
            help="While it is active, the incident stays open.",
        ),
        "systems": w.Field(w.Link((), "none"), "Systems concerned", many=True),
        "affected": w.Field(w.Link((), "none"), "Records concerned", many=True, critical=True),
        "anomaly": w.Field(w.Link(("anomaly",), "none"), "Flag that showed it"),
        "deviation": w.Field(w.Link(("deviation",), "none"), "Deviation", critical=True),
        "root_cause": w.Field(
            w.Rich(20_000), "Root cause", required_at=("in_review",), critical=True, immutable_at=_case.FIXED
        ),
        "breach_notice": w.Field(
            w.Rich(10_000),
            "Must somebody be notified",
            required_at=("in_review",),
            help="Who must be told of a breach, by when; or that nobody must, and why.",
        ),
        **_case.fields(),
    },
    states=_case.STATES,
    create=w.Making(
        ("*",),
        "open",
        requires=(_case.PAST_DETECTION,),
        effects=(w.Set("due", w.Value("today", days=30)),),
    ),
    edit=_case.edit(_LEAD),
    persons=_case.persons(),
    transitions=_case.transitions(
        "incident",
        _LEAD,
        submit=(w.When(_INTEGRITY, (_DEVIATION,)),),
        approve=(w.When(_INTEGRITY, (_DEVIATION, _case.ENDORSED)),),
        close=(_ACCOUNT, w.When(_INTEGRITY, (_DEVIATION,))),
    ),
    retention=w.Retention("SYS"),
    due="due",
    summary=("title", "kind", "severity", "owner", "due"),
    predicate_rules=("21 CFR 11.300(d)", "21 CFR 11.10(d)", "EU GMP Annex 11 §13"),
)
