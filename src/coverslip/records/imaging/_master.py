"""What algorithms, parameter sets and methods share: the MASTER lifecycle of DOMAIN 2.8.

Rules kept here: who prepared a master signs it as author, someone independent approves it, and the
version in force until then is superseded in the same act. A master made for a sandbox study stays in
the sandbox.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, sandbox, signing

SETTLED = ("submitted", "effective", "superseded", "retired")
_SANDBOX_ONLY = w.When(
    w.Compare(("study",), "present"),
    (
        w.Compare(
            ("study", "kind"),
            "eq",
            "sandbox",
            message="Only a sandbox study is named; a regulated master serves all.",
        ),
    ),
)
_STUDY = w.Field(
    w.Link(("study",), "none"),
    "Sandbox study",
    immutable_at=("draft", *SETTLED),
    help="Only for trying out: the master then stays in that sandbox.",
)


def _transitions(roles: tuple[str, ...], ready: tuple[w.Guard, ...]) -> tuple[w.Transition, ...]:
    return (
        w.Transition(
            "submit",
            "Submit",
            ("draft",),
            "submitted",
            roles,
            requires=ready,
            signature=signing("authored", "I prepared this version and submit it for approval.", roles),
        ),
        w.Transition("reject", "Send back", ("submitted",), "draft", ("QA", "REV"), reason=w.Reason()),
        w.Transition(
            "approve",
            "Approve",
            ("submitted",),
            "effective",
            ("QA",),
            requires=ready,
            effects=(w.Supersede("supersede"),),
            signature=signing(
                "approved", "I approve this version for regulated use.", ("QA",), ("author", "editors")
            ),
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
        ),
    )


def master_type(
    *,
    name: str,
    title: str,
    purpose: str,
    prefix: str,
    fields: dict[str, w.Field],
    ready: tuple[w.Guard, ...] = (),
    roles: tuple[str, ...] = ("AUT", "ANL"),
    summary: tuple[str, ...],
    predicate_rules: tuple[str, ...],
    retention: w.Retention,
) -> w.Type:
    """Return a type with the MASTER lifecycle; ``ready`` is asked at submission and at approval."""
    return w.Type(
        name=name,
        title=title,
        version=1,
        purpose=purpose,
        number=w.Number(prefix),
        gxp=REGULATED,
        title_field="title",
        fields={"title": w.Field(w.Text(300), "Name", required=True), "study": _STUDY} | fields,
        states=(
            w.State("draft"),
            w.State("submitted"),
            w.State("effective", locked=True, effective=True),
            w.State("superseded", terminal=True, locked=True),
            w.State("retired", terminal=True, locked=True),
        ),
        create=w.Making(roles, "draft", requires=(_SANDBOX_ONLY,)),
        edit=w.Editing(roles, ("draft",)),
        persons={"author": w.Signer("authored"), "editors": w.Touched()},
        transitions=_transitions(roles, ready),
        revisions=True,
        retention=retention,
        summary=summary,
        predicate_rules=predicate_rules,
        sandbox=sandbox("study"),
    )
