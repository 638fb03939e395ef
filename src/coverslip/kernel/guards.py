"""Guards: each is asked, and everything that does not hold is listed at once.

Rules kept here: a guard looks only at facts; its message is what a person reads; the words
``Trained`` and ``NotOnHold`` refuse under their own codes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from coverslip.errors import CATALOGUE, Conflict, CoverslipError, Invalid, Refused
from coverslip.kernel import rules, words as w
from coverslip.kernel.dates import later_by
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.facts import SOME, Facts, children_name, closed_states
from coverslip.kernel.rows import Row

_FAMILIES: dict[str | None, type[CoverslipError]] = {
    "refused": Refused,
    "invalid": Invalid,
    "conflict": Conflict,
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Unmet:
    """One guard that does not hold: its sentence and, where it has one, its own code and values."""

    sentence: str
    code: str = "SEQ_PRE"
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a guard is asked about: a record as the act leaves it, named ``base`` in the facts.

    ``sandbox``: the act is one of a sandbox. What is tried out there counts for nothing regulated.
    """

    catalogue: Catalogue
    facts: Facts
    base: str
    row: Row | None
    fields: dict[str, Any]
    actor: str
    action: str
    sandbox: bool = False
    behalf: str = ""

    def rows(self, path: w.Path) -> tuple[Row, ...]:
        """Records at ``path``; the record itself for the empty path."""
        if not path:
            return (self.row,) if self.row is not None else ()
        return self.facts.rows("/".join((self.base, *path)))

    def children(self, path: w.Path, child: str, child_field: str) -> tuple[Row, ...]:
        """Records of type ``child`` linking to that at ``path``; to a regulated act none of a sandbox."""
        found = self.facts.rows(children_name("/".join((self.base, *path)), child, child_field))
        return found if self.sandbox else tuple(r for r in found if not r.content.get("sandbox"))

    def values(self, path: w.Path) -> list[Any]:
        """Values of the field a path ends in; a name ``table.column`` gives one value per row."""
        holders = [self.fields] if len(path) == 1 else [r.fields for r in self.rows(path[:-1])]
        return [v for holder in holders for v in _values(holder, path[-1])]


def _values(holder: dict[str, Any], name: str) -> Iterable[Any]:
    table, _, column = name.partition(".")
    value = holder.get(table)
    if column:
        return [row[column] for row in value or () if column in row]
    return [] if value is None else [value]


def dated(value: w.Value, found: Any, scene: Scene) -> Any:
    """Return a value with the months and days its word adds; absent stays absent."""
    if found is None or not (value.months or value.days or value.months_at):
        return found
    more = next(iter(scene.values(value.months_at)), 0) if value.months_at else 0
    return later_by(str(found), months=value.months + int(more), days=value.days)


def unmet(guards: Iterable[w.Guard], scene: Scene) -> list[Unmet]:
    """Return every guard that does not hold."""
    found: list[Unmet] = []
    for guard in guards:
        code = getattr(guard, "code", "")
        said: list[Unmet] = _ASK[type(guard)](guard, scene)
        found += [replace(u, code=code) for u in said] if code else said
    return found


def raise_unmet(found: list[Unmet], record: str, action: str) -> None:
    """Raise the refusal for guards that do not hold; a code of its own wins over ``SEQ_PRE``."""
    special = next((u for u in found if u.code != "SEQ_PRE"), None)
    sentences = [u.sentence for u in found]
    if special is not None and special.values:
        raise Refused(
            special.code, record=special.values.pop("record", record), action=action, **special.values
        )
    if special is not None:
        spec = CATALOGUE[special.code]
        told = ". ".join([special.sentence, *(s for s in sentences if s != special.sentence)])
        # A remedy that names values of its own is another's: the sentence says what is asked.
        remedy = CATALOGUE["SEQ_PRE"].remedy if "{" in spec.remedy else spec.remedy
        raise _FAMILIES[spec.family](
            special.code, record=record, message=f"{told}.", action=action, unmet=sentences, remedy=remedy
        )
    if found:
        raise Refused(
            "SEQ_PRE",
            record=record,
            action=action,
            conditions="; ".join(u.sentence for u in found),
            unmet=sentences,
        )


