"""A list of its own; its second version names the first."""

from __future__ import annotations

from random import choices
from string import ascii_uppercase

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _superseded(w: World) -> str:
    number = w.new("vocabulary", "effective")
    code = str(w.row(number).fields["code"])
    w.to(w.revise(number, code=code, previous=f"{number} v1"), "effective")
    return f"{number} v1"


def _twice(w: World, row: Row) -> None:
    entry = row.fields["entries"][0]
    w.do(row.number, "edit", entries=[entry, entry])


EXAMPLE = Example(
    create=lambda w: {
        "code": "".join(choices(ascii_uppercase, k=10)),
        "title": "Defects of a slide",
        "entries": [{"value": "fold", "meaning": "The section lies double.", "retired": False}],
    },
    breaks={"submit": {"listed once": _twice}},
    consequences={"supersede": _superseded},
)
