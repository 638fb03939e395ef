"""Facts: what a decision may look at, planned ahead and read in one statement.

Rules kept here:

* Every record a guard, a person rule or an effect looks at is named in the plan, so that its
  counter can be compared again under lock when the change is written.
* A name in the plan is a path from ``self``: ``self/method/sop``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue, Definition, flatten
from coverslip.kernel.rows import Authority, Row, row_from

SELF = "self"
EFFECTIVE = "effective"
"""Plan name of the revision in force of the record acted on."""
MAX_DEPTH = 6
SOME = 51
"""Records read where it is asked whether there is any: fifty are named, by one more it is known of others."""
_ONE = re.compile(r"#[^/<@]*")


def children_name(base: str, child: str, child_field: str) -> str:
    """Return the plan name of the records of type ``child`` whose ``child_field`` links to ``base``."""
    return f"{base}<{child}.{child_field}"


def is_children(name: str) -> bool:
    """Return whether a plan name stands for records that link somewhere, and not for a path."""
    return name.rfind("<") > max(name.rfind("/"), name.rfind("@"))


def newest_of(name: str) -> str:
    """Return the name of the newest versions of the records under a plan name."""
    return f"{name}@newest"


def in_force_of(name: str) -> str:
    """Return the name of the versions in force of the records under a plan name, or one of them."""
    return f"{_ONE.sub('', name)}@in_force"


def one_of(name: str, row: Row) -> str:
    """Return the plan name under which one record of ``name`` stands alone."""
    return f"{name}#{row.uid}"


@dataclass
class Plan:
    """Reads by name, in the order the store must resolve them."""

    reads: dict[str, dict[str, Any]] = field(default_factory=dict)
    newest: list[str] = field(default_factory=list)
    """Names of reads of whose records the newest version is needed too; read in a second statement."""
    in_force: dict[str, str] = field(default_factory=dict)
    """Names of the versions in force of the records of another read: what leads on from them is planned in
    ``reads``, and all of it is read in a second statement, once the numbers are known."""

    def path(self, base: str, path: w.Path) -> str:
        """Plan the records at ``path`` from ``base``; return the name they will have."""
        name = base
        for step in path:
            following = f"{name}/{step}"
            self.reads.setdefault(following, {"as": following, "from": name, "path": step})
            name = following
        return name

    def children(
        self, base: str, path: w.Path, child: str, child_field: str, closed: Iterable[str] | None = None
    ) -> str:
        """Plan every record of type ``child`` whose ``child_field`` links to the record at ``path``.

        With ``closed`` only some of those in other states are needed, ``SOME``; none where there are none.
        """
        target = self.path(base, path)
        name = children_name(target, child, child_field)
        read: dict[str, Any] = {"as": name, "inbound_to": target, "type": child, "field": child_field}
        if closed is not None:
            read |= {"closed": sorted(closed), "limit": SOME}
        self.add(name, read)
        return name

    def add(self, name: str, read: dict[str, Any]) -> None:
        """Plan a read beside those there are; of one name what is read is enough for both who ask."""
        known = self.reads.setdefault(name, read)
        if known.get("closed") == read.get("closed"):
            return
        both = set(known.get("closed") or ()) & set(read.get("closed") or ())
        kept = {key: value for key, value in known.items() if key not in ("closed", "limit")}
        # Without a limit: some of what both look at could be none of what one of them looks at.
        self.reads[name] = kept | ({"closed": sorted(both)} if "closed" in known and "closed" in read else {})

    def numbers(self, name: str, numbers: list[str]) -> None:
        """Plan records by number: the effective revision, else the latest."""
        self.reads.setdefault(name, {"as": name, "by_number": numbers})


@dataclass(frozen=True)
class Facts:
    """What was read. ``record`` is absent at creation; ``reads`` by plan name; times UTC.

    ``documents`` are the versions in force that the actor's roles need training on; ``scopes`` the
    counters of what was counted, by key.
    """

    now: str
    session: dict[str, Any] | None
    epoch: int
    authority: tuple[Authority, ...]
    record: Row | None
    reads: Mapping[str, tuple[Row, ...]]
    installation: dict[str, Any]
    checkpoint: dict[str, Any]
    clock: dict[str, Any]
    documents: tuple[Row, ...] = ()
    scopes: Mapping[str, int] = field(default_factory=dict)

    def rows(self, name: str) -> tuple[Row, ...]:
        """Rows under a plan name; ``self`` is the record acted on."""
        if name == SELF:
            return (self.record,) if self.record is not None else ()
        return self.reads.get(name, ())

    @property
    def today(self) -> str:
        """UTC date of reading."""
        return self.now[:10]


def narrowed(facts: Facts, name: str, row: Row) -> Facts:
    """Return the facts with what was read from all of ``name`` also under the name of this one of them.

    Only what its own links lead to and what links to it: a guard of one is never asked about another.
    """
    alone = one_of(name, row)
    found: dict[str, tuple[Row, ...]] = {alone: (row,)}
    for planned, rows in facts.reads.items():
        rest = planned.removeprefix(name)
        if rest == planned or not rest.startswith(("/", "<")):
            continue
        before, _, step = rest.rpartition("<" if is_children(planned) else "/")
        holders = found.get(alone + before, ())
        if is_children(planned):
            targets, child_field = {holder.uid for holder in holders}, step.partition(".")[2]
            found[alone + rest] = tuple(r for r in rows if targets & linked_uids(r.fields, child_field))
        else:
            linked = {key for holder in holders for key in _linked(holder.fields, step)}
            found[alone + rest] = tuple(r for r in rows if r.uid in linked or r.number in linked)
    return replace(facts, reads={**facts.reads, **found})


def _linked(fields: Mapping[str, Any], name: str) -> set[str]:
    """Return the uids that links hold, and the numbers of those that name no version."""
    table, _, column = name.partition(".")
    value = fields.get(table)
    items = value if isinstance(value, list) else [value]
    links = [i.get(column) if column and isinstance(i, dict) else i for i in items]
    return {str(link.get("uid") or link["number"]) for link in links if isinstance(link, dict)}


def linked_uids(fields: Mapping[str, Any], name: str) -> set[str]:
    """Return the uids that a link field, a list of links, or a column of links (``table.column``) holds."""
    table, _, column = name.partition(".")
    value = fields.get(table)
    items = value if isinstance(value, list) else [value]
    links = [i.get(column) if column and isinstance(i, dict) else i for i in items]
    return {str(link["uid"]) for link in links if isinstance(link, dict) and "uid" in link}


def facts_from(value: dict[str, Any], clock: dict[str, Any]) -> Facts:
    """Build facts from the JSON shape the store returns."""
    reads = {name: tuple(row_from(r) for r in rows) for name, rows in (value.get("reads") or {}).items()}
    authority = tuple(
        Authority(
            str(a["person"]),
            str(a["kind"]),
            str(a.get("code") or ""),
            str(a.get("subject") or ""),
            str(a.get("valid_from") or ""),
            str(a.get("valid_to") or ""),
            str(a.get("source") or ""),
            a.get("data") or {},
        )
        for a in value.get("authority") or ()
    )
    record = row_from(value["record"]) if value.get("record") else None
    return Facts(
        value["now"],
        value.get("session"),
        int(value.get("epoch") or 0),
        authority,
        record,
        reads,
        value.get("installation") or {},
        value.get("checkpoint") or {},
        clock,
        tuple(row_from(r) for r in value.get("documents") or ()),
        value.get("scopes") or {},
    )


def plan_act(catalogue: Catalogue, definition: Definition, act: str, number: str = "") -> Plan:
    """Plan everything ``act`` of a type looks at, consequences on other records included.

    ``number`` is the record's: where the type has revisions, the one in force is looked at too.
    """
    plan = Plan()
    if definition.type.revisions and number:
        plan.numbers(EFFECTIVE, [number])
    _plan(plan, catalogue, definition, act, SELF, 0)
    if definition.type.sandbox is not None:
        plan.path(SELF, definition.type.sandbox.path)
    return plan


def _plan(plan: Plan, catalogue: Catalogue, definition: Definition, act: str, base: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        return
    requires, effects, people = _parts(definition, act)
    for guard in flatten(requires):
        _plan_guard(plan, guard, base, catalogue)
    for name in people:
        _plan_person(plan, definition.type.persons[name], base)
    for effect in effects:
        _plan_effect(plan, catalogue, definition, effect, base, depth)


def _parts(definition: Definition, act: str) -> tuple[tuple[w.Guard, ...], tuple[w.Effect, ...], list[str]]:
    declared = definition.type
    if act == "create":
        return declared.create.requires, declared.create.effects, []
    if act == "edit":
        return (declared.edit.requires, (), list(declared.edit.persons)) if declared.edit else ((), (), [])
    found = definition.acts.get(act)
    if found is None:
        return (), (), []
    people = [
        *found.persons,
        *found.independent_of,
        *(found.signature.independent_of if found.signature else ()),
    ]
    return found.requires, found.effects, people


def _plan_guard(plan: Plan, guard: w.Guard, base: str, catalogue: Catalogue) -> None:
    if isinstance(guard, w.Compare):
        plan.path(base, guard.path[:-1])
        plan.path(base, guard.other[:-1])
    elif isinstance(guard, w.InDate | w.Reached):
        plan.path(base, guard.path[:-1])
    elif isinstance(guard, w.Filled):
        return
    elif isinstance(guard, w.When):
        plan.path(base, guard.condition.path[:-1])
    elif isinstance(guard, w.NoOpen):
        plan.children(base, guard.path, guard.type, guard.field, closed_states(catalogue[guard.type], guard))
    elif isinstance(guard, w.Count):
        plan.children(base, guard.path, guard.type, guard.field)
        plan.path(base, guard.limit[:-1])
    elif isinstance(guard, w.Rule):
        for path in guard.reads.values():
            plan.path(base, path)
        for path, child, child_field in guard.children.values():
            plan.children(base, path, child, child_field)
    else:
        plan.path(base, guard.path)


def closed_states(definition: Definition, guard: w.NoOpen) -> frozenset[str]:
    """Return the states in which a record of a type is not open to a guard."""
    ended = {state.name for state in definition.type.states if state.terminal}
    return frozenset(ended | set(guard.closed))


def _plan_person(plan: Plan, person: w.Person, base: str) -> None:
    path = person.path
    plan.path(base, path[:-1] if isinstance(person, w.PersonAt) else path)


def _plan_effect(
    plan: Plan, catalogue: Catalogue, definition: Definition, effect: w.Effect, base: str, depth: int
) -> None:
    if isinstance(effect, w.Snapshot | w.Gather):
        plan.path(base, effect.path)
    elif isinstance(effect, w.Set):
        _plan_value(plan, definition, effect.value, base)
    elif isinstance(effect, w.Compute):
        _plan_guard(plan, effect.rule, base, catalogue)
    elif isinstance(effect, w.Append):
        for value in effect.row.values():
            _plan_value(plan, definition, value, base)
    elif isinstance(effect, w.Create):
        for value in effect.values.values():
            _plan_value(plan, definition, value, base)
        for condition in effect.when:
            _plan_guard(plan, condition, base, catalogue)
        if effect.each is not None:
            _plan_guard(plan, effect.each, base, catalogue)
        if effect.next_of:
            plan.newest.append(plan.path(base, effect.next_of))
    elif isinstance(effect, w.DoEach):
        name = plan.children(base, effect.path, effect.type, effect.field)
        _plan(plan, catalogue, catalogue[effect.type], effect.act, name, depth + 1)
    elif isinstance(effect, w.Supersede):
        if base == SELF and EFFECTIVE in plan.reads:
            _plan(plan, catalogue, definition, effect.act, EFFECTIVE, depth + 1)
        elif base != SELF and base != EFFECTIVE:
            name = in_force_of(base)
            plan.in_force[name] = base
            _plan(plan, catalogue, definition, effect.act, name, depth + 1)
    elif isinstance(effect, w.Do):
        target = plan.path(base, effect.path)
        for found in _targets(catalogue, definition, effect.path):
            _plan(plan, catalogue, found, effect.act, target, depth + 1)


def _plan_value(plan: Plan, definition: Definition, value: w.Value, base: str) -> None:
    """Plan what a value is read from; where its path ends in a link, the record named there too."""
    own = len(value.path) == 1 and value.path[0] not in definition.link_fields
    plan.path(base, () if own else value.path)
    plan.path(base, value.months_at[:-1])


def _targets(catalogue: Catalogue, definition: Definition, path: w.Path) -> list[Definition]:
    found = [definition]
    for step in path:
        names = {n for d in found if step in d.link_fields for n in d.link_fields[step].types}
        found = [catalogue[n] for n in sorted(names)]
    return found
