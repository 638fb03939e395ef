"""The case: what was found is investigated, approved, acted on, verified and closed (DOMAIN 2.8, CASE).

Rules kept here: whoever owns a case neither approves nor closes it; what was submitted stays as it was
submitted; a case is cancelled only before anything was held because of it; a due day moves by a signed
extension, an owner by an assignment, and neither by an edit.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import VOIDED, signing, void

OPEN = ("open", "investigating", "in_review", "actions", "verification")
ENDED = ("closed", "cancelled", "voided")
FIXED = ("in_review", "actions", "verification", "closed", "cancelled")
"""States in which an investigation is what was submitted."""
STATES = (
    w.State("open"),
    w.State("investigating"),
    w.State("in_review"),
    w.State("actions"),
    w.State("verification"),
    w.State("closed", locked=True, resting=True),
    w.State("cancelled", terminal=True, locked=True),
    VOIDED,
)
_BY_ACT = {
    "owner": "Assign",
    "extended_to": "Extend",
    "consequence": "Classify",
    "extent": "Classify",
    "identity_failure": "Classify",
    "data_integrity": "Classify",
    "shipped": "Classify",
}
USER = w.Link(("user",), "none")


@rule("changed_by_its_act", 1)
def changed_by_its_act(inp: RuleInput) -> str | None:
    """Refuse an edit of what has an act of its own: owner, due day, what the class is computed from."""
    before = inp.record.fields if inp.record is not None else {}
    for name, act in _BY_ACT.items():
        if inp.fields.get(name) != before.get(name):
            return f"{name.replace('_', ' ').capitalize()} changes by the act {act}, not by an edit."
    return None


@rule("detected_before_now", 1)
def detected_before_now(inp: RuleInput) -> str | None:
    """Ask that what is reported was detected before it is reported."""
    at = str(inp.fields["detected_at"])
    return f"Detected at {at} is not past." if at[:19] > inp.now[:19] else None


PAST_DETECTION = w.Rule(
    "detected_before_now", 1, message="It was detected before it is reported.", code="VAL_RANGE"
)


def action_table(*more: tuple[str, w.Column]) -> w.Table:
    """Return the table of actions: what, by whom, by when; done and shown later."""
    return w.Table(
        {
            "action": w.Column(w.Text(500, 5)),
            "owner": w.Column(USER, required=False),
            "due": w.Column(w.Date(), required=False),
            "done_on": w.Column(w.Date(), required=False),
            "evidence": w.Column(w.Text(500), required=False),
            **dict(more),
        },
        max_rows=200,
    )


_EXTENSIONS = w.Table(
    {"from_day": w.Column(w.Date()), "to_day": w.Column(w.Date()), "by": w.Column(USER)}, max_rows=100
)


def due_fields() -> dict[str, w.Field]:
    """Return the due day and what moves it."""
    return {
        "due": w.Field(w.Date(), "Due", source="computed", critical=True),
        "extended_to": w.Field(w.Date(), "Extended to", critical=True),
        "extensions": w.Field(_EXTENSIONS, "Extensions", source="computed"),
    }


def extension(from_: tuple[str, ...], independent_of: tuple[str, ...] = ("owner",)) -> w.Transition:
    """Return the act that moves the due day: signed, with a reason, and kept in a list."""
    row = {
        "from_day": w.Value("path", path=("due",)),
        "to_day": w.Value("path", path=("extended_to",)),
        "by": w.Value("actor"),
    }
    return w.Transition(
        "extend",
        "Extend",
        from_,
        "",
        ("QA", "QAL"),
        fields=("extended_to",),
        requires=(
            w.Compare(("extended_to",), "gt", other=("due",), message="The new day is after the due day."),
            w.InDate(("extended_to",), "The new day is today or later.", "VAL_RANGE"),
        ),
        effects=(w.Append("extensions", row), w.Set("due", w.Value("path", path=("extended_to",)))),
        signature=signing(
            "extended", "I extend the due day for the reason given.", ("QA", "QAL"), independent_of
        ),
        reason=w.Reason(20),
    )


def fields() -> dict[str, w.Field]:
    """Return the fields every case has."""
    return {
        "owner": w.Field(
            USER, "Owner", required_at=("investigating", "in_review"), critical=True, help="Who investigates."
        ),
        "actions": w.Field(action_table(), "Actions", immutable_at=("verification", "closed"), critical=True),
        **due_fields(),
    }


def persons() -> dict[str, w.Person]:
    """Return the people of a case."""
    return {
        "raiser": w.Actor("create"),
        "owner": w.PersonAt(("owner",)),
        "author": w.Signer("authored"),
        "endorser": w.Actor("endorse"),
        "editors": w.Actor("edit"),
    }


def edit(who: tuple[str, ...]) -> w.Editing:
    """Return who may edit a case while it is worked on: its raiser, its owner, those who lead."""
    kept = w.Rule("changed_by_its_act", 1, message="Owner, due day and class change by acts of their own.")
    return w.Editing(who, ("open", "investigating", "actions"), ("raiser", "owner"), (kept,))


def endorsement(what: str) -> w.Transition:
    """Return the quality lead's signature under a case that needs one, before quality approves."""
    return w.Transition(
        "endorse",
        "Endorse",
        ("in_review",),
        "",
        ("QAL",),
        signature=signing(
            "approved", f"As quality lead I approve this {what}.", ("QAL",), ("owner", "author", "editors")
        ),
    )


