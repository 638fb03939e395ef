"""Definitions: declarations checked when they are loaded, with their canonical form and hash.

Rules kept here (DOMAIN 2.7):

* A declaration that breaks a load-time rule is never used; every problem is listed at once.
* The hash covers the words and the source hash of every named rule they use, so that a changed
  rule is a changed definition.
* A definition of an earlier release is read back from its canonical form, never guessed from today's:
  what was made under it is shown and projected under it. Its rules' code is not needed for either.
"""

from __future__ import annotations

import copy
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec

from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.kernel import checks, rules, words as w
from coverslip.ledger import canonical

GXP_FREE = "none"
_T = TypeVar("_T")
_ENDINGS = ("failed", "aborted", "cancelled", "expired", "superseded", "rejected")


@dataclass(frozen=True)
class Definition:
    """A checked type with lookups by name. ``hash`` is the hex SHA-256 of ``canonical``; ``shipped`` that
    of the definition as released, the same where no site refined it."""

    type: w.Type
    canonical: bytes
    hash: str
    states: dict[str, w.State] = field(repr=False)
    acts: dict[str, w.Transition] = field(repr=False)
    shipped: str = ""

    @property
    def name(self) -> str:
        """Type name."""
        return self.type.name

    def state(self, name: str) -> w.State:
        """Return the declared state; an undeclared one is a broken record, so it raises ``KeyError``."""
        return self.states[name]

    @functools.cached_property
    def effective_states(self) -> frozenset[str]:
        """Names of the states in which a version is in force."""
        return frozenset(s.name for s in self.type.states if s.effective)

    @functools.cached_property
    def link_fields(self) -> dict[str, w.Link]:
        """Link columns by the name a path uses: ``field`` or ``table.column``."""
        return dict(_links(self.type))


def _links(declared: w.Type) -> Iterator[tuple[str, w.Link]]:
    for name, item in declared.fields.items():
        if isinstance(item.kind, w.Link):
            yield name, item.kind
        elif isinstance(item.kind, w.Table):
            for column, spec in item.kind.columns.items():
                if isinstance(spec.kind, w.Link):
                    yield f"{name}.{column}", spec.kind


def define(declared: w.Type, refined: Mapping[str, Any] | None = None) -> Definition:
    """Give a declaration its canonical form and hash; does not check it against others.

    ``refined`` says by what a site made it of which shipped definition, and is part of the form.
    """
    body: dict[str, Any] = {"type": msgspec.to_builtins(declared)}
    if refined:
        body["refined"] = dict(refined)
    used = {(r.name, r.version) for r in named_rules(declared)}
    if used:
        body["rules"] = {
            f"{name}_v{version}": rules.source_hash(name, version) for name, version in sorted(used)
        }
    encoded = canonical.encode(_without_none(body))
    return _defined(declared, encoded, body)


def _defined(declared: w.Type, encoded: bytes, body: Mapping[str, Any]) -> Definition:
    hashed = hashlib.sha256(encoded).hexdigest()
    return Definition(
        declared,
        encoded,
        hashed,
        {s.name: s for s in declared.states},
        {t.name: t for t in declared.transitions},
        str(body["refined"]["shipped"]) if "refined" in body else hashed,
    )


def revive(encoded: bytes) -> Definition:
    """Return the definition whose canonical form this is, as the log carries it.

    It is not checked: it was when it was put on the log. Raises ``ENVIRONMENT`` for a form this release
    cannot read, which is one of a later release.
    """
    try:
        body = canonical.decode(encoded)
        return _defined(msgspec.convert(body["type"], w.Type), encoded, body)
    except (canonical.CanonicalError, msgspec.ValidationError, KeyError, TypeError) as error:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=f"the definition {hashlib.sha256(encoded).hexdigest()[:12]} on the log",
            expected="words this release knows",
            found=str(error)[:200],
            remedy="Run the release that wrote it, or a later one.",
        ) from error


