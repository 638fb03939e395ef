"""Who is waited for, read off the declarations.

Rules kept here:

* Nobody is waited for in a terminal, resting or effective state, nor by an act declared ``aside`` (void,
  cancel, reject, suspend and the like): it is possible, and no work.
* A role is waited for by an act that moves the record on. A person named by the record is waited for by any
  act that names them. An act open to everybody is nobody's work, nor is one only machines do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from coverslip.errors import CoverslipError
from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue, Definition, flatten
from coverslip.kernel.drafts import expand
from coverslip.kernel.rows import Row
from coverslip.kernel.waiting import Want

MACHINES = {"SVC", "DEV"}
_MOST_SAID = 3
"""Conditions that are named of an act that is held up."""
_LONG = 120
"""Letters beyond which a condition is told without what it lists."""
ELSEWHERE = ("AUTH_ROLE", "AUTH_SELF", "SEQ_STATE", "LOCKED", "SIG_DUP")
"""Refusals that mean: it waits for somebody else. Any other says what is in this person's way."""


def waits(state: w.State) -> bool:
    """Whether somebody may be waited for while a record is in a state."""
    return not (state.terminal or state.resting or state.effective or state.voided)


def acts(definition: Definition, state: str) -> Iterator[w.Transition]:
    """Yield the acts by which a person could take a record on from a state."""
    for transition in definition.type.transitions:
        machines = bool(transition.who) and set(transition.who) <= MACHINES and not transition.persons
        if transition.consequence or transition.aside or machines:
            continue
        if state in expand(definition, transition.from_):
            yield transition


def leading(definition: Definition, state: str) -> list[w.Transition]:
    """Return the acts of people that take a record on to a later state, in the order they are declared."""
    order = [one.name for one in definition.type.states]
    return [
        one
        for one in acts(definition, state)
        if one.to not in ("", state) and order.index(one.to) > order.index(state)
    ]


def onward(definition: Definition, state: str) -> list[w.Transition]:
    """Return those acts that lead on to where the first declared one leads: the way most records go."""
    found = leading(definition, state)
    return [one for one in found if one.to == found[0].to]


def asked_first(definition: Definition, state: str) -> list[w.Transition]:
    """Return the acts done on the spot that what leads on from a state asks for, such as votes."""
    asked = [
        guard
        for one in leading(definition, state)
        for guard in flatten(one.requires)
        if isinstance(guard, w.Signed) and not guard.path
    ]
    meanings, named = {g.meaning for g in asked if g.meaning}, {g.act for g in asked if g.act}
    return [
        one
        for one in acts(definition, state)
        if one.to in ("", state)
        and (one.name in named or (one.signature is not None and one.signature.meaning in meanings))
    ]


def premature(transition: w.Transition, row: Row) -> bool:
    """Whether an act stands on what somebody has yet to sign or ask for, and so waits for them."""
    return any(
        len(set(row.people.get(guard.act or f"signed_{guard.meaning}", ()))) < guard.n
        for guard in transition.requires
        if isinstance(guard, w.Signed) and not guard.path
    )


def by_role(transition: w.Transition, state: str) -> set[str]:
    """Return the roles that are waited for by an act."""
    moves = bool(transition.to) and transition.to != state
    return set(transition.who) - MACHINES - {"*"} if moves else set()


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


def in_the_way(refusal: CoverslipError) -> str:
    """Return what keeps a person from an act: what is not met yet, by name, or the refusal's own words."""
    unmet = refusal.values.get("unmet") or ()
    said = [_short(str(one["message"] if isinstance(one, dict) else one)) for one in unmet]
    more = f"; and {len(said) - _MOST_SAID} more" if len(said) > _MOST_SAID else ""
    return f"Not met yet: {'; '.join(said[:_MOST_SAID])}{more}." if said else refusal.message


def _short(sentence: str) -> str:
    """Return what is asked for; of a long sentence without what it lists, which stands on the record."""
    return (sentence.partition(" (")[0] if len(sentence) > _LONG else sentence).rstrip(".")


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
