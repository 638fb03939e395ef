"""The review of a document in force, by somebody who did not approve it."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_documents import reviewed
from fix_world import Example, World


def _found(outcome: str) -> object:
    def again(w: World, row: Row) -> None:
        if row.fields["outcome"] != outcome:
            w.do(row.number, "return_to_reviewer")
            w.do(row.number, "review", **reviewed(w, outcome=outcome))

    return again


def _hasty(w: World) -> dict[str, object]:
    found = reviewed(w)
    return found | {"checked": found["checked"][:1]}


def _touched(w: World, row: Row) -> None:
    document = row.fields["document"]
    w.new("change", affected=[f"{document['number']} v{document['revision']}"])


def _superseded(w: World) -> str:
    document = w.new("document_sop", "effective")
    review = w.linked(document, "periodic_review")[0].number
    w.do(document, "obsolete")
    return review


EXAMPLE = Example(
    create=lambda w: {
        "document": w.row(w.new("document_sop", "effective")).label,
        "opens_on": w.day(),
        "due": w.day(60),
    },
    acts={"review": reviewed},
    before={"ask_for_revision": _found("revise"), "make_obsolete": _found("obsolete")},
    breaks={
        "review": {"topic is looked at": lambda w, row: _hasty(w)},
        "confirm": {"change that touches": _touched},
    },
    routes={"done": ("start", "review", "confirm")},
    consequences={"supersede": _superseded},
)
