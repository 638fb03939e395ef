"""Lifecycles that types of several folders share (DOMAIN 2.8).

Rules kept here: who prepared a master signs it as author, someone independent approves it, and the
version in force until then is superseded in the same act.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import signing


def master_transitions(
    roles: tuple[str, ...],
    ready: tuple[w.Guard, ...],
    approved: str = "I approve this version for regulated use.",
    then: tuple[w.Guard, ...] = (),
    submitting: tuple[w.Effect, ...] = (),
    sent_back: tuple[str, ...] = (),
) -> tuple[w.Transition, ...]:
    """Return the acts of a master; ``ready`` is asked at submission and approval, ``then`` at approval alone.

    ``submitting`` happens with submission; meanings in ``sent_back`` no longer count once it is sent back.
    """
    return (
        w.Transition(
            "submit",
            "Submit",
            ("draft",),
            "submitted",
            roles,
            requires=ready,
            effects=submitting,
            signature=signing("authored", "I prepared this version and submit it for approval.", roles),
        ),
        w.Transition(
            "reject",
            "Send back",
            ("submitted",),
            "draft",
            ("QA", "REV"),
            reason=w.Reason(),
            clears=sent_back,
            aside=True,
        ),
        w.Transition(
            "approve",
            "Approve",
            ("submitted",),
            "effective",
            ("QA",),
            requires=(*ready, *then),
            effects=(w.Supersede("supersede"),),
            signature=signing("approved", approved, ("QA",), ("author", "editors")),
        ),
        w.Transition("supersede", "Supersede", ("effective",), "superseded", consequence=True),
        w.Transition(
            "retire",
            "Retire",
            ("effective",),
            "retired",
            ("QA",),
            signature=signing("closed", "This version is not used again.", ("QA",)),
            reason=w.Reason(20),
            aside=True,
        ),
    )
