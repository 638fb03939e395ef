"""Load checks of what an act does and what a record confers (DOMAIN 2.7).

Rules kept here: every problem is a sentence; a name that leads nowhere is a problem and never an accident
at run time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from coverslip.kernel import words as w

MEANINGS = frozenset(
    {
        "authored", "executed", "witnessed", "verified", "reviewed", "qa_reviewed", "approved", "released",
        "rejected", "dispositioned", "acknowledged", "assessed", "accepted_responsibility", "closed",
        "voided", "extended", "waived",
    }
)  # fmt: skip
"""The meanings of DOMAIN 1.2; a signer cannot choose another."""
_OWN_GUARDS = (w.Compare, w.InDate, w.Reached, w.Filled)


def effects(t: w.Type, known: Mapping[str, w.Type]) -> Iterator[str]:
    """Yield every problem of a type's effects, signatures and of what its acts clear."""
    acts: list[tuple[str, tuple[w.Effect, ...]]] = [("create", t.create.effects)]
    acts += [(one.name, one.effects) for one in t.transitions]
    for act, found in acts:
        for effect in found:
            for problem in _effect(t, effect, known):
                yield f"{act}: {problem}"
    yield from _signatures(t)
    names = {one.name for one in t.transitions}
    for one in t.transitions:
        for cleared in one.clears:
            if cleared not in names and cleared not in MEANINGS:
                yield f"{one.name} clears {cleared}, which is neither a meaning nor an act"
        if one.at and not isinstance(t.fields[one.at].kind, w.Date | w.Instant):
            yield f"{one.name} happens at {one.at}, which is no date"
    if t.due and t.due not in t.fields:
        yield f"is due at {t.due}, which is not declared"


def _signatures(t: w.Type) -> Iterator[str]:
    for name, signature in [("create", t.create.signature), *((x.name, x.signature) for x in t.transitions)]:
        if signature is not None and signature.meaning not in MEANINGS:
            yield f"{name} is signed {signature.meaning}, which is not a meaning of the vocabulary"


def _effect(t: w.Type, effect: w.Effect, known: Mapping[str, w.Type]) -> Iterator[str]:
    if isinstance(effect, w.Set | w.Compute | w.Gather):
        if effect.field not in t.fields:
            yield f"sets {effect.field}, which is not declared"
    elif isinstance(effect, w.Append):
        declared = t.fields.get(effect.field)
        columns = declared.kind.columns if declared and isinstance(declared.kind, w.Table) else {}
        for column in sorted(effect.row.keys() - columns.keys()):
            yield f"appends {effect.field}.{column}, which is no column of a table"
    elif isinstance(effect, w.DoEach):
        yield from _each(effect, known)
    elif isinstance(effect, w.Do):
        yield from _done(t, effect, known)
    elif isinstance(effect, w.Create):
        yield from _create(t, effect, known)


def _each(effect: w.DoEach, known: Mapping[str, w.Type]) -> Iterator[str]:
    target = known.get(effect.type)
    if target is None:
        yield f"acts on every {effect.type}, which is not declared"
        return
    if effect.act not in {one.name for one in target.transitions}:
        yield f"asks {effect.type} for {effect.act}, which it cannot do"
    if _signed(target, effect.act):
        yield f"asks every {effect.type} for {effect.act}, which is signed, and nobody would sign it"
    if effect.field.partition(".")[0] not in target.fields:
        yield f"finds {effect.type} by {effect.field}, which it does not have"


def _done(t: w.Type, effect: w.Do, known: Mapping[str, w.Type]) -> Iterator[str]:
    """A link to any type leads to nothing certain and is left alone."""
    found = [t]
    for step in effect.path:
        kinds = [kind for one in found for kind in _kinds(one, step)]
        found = [known[n] for kind in kinds if isinstance(kind, w.Link) for n in kind.types if n in known]
    for target in found:
        if _signed(target, effect.act):
            yield f"asks {target.name} for {effect.act}, which is signed, and nobody would sign it"


