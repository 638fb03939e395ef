"""Finding of an audit: what did not conform, and what was done about it (DOMAIN 8.10).

Rules kept here: the owner responds and acts, somebody else accepts the response and verifies the actions; a
finding with an overdue corrective action is not closed, a critical or major one not without evidence.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void

_DONE = ("closed", "verified", "rejected", "cancelled", "voided")


def _overdue(row: Row, today: str) -> str | None:
    due = str(row.fields.get("due") or row.fields.get("due_on") or "")
    return f"{row.number} is overdue since {due}" if due and due < today and row.state not in _DONE else None


@rule("actions_in_time", 1)
def actions_in_time(inp: RuleInput) -> str | None:
    """Ask that no corrective action named here is open beyond its due date."""
    late = [said for row in inp.reads["capa"] if (said := _overdue(row, inp.today))]
    return f"No corrective action is overdue ({'; '.join(late)})." if late else None


@rule("serious_finding_has_capa", 1)
def serious_finding_has_capa(inp: RuleInput) -> str | None:
    """Ask that a critical or major finding names a corrective action or says why none is needed."""
    serious = inp.fields.get("class") in ("critical", "major")
    if not serious or inp.fields.get("capa") or inp.fields.get("no_capa_because"):
        return None
    return f"A {inp.fields['class']} finding names a corrective action, or why none is needed."


_RAISED = ("responded", "accepted", "actions", "verified", "closed", "voided")
_RESPONDED = ("accepted", "actions", "verified", "closed", "voided")
_ACTIONS = w.Table(
    {
        "action": w.Column(w.Text(1000)),
        "owner": w.Column(w.Link(("user",), "none")),
        "due": w.Column(w.Date()),
        "done_on": w.Column(w.Date(), required=False),
        "evidence": w.Column(w.Text(1000), required=False),
    },
    max_rows=100,
    min_rows=1,
)
_JUDGES = ("QA", "QAL")

TYPE = w.Type(
    name="audit_finding",
    title="Audit finding",
    version=1,
    purpose="One thing an audit found, until somebody else has seen that it is put right.",
    number=w.Number("FND", yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "In one line", required=True, immutable_at=_RAISED),
        "audit": w.Field(
            w.Link(("audit",), "none"), "Audit", required=True, immutable_at=("raised", *_RAISED)
        ),
        "class": w.Field(
            w.Enum(("critical", "major", "minor", "observation")),
            "Class",
            required=True,
            immutable_at=_RAISED,
            critical=True,
        ),
        "requirement": w.Field(
            w.Text(1000), "Requirement", required=True, immutable_at=_RAISED, critical=True
        ),
        "evidence": w.Field(
            w.Rich(10_000),
            "Evidence",
            required=True,
            immutable_at=_RAISED,
            critical=True,
            help="What was seen, where, when: enough for somebody else to see it again.",
        ),
        "area": w.Field(w.Text(200), "Area", required=True, immutable_at=_RAISED),
        "owner": w.Field(
            w.Link(("user",), "none"), "Owner", required=True, immutable_at=_RAISED, critical=True
        ),
        "due_on": w.Field(w.Date(), "To be closed by", required=True, immutable_at=_RESPONDED, critical=True),
        "response": w.Field(w.Rich(10_000), "Response", required_at=("responded",), immutable_at=_RESPONDED),
        "root_cause": w.Field(
            w.Rich(10_000), "Root cause", required_at=("responded",), immutable_at=_RESPONDED
        ),
        "actions": w.Field(
            _ACTIONS,
            "Actions",
            required_at=("responded",),
            immutable_at=("verified", "closed"),
            critical=True,
        ),
        "capa": w.Field(
            w.Link(("capa",), "none"), "Corrective actions", many=True, immutable_at=("verified", "closed")
        ),
        "no_capa_because": w.Field(
            w.Text(2000, 10), "No corrective action because", immutable_at=("verified", "closed")
        ),
        "verification": w.Field(
            w.Rich(10_000),
            "What was looked at to verify",
            required_at=("verified",),
            immutable_at=("verified", "closed"),
        ),
    },
    states=(
        w.State("raised"),
        w.State("responded"),
        w.State("accepted"),
        w.State("actions"),
        w.State("verified"),
        w.State("closed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("QA", "QAL", "REV"), "raised"),
    edit=w.Editing(("QA", "QAL"), ("raised",)),
    persons={
        "owner": w.PersonAt(("owner",)),
        "auditors": w.PersonAt(("audit", "auditors")),
        "responder": w.Actor("respond"),
        "actors": w.Actor("record_actions"),
        "verifier": w.Signer("verified"),
    },
    transitions=(
        w.Transition(
            "respond",
            "Respond",
            ("raised",),
            "responded",
            persons=("owner",),
            fields=("response", "root_cause", "actions", "capa", "no_capa_because"),
            requires=(
                w.Filled("actions", ("owner", "due"), 1, message="Every action has an owner and a date."),
            ),
        ),
        w.Transition(
            "accept",
            "Accept the response",
            ("responded",),
            "accepted",
            _JUDGES,
            ("auditors",),
            independent_of=("owner", "responder"),
        ),
        w.Transition(
            "return_to_owner",
            "Send back",
            ("responded", "actions"),
            "raised",
            _JUDGES,
            ("auditors",),
            independent_of=("owner", "responder"),
            reason=w.Reason(),
        ),
        w.Transition("start_actions", "Begin the actions", ("accepted",), "actions", persons=("owner",)),
        w.Transition(
            "record_actions",
            "Record what was done",
            ("actions",),
            "",
            persons=("owner",),
            fields=("actions", "capa", "no_capa_because"),
        ),
        w.Transition(
            "verify",
            "Verify",
            ("actions",),
            "verified",
            _JUDGES,
            ("auditors",),
            fields=("verification",),
            requires=(
                w.Filled(
                    "actions", ("done_on", "evidence"), 1, message="Every action is done, with its evidence."
                ),
                w.Rule("serious_finding_has_capa", 1, message="A serious finding names a corrective action."),
            ),
            signature=signing(
                "verified",
                "I saw that the actions were done and put right what was found.",
                (),
                ("owner", "responder", "actors"),
            ),
        ),
        w.Transition(
            "close",
            "Close",
            ("verified",),
            "closed",
            _JUDGES,
            requires=(
                w.Rule("actions_in_time", 1, {"capa": ("capa",)}, message="No corrective action is overdue."),
            ),
            signature=signing("closed", "This finding is put right.", _JUDGES, ("owner", "responder")),
            reason=w.Reason(),
        ),
        void(("raised", "responded", "accepted", "actions", "verified")),
    ),
    retention=w.Retention("DOC"),
    summary=("title", "audit", "class", "owner", "due_on"),
    predicate_rules=("ISO 13485 8.2.4", "21 CFR 58.35", "ICH Q10"),
    due="due_on",
)