def _said(message: str, default: str, **values: Any) -> list[Unmet]:
    return [Unmet((message or default).format_map(_Open(values)).rstrip("."))]


def _not_given(path: w.Path, message: str) -> list[Unmet]:
    """Say that nothing is named where a record was to be; a sentence about its number does not fit then."""
    what = " of its ".join(name.replace("_", " ").replace(".", " ") for name in reversed(path))
    return _said("" if "{" in message else message, "{what} is named", what=what)


class _Open(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"({key})"


def _in_state(guard: w.InState, scene: Scene) -> list[Unmet]:
    rows = scene.rows(guard.path)
    if not rows and not guard.empty_ok:
        return _not_given(guard.path, guard.message)
    bad = [r for r in rows if r.state not in guard.states]
    return [
        u
        for r in bad
        for u in _said(
            guard.message,
            "{number} is {states} (it is {state})",
            number=r.label,
            state=r.state,
            states=" or ".join(guard.states),
        )
    ]


def _current(guard: w.Current, scene: Scene) -> list[Unmet]:
    rows = scene.rows(guard.path)
    if not rows:
        return _not_given(guard.path, guard.message)
    bad = [r for r in rows if r.state not in scene.catalogue[r.type].effective_states]
    return [
        u
        for r in bad
        for u in _said(guard.message, "{number} is in force (it is {state})", number=r.label, state=r.state)
    ]


def _trained(guard: w.Trained, scene: Scene) -> list[Unmet]:
    trained = {a.subject for a in scene.facts.authority if a.kind == "trained" and a.person == scene.actor}
    return [
        Unmet(
            f"you are trained on {r.label}",
            "AUTH_TRAIN",
            {"doc": r.number, "v": r.revision or r.version, "role": "this act", "since": r.changed_at[:10]},
        )
        for r in scene.rows(guard.path)
        if r.uid not in trained
    ]


def _not_on_hold(guard: w.NotOnHold, scene: Scene) -> list[Unmet]:
    return [
        Unmet(
            f"{r.label} is not on hold",
            "HOLD",
            {"record": r.label, "hold": r.blockers[0].number, "reason": r.blockers[0].reason},
        )
        for r in scene.rows(guard.path)
        if r.blockers
    ]


def _compare(guard: w.Compare, scene: Scene) -> list[Unmet]:
    values = scene.values(guard.path)
    if guard.op in ("present", "absent"):
        holds = bool(values) == (guard.op == "present")
    else:
        others = scene.values(guard.other) if guard.other else [guard.value]
        test = _COMPARE[guard.op]
        holds = (
            bool(values)
            and bool(others)
            and all(type(v) is type(o) and test(v, o) for v in values for o in others)
        )
    if holds:
        return []
    wanted = guard.value if not guard.other else " ".join(guard.other)
    return _said(
        guard.message,
        "{what} is {op} {wanted}",
        what=" ".join(guard.path),
        op=guard.op,
        wanted=wanted,
        value=values[0] if values else "nothing",
    )


def _in_date(guard: w.InDate, scene: Scene) -> list[Unmet]:
    values = [str(v) for v in scene.values(guard.path)]
    if values and all(v[:10] >= scene.facts.today for v in values):
        return []
    return _said(
        guard.message,
        "{what} is in date (it is {date})",
        what=" ".join(guard.path),
        date=values[0][:10] if values else "missing",
    )


def _reached(guard: w.Reached, scene: Scene) -> list[Unmet]:
    values = [str(v) for v in scene.values(guard.path)]
    if values and all(v[:10] <= scene.facts.today for v in values):
        return []
    return _said(
        guard.message,
        "{what} is reached (it is {date})",
        what=" ".join(guard.path).replace("_", " "),
        date=values[0][:10] if values else "missing",
    )


def _filled(guard: w.Filled, scene: Scene) -> list[Unmet]:
    rows = list(scene.fields.get(guard.table) or ())
    if guard.where is not None:
        column, value = guard.where
        rows = [r for r in rows if r.get(column) == value]
    what = guard.table.replace("_", " ")
    if len(rows) < guard.min_rows:
        return _said(
            guard.message, "{what} has {n} rows or more (it has {found})",
            what=what, n=guard.min_rows, found=len(rows), columns=", ".join(guard.columns),
        )  # fmt: skip
    lacking = sorted({c for row in rows for c in guard.columns if row.get(c) in (None, "")})
    if not lacking:
        return []
    return _said(
        guard.message, "every row of {what} has {columns}", what=what, columns=", ".join(lacking)
    )  # fmt: skip


def _count(guard: w.Count, scene: Scene) -> list[Unmet]:
    rows = [
        r
        for r in scene.children(guard.path, guard.type, guard.field)
        if (not guard.states or r.state in guard.states) and (scene.row is None or r.uid != scene.row.uid)
    ]
    limits = [v for v in scene.values(guard.limit)] if guard.limit else [guard.n]
    if limits and all(isinstance(n, int) and _COMPARE[guard.op](len(rows), n) for n in limits):
        return []
    target = next((r.label for r in scene.rows(guard.path)), "this record")
    return _said(
        guard.message,
        "{target} has {op} {limit} {type} (it has {n})",
        target=target,
        op=guard.op,
        limit=limits[0] if limits else "?",
        type=guard.type.replace("_", " "),
        n=len(rows),
    )


def _no_open(guard: w.NoOpen, scene: Scene) -> list[Unmet]:
    closed = closed_states(scene.catalogue[guard.type], guard)
    rows = [r for r in scene.children(guard.path, guard.type, guard.field) if r.state not in closed]
    found = [
        u
        for r in rows[: SOME - 1]
        for u in _said(guard.message, "{number} is closed (it is {state})", number=r.label, state=r.state)
    ]
    if len(rows) >= SOME:
        what = guard.type.replace("_", " ")
        found += _said("", "no other {what} is open (more than these {n} are)", what=what, n=SOME - 1)
    return found


def _signed(guard: w.Signed, scene: Scene) -> list[Unmet]:
    name = guard.act or f"signed_{guard.meaning}"
    bad = [r for r in scene.rows(guard.path) if _signers(r, name, guard.n) < guard.n]
    return [
        u
        for r in bad
        for u in _said(
            guard.message,
            "{number} is signed as {meaning}" if guard.n == 1 else "{number} is signed as {meaning} by {n}",
            number=r.label,
            meaning=guard.meaning,
            n=guard.n,
        )
    ]


def _signers(row: Row, name: str, wanted: int) -> int:
    """Return how many people did something. A delegate and the giver, who both answer for it, are one."""
    done = set(row.people.get(name, ()))
    return len(done - set(row.people.get(f"behalf_{name}", ())) if wanted > 1 else done)


def _when(guard: w.When, scene: Scene) -> list[Unmet]:
    return unmet(guard.then, scene) if not _compare(guard.condition, scene) else []


def ask_rule(rule: w.Rule, scene: Scene) -> Any:
    """Call a named rule with exactly what it declared to read."""
    function = rules.find(rule.name, rule.version)
    reads = {name: scene.rows(path) for name, path in rule.reads.items()}
    children = {name: scene.children(*where) for name, where in rule.children.items()}
    return function(
        rules.RuleInput(scene.fields, scene.row, reads, children, scene.actor, scene.facts.now, scene.behalf)
    )


def _rule(guard: w.Rule, scene: Scene) -> list[Unmet]:
    sentence = ask_rule(guard, scene)
    if isinstance(sentence, rules.Refusal):
        return [Unmet(sentence.sentence, sentence.code, dict(sentence.values))]
    return [] if sentence is None else [Unmet((str(sentence) or guard.message).rstrip("."))]


_ASK: dict[type, Any] = {
    w.InState: _in_state,
    w.Current: _current,
    w.Trained: _trained,
    w.NotOnHold: _not_on_hold,
    w.Compare: _compare,
    w.InDate: _in_date,
    w.Reached: _reached,
    w.Filled: _filled,
    w.Count: _count,
    w.NoOpen: _no_open,
    w.Signed: _signed,
    w.When: _when,
    w.Rule: _rule,
}
