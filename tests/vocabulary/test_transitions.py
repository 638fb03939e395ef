"""Generated from the declarations: what every type permits is done, what it does not is refused.

Parametrised over the shipped types, so that none is missed; values come from the examples, sentences from
DOMAIN 1.6. Two days have passed since the laboratory was founded, so that some training has expired.
"""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.kernel import roles as named_roles, words as w
from coverslip.kernel.authority import ANYBODY
from coverslip.kernel.clock import people_time
from coverslip.kernel.rows import Row
from coverslip.records import all_types
from fix_lab import Person
from fix_people import ALL_ROUND, DELEGATE, LAPSING, TEAM, UNTRAINED
from fix_tour import Tour, given, name_of, prepare, sentence
from fix_world import World, example

each = pytest.mark.parametrize("t", all_types(), ids=lambda t: t.name)
NOT_HELD = ("reject", "abort", "fail", "cancel")
"""Acts that end something go on while the record is on hold; told by how the state they lead to begins.
Others are declared as acts that only stop work."""


@pytest.fixture(scope="module")
def tours(world: World) -> dict[str, Tour]:
    world.pass_days(2)
    return {t.name: Tour(world, t) for t in all_types()}


@pytest.fixture
def tour(t: w.Type, tours: dict[str, Tour]) -> Tour:
    return tours[t.name]


@pytest.fixture
def lent(tours: dict[str, Tour], world: World) -> None:
    """Let one person hold every duty of the all-round one by delegation; anew where time has ended that."""
    if world.lab.n.get("lent until", "") <= world.day(20):
        world.lab.n["lent until"] = world.day(80)
        for role in TEAM[ALL_ROUND[0]]:
            world.lend(ALL_ROUND[0], DELEGATE, role)


def _label(row: Row) -> str:
    return row.label if row.revision else row.number


# --- permitted ---------------------------------------------------------------------------------


@each
def test_every_act_leads_where_declared_signed_as_declared(t: w.Type, world: World) -> None:
    tour = Tour(world, t)
    for found in t.transitions:
        for state in tour.states(found) if not found.consequence else ():
            row = prepare(world, world.row(world.new_for(t.name, found.name, state)), found.name)
            fields = given(world, row, found.name)
            actor = world.who(row, found.name)
            told = f"{found.name} on {row.state} by {name_of(actor)}"
            error = tour.attempt(row, found.name, actor, **fields)
            if error is not None:
                tour.wrong.append(f"{told}: {error.code} {error.message}")
                continue
            after = world.row(_label(row))
            last = [e for e in world.lab.reading.history(row.uid) if not e["about"]][-1]
            meaning = found.signature.meaning if found.signature else ""
            signed = "signature" in last["sections"]
            if after.state != (found.to or state) or after.version != row.version + 1:
                tour.wrong.append(f"{told}: is {after.state} v{after.version}")
            if (last["act"], last["meaning"] or "", signed) != (found.name, meaning, bool(meaning)):
                tour.wrong.append(f"{told}: its entry says {last['act']}, {last['meaning']}")
    tour.finish()


@each
def test_every_consequence_comes_about(t: w.Type, world: World) -> None:
    for found in t.transitions:
        if not found.consequence:
            continue
        bring = example(t.name).consequences.get(found.name)
        assert bring is not None, f"tests/vocabulary/examples/{t.name}.py: consequences lacks '{found.name}'"
        row = world.row(bring(world))
        last = [e for e in world.lab.reading.history(row.uid) if not e["about"]][-1]
        assert (last["act"], row.state) == (found.name, found.to or row.state)


# --- sequence ----------------------------------------------------------------------------------


@each
def test_what_is_not_permitted_in_a_state_is_refused_there(t: w.Type, tour: Tour) -> None:
    for state in (s.name for s in t.states):
        row = tour.at(state)
        for found in t.transitions:
            if found.consequence:
                _refuse_consequence(tour, row, found)
            elif state not in tour.states(found):
                _refuse_state(tour, row, found)
        if t.edit is None or state not in t.edit.states:
            locked = sentence("LOCKED", record=row.number, v=row.revision or row.version, state=row.state)
            tour.refuses(row, "edit", tour.world.person("QA"), "LOCKED", locked, **{t.title_field: "New"})
    tour.finish()


def _refuse_consequence(tour: Tour, row: Row, found: w.Transition) -> None:
    told = sentence("SEQ_STATE", record=row.label, state=row.state, action=found.name, states="another act")
    tour.refuses(row, found.name, tour.world.person("QA"), "SEQ_STATE", told)


def _refuse_state(tour: Tour, row: Row, found: w.Transition) -> None:
    actor = tour.anybody(row, found)
    if actor is None:
        return  # nobody is named yet: who comes is refused for that, see below
    if tour.world.definition(row.type).state(row.state).terminal and found.fields:
        locked = sentence("LOCKED", record=row.number, v=row.revision or row.version, state=row.state)
        tour.refuses(row, found.name, actor, "LOCKED", locked)
        return
    states = " or ".join(tour.states(found))
    told = sentence("SEQ_STATE", record=row.label, state=row.state, action=found.label.lower(), states=states)
    tour.refuses(row, found.name, actor, "SEQ_STATE", told)


