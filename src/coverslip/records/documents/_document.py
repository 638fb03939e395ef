"""What all governed documents share: fields, the DOC lifecycle of DOMAIN 2.8, and its rules.

Rules kept here: author, reviewer and approver are three people; a second version names the change that
asked for it; approval opens the training of its audience, so that it is open before the version comes
into force; a version comes into force on its date, not before, and only once its audience is trained or
QA waived that, and where its change is under way together with all that this change brings; at most one
version of a number is in force, and what depends on the one before it (training, copies, review,
acknowledgements) follows in the same transaction.
"""

from __future__ import annotations

from typing import Any

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, VOIDED, signing, void
from coverslip.records.documents import _governing as _governing

DOCUMENT_TYPES = (
    "document_policy",
    "document_sop",
    "document_work_instruction",
    "document_specification",
    "document_form",
    "document_test_method",
)
"""Types whose versions have the DOC lifecycle; people are trained on these."""
REFERABLE = (*DOCUMENT_TYPES, "document_external")
"""Types that a document may refer to."""
AFTER_DRAFT = ("in_review", "in_approval", "approved", "effective", "superseded", "obsolete")
_AUTHORS = ("author", "editors")
_TRAINING = {
    "grants": (("audience",), "role_grant", "role"),
    "training": ((), "training_record", "document"),
}
_TRAINED = w.Rule("audience_trained", 2, children=_TRAINING, message="The audience is trained.")
_REFERENCES = w.InState(
    ("references",),
    ("effective", "in_use"),
    empty_ok=True,
    message="{number}, referred to here, is in force (it is {state}).",
    code="LINK_VER",
)
_AFTER_APPROVAL = w.InDate(("effective_date",), "Effective date must be after approval.", "VAL_RANGE")
_COPIES = w.Rule(
    "copies_accounted_for",
    1,
    children={"copies": ((), "controlled_copy", "document")},
    message="Controlled copies are accounted for.",
)


def _fields() -> dict[str, w.Field]:
    return {
        "title": w.Field(w.Text(300), "Title", required=True),
        "process_area": w.Field(w.Text(100), "Process area"),
        "owner": w.Field(
            w.Link(("user",), "none"), "Owner", help="Who answers for the text and reviews it when due."
        ),
        "body": w.Field(
            w.Rich(), "Text", required_at=("in_review",), immutable_at=AFTER_DRAFT, critical=True
        ),
        "original": w.Field(w.File(), "Original file", immutable_at=AFTER_DRAFT),
        "change_summary": w.Field(w.Rich(20_000), "What changed", required_at=("in_review",)),
        "change_control": w.Field(
            w.Link(("change",), "version", ("approved", "implementing", "verified", "effective", "closed")),
            "Change control",
            immutable_at=AFTER_DRAFT,
            help="The approved change that asks for this version; needed from version 2 on.",
        ),
        "effective_date": w.Field(
            w.Date(),
            "Effective date",
            required_at=("in_approval",),
            critical=True,
            help="Leave the audience time to be trained: their assignments open at approval.",
        ),
        "review_months": w.Field(w.Int(1, 36), "Review every (months)", default=24),
        "training_depth": w.Field(
            w.Enum(("none", "read_understood", "assessed")),
            "Training",
            required_at=("in_review",),
            critical=True,
        ),
        "audience": w.Field(
            w.Link(("role",), "none"),
            "Audience",
            required_at=("in_review",),
            many=True,
            help="Holders of these roles are asked to train before the version comes into force.",
        ),
        "criticality": w.Field(
            w.Enum(("gxp_critical", "gxp", "non_gxp")), "Criticality", required=True, critical=True
        ),
        "references": w.Field(w.Link(REFERABLE), "References", many=True),
        "forms": w.Field(w.Link(("document_form",), "none"), "Forms used", many=True),
        "translation_of": w.Field(w.Link(DOCUMENT_TYPES), "Translation of"),
        "language": w.Field(w.Text(35, 2), "Language", help="Such as en or de-CH."),
        "predicate": w.Field(w.Text(100), "Rules served", many=True),
        "out_of_force_on": w.Field(w.Date(), "Out of force on", source="computed"),
    }