def _kinds(t: w.Type, step: str) -> Iterator[w.Kind]:
    name, _, column = step.partition(".")
    kind = t.fields[name].kind if name in t.fields else None
    if isinstance(kind, w.Table):
        yield from (spec.kind for n, spec in kind.columns.items() if n == column)
    elif kind is not None:
        yield kind


def _signed(t: w.Type, act: str) -> bool:
    return any(one.name == act and one.signature is not None for one in t.transitions)


def _create(t: w.Type, effect: w.Create, known: Mapping[str, w.Type]) -> Iterator[str]:
    if not effect.next_of:
        yield from _made(effect, effect.type, known)
        return
    if effect.type or effect.each is not None or effect.link:
        yield "makes a next version, which has the type of the record before it and comes alone"
    targets = _linked(t, effect.next_of, known)
    if not targets:
        yield f"makes the next version of {'.'.join(effect.next_of)}, which leads to no one type"
    had = {field for name in targets for field in known[name].fields}
    for left in sorted(set(effect.without) - had if targets else ()):
        yield f"leaves out {left} of {' or '.join(sorted(targets))}, which does not have it"
    for name in sorted(targets):
        if not known[name].revisions:
            yield f"makes the next version of {name}, which has none"
        yield from _made(effect, name, known)


def _linked(t: w.Type, path: w.Path, known: Mapping[str, w.Type]) -> set[str]:
    """Return the names of the types a path of links leads to."""
    found = {t.name: t}
    for step in path:
        kinds = [one.fields[step].kind for one in found.values() if step in one.fields]
        names = {n for kind in kinds if isinstance(kind, w.Link) for n in kind.types if n in known}
        found = {n: known[n] for n in names}
    return set(found)


def _made(effect: w.Create, name: str, known: Mapping[str, w.Type]) -> Iterator[str]:
    target = known.get(name)
    if target is None:
        yield f"creates {name}, which is not declared"
        return
    for given in sorted({*effect.values, *([effect.link] if effect.link else [])} - target.fields.keys()):
        yield f"creates {name} with {given}, which it does not have"
    if target.create.signature is not None:
        yield f"creates {effect.type}, whose creation is signed, and nobody would sign it"
    for guard in target.create.requires:
        if not _asks_own_fields(guard):
            yield (
                f"creates {name}, whose creation asks {type(guard).__name__} about other records;"
                " what a consequence makes answers for its own fields only"
            )
    for made in target.create.effects:
        if isinstance(made, w.Compute) and made.rule.children:
            yield f"creates {name}, whose {made.field} is computed from records not read here"
        elif not isinstance(made, w.Set | w.Compute):
            yield f"creates {name}, whose creation has an effect of its own: {type(made).__name__}"


def _asks_own_fields(guard: w.Guard) -> bool:
    """Return whether a guard looks at nothing but fields of the record itself."""
    if isinstance(guard, w.When):
        return _asks_own_fields(guard.condition) and all(_asks_own_fields(g) for g in guard.then)
    if isinstance(guard, w.Rule):
        return not guard.reads and not guard.children
    return isinstance(guard, _OWN_GUARDS) and len(getattr(guard, "path", ())) <= 1


_FIELDS_OF: Mapping[type, tuple[str, ...]] = {
    w.Delegates: ("giver", "taker", "role", "start", "end"),
    w.GrantsRole: ("person", "role", "start", "end"),
    w.Trains: ("person", "document", "end"),
    w.RequiresTraining: ("documents", "role"),
    w.Preserves: ("field",),
    w.Refines: ("type", "patch"),
    w.Lists: ("table",),
    w.Account: ("username", "name", "keys", "since", "start", "end"),
}


def provisions(t: w.Type) -> Iterator[str]:
    """Yield every problem of what a record of this type confers."""
    states = {s.name for s in t.states}
    for word in t.provides:
        for state in sorted(set(word.states) - states):
            yield f"{type(word).__name__} names the undeclared state {state}"
        for name in _FIELDS_OF.get(type(word), ()):
            given = getattr(word, name).partition(".")[0]
            if given and given not in t.fields:
                yield f"{type(word).__name__} names the undeclared field {given}"
    for event, name in sorted(t.retention.events.items()):
        if name not in t.fields:
            yield f"dates {event} by {name}, which is not declared"
