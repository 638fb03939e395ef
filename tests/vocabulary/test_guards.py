"""Every guard of every type is tried, and those never seen failing are known by name.

A guard is seen failing where an act is tried before what it waits for is done, without a field it is given,
as the example's ``breaks`` say, and on facts bent so that it cannot hold. What no attempt makes fail is
listed in ``unseen/<type>.txt``, one line for each, most of them rules, which have tests of their own: the
lists only get shorter. Write them anew with ``COVERSLIP_WRITE_UNSEEN=1`` and read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.errors import CoverslipError
from coverslip.kernel import words as w
from coverslip.kernel.change import Change, Context
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.rows import Row
from coverslip.records import all_types
from fix_bending import bent, consider, ways
from fix_lab import Person
from fix_tour import CRASHES, Asked, Tour, given, own_guards, prepare, watched
from fix_world import WHY, World, example

each = pytest.mark.parametrize("t", all_types(), ids=lambda t: t.name)
CATALOGUE = Catalogue(all_types())
LISTS = Path(__file__).parent / "unseen"


def _named(t: w.Type, asked: Asked) -> str:
    guard = own_guards(t)[asked]
    words = guard.message or " ".join(getattr(guard, "path", ()))
    return f"{asked[0]}: {type(guard).__name__}: {words}"


@each
def test_every_guard_is_seen_failing_or_known_not_to_be(
    t: w.Type, world: World, record_property: Any
) -> None:
    tour = Tour(world, t)
    with watched() as failed:
        _try_creating(tour, failed)
        _try_editing(tour, failed)
        for found in t.transitions:
            if not found.consequence:
                _try(tour, found, failed)
    unseen = sorted({_named(t, asked) for asked in own_guards(t) if asked not in failed})
    record_property("guards", f"{len(own_guards(t)) - len(unseen)}/{len(own_guards(t))}")
    for line in unseen:
        record_property("guard never seen failing", f"{t.name}.{line}")
    path = LISTS / f"{t.name}.txt"
    if os.environ.get("COVERSLIP_WRITE_UNSEEN"):
        LISTS.mkdir(exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in unseen)) if unseen else path.unlink(missing_ok=True)
    known = path.read_text().splitlines() if path.exists() else []
    assert [line for line in unseen if line not in known] == [], "not seen failing; add to Example.breaks"
    assert [line for line in known if line not in unseen] == [], f"seen failing now; take out of {path.name}"
    tour.finish()


def _try(tour: Tour, found: w.Transition, failed: set[Asked]) -> None:
    """Try an act in each way that could make a guard of it fail."""
    if not found.requires:
        return
    _try_unprepared(tour, found)
    _try_breaks(tour, found, failed)
    row = _ready(tour, found)
    _try_without_fields(tour, _try_bent(tour, row, found), found)


def _ready(tour: Tour, found: w.Transition) -> Row:
    world, state = tour.world, tour.states(found)[0]
    return prepare(world, world.row(world.new_for(tour.type.name, found.name, state)), found.name)


def _try_unprepared(tour: Tour, found: w.Transition) -> None:
    """Try the act in each of its states before what the example does first."""
    world = tour.world
    for state in tour.states(found)[:2]:
        row = world.row(world.new(tour.type.name, state))
        try:
            fields = given(world, row, found.name)
            actor = world.who(row, found.name)
        except (KeyError, StopIteration, IndexError):
            continue  # the example cannot say what it gives before it is prepared
        tour.attempt(row, found.name, actor, **fields)


def _try_breaks(tour: Tour, found: w.Transition, failed: set[Asked]) -> None:
    """Do what the example says breaks a guard, in place of what it does so that the act can be done."""
    world = tour.world
    for words, breaking in example(tour.type.name).breaks.get(found.name, {}).items():
        row = world.row(world.new_for(tour.type.name, found.name, tour.states(found)[0]))
        answer = breaking(world, row)
        row = world.row(row.label)
        fields = answer if isinstance(answer, dict) else given(world, row, found.name)
        error = tour.attempt(row, found.name, world.who(row, found.name), **fields)
        _require_broken(tour, found.name, words, error, failed)


def _require_broken(
    tour: Tour, act: str, words: str, error: CoverslipError | None, failed: set[Asked]
) -> None:
    """Ask that a guard with these words in its message failed, or that the refusal says them."""
    own = own_guards(tour.type)
    said = any(
        words.casefold() in own[asked].message.casefold() for asked in failed & own.keys() if asked[0] == act
    )
    if error is None or not (said or words.casefold() in error.message.casefold()):
        tour.wrong.append(f"{act}, broken so that it says '{words}': {error}")


def _try_bent(tour: Tour, row: Row, found: w.Transition) -> Row:
    world = tour.world
    fields = given(world, row, found.name)
    change = Change(found.name, row.type, row.number, row.revision, fields, WHY, row.version)
    context = _context(world.who(row, found.name))
    for bends in ways(CATALOGUE, found.requires):
        with bent(world, bends):
            consider(world, change, context)
    return row


def _context(actor: Person | Context) -> Context:
    return actor.context if isinstance(actor, Person) else actor


def _try_editing(tour: Tour, failed: set[Asked]) -> None:
    """Edit one text of the record, on facts bent so that a guard of editing cannot hold."""
    world, editing = tour.world, tour.type.edit
    if editing is None or not editing.requires:
        return
    row = tour.at(editing.states[0])
    actor = world.who(row, "edit")
    fixed = {n for n, f in tour.type.fields.items() if row.state in f.immutable_at or f.source != "typed"}
    texts = (n for n, f in tour.type.fields.items() if isinstance(f.kind, w.Text | w.Rich) and n not in fixed)
    fields = {next(texts): "Something else is written here."}
    change = Change("edit", row.type, row.number, row.revision, fields, WHY, row.version)
    for bends in ways(CATALOGUE, editing.requires):
        with bent(world, bends):
            consider(world, change, _context(actor))
    for words, breaking in example(tour.type.name).breaks.get("edit", {}).items():
        error = tour.attempt(row, "edit", actor, **breaking(world, row))
        _require_broken(tour, "edit", words, error, failed)


def _try_without_fields(tour: Tour, row: Row, found: w.Transition) -> None:
    for name in given(tour.world, row, found.name):
        fields = {k: v for k, v in given(tour.world, row, found.name).items() if k != name}
        if tour.attempt(row, found.name, tour.world.who(row, found.name), **fields) is None:
            row = _ready(tour, found)


# --- creating ----------------------------------------------------------------------------------


def _try_creating(tour: Tour, failed: set[Asked]) -> None:
    creating, declared = example(tour.type.name).create, tour.type
    if creating is None:
        return
    values = creating(tour.world)
    for less in _lessened(declared, values):
        _attempt_creation(tour, less)
    for words, breaking in example(declared.name).breaks.get("create", {}).items():
        changed = breaking(tour.world, Row("", "", "", 0, 0, 0, "", "", "", "", "", {}))
        error = _attempt_creation(tour, creating(tour.world) | changed)
        _require_broken(tour, "create", words, error, failed)
    _create_bent(tour, creating(tour.world))


def _create_bent(tour: Tour, values: dict[str, Any]) -> None:
    world = tour.world
    context = _context(world.maker(tour.type.name))
    for bends in ways(CATALOGUE, tour.type.create.requires):
        with bent(world, bends):
            consider(world, Change("create", tour.type.name, fields=values, reason=WHY), context)


def _lessened(declared: w.Type, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in values:
        if not declared.fields[name].required:
            yield {k: v for k, v in values.items() if k != name}


def _attempt_creation(tour: Tour, values: dict[str, Any]) -> CoverslipError | None:
    try:
        tour.world.create_only(tour.type.name, **values)
    except CoverslipError as error:
        return error
    except CRASHES as error:
        tour.wrong.append(f"create of {sorted(values)} crashes: {error!r}")
    return None