_BY_REVIEW = (
    w.Set("out_of_force_on", w.Value("today")),
    w.DoEach("controlled_copy", "document", "recall"),
    w.DoEach("training_record", "document", "supersede"),
    w.DoEach("training_record", "document", "lapse"),
)
"""What follows wherever a version goes out of force; a review that asks for it goes on itself."""
_OUT_OF_FORCE = (*_BY_REVIEW, w.DoEach("periodic_review", "document", "supersede"))
_OPEN_TRAINING = w.Create(
    "training_record",
    link="document",
    values={
        "depth": w.Value("path", path=("training_depth",)),
        "due": w.Value("path", path=("effective_date",)),
    },
    when=(w.Compare(("training_depth",), "ne", "none"),),
    each=w.Rule("audience_assignments", 1, children=_TRAINING),
)
_START_REVIEW_CLOCK = w.Create(
    "periodic_review",
    link="document",
    values={
        "owner": w.Value("path", path=("owner",)),
        "opens_on": w.Value("path", path=("effective_date",), months_at=("review_months",), days=-60),
        "due": w.Value("path", path=("effective_date",), months_at=("review_months",)),
    },
)


def _writing(submit: tuple[w.Guard, ...]) -> tuple[w.Transition, ...]:
    change = w.Rule("change_control_linked", 1, message="A change control is linked (version 2 and later).")
    return (
        w.Transition(
            "submit",
            "Submit for review",
            ("draft",),
            "in_review",
            ("AUT",),
            requires=(_REFERENCES, change, *submit),
            signature=signing("authored", "I wrote this version and submit it for review.", ("AUT",)),
        ),
        w.Transition(
            "review",
            "Review",
            ("in_review",),
            "in_approval",
            ("REV",),
            signature=signing("reviewed", "I reviewed this version and find it right.", ("REV",), _AUTHORS),
        ),
        w.Transition(
            "approve",
            "Approve",
            ("in_approval",),
            "approved",
            ("QA",),
            requires=(_AFTER_APPROVAL,),
            signature=signing(
                "approved",
                "I approve this version for use from its effective date.",
                ("QA",),
                (*_AUTHORS, "reviewer"),
            ),
            effects=(_OPEN_TRAINING,),
        ),
        w.Transition(
            "reject",
            "Send back",
            ("in_review", "in_approval"),
            "draft",
            ("REV", "QA"),
            reason=w.Reason(),
            aside=True,
        ),
        w.Transition(
            "withdraw",
            "Withdraw",
            ("approved",),
            "draft",
            ("QA", "AUT"),
            reason=w.Reason(),
            effects=(w.DoEach("training_record", "document", "withdraw"),),
            clears=("waived", "waive_training"),
            aside=True,
        ),
    )


def _waiver(name: str, label: str, state: str, said: str) -> w.Transition:
    """Return an act by which QA lets something pass, signed with a reason."""
    return w.Transition(
        name,
        label,
        (state,),
        "",
        ("QA",),
        signature=signing("waived", said, ("QA",), _AUTHORS),
        reason=w.Reason(30),
    )


def _obsolete(*more: w.Effect) -> w.Transition:
    return w.Transition(
        "obsolete",
        "Make obsolete",
        ("effective",),
        "obsolete",
        ("QA",),
        signature=signing(
            "approved", "I approve that this document is no longer in force.", ("QA",), _AUTHORS
        ),
        reason=w.Reason(30),
        effects=(*_OUT_OF_FORCE, *more),
    )


_READY = (
    w.Rule("effective_date_reached", 1, message="The effective date is reached."),
    _TRAINED,
    _REFERENCES,
)
_NOT_ALONE = w.InState(
    ("change_control",),
    ("approved", "effective", "closed"),
    "The version comes into force together with {number} (it is {state}).",
    empty_ok=True,
)
_IN_FORCE = (w.Supersede("supersede"), _START_REVIEW_CLOCK)


