"""A world in which a record of any declared type can be brought to any state, from declaration and example.

Rules kept here:

* Nothing here knows a type: ways, people and signatures come from the declaration, values from the
  example beside the tests (``tests/vocabulary/examples/<type>.py``).
* An act refused leaves as the refusal itself, with a note that says which example lacks what.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from coverslip.errors import CoverslipError
from coverslip.kernel import words as w
from coverslip.kernel.authority import ANYBODY, DEVICE_ROLE, SERVICE_ROLE
from coverslip.kernel.change import Change, Context, Credential, Receipt
from coverslip.kernel.content import parse_reference
from coverslip.kernel.definition import Definition
from coverslip.kernel.drafts import expand
from coverslip.kernel.rows import Row
from fix_days import put_forward
from fix_lab import SHOWN, Lab, Person
from fix_people import TEAM, everybody, holders

FOLDER = Path(__file__).parent / "vocabulary" / "examples"
WHY = "Needed here, as the plan of this laboratory says."
MACHINES = {SERVICE_ROLE, DEVICE_ROLE}
Giving = Callable[["World", Row], dict[str, Any]]
Doing = Callable[["World", Row], Any]


@dataclass(frozen=True)
class Example:
    """What a declaration cannot say: values for one record of the type, and what its guards wait for.

    ``create``: fields of a valid new record, as the interface takes them (links by number). ``acts``: fields
    given with an act. ``before``: what is done first so that an act's guards hold. ``made_by``: for a type
    nobody creates directly, does what makes one and returns its number. ``routes``: state -> acts, where the
    shortest way is not meant. ``consequences``: for an act that only another act brings about (``use``,
    ``supersede``), returns the number of a record whose last act was this one. ``breaks``: act -> (words of
    the guard's message -> what to do first so that this guard fails, or fields that make it fail).
    ``actors``: act -> who does it, where role and independence do not say it (somebody trained on more).
    ``on``: act -> makes the record in a state for this act alone, where an ordinary one will not do.
    ``selves``: name of people -> makes a record in a state on which an all-round person (``otto``) stands
    under that name, where a tour of his does not lead there. ``nobody``: act -> why nobody who may do it can
    stand under any of the names it asks independence of.
    """

    create: Callable[[World], dict[str, Any]] | None = None
    acts: Mapping[str, Giving] = field(default_factory=dict)
    before: Mapping[str, Doing] = field(default_factory=dict)
    made_by: Callable[[World], str] | None = None
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    consequences: Mapping[str, Callable[[World], str]] = field(default_factory=dict)
    breaks: Mapping[str, Mapping[str, Doing]] = field(default_factory=dict)
    actors: Mapping[str, Callable[[World, Row], Person]] = field(default_factory=dict)
    on: Mapping[str, Callable[[World, str], str]] = field(default_factory=dict)
    selves: Mapping[str, Callable[[World, str], str]] = field(default_factory=dict)
    nobody: Mapping[str, str] = field(default_factory=dict)


def example_names() -> tuple[str, ...]:
    """Return the names of the types that have an example file."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.py")))


