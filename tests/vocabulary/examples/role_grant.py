"""A grant of a role that bars no other, which ends tomorrow."""

from __future__ import annotations

from fix_world import Example, World


def _for_otto(w: World, state: str) -> str:
    return w.to(w.create("role_grant", by="admin1", person=w.number_of("otto")), state)


EXAMPLE = Example(
    create=lambda w: {
        "person": w.number_of("maker2"),
        "role": w.any("role", "effective"),
        "end": w.day(1),
        "justification": "Needed for the move of the archive.",
    },
    breaks={
        "expire": {"The grant runs until": lambda w, row: {}},
        "create": {
            "within 90 days": lambda w, row: {"role": "ROLE-INS", "end": w.day(91)},
            "cannot also hold": lambda w, row: {"role": "ROLE-QA", "person": w.number_of("admin1")},
            "other than its holder": lambda w, row: {"person": w.number_of(w.maker("role_grant").username)},
        },
    },
    before={"expire": lambda w, row: w.pass_days(2)},
    selves={"grantee": _for_otto},
)