def _force(ending: tuple[w.Effect, ...]) -> tuple[w.Transition, ...]:
    return (
        _waiver(
            "waive_training",
            "Waive training",
            "approved",
            "I let this version come into force before its audience is trained.",
        ),
        w.Transition(
            "extend_effective",
            "Move the effective date",
            ("approved",),
            "",
            ("QA",),
            fields=("effective_date",),
            requires=(_AFTER_APPROVAL,),
            signature=signing("extended", "I move the effective date of this version.", ("QA",), _AUTHORS),
            reason=w.Reason(20),
        ),
        w.Transition(
            "make_effective",
            "Bring into force",
            ("approved",),
            "effective",
            ("SVC",),
            at="effective_date",
            requires=(*_READY, _NOT_ALONE),
            effects=_IN_FORCE,
        ),
        w.Transition(
            "make_effective_with_change",
            "Bring into force with its change",
            ("approved",),
            "effective",
            consequence=True,
            requires=_READY,
            effects=_IN_FORCE,
        ),
        _waiver(
            "waive_copies",
            "Waive copies still out",
            "effective",
            "I let this version be superseded while controlled copies of it are still out.",
        ),
        w.Transition(
            "supersede",
            "Supersede",
            ("effective",),
            "superseded",
            consequence=True,
            requires=(_COPIES,),
            effects=(*_OUT_OF_FORCE, *ending),
        ),
        _obsolete(*ending),
        w.Transition(
            "obsolete_by_review",
            "Made obsolete by its periodic review",
            ("effective",),
            "obsolete",
            consequence=True,
            effects=(*_BY_REVIEW, *ending),
        ),
        void(("draft", "in_review", "in_approval")),
    )


def document_type(
    *,
    name: str,
    title: str,
    purpose: str,
    prefix: str,
    predicate_rules: tuple[str, ...],
    extra: dict[str, w.Field] | None = None,
    provides: tuple[w.Provision, ...] = (),
    submit: tuple[w.Guard, ...] = (),
    ending: tuple[w.Effect, ...] = (),
    **more: Any,
) -> w.Type:
    """Return a document type with the DOC lifecycle.

    ``extra`` adds fields and cannot replace any; ``submit`` adds guards to the submission, ``ending``
    what else follows where a version goes out of force; ``more`` is version and migration note.
    """
    fields = _fields()
    clash = fields.keys() & (extra or {}).keys()
    if clash:
        raise ValueError(f"{name} declares shared fields again: {', '.join(sorted(clash))}")
    return w.Type(
        name=name,
        title=title,
        version=more.pop("version", 1),
        purpose=purpose,
        number=w.Number(prefix),
        gxp=REGULATED,
        title_field="title",
        fields=fields | (extra or {}),
        states=(
            w.State("draft"),
            w.State("in_review"),
            w.State("in_approval"),
            w.State("approved", locked=True),
            w.State("effective", locked=True, effective=True, resting=True),
            w.State("superseded", terminal=True, locked=True),
            w.State("obsolete", terminal=True, locked=True),
            VOIDED,
        ),
        create=w.Making(("AUT",), "draft"),
        edit=w.Editing(("AUT",), ("draft",)),
        persons={"author": w.Signer("authored"), "reviewer": w.Signer("reviewed"), "editors": w.Touched()},
        transitions=(*_writing(submit), *_force(ending)),
        provides=provides,
        revisions=True,
        retention=w.Retention("DOC", events={"obsolescence": "out_of_force_on"}),
        summary=("title", "criticality", "effective_date"),
        predicate_rules=predicate_rules,
        **more,
    )


SINCE_TRAINING_OPENS = (
    "Version 2: approval opens the training of the audience; coming into force starts the review clock; a"
    " later version names its change, recalls controlled copies and supersedes training; the effective date"
    " can be moved. Earlier records keep what they say; their new fields are empty."
)
