"""Audit trail review, periodic and of a whole system (DOMAIN 8.16).

Rules kept here: reviews of a system follow each other without a day between; a sample is drawn from the
ledger itself, once, and stays; every critical entry in it is answered; whoever reviews is of quality,
keeps no accounts, and is nobody whose acts are in the sample; the next review starts itself. The look at the
trail of one record is a review case.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import HASH, REGULATED, VOIDED, signing, void


def _span(first: dt.date, last: dt.date) -> str:
    if first == last:
        return first.isoformat()
    return (
        f"{first}…{last.day:02}"
        if (first.year, first.month) == (last.year, last.month)
        else f"{first}…{last}"
    )


def _covered(rows: tuple[Row, ...], own: str) -> list[tuple[str, str]]:
    """Return the periods of the other reviews of the system, voided ones left out, in order."""
    periods = (
        (str(r.fields["period_from"]), str(r.fields["period_to"]))
        for r in rows
        if r.uid != own and r.state != "voided"
    )
    return sorted(periods)


@rule("periods_join", 1)
def periods_join(inp: RuleInput) -> str | None:
    """Ask that no day lies between the last review of the system before this one and this one."""
    first, last = str(inp.fields["period_from"]), str(inp.fields["period_to"])
    if first > last:
        return f"The period ends after it begins ({first} to {last})."
    own = inp.record.uid if inp.record is not None else ""
    ends = [end for begin, end in _covered(inp.children["reviews"], own) if begin < first]
    if not ends:
        return None
    following = dt.date.fromisoformat(max(ends)) + dt.timedelta(days=1)
    begins = dt.date.fromisoformat(first)
    if begins <= following:
        return None
    return f"{_span(following, begins - dt.timedelta(days=1))} is not covered by any review."


@rule("critical_answered", 1)
def critical_answered(inp: RuleInput) -> str | None:
    """Ask that every critical entry of the sample has an answer, and every other one too."""
    rows = inp.fields.get("items") or ()
    critical = [str(r["event"]) for r in rows if r.get("critical") and not r.get("answer")]
    if critical:
        return f"Every critical entry is answered (open: {', '.join(critical[:8])})."
    other = [str(r["event"]) for r in rows if not r.get("answer")]
    return f"Every entry of the sample is answered (open: {', '.join(other[:8])})." if other else None


@rule("people_in_sample", 1)
def people_in_sample(inp: RuleInput) -> list[dict[str, Any]]:
    """Return the people whose acts are in the sample, each once."""
    people = {
        str(r["person"]["uid"]): dict(r["person"]) for r in inp.fields.get("items") or () if r.get("person")
    }
    return [people[uid] for uid in sorted(people)]


@rule("drawn_once", 1)
def drawn_once(inp: RuleInput) -> str | None:
    """Ask that nothing was drawn or recorded before: a sample is not drawn until it suits."""
    before = inp.record.fields if inp.record is not None else {}
    known = before.get("drawn") or before.get("items")
    return "The sample is drawn once, before anything is recorded." if known else None


@rule("drawn_query", 1)
def drawn_query(inp: RuleInput) -> str:
    """Return in words what was drawn from."""
    drawn = inp.fields["drawn"]
    classes = ", ".join(str(c).replace("_", " ") for c in inp.fields["event_classes"])
    return (
        f"Entries of {inp.fields['period_from']} to {inp.fields['period_to']} among the first {drawn['size']}"
        f" of the ledger: {classes}. {drawn['matched']} found, {drawn['critical']} of them critical."
    )


@rule("drawn_hash", 1)
def drawn_hash(inp: RuleInput) -> str:
    """Return the SHA-256 over what was found."""
    return str(inp.fields["drawn"]["sha256"])


@rule("drawn_entries_kept", 1)
def drawn_entries_kept(inp: RuleInput) -> str | None:
    """Ask that every entry drawn stays in the sample."""
    before = inp.record.fields.get("items") or () if inp.record is not None else ()
    kept = {row.get("entry") for row in inp.fields.get("items") or ()}
    gone = [str(r["event"]) for r in before if r.get("entry") and r["entry"] not in kept]
    return f"What was drawn stays in the sample ({', '.join(gone[:8])})." if gone else None


@rule("reviewer_outside_sample", 1)
def reviewer_outside_sample(inp: RuleInput) -> str | None:
    """Ask that whoever records the sample is not in it."""
    own = [
        str(r["event"])
        for r in inp.fields.get("items") or ()
        if (r.get("person") or {}).get("uid") in inp.people
    ]
    return f"Nobody reviews what they did ({', '.join(own[:8])})." if own else None


_ITEMS = w.Table(
    {
        "event": w.Column(w.Text(300)),
        "record": w.Column(w.Link((), "none"), required=False),
        "person": w.Column(w.Link(("user",), "none"), required=False),
        "critical": w.Column(w.Bool()),
        "question": w.Column(w.Text(1000)),
        "entry": w.Column(w.Text(36, 36), required=False),
        "answer": w.Column(w.Text(2000), required=False),
    },
    max_rows=5000,
)
_LATER = ("in_review", "reviewed", "closed", "voided")
_EVER = ("due", *_LATER)
_JOIN = w.Rule(
    "periods_join",
    1,
    children={"reviews": (("system",), "audit_trail_review", "system")},
    message="No day is left out between two reviews.",
)
_SAMPLED = w.Compute("people_sampled", w.Rule("people_in_sample", 1))
_RANDOM = w.When(
    w.Compare(("sample_rule",), "ne", "all_critical"),
    (
        w.Compare(("sample_size",), "present", message="How many are drawn at random is given."),
        w.Compare(("sample_seed",), "present", message="The seed of the random sample is given."),
    ),
)


def _copied(*names: str) -> dict[str, w.Value]:
    return {name: w.Value("path", path=(name,)) for name in names}


TYPE = w.Type(
    name="audit_trail_review",
    title="Audit trail review",
    version=1,
    purpose="A second look at what was done in a system in a period: targeted, sampled and answered.",
    number=w.Number("ATR", 3, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "system": w.Field(
            w.Link(("scope_item",), "none"), "System", required=True, immutable_at=_EVER, critical=True
        ),
        "previous": w.Field(w.Link(("audit_trail_review",), "none"), "Review before", immutable_at=_EVER),
        "period_from": w.Field(w.Date(), "From", required=True, immutable_at=_LATER, critical=True),
        "period_to": w.Field(w.Date(), "To", required=True, immutable_at=_LATER, critical=True),
        "due_on": w.Field(w.Date(), "To be closed by", required=True, immutable_at=_LATER),
        "every_months": w.Field(
            w.Int(1, 12), "Again after (months)", default=3, help="3; 1 where the risk is high."
        ),
        "event_classes": w.Field(
            w.Enum(
                (
                    "refusals",
                    "changes",
                    "late_entries",
                    "voids",
                    "reprocessing",
                    "erasures",
                    "signatures",
                    "role_grants",
                    "exports",
                )
            ),
            "What is looked at",
            required=True,
            many=True,
            immutable_at=_LATER,
            critical=True,
        ),
        "risk_basis": w.Field(
            w.Rich(10_000), "Why this scope and frequency", required=True, immutable_at=_LATER
        ),
        "sample_rule": w.Field(
            w.Enum(("all_critical", "random", "critical_and_random")),
            "Sample",
            required=True,
            immutable_at=_LATER,
            critical=True,
        ),
        "sample_size": w.Field(w.Int(1, 5000), "How many at random", immutable_at=_LATER),
        "sample_seed": w.Field(
            w.Text(100), "Seed", immutable_at=_LATER, help="With it anybody draws the same."
        ),
        "drawn": w.Field(
            w.Json(10_000),
            "Drawn",
            source="computed",
            help="size: entries of the ledger looked at; matched, critical: how many; sha256 over them.",
        ),
        "query": w.Field(
            w.Rich(10_000), "Query", required_at=("reviewed",), immutable_at=("reviewed", "closed")
        ),
        "result_hash": w.Field(
            HASH,
            "SHA-256 of what the query returned",
            required_at=("reviewed",),
            immutable_at=("reviewed", "closed"),
        ),
        "items": w.Field(
            _ITEMS,
            "Entries looked at",
            required_at=("reviewed",),
            immutable_at=("reviewed", "closed"),
            critical=True,
        ),
        "people_sampled": w.Field(
            w.Link(("user",), "none"), "People in the sample", many=True, source="computed"
        ),
        "anomalies": w.Field(
            w.Link(("anomaly",), "none"), "Anomalies", many=True, immutable_at=("reviewed", "closed")
        ),
        "conclusion": w.Field(
            w.Rich(10_000),
            "Conclusion",
            required_at=("reviewed",),
            immutable_at=("reviewed", "closed"),
            critical=True,
        ),
    },
    states=(
        w.State("due"),
        w.State("in_review"),
        w.State("reviewed"),
        w.State("closed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("QA", "SEC", "SVC"), "due"),
    edit=w.Editing(("QA", "SEC"), ("due",)),
    persons={
        "sampled": w.PersonAt(("people_sampled",)),
        "reviewer": w.Signer("reviewed"),
        "recorders": w.Actor("record"),
    },
    transitions=(
        w.Transition(
            "start", "Start", ("due",), "in_review", ("QA",), requires=(_JOIN, _RANDOM), effects=(_SAMPLED,)
        ),
        w.Transition(
            "draw",
            "Draw the sample",
            ("in_review",),
            "",
            ("QA",),
            requires=(
                w.Rule("drawn_once", 1, message="The sample is drawn once, before anything is recorded."),
                w.Reached(("period_to",), "The period under review is over (it ends {date})."),
            ),
            effects=(
                w.Gather("items", "trail_sample", 1),
                w.Gather("drawn", "trail_drawn", 1),
                w.Compute("query", w.Rule("drawn_query", 1)),
                w.Compute("result_hash", w.Rule("drawn_hash", 1)),
                _SAMPLED,
            ),
        ),
        w.Transition(
            "record",
            "Record what was looked at",
            ("in_review",),
            "",
            ("QA",),
            fields=("items", "query", "result_hash", "anomalies", "conclusion"),
            requires=(
                w.Rule("reviewer_outside_sample", 1, message="Nobody reviews what they did."),
                w.Rule("drawn_entries_kept", 1, message="What was drawn stays in the sample."),
            ),
            effects=(_SAMPLED,),
        ),
        w.Transition(
            "review",
            "Review",
            ("in_review",),
            "reviewed",
            ("QA",),
            requires=(
                w.Rule("critical_answered", 1, message="Every critical entry is answered."),
                w.Reached(("period_to",), "The period under review is over (it ends {date})."),
            ),
            signature=signing(
                "reviewed",
                "I reviewed the entries of this sample and answered every question.",
                ("QA",),
                ("sampled",),
            ),
        ),
        w.Transition(
            "return",
            "Look again",
            ("reviewed",),
            "in_review",
            ("QA", "QAL"),
            reason=w.Reason(),
            clears=("reviewed",),
        ),
        w.Transition(
            "close",
            "Close",
            ("reviewed",),
            "closed",
            ("QA", "QAL"),
            requires=(_JOIN, w.Rule("critical_answered", 1, message="Every critical entry is answered.")),
            effects=(
                w.Create(
                    "audit_trail_review",
                    "previous",
                    {
                        **_copied(
                            "title",
                            "system",
                            "every_months",
                            "event_classes",
                            "risk_basis",
                            "sample_rule",
                            "sample_size",
                        ),
                        "period_from": w.Value("path", path=("period_to",), days=1),
                        "period_to": w.Value("path", path=("period_to",), months_at=("every_months",)),
                        "due_on": w.Value("path", path=("period_to",), months_at=("every_months",), days=14),
                    },
                ),
            ),
            signature=signing(
                "closed",
                "This review is complete and leaves no question open.",
                ("QA", "QAL"),
                ("reviewer", "sampled"),
            ),
            reason=w.Reason(),
        ),
        void(("due", "in_review", "reviewed")),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "system", "period_from", "period_to", "due_on"),
    predicate_rules=("21 CFR 211.22", "21 CFR 211.192", "21 CFR 211.194(a)(8)", "EU GMP Annex 11 §9"),
    due="due_on",
)