def _in_order(earlier: Definition, current: Definition | None) -> Definition:
    """Return a revived definition with fields and columns in the order in which this release declares them.

    A canonical form carries no order. What this release no longer declares comes last.
    """
    if current is None:
        return earlier
    fields: dict[str, w.Field] = {}
    for name, one in _ordered(earlier.type.fields, current.type.fields).items():
        known = current.type.fields.get(name)
        if isinstance(one.kind, w.Table) and known is not None and isinstance(known.kind, w.Table):
            columns = _ordered(one.kind.columns, known.kind.columns)
            one = msgspec.structs.replace(one, kind=msgspec.structs.replace(one.kind, columns=columns))
        fields[name] = one
    return replace(earlier, type=msgspec.structs.replace(earlier.type, fields=fields))


def _ordered(found: Mapping[str, _T], order: Iterable[str]) -> dict[str, _T]:
    first = {name: found[name] for name in order if name in found}
    return first | dict(found)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(v) for v in value]
    return value


def guards_of(declared: w.Type) -> Iterator[tuple[str, w.Guard]]:
    """Yield (act name, guard) for every guard, those below ``When`` included."""
    sources: list[tuple[str, tuple[w.Guard, ...]]] = [("create", declared.create.requires)]
    if declared.edit is not None:
        sources.append(("edit", declared.edit.requires))
    sources += [(t.name, t.requires) for t in declared.transitions]
    for act, found in sources:
        for guard in flatten(found):
            yield act, guard


def flatten(found: Iterable[w.Guard]) -> Iterator[w.Guard]:
    """Yield guards depth first; a ``When`` before what it asks."""
    for guard in found:
        yield guard
        if isinstance(guard, w.When):
            yield from flatten(guard.then)


def effects_of(declared: w.Type) -> Iterator[w.Effect]:
    """Yield every effect of every act."""
    yield from declared.create.effects
    for transition in declared.transitions:
        yield from transition.effects


def named_rules(declared: w.Type) -> Iterator[w.Rule]:
    """Yield every named rule a declaration uses, as guard or under ``Compute``."""
    for _, guard in guards_of(declared):
        if isinstance(guard, w.Rule):
            yield guard
    for effect in effects_of(declared):
        if isinstance(effect, w.Compute):
            yield effect.rule
        elif isinstance(effect, w.Create) and effect.each is not None:
            yield effect.each


Recall = Callable[[], Mapping[str, bytes]]
"""Gives the canonical form of every definition on the log, by its hash (hex)."""


