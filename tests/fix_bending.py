"""Bending facts: what the store answers is altered so that one guard of an act cannot hold.

Rules kept here: decisions are made from facts alone, so a guard shown failing on bent facts fails on such a
record; nothing is written, the decision is only considered. A rule is code of its own and is not bent.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from coverslip.errors import CoverslipError
from coverslip.kernel import decide, guards as guards_of_kernel, words as w
from coverslip.kernel.attempt import Attempt
from coverslip.kernel.change import Change, Context
from coverslip.kernel.definition import Catalogue
from fix_world import World

Bend = Callable[[dict[str, Any]], None]
"""Alters an answer of the store in place."""
NOWHERE = "00000000-0000-4000-8000-00000000000{}"


class _Enough(Exception):
    """Every guard holds: what would follow is not looked at."""


def consider(world: World, change: Change, context: Context) -> CoverslipError | None:
    """Ask everything that decides about a change, up to its effects; return the refusal, if any."""
    try:
        Attempt(world.lab.door._parts, change, context, dry=True).decide()
    except CoverslipError as error:
        return error
    except _Enough:
        return None
    return None


def _no_effects(*_given: Any) -> None:
    raise _Enough


@contextmanager
def bent(world: World, bends: list[Bend]) -> Iterator[None]:
    """Let the store answer what it would, were it as the bends make it."""
    store = world.lab.store
    ask = store.facts

    def facts(request: Any) -> dict[str, Any]:
        value = copy.deepcopy(ask(request))
        for bend in bends:
            bend(value)
        return value

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "facts", facts)
        patch.setattr(decide._Deciding, "_fields", _fields_bent(bends))
        patch.setattr(guards_of_kernel, "ask_rule", lambda _rule, _scene: None)
        patch.setattr(decide, "Effects", _no_effects)
        yield


def _fields_bent(bends: list[Bend]) -> Callable[..., dict[str, Any]]:
    """Return what gives the fields an act leaves, bent too: else what is given would win over the bend."""
    found = decide._Deciding._fields

    def fields(self: Any, *given: Any) -> dict[str, Any]:
        after = dict(found(self, *given))
        for bend in bends:
            bend({"record": {"content": {"fields": after, "people": {}}, "type": self.type.name}})
        return after

    return fields


def ways(catalogue: Catalogue, guards: tuple[w.Guard, ...]) -> Iterator[list[Bend]]:
    """Yield, for every guard that can be bent, what makes it fail; one list is tried at a time."""
    for guard in guards:
        if isinstance(guard, w.When):
            for inner in ways(catalogue, guard.then):
                yield [_holds(guard.condition), *inner]
        else:
            yield from ([bend] for bend in _bends(catalogue, guard))


def _bends(catalogue: Catalogue, guard: w.Guard) -> Iterator[Bend]:
    match guard:
        case w.InState():
            yield lambda v: _each(v, guard.path, lambda r: r.update(state=_other(catalogue, r, guard.states)))
            yield lambda v: _inject(v, _name(guard.path), _any_type(catalogue), "nowhere")
            yield lambda v: v.get("reads", {}).update({_name(guard.path): []})
        case w.Current():
            yield lambda v: _each(
                v,
                guard.path,
                lambda r: r.update(state=_other(catalogue, r, catalogue[r["type"]].effective_states)),
            )
        case w.NotOnHold():
            hold = {"number": "HLD-0000", "reason": "Bent.", "uid": NOWHERE.format(1)}
            yield lambda v: _each(v, guard.path, lambda r: r.update(blockers=[hold]))
        case w.Trained():
            yield lambda v: _each(v, guard.path, lambda r: r.update(uid=NOWHERE.format(2)))
        case w.Signed():
            yield lambda v: _each(v, guard.path, lambda r: r["content"].update(people={}))
        case w.Compare():
            yield from _compared(guard)
        case w.InDate() | w.Reached():
            day = "2000-01-01" if isinstance(guard, w.InDate) else "2999-01-01"
            yield lambda v: _field(v, guard.path, day)
            yield lambda v: _field(v, guard.path, None)
        case w.Filled():
            yield lambda v: _field(v, (guard.table,), [])
            yield lambda v: _field(v, (guard.table,), [dict([guard.where])] if guard.where else [{}])
        case w.Count() | w.NoOpen():
            yield from _counted(catalogue, guard)
        case _:
            return


def _compared(guard: w.Compare) -> Iterator[Bend]:
    if guard.op == "absent":
        yield lambda v: _field(v, guard.path, "bent")
        return
    yield lambda v: _field(v, guard.path, None)
    value = guard.value
    wrong: Any = value if guard.op == "ne" else (not value if isinstance(value, bool) else -1)
    yield lambda v: _field(v, guard.path, "bent" if isinstance(value, str) and guard.op == "eq" else wrong)


def _counted(catalogue: Catalogue, guard: w.Count | w.NoOpen) -> Iterator[Bend]:
    name = f"{_name(guard.path)}<{guard.type}.{guard.field}"
    start = catalogue[guard.type].type.create.state
    if isinstance(guard, w.Count):
        start = guard.states[0] if guard.states else start
        yield lambda v: v.get("reads", {}).update({name: []})
        yield lambda v: [_inject(v, name, guard.type, start) for _ in range(101)] and None
        return
    state = next(
        s.name for s in catalogue[guard.type].type.states if not s.terminal and s.name not in guard.closed
    )
    yield lambda v: _inject(v, name, guard.type, state)


def _holds(condition: w.Compare) -> Bend:
    """Return what makes the condition of a ``When`` hold."""
    value: Any = condition.value
    if condition.op == "absent":
        value = None
    elif condition.op == "present":
        value = "bent"
    elif condition.op == "ne":
        value = (not value) if isinstance(value, bool) else "bent"
    elif condition.op in ("gt", "lt") and isinstance(value, int):
        value += 1 if condition.op == "gt" else -1
    return lambda v: _field(v, condition.path, value, absent_only=condition.op == "present")


# --- answers -----------------------------------------------------------------------------------


def _name(path: w.Path) -> str:
    return "/".join(("self", *path))


def _rows(value: dict[str, Any], path: w.Path) -> list[dict[str, Any]]:
    if not path:
        return [value["record"]] if value.get("record") else []
    found: list[dict[str, Any]] = (value.get("reads") or {}).get(_name(path)) or []
    return found


def _each(value: dict[str, Any], path: w.Path, alter: Callable[[dict[str, Any]], None]) -> None:
    for row in _rows(value, path):
        alter(row)


def _field(value: dict[str, Any], path: w.Path, to: Any, *, absent_only: bool = False) -> None:
    """Set a field of the records a path leads to; ``None`` takes it away."""
    name = path[-1].partition(".")[0]
    for row in _rows(value, path[:-1]):
        fields = row["content"]["fields"]
        if to is None:
            fields.pop(name, None)
        elif not (absent_only and name in fields):
            fields[name] = to


def _other(catalogue: Catalogue, row: dict[str, Any], states: Any) -> str:
    return next((s.name for s in catalogue[row["type"]].type.states if s.name not in states), "nowhere")


def _any_type(catalogue: Catalogue) -> str:
    return next(iter(catalogue)).name


def _inject(value: dict[str, Any], name: str, kind: str, state: str) -> None:
    """Add a record of a type and state to what was read under a name; only where that was asked for."""
    reads = value.get("reads")
    if reads is None or (reads.get(name) and "<" not in name):
        return
    made = {
        "type": kind,
        "uid": NOWHERE.format(3),
        "number": "BENT-0001",
        "revision": 0,
        "version": 1,
        "seq": 1,
        "state": state,
        "title": "Bent",
        "gxp": "gmp",
        "leaf_hash": "0" * 64,
        "def": "0" * 64,
        "content": {"fields": {}, "people": {}},
    }
    reads[name] = [*(reads.get(name) or []), made]
