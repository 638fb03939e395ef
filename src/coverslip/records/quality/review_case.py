"""Review case: the second person's look at a run, and quality's (DOMAIN 7.1).

Rules kept here: nobody reviews what they executed, asked for, changed, or fed into; every exception
that matters is answered before the technical decision; what is decided on is the very version under
review; quality states that the audit trail was reviewed. Nobody signs what was not opened: the subject,
every exception that asks for an answer, every flagged image, and for quality the whole trail, as the server
recorded that it sent them. What arrives meanwhile makes a signing stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import Refusal, RuleInput, rule
from coverslip.records._shared import REGULATED, sandbox, signing
from coverslip.records.quality._open import settled

_EVER = ("queued", "in_review", "returned", "technical_done", "decided", "rejected")
TO_ANSWER = ("warn", "critical")
_OTHERS = ("executor", "requester", "editors", "selector", "set_editors", "image_editors")


def exceptions_of(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the exceptions gathered, each with ``key``, ``severity`` and ``sentence``."""
    gathered = fields.get("exceptions") or {}
    return list(gathered.get("items", ())) if isinstance(gathered, Mapping) else list(gathered)


@rule("exceptions_answered", 1)
def exceptions_answered(inp: RuleInput) -> str | None:
    """Ask for an answer to every exception that warns or is critical; notes need none."""
    if "exceptions" not in inp.fields:
        return "The exceptions of the subject were gathered."
    answered = {str(row["exception"]) for row in inp.fields.get("answers", ())}
    open_ = [
        str(item.get("sentence") or item["key"])
        for item in exceptions_of(inp.fields)
        if item["severity"] in TO_ANSWER and str(item["key"]) not in answered
    ]
    if not open_:
        return None
    more = f" and {len(open_) - 5} more" if len(open_) > 5 else ""
    return f"Every exception is answered (open: {'; '.join(open_[:5])}{more})."


@rule("scope_unchanged", 2)
def scope_unchanged(inp: RuleInput) -> Refusal | None:
    """Ask that the subject is still the version that was submitted for review."""
    seen = int(inp.fields["subject"]["version"])
    for row in inp.reads["subject"]:
        if row.version != seen:
            n = row.version - seen
            plural = "entry" if n == 1 else "entries"
            said = f"{row.number}: {n} new {plural} since you began; they are listed first"
            return Refusal("SIG_STALE", said, {})
    return None


def _openings(inp: RuleInput) -> Mapping[str, Any]:
    found = inp.fields.get("openings") or {}
    return found if "needed" in found else {}


@rule("items_opened", 1)
def items_opened(inp: RuleInput) -> str | None:
    """Ask that the signer was sent, and so opened, every item that must be looked at, as it is now."""
    found = _openings(inp)
    if not found:
        return "What was opened was gathered."
    mine = {str(row["key"]) for row in found["openings"] if row["person"] == inp.actor}
    lacking = [str(item["says"])[:120] for item in found["needed"] if str(item["key"]) not in mine]
    if not lacking:
        return None
    more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
    return (
        "The subject, every exception and every flagged image were opened by you"
        f" (not opened: {'; '.join(lacking[:5])}{more})."
    )


@rule("nothing_arrived", 1)
def nothing_arrived(inp: RuleInput) -> Refusal | str | None:
    """Ask that nothing was entered about the scope since the exceptions were gathered."""
    found = _openings(inp)
    if not found or not (inp.fields.get("exceptions") or {}).get("heads"):
        return "The exceptions were gathered with how every record of the scope stood: look again."
    return _stale(found["arrived"], "since you began") if found["arrived"] else None


@rule("trail_opened", 1)
def trail_opened(inp: RuleInput) -> Refusal | str | None:
    """Ask that the signer was sent the whole audit trail, and that nothing new stands in it since."""
    found = _openings(inp)
    if not found:
        return "What was opened was gathered."
    mine = next((row for row in found["trail"] if row["person"] == inp.actor), None)
    if mine is None:
        return "The audit trail of the subject and of every record linked to it was opened by you."
    if mine["pages"] < mine["of"]:
        return f"Every page of the audit trail was opened by you ({mine['pages']} of {mine['of']} were)."
    new = found["entries"] - mine["entries"]
    return _stale([{"record": "Audit trail", "new": new}], "since you opened it") if new else None


def _stale(arrived: list[dict[str, Any]], since: str) -> Refusal:
    """Say in DOMAIN's words what came, record by record."""
    n = sum(int(row["new"]) for row in arrived)
    first = ", ".join(f"{row['record']} ({row['new'] or 'a hold'})" for row in arrived[:5])
    more = f" and {len(arrived) - 5} more records" if len(arrived) > 5 else ""
    plural = "entry" if n == 1 else "entries"
    return Refusal("SIG_STALE", f"{n} new {plural} {since}; they are listed first: {first}{more}", {})


_CHECKLIST = w.Table(
    {
        "question": w.Column(w.Text(500)),
        "answer": w.Column(w.Enum(("yes", "no", "not_applicable"))),
        "note": w.Column(w.Text(2000), required=False),
    },
    max_rows=200,
    min_rows=1,
)
_ANSWERS = w.Table({"exception": w.Column(w.Text(200)), "answer": w.Column(w.Rich(5000))}, max_rows=5000)

_OPENED = "The subject, every exception and every flagged image were opened."
_GATHERED = w.Gather("openings", "review_openings", 1, asked=True)