class Catalogue:
    """All definitions of an installation, by name; built once, then only read."""

    def __init__(self, types: Iterable[w.Type]) -> None:
        """Define and check all types; raises ``ENVIRONMENT`` listing every problem found."""
        self._recall: Recall = dict
        self._earlier: dict[str, Definition] = {}
        self._by_name = {t.name: define(t) for t in types}
        problems = self.problems()
        prefixes: dict[str, str] = {}
        for d in self._by_name.values():
            other = prefixes.setdefault(d.type.number.prefix, d.name)
            if other != d.name:
                problems.append(f"{d.name}: number prefix {d.type.number.prefix} is also used by {other}")
        if problems:
            raise EnvironmentFault(
                "ENVIRONMENT",
                what="the record types",
                expected="declarations that pass every load check",
                found="; ".join(problems),
                remedy="Correct the declarations named.",
            )

    def __getitem__(self, name: str) -> Definition:
        return self._by_name[name]

    def get(self, name: str) -> Definition | None:
        """Return the definition of ``name``, if declared."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._by_name.values())

    def problems(self) -> list[str]:
        """Return what the load checks find in all definitions."""
        return [p for d in self._by_name.values() for p in check(d, self._by_name)]

    def having(self, definitions: Iterable[Definition]) -> Catalogue:
        """Return this catalogue with some definitions in the place of those of the same name, not checked."""
        found = copy.copy(self)
        found._by_name = self._by_name | {d.name: d for d in definitions}
        for computed in {"counted", "read_whole"} & found.__dict__.keys():
            del found.__dict__[computed]
        return found

    def recalling(self, recall: Recall) -> Catalogue:
        """Return this catalogue with the memory of one log; the log is asked only for what is not shipped."""
        found = copy.copy(self)
        found._recall, found._earlier = recall, {}
        return found

    def under(self, name: str, hash: str) -> Definition:
        """Return the definition of ``name`` with this hash, shipped or of an earlier release.

        Raises ``EVIDENCE`` when the log carries no such definition, or it is one of another type.
        """
        current = self._by_name.get(name)
        if current is not None and current.hash == hash:
            return current
        if hash not in self._earlier:
            form = self._recall().get(hash)
            if form is None:
                raise _not_on_the_log(name, hash, "none")
            self._earlier[hash] = _in_order(revive(form), current)
        found = self._earlier[hash]
        if found.name != name:
            raise _not_on_the_log(name, hash, f"that of {found.name}")
        return found

    @functools.cached_property
    def counted(self) -> frozenset[tuple[str, str]]:
        """(type, link field) pairs that some guard or rule counts; their writers take the scope lock."""
        found: set[tuple[str, str]] = set()
        for definition in self:
            for _, guard in guards_of(definition.type):
                if isinstance(guard, w.Count | w.NoOpen):
                    found.add((guard.type, guard.field))
            found |= {(e.type, e.field) for e in effects_of(definition.type) if isinstance(e, w.DoEach)}
        return frozenset(found) | self.read_whole

    @functools.cached_property
    def read_whole(self) -> frozenset[tuple[str, str]]:
        """The pairs of ``counted`` whose records a rule reads, and not their states alone."""
        found: set[tuple[str, str]] = set()
        for definition in self:
            for rule in named_rules(definition.type):
                found |= {(child, child_field) for _, child, child_field in rule.children.values()}
        return frozenset(found)

    def list_word(self, name: str) -> w.Lists | None:
        """Return the word by which records of a type are controlled lists; None where they are not."""
        definition = self._by_name.get(name)
        words = definition.type.provides if definition else ()
        return next((word for word in words if isinstance(word, w.Lists)), None)

    @functools.cached_property
    def grants(self) -> tuple[tuple[str, str], ...]:
        """(type, field of the person) of every type whose records grant roles."""
        return tuple(
            (d.name, word.person) for d in self for word in d.type.provides if isinstance(word, w.GrantsRole)
        )

    @functools.cached_property
    def list_prefix(self) -> str:
        """Number prefix of the type whose records are controlled lists; empty where none is declared."""
        return next((d.type.number.prefix for d in self if self.list_word(d.name)), "")

    def with_prefix(self, number: str) -> Definition | None:
        """Return the definition whose number prefix starts ``number``."""
        prefix = number.split("-", 1)[0]
        return next((d for d in self if d.type.number.prefix == prefix), None)


def _not_on_the_log(name: str, hash: str, found: str) -> EvidenceBroken:
    return EvidenceBroken(
        "EVIDENCE", what=f"the definition {hash[:12]} of {name}", expected="one on the log", found=found
    )


def check(definition: Definition, known: dict[str, Definition]) -> list[str]:
    """Return every problem of one definition (DOMAIN 2.7) as sentences; empty when it may be used."""
    t = definition.type
    found = [
        *_check_states(t),
        *_check_signatures(t),
        *_check_links(t, known),
        *_check_names(t, known),
        *checks.effects(t, {name: d.type for name, d in known.items()}),
        *checks.provisions(t),
    ]
    if not (t.retention.class_ or t.retention.longest_of):
        found.append("no retention class")
    if t.title_field not in t.fields:
        found.append(f"title field {t.title_field} is not declared")
    if not t.migration_note or not t.author or t.version < 1:
        found.append("version, author and migration note are needed")
    return [f"{t.name}: {p}" for p in found]


def _check_states(t: w.Type) -> Iterator[str]:
    names = {s.name for s in t.states}
    if t.create.state not in names:
        yield f"initial state {t.create.state} is not declared"
    reached = {t.create.state}
    for _ in names:
        for tr in t.transitions:
            if tr.to and (set(tr.from_) & reached or "*live" in tr.from_):
                reached.add(tr.to)
    for name in sorted(names - reached):
        yield f"state {name} cannot be reached"
    for s in t.states:
        if s.terminal and not s.locked:
            yield f"terminal state {s.name} is not locked"
    for tr in t.transitions:
        for state in (*tr.from_, *((tr.to,) if tr.to else ())):
            if state != "*live" and state not in names:
                yield f"{tr.name} names the undeclared state {state}"
    if t.edit is not None:
        for state in t.edit.states:
            if state not in names or next(s for s in t.states if s.name == state).locked:
                yield f"edit is allowed in {state}, which is undeclared or locked"


def _check_signatures(t: w.Type) -> Iterator[str]:
    states = {s.name: s for s in t.states}
    for tr in t.transitions:
        target = states.get(tr.to)
        if tr.signature is None:
            exempt = tr.consequence or tr.who == ("SVC",) or tr.to.startswith(_ENDINGS) or t.gxp == GXP_FREE
            if (
                target is not None
                and (target.locked or target.effective)
                and not exempt
                and tr.from_ != (tr.to,)
            ):
                sources = [states[s] for s in tr.from_ if s in states]
                if not sources or not all(s.locked for s in sources):
                    yield f"{tr.name} enters {tr.to}, which is locked or in force, without a signature"
            continue
        if tr.who == ("ADM",) and t.gxp != GXP_FREE:
            yield f"{tr.name} asks a signature of an administrator"
        if tr.signature.meaning in ("approved", "reviewed", "qa_reviewed", "released") and not (
            tr.signature.independent_of or tr.independent_of or t.blocks
        ):
            yield f"{tr.name} is signed {tr.signature.meaning} but asks no independence"


def _check_links(t: w.Type, known: dict[str, Definition]) -> Iterator[str]:
    for name, link in _links(t):
        for target in link.types:
            if target not in known:
                yield f"{name} links to {target}, which is not declared"


def _check_names(t: w.Type, known: dict[str, Definition]) -> Iterator[str]:
    for tr in t.transitions:
        used = (*tr.persons, *tr.independent_of, *(tr.signature.independent_of if tr.signature else ()))
        for person in used:
            if person not in t.persons:
                yield f"{tr.name} names the undeclared person {person}"
        for name in (*tr.fields, *((tr.at,) if tr.at else ())):
            if name not in t.fields:
                yield f"{tr.name} names the undeclared field {name}"
        if not tr.who and not tr.persons and not tr.consequence:
            yield f"{tr.name} can be done by nobody"
    for act, guard in guards_of(t):
        for path in guard_paths(guard):
            if path and not _resolves(t, path, known):
                yield f"{act}: path {'.'.join(path)} leads nowhere"
    for used_rule in named_rules(t):
        rules.find(used_rule.name, used_rule.version)


def guard_paths(guard: w.Guard) -> Iterator[w.Path]:
    """Yield the paths a guard reads."""
    if isinstance(guard, w.When):
        yield guard.condition.path
    elif isinstance(guard, w.Filled):
        yield (guard.table,)
    elif isinstance(guard, w.Rule):
        yield from guard.reads.values()
        yield from (c[0] for c in guard.children.values())
    else:
        yield guard.path


def _resolves(t: w.Type, path: w.Path, known: dict[str, Definition]) -> bool:
    head, rest = path[0], path[1:]
    links = dict(_links(t))
    if not rest:
        return head in t.fields or head in links
    if head not in links:
        return False
    targets = [known[n].type for n in links[head].types if n in known]
    return not targets or any(_resolves(target, rest, known) for target in targets)
