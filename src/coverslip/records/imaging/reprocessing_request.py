"""Reprocessing request: permission for one more run, asked before its result is seen (DOMAIN 4.23).

Rules kept here: the reason is written in words and the expected effect before anything is computed; a
reviewer other than the requester permits it, quality too where results are final or out of limits; one
permission is one run, and what was found before stays beside it.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import Refusal, RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, sandbox, signing, void

_EVER = ("requested", "in_quality", "approved", "refused", "executed", "closed")
_DECIDED = ("completed", "in_review", "accepted", "rejected", "failed", "aborted")
LEAST_REASON = 40
"""Characters in which the reason is said; a category alone is none."""
_CATEGORIES = (
    "instrument_fault",
    "segmentation_error",
    "wrong_parameter",
    "new_version",
    "investigation",
)


def needs_quality(inp: RuleInput) -> str:
    """Return why quality decides as well; empty where a reviewer is enough."""
    for results in inp.reads["results"]:
        if results.state == "final":
            return f"{results.number} is final"
        if any(row["status"] == "out_of_limits" for row in results.fields.get("rows", ())):
            return f"{results.number} is out of limits"
    return ""


@rule("reviewer_is_enough", 1)
def reviewer_is_enough(inp: RuleInput) -> str | None:
    """Refuse permission by a reviewer alone where results are final or out of limits."""
    why = needs_quality(inp)
    return f"Quality approves after the review, because {why}." if why else None


@rule("repeated_for_a_reason", 1)
def repeated_for_a_reason(inp: RuleInput) -> Refusal | None:
    """Refuse a reason that is the category over again, or too short to say anything."""
    said = " ".join(str(inp.fields.get("reason", "")).split())
    if len(said) >= LEAST_REASON:
        return None
    sentence = f"Say why. At least {LEAST_REASON} characters, in your own words; '{said}' is not a reason"
    return Refusal("REASON", sentence, {})


def _fixed(kind: w.Kind, label: str, *, required: bool = True, help: str = "") -> w.Field:
    return w.Field(kind, label, help=help, required=required, immutable_at=_EVER, critical=True)


_RESULTS: dict[str, w.Path] = {"results": ("run", "results")}
_CHANGE = w.Table(
    {
        "what": w.Column(w.Text(300)),
        "old": w.Column(w.Text(500), required=False),
        "new": w.Column(w.Text(500)),
    },
    max_rows=100,
    min_rows=1,
)

TYPE = w.Type(
    name="reprocessing_request",
    title="Reprocessing request",
    version=2,
    migration_note="Version 2: to refuse another run is possible, and nobody is waited for to do it.",
    purpose="Why another run on the same images is needed, and what it is expected to change.",
    number=w.Number("RPR"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "run": _fixed(w.Link(("analysis_run",), "version", _DECIDED), "Run to be repeated"),
        "reason": _fixed(w.Text(4000), "Reason", help="In your own words, 40 characters or more."),
        "category": _fixed(w.Enum(_CATEGORIES), "Category"),
        "change": _fixed(_CHANGE, "What is changed"),
        "expected_effect": _fixed(
            w.Text(4000, 10), "Expected effect", help="Written before the new result is seen."
        ),
        "conclusion": w.Field(w.Rich(10_000), "Conclusion", required_at=("closed",), critical=True),
        "needed_by": w.Field(w.Date(), "Needed by"),
    },
    states=(
        w.State("requested"),
        w.State("in_quality"),
        w.State("approved"),
        w.State("executed"),
        w.State("refused", terminal=True, locked=True),
        w.State("closed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("ANL", "REV"),
        "requested",
        requires=(w.Rule("repeated_for_a_reason", 1, message="The reason is said in words."),),
        effects=(computed_title(run=("run",)),),
    ),
    persons={"requester": w.Actor("create"), "reviewer": w.Signer("reviewed"), "editors": w.Touched()},
    transitions=(
        w.Transition(
            "approve",
            "Approve",
            ("requested",),
            "approved",
            ("REV",),
            requires=(
                w.Rule("reviewer_is_enough", 1, _RESULTS, message="A reviewer may decide alone."),
                w.NotOnHold(("run",), "The run is not on hold."),
            ),
            signature=signing(
                "approved",
                "I permit one more run, for the reason stated.",
                ("REV",),
                ("requester", "editors"),
            ),
        ),
        w.Transition(
            "endorse",
            "Endorse to quality",
            ("requested",),
            "in_quality",
            ("REV",),
            signature=signing(
                "reviewed",
                "I reviewed this request and hand it to quality.",
                ("REV",),
                ("requester", "editors"),
            ),
        ),
        w.Transition(
            "approve_for_quality",
            "Approve",
            ("in_quality",),
            "approved",
            ("QA",),
            signature=signing(
                "approved",
                "I permit one more run; the original results stay.",
                ("QA",),
                ("requester", "reviewer", "editors"),
            ),
        ),
        w.Transition(
            "refuse",
            "Refuse",
            ("requested", "in_quality"),
            "refused",
            ("REV", "QA"),
            signature=signing("rejected", "I refuse another run.", ("REV", "QA"), ("requester", "editors")),
            reason=w.Reason(20),
            aside=True,
        ),
        w.Transition("execute", "Record as executed", ("approved",), "executed", consequence=True),
        w.Transition(
            "close",
            "Close",
            ("executed",),
            "closed",
            ("REV", "QA"),
            fields=("conclusion",),
            requires=(
                w.NoOpen(
                    (), "analysis_run", "request", ("accepted",), "Run {number} is decided (it is {state})."
                ),
            ),
            signature=signing(
                "closed",
                "The new result stands beside the original one, and this is what follows.",
                ("REV", "QA"),
                ("requester", "editors"),
            ),
        ),
        void(("requested", "in_quality", "approved")),
    ),
    retention=w.Retention(longest_of=("run", "study")),
    summary=("title", "run", "category"),
    predicate_rules=("21 CFR 211.194(a)", "21 CFR 211.165(f)", "21 CFR 58.130"),
    sandbox=sandbox("run", "study"),
    due="needed_by",
)