@cache
def example(name: str) -> Example:
    """Return the example of a type; a type without one fails with the path of the file to write."""
    path = FOLDER / f"{name}.py"
    assert path.exists(), f"{name} has no example: write {path.relative_to(FOLDER.parents[2])}"
    spec = importlib.util.spec_from_file_location(f"vocabulary_example_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found: Example = module.EXAMPLE
    return found


_SEEDED = {
    "document_sop": "sop",
    "instrument": "instrument",
    "calibration": "calibration",
    "study": "study",
    "acquisition_session": "session",
    "algorithm": "algorithm",
    "parameter_set": "parameters",
    "analysis_method": "method",
    "certification_letter": "letter",
}
"""Types of which the laboratory has one at work already."""
_FOUNDED = {"site": "SITE-01", "document_policy": "POL-0001", "role": "ROLE-QA"}


class World:
    """The laboratory, its people, and the ways of every type through its states."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._shared: dict[tuple[str, str], str] = {}
        self._made_on: dict[tuple[str, str], str] = {}
        self._making: list[str] = []
        self.first = ""
        """User name of who does whatever they may; empty: whoever comes first."""

    # --- looking -------------------------------------------------------------------------------

    def definition(self, type_: str) -> Definition:
        """Return the declaration of a type as this laboratory knows it."""
        return self.lab.door.catalogue[type_]

    def row(self, number: str) -> Row:
        """Return a record as it is now; ``SOP-0002 v2`` names a version of a document."""
        found = parse_reference(number)
        assert found is not None, f"{number!r} is no number"
        return self.lab.row(*found)

    def day(self, days: int = 0) -> str:
        """Return the date so many days from the laboratory's today."""
        today = dt.date.fromisoformat(self.lab.accounts.now()[:10])
        return (today + dt.timedelta(days=days)).isoformat()

    def pass_days(self, days: int) -> None:
        """Let days pass for everybody: what is due by then is due. Sessions end; people sign in anew."""
        put_forward(self.lab.cluster, days)
        self.lab.forget_sessions()

    def unique(self, prefix: str = "") -> str:
        """Return a text that this laboratory has not had yet: the prefix and a number."""
        self.lab.n["unique"] = str(int(self.lab.n.get("unique", "0")) + 1)
        return f"{prefix}{self.lab.n['unique']}"

    def letters(self) -> str:
        """Return four capital letters that this laboratory has not had yet, and none that look alike."""
        n = int(self.unique())
        return "".join("ABCDEFGHKMPRSTXY"[n // 16**i % 16] for i in (3, 2, 1, 0))

    def file(self, name: str = "scan.pdf") -> dict[str, Any]:
        """Keep a new file, no two the same, and return the value that names it."""
        return self.lab.attach(name, self.unique(f"{name} ").encode())

    def linked(self, number: str, type_: str = "") -> list[Row]:
        """Return the records that link to this one, of one type if named, as they are now."""
        found = self.lab.reading.linked(self.row(number).uid)
        return [row for row in found if row.type == type_ or not type_]

    # --- people --------------------------------------------------------------------------------

    def person(self, role: str = ANYBODY, n: int = 0) -> Person:
        """Return the n-th person who holds a role; for ``*`` the n-th of all."""
        if self.first and not n and role in (*TEAM[self.first], ANYBODY):
            return self.named(self.first)
        names = holders(role) if role != ANYBODY else everybody()
        assert n < len(names), f"{len(names)} people hold {role}"
        return self.named(names[n])

    def named(self, username: str) -> Person:
        """Return a person by user name, signed in."""
        return self.lab.person(username)

    def someone(self, uid: str) -> Person:
        """Return the person with this uuid."""
        row = self.lab.reading.by_uid("user", uid)
        assert row is not None, f"{uid} is nobody"
        return self.named(str(row.fields["username"]))

    def number_of(self, person: Person | str) -> str:
        """Return the number of a person's user record, for links to people."""
        return self.lab.number_of(person if isinstance(person, str) else person.username)

    def along(self, row: Row, path: w.Path) -> list[Row]:
        """Return the records at a path of links from ``row``, pinned or not, as they are now."""
        rows = [row]
        for step in path:
            table, _, column = step.partition(".")
            found = []
            for at in rows:
                value = at.fields.get(table)
                items = value if isinstance(value, list) else [value]
                links = [i.get(column) if column and isinstance(i, dict) else i for i in items]
                found += [self.lab.reading.by_uid(i["type"], i["uid"]) for i in links if isinstance(i, dict)]
            rows = [r for r in found if r is not None]
        return rows

    def people_named(self, row: Row, name: str) -> set[str]:
        """Return the uuids of the people a declared person name stands for on this record."""
        declared = self.definition(row.type).type.persons[name]
        if isinstance(declared, w.PersonAt):
            return {r.uid for r in self.along(row, declared.path)}
        rows = self.along(row, declared.path)
        match declared:
            case w.Signer():
                key = f"signed_{declared.meaning}"
            case w.Actor():
                key = declared.act
            case _:
                key = "touched"
        return {uid for r in rows for uid in r.people.get(key, ())}

    def apart_from(self, row: Row, act: str) -> set[str]:
        """Return the uuids of the people whom the actor must be independent of."""
        found = self.definition(row.type).acts.get(act)
        if found is None:
            return set()
        names = {*found.independent_of, *(found.signature.independent_of if found.signature else ())}
        return {uid for name in names for uid in self.people_named(row, name)}

    def who(self, row: Row, act: str) -> Person | Context:
        """Return somebody who may do an act: a person the record names, a holder of a role, or a machine."""
        chosen = example(row.type).actors.get(act)
        if chosen is not None:
            return chosen(self, row)
        declared = self.definition(row.type)
        roles, names, signed = _asked(declared.type, act)
        apart = self.apart_from(row, act)
        for name in names:
            for uid in sorted(self.people_named(row, name) - apart):
                return self.someone(uid)
        for person in self.holders(roles, signed):
            if person.uid not in apart:
                return person
        if SERVICE_ROLE in roles:
            return self.lab.service()
        assert DEVICE_ROLE in roles, f"nobody may {act} {row.label}: {roles or names}"
        return self.lab.device()

    def holders(self, roles: tuple[str, ...], signed: w.Signature | None = None) -> Iterator[Person]:
        """Yield the trained people who hold one of the roles, and where it is signed one that may sign."""
        wanted = [r for r in roles if r not in MACHINES]
        if signed is not None and signed.roles:
            wanted = [r for r in (signed.roles if ANYBODY in wanted else wanted) if r in signed.roles]
        if self.first and ({ANYBODY, *TEAM[self.first]} & set(wanted)):
            yield self.named(self.first)
        for role in wanted:
            for username in holders(role) if role != ANYBODY else everybody():
                yield self.named(username)

    def lend(self, giver: str, taker: str, role: str, days: int = 80) -> str:
        """Let one person lend another a role from today; return the delegation's number."""
        people = {"giver": self.number_of(giver), "taker": self.number_of(taker)}
        until = {"start": self.day(), "end": self.day(days)}
        number = self.create("delegation", by=giver, role=f"ROLE-{role}", **people, **until)
        self.do(number, "give", by=giver)
        if role in ("QA", "QAL"):
            self.do(number, "approve", by=next(n for n in holders("QA") if n not in (giver, taker)))
        self.do(number, "accept", by=taker)
        self.do(number, "begin")
        return number

    # --- acting --------------------------------------------------------------------------------

    def do(
        self,
        number: str,
        act: str,
        by: Person | str | Context | None = None,
        reason: str = WHY,
        **fields: Any,
    ) -> Receipt:
        """Do one act, by who may or by the one named; the example's fields, overridden by those given."""
        row = self.row(number)
        actor = self.named(by) if isinstance(by, str) else by or self.who(row, act)
        given = example(row.type).acts.get(act)
        values = {**(given(self, row) if given is not None else {}), **fields}
        change = Change(act, row.type, row.number, row.revision, values, reason, row.version)
        try:
            return self.submit(change, actor, signed=self.signs(row, act))
        except CoverslipError as error:
            error.add_note(_advice(row.type, act, row.label, row.state, actor, error))
            raise

    def submit(self, change: Change, actor: Person | Context, *, signed: bool) -> Receipt:
        """Submit a change as somebody; with the components and what was shown where it is signed."""
        context = actor.context if isinstance(actor, Person) else actor
        told = Change(
            change.act, change.type, change.number, change.revision, change.fields, change.reason,
            change.expected_version, SHOWN if signed else "", change.idempotency_key,
        )  # fmt: skip
        credential: Credential | None = None
        if signed:
            assert isinstance(actor, Person), f"{change.act} is signed, which only people do"
            credential = actor.credential_for(told)
        return self.lab.door.submit(told, context, credential)

    def signs(self, row: Row, act: str) -> bool:
        """Return whether the act is signed on this record."""
        found = self.definition(row.type).acts.get(act)
        return bool(found and found.signature) and not row.content.get("sandbox")

    def step(self, number: str, act: str, by: Person | str | Context | None = None, **fields: Any) -> Receipt:
        """Do what the example does before an act, then the act."""
        row = self.row(number)
        before = example(row.type).before.get(act)
        if before is not None:
            try:
                before(self, row)
            except CoverslipError as error:
                error.add_note(f"{_file(row.type)}: this was refused in before['{act}']")
                raise
        return self.do(number, act, by, **fields)

    # --- making --------------------------------------------------------------------------------

    def any(self, type_: str, state: str = "") -> str:
        """Return the number of a shared record to link to; without a state, one at work if there is one."""
        if not state and type_ in _FOUNDED:
            return _FOUNDED[type_]
        if not state and type_ == "user":
            return self.number_of(self.first or "maker1")
        key = (type_, state)
        if key not in self._shared and _SEEDED.get(type_, "") in self.lab.n:
            seeded = self.lab.n[_SEEDED[type_]]
            if not state or self.row(seeded).state == state:
                self._shared[key] = seeded
        old = key in self._made_on and self._made_on[key] < self.day(-60)
        if key not in self._shared or old or (state and self.row(self._shared[key]).state != state):
            self._shared[key], self._made_on[key] = self.new(type_, state), self.day()
        return self._shared[key]

    def new(self, type_: str, state: str = "", **fields: Any) -> str:
        """Return the number of a fresh record, driven to ``state`` (empty: as created) along the examples."""
        assert len(self._making) < 12, f"examples call each other in a circle: {' > '.join(self._making)}"
        self._making.append(f"{type_} {state}".strip())
        try:
            number = self._bring_about(type_, state, fields)
            return self.to(number, state) if state else number
        finally:
            self._making.pop()

    def new_for(self, type_: str, act: str, state: str) -> str:
        """Return the number of a fresh record in a state, as this act needs it."""
        made = example(type_).on.get(act)
        return self.new(type_, state) if made is None else made(self, state)

    def _bring_about(self, type_: str, state: str, fields: dict[str, Any]) -> str:
        """Return a record from which acts lead to ``state``."""
        told, declared = example(type_), self.definition(type_)
        if state and self.way(declared, declared.type.create.state, state) is None:
            for found in declared.type.transitions:
                if found.consequence and self.way(declared, found.to, state) is not None:
                    assert found.name in told.consequences, (
                        f"{_file(type_)}: consequences lacks '{found.name}', the only way to {state}"
                    )
                    return told.consequences[found.name](self)
        if told.made_by is not None and told.create is None:
            assert not fields, f"{type_} is made by another act; it takes no fields"
            return told.made_by(self)
        return self.create(type_, **fields)

    def maker(self, type_: str) -> Person | Context:
        """Return somebody who may create records of a type."""
        making = self.definition(type_).type.create
        person = next(self.holders(making.who, making.signature), None)
        if person is not None:
            return person
        return self.lab.service() if SERVICE_ROLE in making.who else self.lab.device()

    def create(self, type_: str, by: Person | str | Context | None = None, **fields: Any) -> str:
        """Create a record of the example's fields, overridden by those given; return its number."""
        told = example(type_)
        assert told.create is not None, f"{_file(type_)}: create is missing"
        return self.create_only(type_, by, **{**told.create(self), **fields})

    def create_only(self, type_: str, by: Person | str | Context | None = None, **fields: Any) -> str:
        """Create a record of exactly these fields (``None``: left out); return its number."""
        making = self.definition(type_).type.create
        actor = self.named(by) if isinstance(by, str) else by or self.maker(type_)
        values = {k: v for k, v in fields.items() if v is not None}
        try:
            made = self.submit(
                Change("create", type_, fields=values, reason=WHY),
                actor,
                signed=making.signature is not None and not self.is_sandbox(type_, values),
            )
        except CoverslipError as error:
            error.add_note(_advice(type_, "create", "a new record", "new", actor, error))
            raise
        return made.entries[0].number

    def is_sandbox(self, type_: str, values: Mapping[str, Any]) -> bool:
        """Return whether a record with these fields would be unregulated."""
        mark = self.definition(type_).type.sandbox
        if mark is None:
            return False
        if not mark.path:
            return bool(values.get(mark.field) == mark.value)
        first = values.get(mark.path[0])
        if not isinstance(first, str):
            return False
        return any(r.fields.get(mark.field) == mark.value for r in self.along(self.row(first), mark.path[1:]))

    def revise(self, number: str, by: Person | None = None, **fields: Any) -> str:
        """Create the next version of a document; return its label (``SOP-0002 v2``)."""
        row = self.row(number)
        told = example(row.type)
        assert told.create is not None
        values = told.create(self) | fields
        change = Change("create", row.type, row.number, 0, values, WHY)
        signed = self.definition(row.type).type.create.signature is not None
        made = self.submit(change, by or self.maker(row.type), signed=signed)
        return f"{made.entries[0].number} v{made.entries[0].revision}"

    def to(self, number: str, state: str) -> str:
        """Drive a record to a state; return its number."""
        row = self.row(number)
        way = example(row.type).routes.get(state)
        declared = self.definition(row.type)
        if way is None or row.state != declared.type.create.state:
            way = self.way(declared, row.state, state)
        assert way is not None, f"no way leads from {row.state} to {state} of {row.type}"
        for act in way:
            self.step(number, act)
        found = self.row(number).state
        assert found == state, f"{number} went {' > '.join(way)} and is {found}, not {state}"
        return number

    def way(self, declared: Definition, start: str, end: str) -> tuple[str, ...] | None:
        """Return the shortest way of acts people or machines do, or ``None``."""
        waiting: deque[tuple[str, tuple[str, ...]]] = deque([(start, ())])
        seen = {start}
        while waiting:
            state, way = waiting.popleft()
            if state == end:
                return way
            for found in declared.type.transitions:
                if found.consequence or not found.to or found.to in seen:
                    continue
                if state in expand(declared, found.from_):
                    seen.add(found.to)
                    waiting.append((found.to, (*way, found.name)))
        return None

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Forget shared records made inside, for acts that use them up."""
        before = dict(self._shared)
        try:
            yield
        finally:
            self._shared = before


def _asked(declared: w.Type, act: str) -> tuple[tuple[str, ...], tuple[str, ...], w.Signature | None]:
    """Return roles, names of people and signature of an act on an existing record."""
    if act == "edit":
        assert declared.edit is not None, f"{declared.name} is never edited"
        return declared.edit.who, declared.edit.persons, None
    found = next((t for t in declared.transitions if t.name == act), None)
    assert found is not None, f"{declared.name} has no act '{act}'"
    return found.who, found.persons, found.signature


def _file(type_: str) -> str:
    return f"tests/vocabulary/examples/{type_}.py"


def _advice(
    type_: str, act: str, label: str, state: str, actor: Person | Context, error: CoverslipError
) -> str:
    """Say where to look when an act of an example is refused."""
    who = actor.username if isinstance(actor, Person) else actor.auth
    place = "create" if act == "create" else f"acts['{act}']"
    hint = {
        "VAL_REQ": f"{place} lacks a field",
        "VAL_FORM": f"{place} gives a value of the wrong form",
        "SEQ_PRE": f"before['{act}'] (or {place}) leaves a guard unmet",
        "SEQ_STATE": f"routes, or the call, asks for '{act}' in a state where it is not possible",
        "AUTH_SELF": f"'{who}' is named by the record; leave 'by' open, or set actors['{act}']",
        "AUTH_TRAIN": f"'{who}' is not trained; set actors['{act}'] or train them in before['{act}']",
    }.get(error.code, f"{place} or before['{act}']")
    return f"{_file(type_)}: '{act}' on {label} ({state}) by {who} was refused; look at: {hint}"


@pytest.fixture(scope="module")
def world(peopled: Lab) -> World:
    """A world of its own for one module."""
    return World(peopled)
