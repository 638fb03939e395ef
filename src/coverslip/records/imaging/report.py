"""Report: a signed statement about a study or a run, resting on results that are pinned (DOMAIN 4.24).

Rules kept here: every result it names is final and not held; it is not issued while an OOS or a
deviation on its subject or its results is open; once issued it is never edited, only withdrawn or
followed by the next version.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, sandbox, signing, void
from coverslip.records.quality._open import settled

_SETTLED = ("submitted", "reviewed", "approved", "issued", "superseded", "withdrawn")
_AUTHORS = ("ANL", "AUT", "SDR")
_READY = (
    w.InState(("results",), ("final",), "{number} is final (it is {state}).", empty_ok=True),
    w.NotOnHold(("results",), "No result is on hold."),
    w.NotOnHold(("subject",), "The subject is not on hold."),
)
_RUN_RESULTS = w.When(
    w.Compare(("kind",), "ne", "study_report"),
    (w.Compare(("results",), "present", message="The results it states are pinned."),),
)
_NO_OPEN = (
    w.NoOpen(("results",), "oos", "results", (), "{number} is closed (it is {state})."),
    w.NoOpen(("subject",), "oos", "study", (), "{number} is closed (it is {state})."),
    w.NoOpen(
        ("results",), "deviation", "affected", ("closed",), "Deviation {number} is closed (it is {state})."
    ),
    w.NoOpen(
        ("subject",), "deviation", "affected", ("closed",), "Deviation {number} is closed (it is {state})."
    ),
    settled(("results",), ("subject",), kinds=("ncr", "anomaly")),
)


@rule("replaced_version_named", 1)
def replaced_version_named(inp: RuleInput) -> str | None:
    """Ask a later version for the earlier one of the same report that it replaces."""
    if inp.record is None or (inp.record.revision <= 1 and not inp.reads["replaces"]):
        return None
    for row in inp.reads["replaces"]:
        if row.number == inp.record.number and row.revision < inp.record.revision:
            return None
    return f"The earlier version of {inp.record.number} that this one replaces is named."


TYPE = w.Type(
    name="report",
    title="Report",
    version=1,
    purpose="What is stated about a study or a run, and the very results it rests on.",
    number=w.Number("REP", 4, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "kind": w.Field(
            w.Enum(("certificate_of_analysis", "study_report", "image_report")),
            "Kind",
            required=True,
            immutable_at=_SETTLED,
            critical=True,
        ),
        "replaces": w.Field(
            w.Link(("report",), "version", ("issued", "withdrawn")),
            "Replaces version",
            immutable_at=_SETTLED,
            critical=True,
            help="For version 2 and later: the version of this report that it follows.",
        ),
        "template": w.Field(w.Link((), "version"), "Template"),
        "subject": w.Field(
            w.Link(("study", "analysis_run"), "version"),
            "About",
            required=True,
            immutable_at=("draft", *_SETTLED),
            critical=True,
        ),
        "results": w.Field(
            w.Link(("result_set",), "version", ("final",)),
            "Results",
            many=True,
            immutable_at=_SETTLED,
            critical=True,
            help="Pinned: the report keeps the very versions it was written on.",
        ),
        "body": w.Field(w.Rich(), "Text", immutable_at=_SETTLED),
        "conclusion": w.Field(
            w.Rich(20_000), "Conclusion", required=True, immutable_at=_SETTLED, critical=True
        ),
        "issue_by": w.Field(w.Date(), "To be issued by"),
        "issued_on": w.Field(w.Date(), "Issued on", source="computed"),
    },
    states=(
        w.State("draft"),
        w.State("submitted"),
        w.State("reviewed"),
        w.State("approved", locked=True),
        w.State("issued", locked=True, effective=True, resting=True),
        w.State("superseded", terminal=True, locked=True),
        w.State("withdrawn", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(_AUTHORS, "draft"),
    edit=w.Editing(_AUTHORS, ("draft",)),
    persons={
        "author": w.Signer("authored"),
        "editors": w.Touched(),
        "reviewer": w.Signer("reviewed"),
        "executor": w.Signer("executed", ("results", "run")),
    },
    transitions=(
        w.Transition(
            "submit",
            "Submit",
            ("draft",),
            "submitted",
            _AUTHORS,
            requires=(*_READY, _RUN_RESULTS),
            signature=signing("authored", "I wrote this report and submit it.", _AUTHORS),
        ),
        w.Transition(
            "review",
            "Review",
            ("submitted",),
            "reviewed",
            ("REV",),
            requires=_READY,
            signature=signing(
                "reviewed",
                "I compared this report with the results it names.",
                ("REV",),
                ("author", "editors", "executor"),
            ),
        ),
        w.Transition(
            "send_back",
            "Send back",
            ("submitted", "reviewed"),
            "draft",
            ("REV", "QA"),
            reason=w.Reason(),
            clears=("authored", "reviewed"),
        ),
        w.Transition(
            "approve",
            "Approve",
            ("reviewed",),
            "approved",
            ("QA",),
            requires=_READY,
            signature=signing(
                "approved",
                "I approve this report.",
                ("QA",),
                ("author", "reviewer", "editors", "executor"),
            ),
        ),
        w.Transition(
            "accept_responsibility",
            "Accept responsibility",
            ("approved",),
            "",
            ("SDR",),
            signature=signing(
                "accepted_responsibility", "As study director I answer for this report.", ("SDR",)
            ),
        ),
        w.Transition(
            "issue",
            "Issue",
            ("approved",),
            "issued",
            ("QA", "SDR"),
            requires=(
                *_READY,
                *_NO_OPEN,
                w.Rule(
                    "replaced_version_named",
                    1,
                    {"replaces": ("replaces",)},
                    message="The version that this one replaces is named.",
                ),
                w.When(
                    w.Compare(("kind",), "eq", "study_report"),
                    (
                        w.Signed(
                            "accepted_responsibility",
                            message="The study director accepted responsibility for the report.",
                        ),
                    ),
                ),
            ),
            effects=(
                w.Set("issued_on", w.Value("today")),
                w.Snapshot(("subject",), "subject"),
                w.Do(("replaces",), "supersede", ("superseded", "withdrawn")),
            ),
            signature=signing("released", "I issue this report.", ("QA", "SDR"), ("author",)),
        ),
        w.Transition("supersede", "Supersede", ("issued",), "superseded", consequence=True),
        w.Transition(
            "withdraw",
            "Withdraw",
            ("issued",),
            "withdrawn",
            ("QA",),
            signature=signing("closed", "This report is withdrawn and no longer stands.", ("QA",)),
            reason=w.Reason(20),
            aside=True,
        ),
        void(("draft", "submitted", "reviewed", "approved")),
    ),
    revisions=True,
    retention=w.Retention(longest_of=("subject",)),
    summary=("title", "kind", "subject", "issued_on"),
    predicate_rules=("21 CFR 58.185", "21 CFR 211.194", "21 CFR 211.165"),
    sandbox=sandbox("subject"),
    due="issue_by",
)
