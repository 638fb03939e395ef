"""What can be refined of a declaration: its acts by state and role, and the names somebody might mistake.

Rules kept here: pure lookups over words; nothing here changes a type.
"""

from __future__ import annotations

from collections.abc import Iterable

from coverslip.kernel import words as w
from coverslip.kernel.definition import guards_of
from coverslip.kernel.projecting import skeleton

MACHINES = frozenset({"SVC", "DEV"})


def targets(declared: w.Type, transition: w.Transition) -> set[str]:
    """Return the states a record may be in after the act."""
    return {transition.to} if transition.to else set(sources(declared, transition))


def sources(declared: w.Type, transition: w.Transition) -> tuple[str, ...]:
    """Return the states the act starts from."""
    if "*live" in transition.from_:
        return tuple(s.name for s in declared.states if not s.terminal)
    return transition.from_


def fewer(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """Return why ``after`` is no smaller list of roles than ``before``; empty where it is."""
    if not before:
        return "no role may do it, only people by name"
    wider = set() if "*" in before else set(after) - set(before)
    if wider:
        return f"{', '.join(sorted(wider))} may not do it now, and cannot be let in"
    if not after or "*" in after or len(set(after)) != len(after):
        return "roles are named once each, at least one"
    lost = MACHINES & set(before) - set(after)
    if lost:
        return f"{', '.join(sorted(lost))} does it by itself, which cannot be taken away"
    return "" if set(after) != set(before) else "these are the roles that may do it already"


def meanings(declared: w.Type) -> set[str]:
    """Return the meanings that something in the type signs with or looks for."""
    acts: list[w.Making | w.Transition] = [declared.create, *declared.transitions]
    found = {act.signature.meaning for act in acts if act.signature is not None}
    found |= {g.meaning for _, g in guards_of(declared) if isinstance(g, w.Signed)}
    found |= {one.meaning for one in declared.persons.values() if isinstance(one, w.Signer)}
    return found | {name for t in declared.transitions for name in t.clears}


def alike(name: str, known: Iterable[str]) -> str:
    """Return that a known name looks like the one given, where one does."""
    looks = [k for k in sorted(known) if skeleton(k) == skeleton(name)]
    return f", though '{looks[0]}' looks like it" if looks else ""
