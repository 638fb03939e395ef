"""Who is waited for, read off the declarations.

Rules kept here:

* Nobody is waited for in a terminal, resting or effective state, nor by an act declared ``aside`` (void,
  cancel, reject, suspend and the like): it is possible, and no work.
* A role is waited for by an act that moves the record on. A person named by the record is waited for by any
  act that names them. An act open to everybody is nobody's work, nor is one only machines do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.drafts import expand
from coverslip.kernel.waiting import Want

_MACHINES = {"SVC", "DEV"}


def waits(state: w.State) -> bool:
    """Whether somebody may be waited for while a record is in a state."""
    return not (state.terminal or state.resting or state.effective or state.voided)


def acts(definition: Definition, state: str) -> Iterator[w.Transition]:
    """Yield the acts by which a person could take a record on from a state."""
    for transition in definition.type.transitions:
        machines = bool(transition.who) and set(transition.who) <= _MACHINES and not transition.persons
        if transition.consequence or transition.aside or machines:
            continue
        if state in expand(definition, transition.from_):
            yield transition


def by_role(transition: w.Transition, state: str) -> set[str]:
    """Return the roles that are waited for by an act."""
    moves = bool(transition.to) and transition.to != state
    return set(transition.who) - _MACHINES - {"*"} if moves else set()


def wants(catalogue: Catalogue, roles: Collection[str]) -> list[Want]:
    """Return which records wait for a person who holds ``roles``; named people are asked for in all types."""
    return [want for definition in catalogue for want in _of(definition, roles)]


def _of(definition: Definition, roles: Collection[str]) -> Iterator[Want]:
    declared = definition.type
    for state in declared.states:
        if not waits(state):
            continue
        seen: set[Want] = set()
        for transition in acts(definition, state.name):
            if by_role(transition, state.name) & set(roles):
                seen.add(Want(declared.name, state.name, declared.due))
            for name in transition.persons:
                seen |= set(_named(declared, state.name, declared.persons[name]))
        yield from sorted(seen, key=lambda want: (want.how, want.field, want.key))


def _named(declared: w.Type, state: str, person: w.Person) -> Iterator[Want]:
    base = (declared.name, state, declared.due)
    if isinstance(person, w.PersonAt):
        if not person.path:
            yield Want(*base, "self")
        elif len(person.path) == 1:
            yield Want(*base, "link", person.path[0])
        else:
            yield Want(*base, "linked_link", "/".join(person.path[:-1]), person.path[-1])
        return
    key = "touched"
    if isinstance(person, w.Signer):
        key = f"signed_{person.meaning}"
    elif isinstance(person, w.Actor):
        key = person.act
    if not person.path:
        yield Want(*base, "people", "", key)
    else:
        yield Want(*base, "linked_people", "/".join(person.path), key)


def due(catalogue: Catalogue) -> list[Want]:
    """Return the states in which records have a day by which they should have gone on."""
    return [
        Want(definition.name, state.name, definition.type.due)
        for definition in catalogue
        if definition.type.due
        for state in definition.type.states
        if waits(state)
    ]


def hidden(catalogue: Catalogue) -> list[tuple[str, str]]:
    """Return the (type, state) pairs that lists leave out unless they are asked for."""
    return [(d.name, s.name) for d in catalogue for s in d.type.states if s.voided]
