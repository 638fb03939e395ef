"""Watch: a person wants to be told what others do to a record.

Rules kept here: everybody watches for themselves and nobody is set to watch by another; one record is
watched once by one person; a watch on a document follows its later versions; it is ended by who set it.
"""

from __future__ import annotations

import msgspec

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import VOIDED, void
from coverslip.records.collaboration._about import KEPT_WITH, UNREGULATED, subject

_EVER = ("watching", "ended", "voided")


@rule("watch_for_oneself", 1)
def watch_for_oneself(inp: RuleInput) -> str | None:
    """Refuse a watch in another person's name."""
    link = inp.fields.get("person")
    if link is None or link.get("uid") == inp.actor:
        return None
    return "You can only watch for yourself."


@rule("watch_mark", 1)
def watch_mark(inp: RuleInput) -> str:
    """Return what no second living watch may have: the person and the record's number."""
    return f"{inp.fields['person']['number']} {inp.fields['subject']['number']}"


@rule("watch_unmark", 1)
def watch_unmark(inp: RuleInput) -> str:
    """Return a mark that is this watch's alone, so that the record can be watched again."""
    return f"ended {inp.record.number if inp.record else ''}"


_FREE = w.Compute("mark", w.Rule("watch_unmark", 1))

TYPE = w.Type(
    name="watch",
    title="Watch",
    version=1,
    purpose="A person is told what others do to a record.",
    number=w.Number("WCH", 5, yearly=True),
    gxp="none",
    title_field="mark",
    fields={
        "subject": subject(_EVER),
        "person": w.Field(
            w.Link(("user",), "none"), "Person", immutable_at=_EVER, help="Yourself; may be left out."
        ),
        "mark": w.Field(w.Text(200), "Person and record", unique="type", source="computed"),
    },
    states=(
        w.State("watching", locked=True, resting=True),
        w.State("ended", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("*",),
        "watching",
        requires=(w.Rule("watch_for_oneself", 1, message="You can only watch for yourself."),),
        effects=(
            w.Set("person", w.Value("actor")),
            w.Compute("mark", w.Rule("watch_mark", 1)),
        ),
    ),
    persons={"watcher": w.PersonAt(("person",))},
    transitions=(
        w.Transition("end", "Stop watching", ("watching",), "ended", persons=("watcher",), effects=(_FREE,)),
        msgspec.structs.replace(void(("watching",)), effects=(_FREE,)),
    ),
    retention=KEPT_WITH,
    summary=("person", "subject"),
    predicate_rules=("21 CFR 11.10(e)",),
    sandbox=UNREGULATED,
)
