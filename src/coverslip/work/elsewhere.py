"""Which other records take a record on, where nobody can by an act of its own; read off the declarations.

Rules kept here: a record whose acts in a state are all consequences waits for the records whose acts have
those consequences: those that link to it, or one that is yet to be made. What the installation does by
itself is told apart from what people do.
"""

from __future__ import annotations

from dataclasses import dataclass

from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.drafts import expand
from coverslip.work.waiting import MACHINES, acts, leading, waits


@dataclass(frozen=True, slots=True)
class Mover:
    """A type whose records, linking by ``field`` (empty: by none), take another record on.

    ``by_making``: making one is what takes it on.
    """

    kind: str
    field: str
    by_making: bool = False


def movers(catalogue: Catalogue, definition: Definition, state: str) -> list[Mover]:
    """Return what takes a record on from a state in which nobody can by an act of the record itself."""
    if not waits(definition.state(state)) or any(True for _ in acts(definition, state)):
        return []
    led = {
        t.name for t in definition.type.transitions if t.consequence and state in expand(definition, t.from_)
    }
    found = [mover for other in catalogue for mover in _of(other, definition.name, led)] if led else []
    return list(dict.fromkeys(found))


def _of(other: Definition, kind: str, led: set[str]) -> list[Mover]:
    found = []
    for effect in other.type.create.effects:
        if isinstance(effect, w.Do) and len(effect.path) == 1 and effect.act in led:
            if kind in _targets(other, effect.path[0]):
                found.append(Mover(other.name, effect.path[0], True))
        elif isinstance(effect, w.DoEach) and (effect.type, effect.act in led) == (kind, True):
            found.append(Mover(other.name, "", True))
    for transition in other.type.transitions:
        for effect in transition.effects:
            if not isinstance(effect, w.Do) or len(effect.path) != 1 or effect.act not in led:
                continue
            if not transition.aside and kind in _targets(other, effect.path[0]):
                found.append(Mover(other.name, effect.path[0]))
    return found


def _targets(other: Definition, field: str) -> tuple[str, ...]:
    declared = other.type.fields.get(field)
    kind = declared.kind if declared is not None else None
    return kind.types if isinstance(kind, w.Link) else ()


def by_itself(definition: Definition, state: str) -> w.Transition | None:
    """Return the act by which the installation takes a record on from a state, where no person can."""
    if not waits(definition.state(state)) or leading(definition, state):
        return None
    for one in definition.type.transitions:
        machines = bool(one.who) and set(one.who) <= MACHINES and not one.persons
        moves = one.to not in ("", state) and not one.aside and not one.consequence
        if machines and moves and state in expand(definition, one.from_):
            return one
    return None
