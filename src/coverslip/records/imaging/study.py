"""Study: plan and conduct of imaging work (DOMAIN 4.7).

Rules kept here: the kind is fixed at creation; the director takes responsibility before quality
approves; a blinded study is unblinded by two people under its rule; a sandbox study is unregulated for
ever and feeds nothing regulated.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._retention import record_events, retention_events
from coverslip.records._shared import REGULATED, sandbox, signing

STATES = (
    w.State("draft"),
    w.State("director_accepted"),
    w.State("approved", locked=True),
    w.State("in_progress"),
    w.State("suspended"),
    w.State("data_complete"),
    w.State("reported"),
    w.State("archived", terminal=True, locked=True),
    w.State("terminated", terminal=True, locked=True),
)
_EVER = tuple(s.name for s in STATES)
_PLANNED = tuple(s for s in _EVER if s != "draft")
_KINDS = (
    "glp",
    "release_assay",
    "stability",
    "clinical",
    "method_validation",
    "investigation",
    "non_gxp",
    "sandbox",
)
_CLASSES = ("DRUG", "SUPP", "DEVICE", "GLP", "CLIN", "FOOD", "COSM", "BLOOD", "PATH")
_PROTOCOL = w.InState(("protocol",), ("effective",), message="The protocol is a document in force.")
_METHODS = w.InState(
    ("methods",), ("effective",), empty_ok=True, message="Method {number} is in force (it is {state})."
)

_BLINDED = ("none", "reader", "full")
_UNDER_WAY = ("in_progress", "suspended", "data_complete")


@rule("blinding_kept", 1)
def blinding_kept(inp: RuleInput) -> str | None:
    """Refuse an amendment that blinds less than before: unblinding is an act of its own."""
    before = str((inp.record.fields if inp.record is not None else {}).get("blinding", "none"))
    after = str(inp.fields.get("blinding", "none"))
    if _BLINDED.index(after) >= _BLINDED.index(before):
        return None
    return f"Unblinding needs {inp.fields.get('unblinding_rule') or 'its rule'} and two signatures."


_UNBLINDING = (
    w.Compare(("blinding",), "ne", "none", message="The study is blinded."),
    w.Compare(("unblinding_rule",), "present", message="The plan says when the study is unblinded."),
)
_UNBLIND = (
    w.Transition(
        "ask_unblinding",
        "Ask to unblind",
        _UNDER_WAY,
        "",
        persons=("director",),
        requires=_UNBLINDING,
        signature=signing(
            "accepted_responsibility", "I ask that this study is unblinded, as its rule says.", ("SDR",)
        ),
        reason=w.Reason(20),
    ),
    w.Transition(
        "unblind",
        "Unblind",
        _UNDER_WAY,
        "",
        ("QA",),
        requires=(
            *_UNBLINDING,
            w.Signed(
                "",
                act="ask_unblinding",
                message="Unblinding needs its rule and two signatures; the director has not signed.",
            ),
        ),
        effects=(w.Set("blinding", w.Value("literal", "none")),),
        signature=signing(
            "approved", "I approve that this study is unblinded.", ("QA",), ("director", "responsible")
        ),
        reason=w.Reason(20),
    ),
)

TYPE = w.Type(
    name="study",
    title="Study",
    version=2,
    purpose="Why images are taken, by which plan, and under whose responsibility.",
    number=w.Number("STU", 3, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "kind": w.Field(w.Enum(_KINDS), "Kind", required=True, immutable_at=_EVER, critical=True),
        "project": w.Field(w.Link(("project",), "none"), "Project"),
        "director": w.Field(
            w.Link(("user",), "none"), "Study director", required=True, immutable_at=_PLANNED, critical=True
        ),
        "objectives": w.Field(w.Rich(20_000), "Objectives", required=True),
        "protocol": w.Field(
            w.Link(("document_sop", "document_policy"), "version"), "Protocol", critical=True
        ),
        "methods": w.Field(w.Link(("analysis_method",), "version"), "Methods planned", many=True),
        "acceptance_criteria": w.Field(w.Rich(20_000), "Acceptance criteria", critical=True),
        "sample_plan": w.Field(w.Rich(20_000), "Sample plan"),
        "design": w.Field(
            w.Table(
                {
                    "group": w.Column(w.Text(100)),
                    "n": w.Column(w.Int(0, 1_000_000)),
                    "treatment": w.Column(w.Text(300), required=False),
                    "blinded": w.Column(w.Bool()),
                },
                max_rows=500,
            ),
            "Design",
        ),
        "blinding": w.Field(w.Enum(_BLINDED), "Blinding", default="none", critical=True),
        "unblinding_rule": w.Field(
            w.Rich(5000), "When it is unblinded", immutable_at=_PLANNED, help="Needed to unblind."
        ),
        "sponsor": w.Field(w.Text(300), "Sponsor"),
        "site": w.Field(w.Link(("site",), "none"), "Site"),
        "retention_class": w.Field(w.Enum(_CLASSES), "Retention class"),
        "completed_on": w.Field(
            w.Date(), "Completed or terminated on", source="computed", help="When its report was signed."
        ),
        "retention_events": retention_events(),
        "record_scope": w.Field(
            w.Enum(("required", "voluntary")), "Records kept because", default="required"
        ),
    },
    states=STATES,
    create=w.Making(("SDR", "AUT", "ANL", "QA"), "draft"),
    edit=w.Editing(("SDR", "AUT", "ANL", "QA"), ("draft",)),
    persons={
        "director": w.PersonAt(("director",)),
        "responsible": w.Signer("accepted_responsibility"),
        "editors": w.Touched(),
    },
    transitions=(
        w.Transition(
            "accept_responsibility",
            "Accept responsibility",
            ("draft",),
            "director_accepted",
            persons=("director",),
            requires=(_PROTOCOL, _METHODS),
            signature=signing(
                "accepted_responsibility", "I take responsibility for the conduct of this study.", ("SDR",)
            ),
        ),
        w.Transition(
            "return_to_draft", "Send back", ("director_accepted",), "draft", ("QA", "SDR"), reason=w.Reason()
        ),
        w.Transition(
            "approve",
            "Approve",
            ("director_accepted",),
            "approved",
            ("QA",),
            requires=(_PROTOCOL, _METHODS),
            signature=signing(
                "qa_reviewed",
                "I reviewed the plan of this study for quality and let it proceed.",
                ("QA",),
                ("director", "responsible", "editors"),
            ),
        ),
        w.Transition(
            "start",
            "Start",
            ("approved",),
            "in_progress",
            ("SDR",),
            requires=(
                _PROTOCOL,
                _METHODS,
                w.InState(
                    ("project",),
                    ("planned", "active"),
                    "Project {number} is active (it is {state}).",
                    empty_ok=True,
                ),
            ),
        ),
        w.Transition(
            "amend",
            "Amend",
            ("in_progress",),
            "",
            persons=("director",),
            fields=(
                "objectives",
                "protocol",
                "methods",
                "acceptance_criteria",
                "sample_plan",
                "design",
                "blinding",
            ),
            requires=(
                _PROTOCOL,
                _METHODS,
                w.Rule("blinding_kept", 1, message="Unblinding needs its rule and two signatures."),
            ),
            signature=signing(
                "accepted_responsibility", "I amend the plan of this study as the reason says.", ("SDR",)
            ),
            reason=w.Reason(30),
            touches=True,
        ),
        *_UNBLIND,
        w.Transition(
            "suspend", "Suspend", ("in_progress",), "suspended", ("SDR", "QA"), reason=w.Reason(), aside=True
        ),
        w.Transition("resume", "Resume", ("suspended",), "in_progress", ("SDR", "QA"), reason=w.Reason()),
        w.Transition(
            "complete_data",
            "Declare data complete",
            ("in_progress",),
            "data_complete",
            ("SDR",),
            requires=(
                w.NoOpen(
                    (),
                    "acquisition_session",
                    "study",
                    ("completed", "verified"),
                    "Session {number} is completed (it is {state}).",
                ),
                w.NoOpen(
                    (), "analysis_run", "study", ("accepted",), "Run {number} is decided (it is {state})."
                ),
                w.NoOpen(
                    (),
                    "specimen",
                    "study",
                    ("received", "in_storage", "in_use", "quarantined", "disposing"),
                    "Specimen {number} is accounted for (it is {state}).",
                ),
                w.NoOpen(
                    (),
                    "container",
                    "study",
                    ("imaged",),
                    "Container {number} is imaged or discarded (it is {state}).",
                ),
            ),
        ),
        w.Transition(
            "report",
            "Report",
            ("data_complete",),
            "reported",
            persons=("director",),
            requires=(
                w.NoOpen((), "oos", "study", (), "{number} is closed (it is {state})."),
                w.NoOpen(
                    (),
                    "deviation",
                    "affected",
                    ("closed",),
                    "Deviation {number} is closed (it is {state}).",
                ),
                w.NoOpen((), "report", "subject", ("issued",), "Report {number} is issued (it is {state})."),
            ),
            effects=(w.Set("completed_on", w.Value("today")),),
            signature=signing(
                "accepted_responsibility", "The report of this study says what its records say.", ("SDR",)
            ),
        ),
        w.Transition(
            "archive",
            "Archive",
            ("reported",),
            "archived",
            ("QA",),
            signature=signing(
                "qa_reviewed",
                "I inspected this study and its records are complete.",
                ("QA",),
                ("director", "responsible"),
            ),
        ),
        w.Transition(
            "terminate",
            "Terminate",
            ("draft", "director_accepted", "approved", "in_progress", "suspended"),
            "terminated",
            ("SDR", "QA"),
            effects=(w.Set("completed_on", w.Value("today")),),
            signature=signing("closed", "This study ends before its plan is done.", ("SDR", "QA")),
            reason=w.Reason(20),
            aside=True,
        ),
        record_events(
            ("approved", "in_progress", "suspended", "data_complete", "reported", "archived", "terminated"),
            ("SDR", "QA"),
        ),
    ),
    retention=w.Retention(
        "GLP",
        events={"completion": "completed_on", "listed": "retention_events"},
        class_at="retention_class",
    ),
    summary=("title", "kind", "director"),
    predicate_rules=("21 CFR 58.33", "21 CFR 58.120", "21 CFR 58.130"),
    sandbox=sandbox(),
    migration_note="Version 2: a study may belong to a project; its data are complete only when its"
    " specimens and containers are accounted for, and it is reported only when its OOS investigations and"
    " deviations are closed and its reports issued; the events that start retention clocks are recorded with"
    " their dates; unblinding is signed by two. Studies without such records go on as before.",
)
