"""The catalogue a site's refinements make of the shipped one.

Rules kept here:

* A pure function of the shipped types and of the refinements in force or withdrawn, so that every process
  comes to the same definitions and hashes by itself.
* Refinements of one type are applied in the order of their numbers. The definition names each with the hash
  of its patch, and each that was withdrawn, and the shipped definition it was made of: what was in force once
  has a hash that never comes back.
* Each refinement raises the version by one when it comes into force and once more when it goes.
* What comes out passes every load check beside all other types; what asks for something that a shipped
  rule or another type would take for its own is refused. Every problem is listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from coverslip.kernel import patches, rules, words as w
from coverslip.kernel.definition import Catalogue, Definition, define, effects_of, guards_of, named_rules
from coverslip.kernel.refining import tried
from coverslip.kernel.rows import Authority
from coverslip.ledger import canonical


@dataclass(frozen=True, slots=True)
class Refinement:
    """One refinement of a type, by the number of its record; ``patch`` is empty where it was withdrawn."""

    number: str
    type: str
    patch: bytes
    """Canonical JSON."""

    @property
    def steps(self) -> tuple[patches.AnyStep, ...]:
        """The steps of the patch."""
        return patches.read(canonical.decode(self.patch))[0] if self.patch else ()

    def value(self) -> dict[str, Any]:
        """Return how a definition names it."""
        if not self.patch:
            return {"number": self.number, "withdrawn": True}
        return {"number": self.number, "patch": hashlib.sha256(self.patch).hexdigest()}


def refinement(code: str, data: Mapping[str, Any]) -> Refinement:
    """Return the refinement an authority row of kind ``refines`` tells of."""
    patch = data.get("patch")
    return Refinement(code, str(data["type"]), canonical.encode(patch) if patch is not None else b"")


def refinements(rows: Iterable[Authority]) -> frozenset[Refinement]:
    """Return the refinements that authority rows tell of."""
    return frozenset(refinement(a.code, a.data) for a in rows if a.kind == "refines")


def refined(shipped: Catalogue, found: Iterable[Refinement]) -> Catalogue:
    """Return the catalogue with all refinements; raises ``REFINEMENT`` with every problem, by refinement."""
    by_type: dict[str, list[Refinement]] = {}
    for one in in_order(found):
        by_type.setdefault(one.type, []).append(one)
    if not by_type:
        return shipped
    problems: list[str] = []
    made = [d for name, listed in by_type.items() for d in _apply(shipped, name, listed, problems)]
    names = ", ".join(sorted(by_type))
    # What is wrong beside other types is told too of a type that only some steps could be taken on.
    catalogue = shipped.having(made)
    problems += catalogue.problems()
    for definition in made:
        problems += _beside(shipped, catalogue, definition)
    if problems:
        raise patches.refused("", names, problems)
    return catalogue


def in_order(found: Iterable[Refinement]) -> list[Refinement]:
    """Return refinements as they are applied: by number, the longer one later."""
    return sorted(found, key=lambda one: (len(one.number), one.number))


def _apply(
    shipped: Catalogue, name: str, listed: list[Refinement], problems: list[str]
) -> Iterator[Definition]:
    base = shipped.get(name)
    numbers = ", ".join(r.number for r in listed)
    if base is None:
        problems.append(f"{numbers}: there is no record type '{name[:60]}'")
        return
    if any(isinstance(word, w.Refines) for word in base.type.provides):
        problems.append(f"{numbers}: {name} refines others and is not refined itself")
        return
    declared = base.type
    for one in listed:
        if one.patch:
            declared, found = tried(declared, canonical.decode(one.patch))
            problems += [f"{one.number}: {problem}" for problem in found]
    raised = sum(1 if one.patch else 2 for one in listed)
    declared = replace(declared, version=declared.version + raised, migration_note=_note(base, listed))
    yield define(declared, {"shipped": base.hash, "by": [one.value() for one in listed]})


def _note(base: Definition, listed: list[Refinement]) -> str:
    said = [f"{'Refined by' if one.patch else 'No more refined by'} {one.number}." for one in listed]
    return " ".join([base.type.migration_note, *said])


# --- beside the other types ----------------------------------------------------------------------


def _beside(shipped: Catalogue, catalogue: Catalogue, definition: Definition) -> Iterator[str]:
    """Yield what a refined type would do to the rules and guards it was not written for."""
    before = shipped[definition.name].type
    known = _guard_rules(shipped)
    own = {id(g) for _, g in guards_of(before)}
    for act, guard in guards_of(definition.type):
        if id(guard) not in own:
            for problem in _guard(catalogue, definition, guard, known):
                yield f"{definition.name}, {act}: {problem}"
    roles = {code for d in shipped for code in _roles(d.type)}
    for code in sorted(_roles(definition.type) - roles):
        yield f"{definition.name}: no type knows the role {code}"
    yield from _touching(catalogue, before, definition.type)
    yield from _made(catalogue, before, definition.type)
    for meaning in _signed(definition.type) - _signed(before):
        yield from _meaning(shipped, definition, meaning)


def _guard_rules(shipped: Catalogue) -> dict[tuple[str, int], set[tuple[frozenset[str], frozenset[str]]]]:
    """Return the named rules that stand as guards, with the names of what they are given to read."""
    found: dict[tuple[str, int], set[tuple[frozenset[str], frozenset[str]]]] = {}
    for definition in shipped:
        for _, guard in guards_of(definition.type):
            if isinstance(guard, w.Rule):
                reads = (frozenset(guard.reads), frozenset(guard.children))
                found.setdefault((guard.name, guard.version), set()).add(reads)
    return found


def _guard(
    catalogue: Catalogue,
    definition: Definition,
    guard: w.Guard,
    known: Mapping[tuple[str, int], set[tuple[frozenset[str], frozenset[str]]]],
) -> Iterator[str]:
    """Yield why a guard of a patch could not be asked; such a one would stop the act for ever."""
    if isinstance(guard, w.When):
        yield from _guard(catalogue, definition, guard.condition, known)
        if not guard.then:
            yield "a condition asks nothing"
    elif isinstance(guard, w.Rule):
        uses = known.get((guard.name, guard.version))
        if uses is None:
            yield f"the rule {guard.name[:60]}@{guard.version} is no guard of any shipped type"
        elif (frozenset(guard.reads), frozenset(guard.children)) not in uses:
            yield f"the rule {guard.name}@{guard.version} is given other things to read than it knows"
        for path in guard.reads.values():
            yield from _records(catalogue, definition, path)
        for path, child, field in guard.children.values():
            yield from _children(catalogue, definition, path, child, field)
    elif isinstance(guard, w.Filled):
        kind = getattr(definition.type.fields.get(guard.table), "kind", None)
        columns = kind.columns.keys() if isinstance(kind, w.Table) else ()
        for column in (*guard.columns, *(guard.where[:1] if guard.where else ())):
            if column not in columns:
                yield f"there is no column {guard.table[:60]}.{column[:60]}"
    elif isinstance(guard, w.Compare | w.InDate | w.Reached):
        yield from _value(catalogue, definition, guard.path)
        if isinstance(guard, w.Compare):
            if guard.other:
                yield from _value(catalogue, definition, guard.other)
            elif guard.value is None and guard.op not in ("present", "absent"):
                yield f"{' '.join(guard.path)} is compared with nothing"
    elif isinstance(guard, w.Count | w.NoOpen):
        yield from _children(catalogue, definition, guard.path, guard.type, guard.field)
        if isinstance(guard, w.Count) and guard.limit:
            yield from _value(catalogue, definition, guard.limit)
    else:
        yield from _records(catalogue, definition, guard.path)


def _reached(catalogue: Catalogue, definition: Definition, path: w.Path) -> list[Definition] | None:
    """Return the types at a path of links, None where it is none; a link to any type may lead anywhere."""
    found = [definition]
    for step in path:
        links = [d.link_fields[step] for d in found if step in d.link_fields]
        if not links:
            return None
        names = sorted({n for link in links for n in link.types})
        found = [catalogue[n] for n in names] if all(link.types for link in links) else list(catalogue)
    return found


def _records(catalogue: Catalogue, definition: Definition, path: w.Path) -> Iterator[str]:
    if _reached(catalogue, definition, path) is None:
        yield f"{'.'.join(path)[:100]} leads to no record"


def _value(catalogue: Catalogue, definition: Definition, path: w.Path) -> Iterator[str]:
    holders = _reached(catalogue, definition, path[:-1]) if path else None
    name = path[-1].partition(".")[0] if path else ""
    if holders is None or not any(name in d.type.fields for d in holders):
        yield f"'{'.'.join(path)[:100]}' leads to no field"


def _children(
    catalogue: Catalogue, definition: Definition, path: w.Path, child: str, field: str
) -> Iterator[str]:
    yield from _records(catalogue, definition, path)
    found = catalogue.get(child)
    if found is None or field not in found.link_fields:
        yield f"'{child[:60]}.{field[:60]}' is no link of a record type"


def _signed(declared: w.Type) -> set[str]:
    acts: list[w.Making | w.Transition] = [declared.create, *declared.transitions]
    return {act.signature.meaning for act in acts if act.signature is not None}


def _meaning(shipped: Catalogue, definition: Definition, meaning: str) -> Iterator[str]:
    """Yield what elsewhere would take a signature that the site asks for for one it is waiting for."""
    for other in shipped:
        looking = {(g.meaning, bool(g.path)) for _, g in guards_of(other.type) if isinstance(g, w.Signed)}
        looking |= {
            (one.meaning, bool(one.path)) for one in other.type.persons.values() if isinstance(one, w.Signer)
        }
        if (meaning, True) in looking:
            yield f"{definition.name}: {other.name} looks for records signed '{meaning}'"
        for rule in named_rules(other.type):
            if rules.mentions(rule.name, rule.version, f"signed_{meaning}"):
                said = f"the rule {rule.name} of {other.name} looks for the meaning '{meaning}'"
                yield f"{definition.name}: {said}"


def _roles(declared: w.Type) -> set[str]:
    acts: list[w.Making | w.Transition] = [declared.create, *declared.transitions]
    found = {code for act in acts for code in (*act.who, *(act.signature.roles if act.signature else ()))}
    return found | set(declared.edit.who if declared.edit else ()) - {"*"}


def _touching(catalogue: Catalogue, before: w.Type, after: w.Type) -> Iterator[str]:
    """Yield where an act newly counts as changing content, and having changed it lets somebody act."""
    plain = {t.name for t in before.transitions if not t.fields and not t.touches}
    newly = sorted(t.name for t in after.transitions if t.name in plain and t.fields)
    if not newly:
        return
    for definition in catalogue:
        declared = definition.type
        acting = {n for t in declared.transitions for n in t.persons}
        acting |= set(declared.edit.persons) if declared.edit else set()
        for name in sorted(acting):
            if isinstance(declared.persons.get(name), w.Touched):
                yield (
                    f"{after.name}: {', '.join(newly)} would change content, which lets '{name}' of"
                    f" {definition.name} act; ask for the field in an earlier state"
                )


def _made(catalogue: Catalogue, before: w.Type, after: w.Type) -> Iterator[str]:
    """Yield what is newly asked of a new record that acts make too, which give it nothing of the kind."""
    state = after.create.state
    asked = {n for n, f in after.fields.items() if state in f.required_at}
    asked -= {n for n, f in before.fields.items() if f.required or state in f.required_at}
    for definition in catalogue if asked else ():
        for effect in effects_of(definition.type):
            if isinstance(effect, w.Create) and effect.type == after.name:
                for name in sorted(asked - {*effect.values, effect.link}):
                    yield (
                        f"{after.name}: acts of {definition.name} make it too, and give no '{name}';"
                        f" ask for it in a state after {state}"
                    )
