"""Restore test: a backup brought to life and compared with the live system (DOMAIN 8.18).

Rules kept here: what was compared and found is written by the installation and typed by nobody; one person
reviews it and another accepts it; a test whose restored trail differs from the live one is never accepted.
"""

from __future__ import annotations

import functools

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import HASH, REGULATED, fixed, signing

_AFTER = ("executed", "reviewed", "accepted", "failed")
_REVIEWERS = ("SEC", "QA")
_DECIDERS = ("QA", "QAL")


@rule("restored_equals_live", 1)
def restored_equals_live(inp: RuleInput) -> str | None:
    """Ask that the restored system was compared and does not differ from the live one."""
    if inp.fields.get("result") == "holds":
        return None
    first = next(iter(inp.fields.get("differences", ())), "it could not be determined")
    return f"Restored audit trail differs from live: {str(first)[:300]}"


_fixed = functools.partial(fixed, states=_AFTER, required=True)

TYPE = w.Type(
    name="restore_test",
    title="Restore test",
    version=1,
    purpose="That a backup can be brought to life, and that it equals what is live.",
    number=w.Number("RST", yearly=True, width=2),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": _fixed(w.Text(300), "Title"),
        "backup": _fixed(w.Text(100), "Backup"),
        "manifest": _fixed(HASH, "SHA-256 of its manifest"),
        "entries": _fixed(w.Int(0), "Entries in its trail"),
        "executed_at": _fixed(w.Instant(), "Restored and compared"),
        "environment": _fixed(w.Text(200), "Restored with"),
        "seconds": _fixed(w.Int(0), "Seconds it took"),
        "result": _fixed(w.Enum(("holds", "differs")), "Result"),
        "compared": _fixed(w.Json(10_000), "How much was compared"),
        "differences": _fixed(w.Text(500), "Differences, the first hundred", required=False, many=True),
        "found": _fixed(w.Int(0), "Differences in all"),
        "conclusion": w.Field(
            w.Text(2000, 10),
            "Conclusion",
            required_at=("reviewed", "accepted", "failed"),
            immutable_at=("reviewed", "accepted", "failed"),
        ),
    },
    states=(
        w.State("executed"),
        w.State("reviewed"),
        w.State("accepted", terminal=True, locked=True),
        w.State("failed", terminal=True, locked=True),
    ),
    create=w.Making(("SVC",), "executed"),
    persons={"runner": w.Actor("create"), "reviewer": w.Signer("reviewed")},
    transitions=(
        w.Transition(
            "review",
            "Review",
            ("executed",),
            "reviewed",
            _REVIEWERS,
            independent_of=("runner",),
            fields=("conclusion",),
            signature=signing(
                "reviewed", "I reviewed what was compared and every difference.", _REVIEWERS, ("runner",)
            ),
        ),
        w.Transition(
            "accept",
            "Accept",
            ("reviewed",),
            "accepted",
            _DECIDERS,
            independent_of=("reviewer",),
            requires=(
                w.Rule("restored_equals_live", 1, message="The restored audit trail equals the live one."),
            ),
            signature=signing(
                "approved", "This backup can be restored and equals what is live.", _DECIDERS, ("reviewer",)
            ),
        ),
        w.Transition(
            "fail",
            "Fail",
            ("reviewed",),
            "failed",
            _DECIDERS,
            independent_of=("reviewer",),
            signature=signing("rejected", "This restore test has failed.", _DECIDERS, ("reviewer",)),
            reason=w.Reason(),
            aside=True,
        ),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "result", "found"),
    predicate_rules=("21 CFR 11.10(c)", "21 CFR 211.68(b)"),
)
