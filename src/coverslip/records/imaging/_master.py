"""What algorithms, parameter sets and methods share: the MASTER lifecycle of DOMAIN 2.8.

Rules kept here: who prepared a master signs it as author, someone independent approves it, and the
version in force until then is superseded in the same act. A master made for a sandbox study stays in
the sandbox.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._lifecycle import master_transitions
from coverslip.records._shared import REGULATED, sandbox

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


def in_force(field: str, message: str = "{number} is in force (it is {state}).") -> w.InState:
    """Return the guard "the version named at ``field`` is in force"."""
    return w.InState((field,), ("effective",), message)


def master_field(kind: w.Kind, label: str, *, required: bool = False, critical: bool = True) -> w.Field:
    """Return a field that nobody changes once the master is submitted."""
    return w.Field(kind, label, required=required, immutable_at=SETTLED, critical=critical)


def made_with(type_: str, label: str) -> w.Field:
    """Return the link to the very version of another master that this one was written for."""
    return master_field(w.Link((type_,), "version", ("effective",)), label, required=True)


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
    version: int = 1,
    migration_note: str = "First version.",
) -> w.Type:
    """Return a type with the MASTER lifecycle; ``ready`` is asked at submission and at approval."""
    return w.Type(
        name=name,
        title=title,
        version=version,
        migration_note=migration_note,
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
        transitions=master_transitions(roles, ready),
        revisions=True,
        retention=retention,
        summary=summary,
        predicate_rules=predicate_rules,
        sandbox=sandbox("study"),
    )