def close_minor(what: str, close: tuple[w.Guard, ...] = ()) -> w.Transition:
    """Return the act by which quality closes a case of class minor itself."""
    minor = w.Compare(("severity",), "eq", "minor", message="A quality lead closes what is {value}.")
    return w.Transition(
        "close_minor",
        "Close as minor",
        ("verification",),
        "closed",
        ("QA",),
        requires=(minor, *close),
        signature=signing("closed", f"I close this minor {what}.", ("QA",), ("owner", "author")),
    )


ENDORSED = w.Signed("approved", act="endorse", message="A quality lead endorsed {number}.")


def transitions(
    what: str,
    lead: tuple[str, ...] = ("QA", "QAL"),
    *,
    submit: tuple[w.Guard, ...] = (),
    approve: tuple[w.Guard, ...] = (),
    close: tuple[w.Guard, ...] = (),
    more: tuple[w.Transition, ...] = (),
) -> tuple[w.Transition, ...]:
    """Return the acts of a case; ``submit``, ``approve`` and ``close`` are what each also asks."""
    done = w.Filled(
        "actions", ("done_on", "evidence"), 0, message="Every action is done, with its evidence: {columns}."
    )
    return (
        w.Transition("assign", "Assign", ("open",), "investigating", lead, fields=("owner",)),
        w.Transition(
            "reassign",
            "Assign anew",
            ("investigating", "actions"),
            "",
            lead,
            fields=("owner",),
            reason=w.Reason(),
        ),
        w.Transition(
            "submit",
            "Submit",
            ("investigating",),
            "in_review",
            persons=("owner",),
            requires=submit,
            signature=signing("authored", f"I investigated this {what} and submit what I found."),
        ),
        w.Transition(
            "send_back",
            "Send back",
            ("in_review",),
            "investigating",
            (*dict.fromkeys((*lead, "QA", "REV")),),
            independent_of=("owner",),
            reason=w.Reason(20),
            clears=("submit", "authored", "endorse", "approved"),
        ),
        endorsement(what),
        w.Transition(
            "approve",
            "Approve",
            ("in_review",),
            "actions",
            ("QA",),
            requires=approve,
            signature=signing(
                "approved",
                f"I approve the investigation of this {what} and its actions.",
                ("QA",),
                ("owner", "author", "endorser", "editors"),
            ),
        ),
        w.Transition(
            "verify",
            "Verify actions",
            ("actions",),
            "verification",
            ("QA", "REV"),
            requires=(done,),
            signature=signing(
                "verified", "I saw that every action is done.", ("QA", "REV"), ("owner", "author", "editors")
            ),
        ),
        w.Transition(
            "close",
            "Close",
            ("verification",),
            "closed",
            ("QAL",),
            requires=close,
            signature=signing("closed", f"I close this {what}.", ("QAL",), ("owner", "author")),
        ),
        *more,
        w.Transition(
            "reopen",
            "Reopen",
            ("closed",),
            "investigating",
            ("QAL",),
            reason=w.Reason(20),
            clears=(
                "submit",
                "authored",
                "endorse",
                "approve",
                "approved",
                "verify",
                "verified",
                "close",
                "closed",
            ),
        ),
        extension(OPEN),
        w.Transition(
            "cancel",
            "Cancel",
            ("open",),
            "cancelled",
            ("QA",),
            requires=(
                w.Count(
                    (),
                    "hold",
                    "cause",
                    "eq",
                    message="Nothing was held because of it; a contained case is not cancelled.",
                ),
            ),
            reason=w.Reason(20),
            aside=True,
        ),
        void(OPEN),
    )