TYPE = w.Type(
    name="review_case",
    title="Review case",
    version=3,
    purpose="One queue for review; the reviewer needs no other screen.",
    number=w.Number("RVC", 5, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True, immutable_at=_EVER),
        "subject": w.Field(
            w.Link(("analysis_run",), "version"), "Subject", required=True, immutable_at=_EVER, critical=True
        ),
        "kind": w.Field(w.Enum(("run",)), "Kind", default="run", immutable_at=_EVER),
        "exceptions": w.Field(
            w.Json(),
            "Exceptions",
            source="computed",
            critical=True,
            help="items: key, severity (info, warn, critical), sentence; the tree size looked at, and how"
            " every record of the scope stood.",
        ),
        "openings": w.Field(
            w.Json(),
            "What was opened",
            source="computed",
            help="Gathered at each decision: what had to be opened, what the server had sent to whom, when.",
        ),
        "checklist": w.Field(_CHECKLIST, "Checklist", critical=True),
        "answers": w.Field(_ANSWERS, "Answers to exceptions", critical=True),
        "conclusion": w.Field(w.Rich(20_000), "Conclusion"),
    },
    states=(
        w.State("queued"),
        w.State("in_review"),
        w.State("returned"),
        w.State("technical_done"),
        w.State("decided", terminal=True, locked=True),
        w.State("rejected", terminal=True, locked=True),
    ),
    create=w.Making((), "queued", consequence=True),
    persons={
        "executor": w.Signer("executed", ("subject",)),
        "requester": w.Actor("create", ("subject",)),
        "editors": w.Touched(("subject",)),
        "selector": w.Signer("executed", ("subject", "image_set")),
        "set_editors": w.Touched(("subject", "image_set")),
        "image_editors": w.Touched(("subject", "image_set", "members")),
        "technical_reviewer": w.Signer("reviewed"),
    },
    transitions=(
        w.Transition(
            "start",
            "Start review",
            ("queued",),
            "in_review",
            ("REV",),
            independent_of=_OTHERS,
            requires=(
                w.InState(("subject",), ("in_review",), "{number} is in review (it is {state})."),
                w.NotOnHold(("subject",), "The subject is not on hold."),
            ),
            effects=(w.Gather("exceptions", "review_exceptions", 2, ("subject",)),),
        ),
        w.Transition(
            "gather_again",
            "Look again",
            ("in_review",),
            "",
            ("REV",),
            independent_of=_OTHERS,
            effects=(w.Gather("exceptions", "review_exceptions", 2, ("subject",)),),
        ),
        w.Transition(
            "answer",
            "Answer",
            ("in_review",),
            "",
            ("REV",),
            independent_of=_OTHERS,
            fields=("checklist", "answers", "conclusion"),
        ),
        w.Transition(
            "technical",
            "Technical review",
            ("in_review",),
            "technical_done",
            ("REV",),
            requires=(
                w.InState(("subject",), ("in_review",), "{number} is in review (it is {state})."),
                w.Compare(("checklist",), "present", message="The checklist is filled in."),
                w.Rule("exceptions_answered", 1, message="Every exception is answered."),
                w.Rule("items_opened", 1, message=_OPENED),
                w.Rule("scope_unchanged", 2, {"subject": ("subject",)}, message="The subject is unchanged."),
                w.Rule("nothing_arrived", 1, message="Nothing was entered about the scope since you began."),
                w.NotOnHold(("subject",), "The subject is not on hold."),
            ),
            effects=(_GATHERED, w.Do(("subject",), "accept")),
            signature=signing(
                "reviewed",
                "I reviewed this work, its inputs and its exceptions, and accept it.",
                ("REV",),
                _OTHERS,
            ),
        ),
        w.Transition(
            "qa_decide",
            "Quality review",
            ("technical_done",),
            "decided",
            ("QA",),
            requires=(
                w.InState(("subject",), ("accepted",), "{number} is accepted (it is {state})."),
                w.NotOnHold(("subject",), "The subject is not on hold."),
                settled(("subject",), ("subject", "results")),
                w.Rule("items_opened", 1, message=_OPENED),
                w.Rule("trail_opened", 1, message="The audit trail was opened, and nothing is new in it."),
            ),
            effects=(_GATHERED,),
            signature=signing(
                "qa_reviewed",
                "I reviewed this case for quality; audit trail reviewed.",
                ("QA",),
                (*_OTHERS, "technical_reviewer"),
            ),
        ),
        w.Transition(
            "return",
            "Return to executor",
            ("in_review",),
            "returned",
            ("REV",),
            independent_of=_OTHERS,
            effects=(w.Do(("subject",), "reopen", ("completed",)),),
            reason=w.Reason(20),
        ),
        w.Transition(
            "reject",
            "Reject",
            ("in_review",),
            "rejected",
            ("REV",),
            effects=(w.Do(("subject",), "reject"),),
            signature=signing("rejected", "I reject this work; it stays on record.", ("REV",), _OTHERS),
            reason=w.Reason(40),
            aside=True,
        ),
    ),
    retention=w.Retention(longest_of=("subject", "study")),
    summary=("title", "subject"),
    predicate_rules=("21 CFR 211.22", "21 CFR 211.192", "21 CFR 211.194(a)(8)", "21 CFR 11.10(e)"),
    sandbox=sandbox("subject", "study"),
    migration_note="Version 3: a decision asks that the server recorded what it is about as opened by the"
    " signer, quality's also the whole audit trail, and is refused as stale when anything arrived meanwhile."
    " A case begun before looks again before it is signed. Version 2: quality's decision asks that"
    " deviations, nonconformities and flags are settled; a run that moved on is refused as stale.",
)
