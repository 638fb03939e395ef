"""Versions of lists and curricula: the DOC lifecycle of DOMAIN 2.8 without a date of its own.

Rules kept here: author, reviewer and approver are three people; approval brings the version into force and
supersedes the one before it; nothing in force is edited.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import VOIDED, signing, void

AFTER_DRAFT = ("in_review", "in_approval", "effective", "superseded", "obsolete")
PERSONS: dict[str, w.Person] = {
    "author": w.Signer("authored"),
    "reviewer": w.Signer("reviewed"),
    "editors": w.Touched(),
}
STATES = (
    w.State("draft"),
    w.State("in_review"),
    w.State("in_approval"),
    w.State("effective", locked=True, effective=True, resting=True),
    w.State("superseded", terminal=True, locked=True),
    w.State("obsolete", terminal=True, locked=True),
    VOIDED,
)
_AUTHORS = ("author", "editors")


def transitions(
    what: str, authors: tuple[str, ...], requires: tuple[w.Guard, ...]
) -> tuple[w.Transition, ...]:
    """Return the acts of a version of ``what``; ``requires`` is asked at submission and at approval."""
    return (
        w.Transition(
            "submit",
            "Submit for review",
            ("draft",),
            "in_review",
            authors,
            requires=requires,
            signature=signing("authored", f"I wrote this version of the {what} and submit it.", authors),
        ),
        w.Transition(
            "review",
            "Review",
            ("in_review",),
            "in_approval",
            ("REV",),
            signature=signing(
                "reviewed", f"I reviewed this version of the {what} and find it right.", ("REV",), _AUTHORS
            ),
        ),
        w.Transition(
            "reject",
            "Send back",
            ("in_review", "in_approval"),
            "draft",
            ("REV", "QA"),
            reason=w.Reason(),
            clears=("authored", "reviewed"),
            aside=True,
        ),
        w.Transition(
            "approve",
            "Approve",
            ("in_approval",),
            "effective",
            ("QA",),
            requires=requires,
            signature=signing(
                "approved",
                f"I approve this version of the {what}; it is in force now.",
                ("QA",),
                (*_AUTHORS, "reviewer"),
            ),
            effects=(w.Supersede("supersede"),),
        ),
        w.Transition("supersede", "Supersede", ("effective",), "superseded", consequence=True),
        w.Transition(
            "obsolete",
            "Make obsolete",
            ("effective",),
            "obsolete",
            ("QA",),
            signature=signing("approved", f"I approve that the {what} ends.", ("QA",), _AUTHORS),
            reason=w.Reason(30),
        ),
        void(("draft", "in_review", "in_approval")),
    )
