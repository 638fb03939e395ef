"""Role: what may be done, and the documents its holders must be trained on (DOMAIN 3.4, 3.5).

Rules kept here: an approved role is locked; the documents it requires change in two steps by two
people, one proposing and one approving.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, signing
from coverslip.records.documents._document import DOCUMENT_TYPES as _DOCUMENTS

TYPE = w.Type(
    name="role",
    title="Role",
    version=2,
    migration_note="Version 2: holders may be trained on work instructions, specifications, forms and test"
    " methods too. Nothing in earlier records changes.",
    purpose="A bundle of authority with the training it needs.",
    number=w.Number("ROLE", code="code"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "code": w.Field(
            w.Text(8, 2, "[A-Z]{2,8}"),
            "Code",
            required=True,
            unique="forever",
            immutable_at=("draft", "effective", "retired"),
        ),
        "title": w.Field(w.Text(200), "Title", required=True),
        "description": w.Field(w.Rich(5000), "What holders do", required=True),
        "documents": w.Field(
            w.Link(_DOCUMENTS, "none"),
            "Documents holders are trained on",
            many=True,
            critical=True,
            immutable_at=("effective", "retired"),
        ),
        "proposed_documents": w.Field(w.Link(_DOCUMENTS, "none"), "Documents proposed", many=True),
    },
    states=(
        w.State("draft"),
        w.State("effective", locked=True, effective=True, resting=True),
        w.State("retired", terminal=True, locked=True),
    ),
    create=w.Making(("AUT", "QA"), "draft"),
    edit=w.Editing(("AUT", "QA"), ("draft",)),
    persons={
        "author": w.Actor("create"),
        "editors": w.Touched(),
        "proposer": w.Actor("propose_documents"),
    },
    transitions=(
        w.Transition(
            "approve",
            "Approve",
            ("draft",),
            "effective",
            ("QA",),
            signature=signing(
                "approved", "I approve this role and the training it needs.", ("QA",), ("author", "editors")
            ),
        ),
        w.Transition(
            "propose_documents",
            "Propose training documents",
            ("effective",),
            "",
            ("AUT", "TRN"),
            fields=("proposed_documents",),
            reason=w.Reason(),
            touches=True,
        ),
        w.Transition(
            "approve_documents",
            "Approve training documents",
            ("effective",),
            "",
            ("QA",),
            requires=(w.Compare(("proposed_documents",), "present", message="Documents are proposed."),),
            effects=(w.Set("documents", w.Value("path", path=("proposed_documents",))),),
            signature=signing(
                "approved", "I approve the training that holders of this role need.", ("QA",), ("proposer",)
            ),
        ),
        w.Transition(
            "retire",
            "Retire",
            ("effective",),
            "retired",
            ("QA",),
            requires=(
                w.NoOpen((), "role_grant", "role", message="Grant {number} has ended (it is {state})."),
            ),
            signature=signing("closed", "This role is no longer granted.", ("QA",)),
            reason=w.Reason(),
            aside=True,
        ),
    ),
    provides=(w.RequiresTraining(("effective",), "documents"),),
    retention=w.Retention("PERS"),
    summary=("code", "title"),
    predicate_rules=("21 CFR 11.10(d)", "21 CFR 11.10(g)", "21 CFR 11.10(i)"),
)
