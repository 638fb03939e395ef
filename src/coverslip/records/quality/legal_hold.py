"""Legal hold: what is in dispute or under inquiry is preserved, whatever its retention says (DOMAIN 8.24).

Rules kept here: a hold preserves at once; what it preserves is only ever added to; two people release it,
with a reason. There is no voiding: one person alone never ends a hold.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, signing

_EVER = ("active", "release_proposed", "released")
_LEGAL = ("QA", "QAL")
_SCOPES = ("subjects", "scope")


@rule("legal_hold_names_something", 1)
def legal_hold_names_something(inp: RuleInput) -> str | None:
    """Ask that at least one record, or one study or project, is preserved."""
    if any(inp.fields.get(name) for name in _SCOPES):
        return None
    return "At least one record, study or project is named."


@rule("legal_hold_only_grows", 1)
def legal_hold_only_grows(inp: RuleInput) -> str | None:
    """Ask that everything preserved until now stays preserved."""
    for name in _SCOPES:
        before = inp.record.fields.get(name, ()) if inp.record is not None else ()
        after = {link["uid"] for link in inp.fields.get(name, ())}
        lost = [str(link["number"]) for link in before if link["uid"] not in after]
        if lost:
            return f"{', '.join(lost)} stays preserved until the hold is released."
    return None


TYPE = w.Type(
    name="legal_hold",
    title="Legal hold",
    version=1,
    purpose="Preserves records in litigation, inspection or inquiry beyond their retention.",
    number=w.Number("LHD"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "ground": w.Field(
            w.Enum(("litigation", "inspection", "misconduct_inquiry", "complaint", "corrective_action")),
            "Ground",
            required=True,
            immutable_at=_EVER,
            critical=True,
        ),
        "reason": w.Field(w.Rich(20_000), "Reason", required=True, immutable_at=_EVER, critical=True),
        "asked_by": w.Field(
            w.Text(300), "Asked by", required=True, immutable_at=_EVER, help="Counsel, authority or inquiry."
        ),
        "subjects": w.Field(
            w.Link((), "version"),
            "Records preserved",
            many=True,
            critical=True,
            help="Each with everything it stands on and everything below it.",
        ),
        "scope": w.Field(
            w.Link((), "version"), "Studies and projects preserved whole", many=True, critical=True
        ),
    },
    states=(
        w.State("active", resting=True),
        w.State("release_proposed"),
        w.State("released", terminal=True, locked=True),
    ),
    create=w.Making(
        _LEGAL,
        "active",
        requires=(w.Rule("legal_hold_names_something", 1, message="Something is named."),),
        signature=signing("approved", "I order that these records are preserved.", _LEGAL),
    ),
    persons={"proposer": w.Actor("propose_release")},
    transitions=(
        w.Transition(
            "extend",
            "Preserve more",
            ("active",),
            "",
            _LEGAL,
            fields=_SCOPES,
            requires=(w.Rule("legal_hold_only_grows", 1, message="What is preserved stays preserved."),),
            reason=w.Reason(),
        ),
        w.Transition(
            "propose_release",
            "Propose release",
            ("active",),
            "release_proposed",
            _LEGAL,
            signature=signing(
                "accepted_responsibility", "I find that these records need no longer be preserved.", _LEGAL
            ),
            reason=w.Reason(20),
        ),
        w.Transition(
            "keep",
            "Keep the hold",
            ("release_proposed",),
            "active",
            _LEGAL,
            reason=w.Reason(),
            clears=("accepted_responsibility", "propose_release"),
        ),
        w.Transition(
            "release",
            "Release",
            ("release_proposed",),
            "released",
            _LEGAL,
            signature=signing(
                "approved", "I release this hold; retention alone decides now.", _LEGAL, ("proposer",)
            ),
            reason=w.Reason(20),
        ),
    ),
    provides=(
        w.Preserves(("active", "release_proposed"), "subjects"),
        w.Preserves(("active", "release_proposed"), "scope"),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "ground", "subjects", "scope"),
    predicate_rules=("21 CFR 11.10(c)", "21 CFR 211.180"),
)
