"""Training record: one person, one version of one document (DOMAIN 3.6).

Rules kept here: only the trainee says they have read; where the depth asks for it another person judges, with
80 or more of 100, and after the third failure the trainee is blocked until taught anew; nobody is exempted by
one person alone; the time is the server's. Training on a version that went out of force still shows that its
person knew that version, and counts for no other.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.dates import later_by
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, signing, void
from coverslip.records.documents._document import DOCUMENT_TYPES

PASS_MARK = 80
ATTEMPTS = 3
OPEN = ("assigned", "acknowledged", "blocked")
"""States in which somebody still has to train."""
_EVER = (*OPEN, "completed", "exempted", "expired", "superseded", "cancelled")
_JUDGES = ("TRN", "REV")
_READABLE = w.InState(
    ("document",), ("approved", "effective"), message="{number} is approved (it is {state})."
)


@rule("training_expired", 1)
def training_expired(inp: RuleInput) -> str | None:
    """Ask that the last day of validity is over."""
    day = str(inp.fields.get("expires", ""))
    return None if day and day < inp.today else f"This training is valid until {day or 'the next version'}."


@rule("attempts_left", 1)
def attempts_left(inp: RuleInput) -> str | None:
    """Ask that the failure about to be recorded is not the last one allowed."""
    if int(inp.fields.get("attempts", 0)) + 1 < ATTEMPTS:
        return None
    return f"This is failure {ATTEMPTS}: block the trainee until taught anew."


@rule("attempts_used", 1)
def attempts_used(inp: RuleInput) -> str | None:
    """Ask that all attempts but the one about to be recorded have failed."""
    used = int(inp.fields.get("attempts", 0)) + 1
    return None if used >= ATTEMPTS else f"A trainee is blocked after {ATTEMPTS} failures (this is {used})."


@rule("one_more_attempt", 1)
def one_more_attempt(inp: RuleInput) -> int:
    """Return the number of failures with this one."""
    return int(inp.fields.get("attempts", 0)) + 1


@rule("training_valid_until", 1)
def training_valid_until(inp: RuleInput) -> str | None:
    """Return the last day of validity where the training is to be refreshed; a day given wins."""
    months = inp.fields.get("refresh_months")
    if months is None or inp.fields.get("expires"):
        return None
    return later_by(inp.today, months=int(months))


def _read(meaning_text: str) -> w.Signature:
    return w.Signature("acknowledged", meaning_text, stage="before_acknowledgement", delegable=False)


def _depth(op: str, message: str) -> w.Compare:
    return w.Compare(("depth",), "eq" if op == "eq" else "ne", "read_understood", message=message)


_VALID_UNTIL = w.Compute("expires", w.Rule("training_valid_until", 1))
_ONE_MORE = w.Compute("attempts", w.Rule("one_more_attempt", 1))
_SCORE_LATER = w.Compare(("score",), "absent", message="The score is given at assessment.")


def _failed(name: str, label: str, to: str, guard: w.Rule) -> w.Transition:
    return w.Transition(
        name,
        label,
        ("acknowledged",),
        to,
        _JUDGES,
        independent_of=("trainee",),
        requires=(guard,),
        effects=(_ONE_MORE,),
        reason=w.Reason(),
        clears=("acknowledged", "acknowledge"),
    )


def _learning() -> tuple[w.Transition, ...]:
    return (
        w.Transition(
            "complete",
            "Read and understood",
            ("assigned",),
            "completed",
            persons=("trainee",),
            requires=(_depth("eq", "This training is assessed by another person."), _READABLE),
            signature=_read("I have read and understood this version."),
            effects=(_VALID_UNTIL,),
        ),
        w.Transition(
            "acknowledge",
            "Read, ready to be assessed",
            ("assigned",),
            "acknowledged",
            persons=("trainee",),
            requires=(_depth("ne", "This training needs no assessment."), _READABLE),
            signature=_read("I have read and understood this version and am ready to be assessed."),
        ),
        w.Transition(
            "assess",
            "Assess",
            ("acknowledged",),
            "completed",
            _JUDGES,
            fields=("score", "assessment", "expires"),
            requires=(
                w.Compare(
                    ("score",),
                    "ge",
                    PASS_MARK,
                    message=f"The score is {PASS_MARK} or more (it is {{value}}).",
                ),
                _READABLE,
            ),
            signature=signing("assessed", "I assessed this person on this version.", _JUDGES, ("trainee",)),
            effects=(_VALID_UNTIL,),
        ),
        _failed(
            "not_passed",
            "Not passed",
            "assigned",
            w.Rule("attempts_left", 1, message="Another attempt is left."),
        ),
        _failed(
            "block",
            "Block after the third failure",
            "blocked",
            w.Rule("attempts_used", 1, message="Every attempt is used."),
        ),
        w.Transition(
            "teach_anew",
            "Taught anew",
            ("blocked",),
            "assigned",
            ("TRN",),
            independent_of=("trainee",),
            effects=(w.Set("attempts", w.Value("literal", 0)),),
            reason=w.Reason(20),
        ),
    )


def _ending() -> tuple[w.Transition, ...]:
    return (
        w.Transition(
            "ask_exemption",
            "Ask for an exemption",
            ("assigned",),
            "",
            ("TRN",),
            independent_of=("trainee",),
            fields=("exemption",),
            requires=(
                w.Compare(("exemption",), "present", message="Why this person is exempted is recorded."),
            ),
            reason=w.Reason(20),
        ),
        w.Transition(
            "exempt",
            "Exempt",
            ("assigned",),
            "exempted",
            ("QA",),
            requires=(
                w.Signed(
                    "", act="ask_exemption", message="The training administrator asked for the exemption."
                ),
            ),
            signature=signing(
                "approved",
                "I approve that this person needs no training on this version.",
                ("QA",),
                ("trainee", "asker"),
            ),
            reason=w.Reason(20),
        ),
        w.Transition(
            "expire",
            "Expire",
            ("completed",),
            "expired",
            ("SVC",),
            at="expires",
            requires=(w.Rule("training_expired", 1, message="The last day is over."),),
        ),
        w.Transition("cancel", "Cancel", OPEN, "cancelled", ("TRN", "QA"), reason=w.Reason(), aside=True),
        w.Transition(
            "supersede",
            "Closed with its version",
            ("completed", "exempted"),
            "superseded",
            consequence=True,
        ),
        w.Transition("lapse", "Closed before it was done", OPEN, "cancelled", consequence=True),
        w.Transition(
            "withdraw",
            "Withdrawn with its version",
            (*OPEN, "completed", "exempted"),
            "cancelled",
            consequence=True,
        ),
        void((*OPEN, "completed", "exempted")),
    )


TYPE = w.Type(
    name="training_record",
    title="Training record",
    version=2,
    migration_note="Version 2: assignments open by themselves at approval of a version and close when it"
    " goes out of force; a third failure blocks; exemption takes training and quality; training may"
    " be limited in time. Earlier records keep what they say.",
    purpose="Who is trained on which version, and how that is known.",
    number=w.Number("TRN"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "person": w.Field(
            w.Link(("user",), "none", ("invited", "enrolled", "active", "locked")),
            "Trainee",
            required=True,
            immutable_at=_EVER,
        ),
        "document": w.Field(
            w.Link(DOCUMENT_TYPES, "version", ("approved", "effective")),
            "Document",
            required=True,
            immutable_at=_EVER,
            critical=True,
        ),
        "depth": w.Field(
            w.Enum(("read_understood", "assessed", "observed_task")),
            "Depth",
            required=True,
            critical=True,
            immutable_at=("acknowledged", "completed"),
        ),
        "due": w.Field(w.Date(), "Due", required=True),
        "refresh_months": w.Field(w.Int(1, 120), "Refresh every (months)"),
        "score": w.Field(w.Int(0, 100), "Score (of 100)", critical=True),
        "assessment": w.Field(
            w.Rich(5000), "How it was assessed", help="What was asked or watched, and what was seen."
        ),
        "attempts": w.Field(w.Int(0, ATTEMPTS), "Failures", source="computed"),
        "exemption": w.Field(w.Rich(2000), "Why exempted", required_at=("exempted",)),
        "expires": w.Field(w.Date(), "Valid until"),
    },
    states=(
        w.State("assigned"),
        w.State("acknowledged"),
        w.State("blocked"),
        w.State("completed", locked=True, resting=True),
        w.State("exempted", locked=True, resting=True),
        w.State("expired", terminal=True, locked=True),
        w.State("superseded", terminal=True, locked=True),
        w.State("cancelled", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("TRN", "QA", "AUT", "SVC"),
        "assigned",
        requires=(_SCORE_LATER,),
        effects=(computed_title(person=("person",), document=("document",)),),
    ),
    edit=w.Editing(("TRN", "QA"), ("assigned",), requires=(_SCORE_LATER,)),
    persons={"trainee": w.PersonAt(("person",)), "asker": w.Actor("ask_exemption")},
    transitions=(*_learning(), *_ending()),
    provides=(w.Trains(("completed", "exempted", "superseded"), "person", "document", "expires"),),
    retention=w.Retention("PERS"),
    summary=("person", "document", "depth", "due"),
    predicate_rules=("21 CFR 11.10(i)", "21 CFR 211.25", "21 CFR 58.29", "ISO 13485 6.2"),
    due="due",
)