# --- authority ---------------------------------------------------------------------------------


def _stranger(world: World, row: Row | None, found: Any) -> Person | None:
    """Return somebody without any role that may do it, whom the record does not name either."""
    named = (
        {u for name in getattr(found, "persons", ()) for u in world.people_named(row, name)} if row else set()
    )
    for username, roles in {**TEAM, "nora": ()}.items():
        if username == DELEGATE:
            continue  # what is lent to her is hers to do
        if not set(roles) & set(found.who) and world.named(username).uid not in named:
            return world.named(username)
    return None


def _acts(t: w.Type, tour: Tour) -> list[tuple[Row, str, str, Any]]:
    """Return (record, act, what it is called, declaration) for every act in every state it is possible in."""
    found: list[tuple[Row, str, str, Any]] = []
    for state in (s.name for s in t.states):
        found += [(tour.at(state), tr.name, tr.label.lower(), tr) for tr in tour.permitted(state)]
    for state in t.edit.states if t.edit is not None else ():
        found.append((tour.at(state), "edit", "edit", t.edit))
    return found


@each
def test_nobody_acts_without_the_role(t: w.Type, tour: Tour) -> None:
    for row, act, action, found in _acts(t, tour):
        if ANYBODY in found.who:
            continue
        person = _stranger(tour.world, row, found)
        assert person is not None, f"everybody may {act}"
        wanted = named_roles.any_of(found.who or found.persons)
        held = named_roles.all_of(TEAM.get(person.username, ()))
        told = sentence("AUTH_ROLE", role=wanted, action=action, record=row.label, roles=held)
        tour.refuses(row, act, person, "AUTH_ROLE", told)
    tour.finish()


@each
def test_nobody_creates_without_the_role(t: w.Type, world: World) -> None:
    making = t.create
    if ANYBODY in making.who or example(t.name).create is None:
        return
    person = _stranger(world, None, making)
    assert person is not None
    tour = Tour(world, t)
    values = example(t.name).create(world)  # type: ignore[misc]
    held, wanted = named_roles.all_of(TEAM.get(person.username, ())), named_roles.any_of(making.who)
    told = sentence("AUTH_ROLE", role=wanted, action="create", record=t.title.lower(), roles=held)
    tour.refuses_creation(person, values, "AUTH_ROLE", told)
    tour.finish()


@each
@pytest.mark.usefixtures("lent")
def test_nobody_does_what_asks_for_somebody_else(t: w.Type, tour: Tour, record_property: Any) -> None:
    for found in t.transitions:
        apart = (*found.independent_of, *(found.signature.independent_of if found.signature else ()))
        if not apart or found.consequence:
            continue
        tried: set[str] = set()
        for state in tour.states(found):
            tried |= _refuse_named(tour, tour.ready(found.name, state), found, apart)
        for name in sorted(set(apart) & set(example(t.name).selves)):
            row = tour.world.row(example(t.name).selves[name](tour.world, tour.states(found)[0]))
            tried |= _refuse_named(tour, row, found, apart) if row.state in tour.states(found) else set()
        for name in dict.fromkeys(apart):
            if name not in tried:
                record_property("not tried", f"{t.name}.{found.name}: independent of {name}")
        assert tried or found.name in example(t.name).nobody, (
            f"{t.name}.{found.name}: nobody named could be tried; see Example.selves and Example.nobody"
        )
    tour.finish()


def _refuse_named(tour: Tour, row: Row, found: w.Transition, apart: tuple[str, ...]) -> set[str]:
    """Try everybody an act must be independent of who could do it otherwise; return the names tried."""
    named = {name: tour.world.people_named(row, name) for name in apart}
    tried: set[str] = set()
    for uid in sorted({u for uids in named.values() for u in uids}):
        account = tour.world.lab.reading.by_uid("user", uid)
        username = str(account.fields["username"]) if account else ""
        if not (set(TEAM.get(username, ())) & set(found.who) or ANYBODY in found.who):
            continue
        first = next(name for name in apart if uid in named[name])
        tried |= {name for name in apart if uid in named[name]}
        told = _not_oneself(row, tour.type, found, first, "you")
        tour.refuses(row, found.name, tour.world.named(username), "AUTH_SELF", told)
        if username == ALL_ROUND[0] and ANYBODY not in found.who:
            _refuse_delegate(tour, row, found, first)
    return tried


def _not_oneself(row: Row, t: w.Type, found: w.Transition, name: str, person: str) -> str:
    declared = t.persons[name]
    done = getattr(declared, "meaning", "") or getattr(declared, "act", "") or name
    did = done if done.endswith("ed") else f"did '{done.replace('_', ' ')}'"
    date = row.changed_at[:10]
    return sentence("AUTH_SELF", action=found.label, person=person, did=f"{did} ({name})", date=date)


