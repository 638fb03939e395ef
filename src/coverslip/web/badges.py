"""Badges: every state of every type as one of the kit's looks, from what its declaration says of it.

Rules kept here: a flag of the declaration wins over a name; a look never says more than the declaration:
green and violet only where a version is in force or approved, solid only where material is gated.
"""

from __future__ import annotations

from dataclasses import dataclass

from coverslip.kernel.definition import Definition
from coverslip.kernel.words import State

ICONS = {
    "draft": "circle-dashed",
    "review": "eye",
    "approved": "rosette-discount-check",
    "effective": "circle-check",
    "superseded": "history",
    "rejected": "circle-x",
    "void": "ban",
    "quarantine": "shield-half",
    "hold": "hand-stop",
    "released": "lock-open",
    "closed": "check",
    "active": "player-play",
}
_NAMED = {
    "approved": "approved",
    "released": "released",
    "superseded": "superseded",
    "obsolete": "superseded",
    "retired": "superseded",
    "expired": "superseded",
    "replaced": "superseded",
    "rejected": "rejected",
    "refused": "rejected",
    "failed": "rejected",
    "declined": "rejected",
    "not_reproduced": "rejected",
    "quarantined": "quarantine",
    "on_hold": "hold",
    "accepted": "closed",
    "verified": "closed",
    "draft": "draft",
    "planned": "draft",
    "requested": "draft",
}
_IN_REVIEW = ("review", "approval", "answered", "waiting", "verify", "verification")


@dataclass(frozen=True, slots=True)
class Badge:
    """A look, its icon and the word beside it."""

    look: str
    icon: str
    label: str


def badge(definition: Definition, state: str) -> Badge:
    """Return the badge of a state of a type."""
    declared = next((s for s in definition.type.states if s.name == state), None)
    look = _look(definition, declared) if declared else "closed"
    return Badge(look, ICONS[look], state.replace("_", " ").capitalize())


def _look(definition: Definition, state: State) -> str:
    if state.voided:
        return "void"
    if state.effective:
        return "effective"
    if state.blocking:
        return "hold"
    if state.name in _NAMED:
        return _NAMED[state.name]
    if not state.terminal and any(word in state.name for word in _IN_REVIEW):
        return "review"
    if state.terminal or state.resting:
        return "closed"
    return "draft" if state.name == definition.type.create.state and not state.resting else "active"
