"""What a record waits for that is no act of its own: another record, one yet to be made, or the installation.

Rules kept here: what is named is what the declarations say and what is there; whether this person may go on
there is asked of the door. A record that waits for nobody says so, and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coverslip.application.open_acts import OpenAct
from coverslip.kernel import words as w
from coverslip.kernel.definition import Definition
from coverslip.kernel.rows import Row
from coverslip.web.navigation import href
from coverslip.web.templating import ref, role, small
from coverslip.web.visit import Visit
from coverslip.work import elsewhere, waiting

_FURTHEST = 3
"""Records that are followed from one to the next, at most: result set, run, review case."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """Where a record waits: ``said`` what comes next, ``why`` who is waited for, ``link`` where to go on."""

    said: str
    why: str
    link: str = ""
    label: str = ""
    mine: bool = False


def elsewhere_of(visit: Visit, row: Row) -> dict[str, Any]:
    """Return what a record waits for outside itself (``elsewhere``), or why it waits for nobody (``why``)."""
    definition = visit.services.catalogue[row.type]
    by_itself = elsewhere.by_itself(definition, row.state)
    if by_itself is None:
        return {"elsewhere": _followed(visit, row, _FURTHEST), "why": at_rest(definition, row.state)}
    on = str(row.fields.get(by_itself.at, "")) if by_itself.at else ""
    asked = ", once everything it asks for is met" if by_itself.requires else ""
    said = f"{by_itself.label.lower()}{f' on {on[:10]}' if on else ''}, by itself"
    return {"elsewhere": Awaited(said, f"Coverslip does this{asked}; nobody has to."), "why": ""}


def why_not(act: OpenAct, definition: Definition, state: str) -> str:
    """Return why an act that leads on is not this person's now: who is waited for, or what is in the way."""
    refusal = act.refusal
    if refusal is None:
        return ""
    if refusal.code == "AUTH_ROLE" and act.declared is not None:
        wanted = sorted(waiting.by_role(act.declared, state))
        people = [name.replace("_", " ") for name in act.declared.persons]
        who = " or ".join([*(role(code) for code in wanted), *(f"the {name}" for name in people)])
        held = str(refusal.values.get("roles", ""))
        said = f" You hold: {held}." if held else ""
        return f"Waited for: {who}.{said}" if who else refusal.message
    said = waiting.in_the_way(refusal)
    return said if said != refusal.message else f"{said} {refusal.remedy}".strip()


def _followed(visit: Visit, row: Row, further: int) -> Awaited | None:
    catalogue = visit.services.catalogue
    found = elsewhere.movers(catalogue, catalogue[row.type], row.state)
    linked = visit.services.reading.linked(row.uid, [m.kind for m in found if m.field]) if found else []
    fields = {(mover.kind, mover.field) for mover in found}
    for other in sorted(linked, key=lambda one: one.changed_at, reverse=True):
        declared = catalogue[other.type]
        names_it = any(k == other.type and _names(other, f, row) for k, f in fields)
        if not names_it or not waiting.waits(declared.state(other.state)):
            continue
        theirs = list(waiting.acts(declared, other.state))
        if theirs:
            return _there(visit, other, declared, theirs)
        deeper = _followed(visit, other, further - 1) if further > 1 else None
        if deeper is not None:
            return deeper
    return _to_be_made(visit, row, found)


def _names(other: Row, field: str, row: Row) -> bool:
    value = other.fields.get(field)
    values = value if isinstance(value, list) else [value]
    return any(isinstance(one, dict) and one.get("uid") == row.uid for one in values)


def _there(visit: Visit, other: Row, declared: Definition, theirs: list[w.Transition]) -> Awaited:
    leading = waiting.leading(declared, other.state)
    offered = visit.services.door.offer_all(other, visit.context, [t.name for t in theirs])
    first = next(iter(leading), theirs[0])
    mine = next((t for t in (*leading, *theirs) if offered[t.name] is None), None)
    roles = " or ".join(role(code) for code in sorted(waiting.by_role(first, other.state)))
    who = "You can do this now." if mine else f"Waited for: {roles or 'the people named there'}."
    said = f"{(mine or first).label.lower()} in {small(declared.type.title)}"
    return Awaited(said, who, href(other), other.label, mine is not None)


def _to_be_made(visit: Visit, row: Row, found: list[elsewhere.Mover]) -> Awaited | None:
    for mover in found:
        declared = visit.services.catalogue[mover.kind]
        making = declared.type.create
        if making.consequence:
            continue
        mine = not visit.reader and bool({"*", *visit.roles} & set(making.who))
        given = f"?f.{mover.field}={ref(row)}" if mover.field else ""
        who = " or ".join(role(code) for code in making.who if code != "*") or "anybody"
        why = "You can make it now." if mine else f"Waited for: {who}."
        title = small(declared.type.title)
        return Awaited(
            f"{'an' if title[:1] in 'aeio' else 'a'} {title} made from it",
            why,
            f"/types/{mover.kind}/new{given}" if mine else "",
            f"New {title}" if mine else "",
            mine,
        )
    return None


def at_rest(definition: Definition, state: str) -> str:
    """Return why nobody is waited for in a state."""
    declared = definition.state(state)
    if declared.voided:
        return "It no longer counts and is kept with its reason."
    if declared.effective:
        anew = " It changes by a new version." if definition.type.revisions else ""
        return f"It is in force.{anew}"
    if declared.terminal:
        return "It has come to its end and is kept as it is."
    if declared.locked:
        return "It is complete and kept as it is."
    return ""