def _refuse_delegate(tour: Tour, row: Row, found: w.Transition, name: str) -> None:
    """Try who acts for the person named: it is as if that person acted; or the duty cannot be lent at all."""
    delegate = tour.world.named(DELEGATE)
    if found.signature is not None and not found.signature.delegable:
        wanted = named_roles.any_of(found.who)
        told = sentence("AUTH_ROLE", role=wanted, action=found.label.lower(), record=row.label, roles="none")
        tour.refuses(row, found.name, delegate, "AUTH_ROLE", told)
        return
    told = _not_oneself(row, tour.type, found, name, "you and the person you act for")
    tour.refuses(row, found.name, delegate, "AUTH_SELF", told)


@each
def test_nobody_acts_untrained_or_with_training_expired(t: w.Type, tour: Tour) -> None:
    document = tour.world.row(tour.world.lab.n["required"])
    for row, act, action, found in _acts(t, tour):
        for username, roles in {**UNTRAINED, **LAPSING}.items():
            usable = [role for role in found.who if role in roles]
            if not usable or ANYBODY in found.who:
                continue
            told = sentence(
                "AUTH_TRAIN",
                doc=document.number,
                v=document.revision,
                role=named_roles.title(usable[0]),
                since=document.changed_at[:10],
                action=action,
            )
            tour.refuses(row, act, tour.world.named(username), "AUTH_TRAIN", told)
    tour.finish()


# --- holds -------------------------------------------------------------------------------------


@each
def test_nothing_goes_on_while_on_hold(t: w.Type, tour: Tour) -> None:
    for state in (s.name for s in t.states if not s.terminal):
        acts = [(tr.name, tr.label.lower(), tr) for tr in tour.permitted(state)]
        if t.edit is not None and state in t.edit.states:
            acts.append(("edit", "edit", t.edit))  # type: ignore[arg-type]
        acts = [
            a
            for a in acts
            if not getattr(a[2], "stops", False) and not getattr(a[2], "to", "").startswith(NOT_HELD)
        ]
        if not acts:
            continue
        with tour.held(_label(tour.at(state))) as (hold, reason):
            row = tour.at(state)
            for act, action, found in acts:
                actor = tour.anybody(row, found)
                if actor is None:
                    continue
                told = sentence("HOLD", record=row.label, hold=hold, reason=reason, action=action)
                tour.refuses(row, act, actor, "HOLD", told)
    tour.finish()


# --- signatures, reasons, fields ---------------------------------------------------------------


@each
def test_an_act_needs_its_signature_its_reason_and_the_version_that_was_read(t: w.Type, tour: Tour) -> None:
    world = tour.world
    for found in (tr for tr in t.transitions if not tr.consequence):
        row = prepare(world, world.row(world.new_for(t.name, found.name, tour.states(found)[0])), found.name)
        fields = given(world, row, found.name)
        actor = world.who(row, found.name)
        stale = sentence("SIG_STALE", record=row.label, time=people_time(row.changed_at, ""), v=row.version)
        tour.refuses(row, found.name, actor, "SIG_STALE", stale, version=row.version - 1, **fields)
        if found.reason is not None:
            for text in ("", "n/a"):
                told = sentence("REASON", n=found.reason.minimum, text=text)
                tour.refuses(row, found.name, actor, "REASON", told, reason=text, **fields)
        if found.signature is not None:
            told = sentence(
                "SIG_REQUIRED", action=found.name, record=row.number, meaning=found.signature.meaning
            )
            tour.refuses(row, found.name, actor, "SIG_REQUIRED", told, signed=False, **fields)
    tour.finish()


@each
def test_an_act_needs_the_fields_its_state_asks_for(t: w.Type, tour: Tour) -> None:
    world = tour.world
    for found in (tr for tr in t.transitions if not tr.consequence):
        row = prepare(world, world.row(world.new_for(t.name, found.name, tour.states(found)[0])), found.name)
        fields = given(world, row, found.name)
        after = found.to or row.state
        for name in fields:
            declared = t.fields[name]
            if name in row.fields or not (declared.required or after in declared.required_at):
                continue
            less = {k: v for k, v in fields.items() if k != name}
            error = tour.attempt(row, found.name, world.who(row, found.name), **less)
            told = sentence("VAL_REQ", field=name, state=after.replace("_", " "))
            if error is None or error.code != "VAL_REQ" or told not in error.message:
                tour.wrong.append(f"{found.name} without {name}: {error}; expected {told}")
                break  # it was done: the record is elsewhere now
    tour.finish()


@each
def test_a_record_is_not_made_without_what_it_requires(t: w.Type, world: World) -> None:
    creating = example(t.name).create
    if creating is None:
        return
    tour, values = Tour(world, t), creating(world)
    actor = world.maker(t.name)
    for name, declared in t.fields.items():
        if declared.required and name in values:
            less = {k: v for k, v in values.items() if k != name}
            told = sentence("VAL_REQ", field=name, state=t.create.state.replace("_", " "))
            tour.refuses_creation(actor, less, "VAL_REQ", told)
    tour.finish()
