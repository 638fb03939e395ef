"""A tour: one record of a type in each of its states, and acts tried on it that must be refused.

Rules kept here:

* On a tour one all-round person does whatever they may, so that independence is what stops them.
* What is tried is tried through the door, as anybody would; a refusal must be the one expected, word for
  word, must leave the record as it was and must have its entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

import pytest

from coverslip.errors import CATALOGUE, CoverslipError
from coverslip.kernel import guards, words as w
from coverslip.kernel.authority import DEVICE_ROLE, SERVICE_ROLE
from coverslip.kernel.change import Change, Context
from coverslip.kernel.definition import guards_of
from coverslip.kernel.drafts import expand
from coverslip.kernel.rows import Row
from fix_lab import Person
from fix_people import ALL_ROUND
from fix_world import WHY, World, example

Actor = Person | Context
CRASHES = (KeyError, TypeError, AttributeError, IndexError, ValueError)
"""What a rule raises that takes for granted what may be absent."""


@dataclass
class Tour:
    """The states of one type, each with a record standing there; ``wrong`` gathers what was not right."""

    world: World
    type: w.Type
    wrong: list[str] = field(default_factory=list)
    _standing: dict[str, str] = field(default_factory=dict)
    _refused: dict[str, list[str]] = field(default_factory=dict)

    def at(self, state: str) -> Row:
        """Return a record that stands in a state, as it is now; one that moved on is replaced."""
        if state in self._standing:
            row = self.world.row(self._standing[state])
            if row.state == state:
                return row
        self._standing[state] = self.fresh(state)
        return self.world.row(self._standing[state])

    def fresh(self, state: str) -> str:
        """Return the number of a new record in a state, made by the all-round person wherever they may."""
        with self.all_round():
            return self.world.new(self.type.name, state)

    def ready(self, act: str, state: str) -> Row:
        """Return a new record on which the act could be done, were it not for who wants to do it."""
        with self.all_round():
            row = self.world.row(self.world.new_for(self.type.name, act, state))
            return prepare(self.world, row, act)

    @contextmanager
    def all_round(self) -> Iterator[None]:
        """Let one person do whatever they may."""
        before, self.world.first = self.world.first, ALL_ROUND[0]
        try:
            yield
        finally:
            self.world.first = before

    def states(self, found: w.Transition) -> tuple[str, ...]:
        """Return the states an act is possible in."""
        return expand(self.world.definition(self.type.name), found.from_)

    def permitted(self, state: str) -> list[w.Transition]:
        """Return the acts that people or machines may do in a state."""
        return [tr for tr in self.type.transitions if not tr.consequence and state in self.states(tr)]

    def anybody(self, row: Row, found: w.Transition | w.Editing) -> Actor | None:
        """Return somebody of the right role or name, independent or not; ``None`` where there is nobody."""
        person = next(self.world.holders(found.who), None)
        if person is not None:
            return person
        for name in found.persons:
            for uid in sorted(self.world.people_named(row, name)):
                try:
                    return self.world.someone(uid)
                except CoverslipError:
                    continue  # an account on which nobody can sign in yet, or no more
        if SERVICE_ROLE in found.who:
            return self.world.lab.service()
        return self.world.lab.device() if DEVICE_ROLE in found.who else None

    # --- trying --------------------------------------------------------------------------------

    def attempt(
        self,
        row: Row,
        act: str,
        actor: Actor,
        *,
        signed: bool = True,
        reason: str = WHY,
        version: int | None = None,
        **fields: Any,
    ) -> CoverslipError | None:
        """Try an act; return the refusal, or ``None`` when it was done."""
        change = Change(
            act,
            row.type,
            row.number,
            row.revision,
            fields,
            reason,
            row.version if version is None else version,
        )
        try:
            self.world.submit(
                change, actor, signed=signed and isinstance(actor, Person) and self.world.signs(row, act)
            )
        except CoverslipError as error:
            self._require_filled(error)
            if error.spec.recorded == "each":
                self._refused.setdefault(row.uid, []).append(error.message)
            return error
        except CRASHES as error:
            self.wrong.append(f"{act} on {row.state} with {sorted(fields)} crashes: {error!r}")
        return None

    def _require_filled(self, error: CoverslipError) -> None:
        """Ask that message and remedy have every value their templates name."""
        told = f"{error.message} {error.remedy}"
        templates = error.spec.template + error.spec.remedy
        named = {name for _, name, _, _ in Formatter().parse(templates) if name}
        raw = sorted(name for name in named if f"({name})" in told)
        if raw:
            self.wrong.append(f"{error.code} lacks {raw}: {told}")

    def refuses(self, row: Row, act: str, actor: Actor, code: str, sentence: str, **more: Any) -> None:
        """Ask that an act is refused under this code with this sentence, and that nothing came of it."""
        error = self.attempt(row, act, actor, **more)
        told = f"{act} on {row.state} by {name_of(actor)}"
        if error is None:
            self.wrong.append(f"{told}: done; expected {code}")
            return
        if (error.code, error.message) != (code, sentence):
            self.wrong.append(
                f"{told}:\n    got      {error.code} {error.message}\n    expected {code} {sentence}"
            )
        after = self.world.lab.reading.by_uid(row.type, row.uid)
        assert after is not None
        if (after.version, after.leaf_hash, after.state) != (row.version, row.leaf_hash, row.state):
            self.wrong.append(f"{told}: refused, yet the record changed")

    def refuses_creation(self, actor: Actor, values: dict[str, Any], code: str, sentence: str) -> None:
        """Ask that no record of these fields is made, under this code with this sentence."""
        signed = isinstance(actor, Person) and self.type.create.signature is not None
        try:
            self.world.submit(
                Change("create", self.type.name, fields=values, reason=WHY), actor, signed=signed
            )
        except CoverslipError as error:
            if error.code != code or sentence not in error.message:
                self.wrong.append(f"create: got {error.code} {error.message}; expected {code} {sentence}")
        except CRASHES as error:
            self.wrong.append(f"create of {sorted(values)} crashes: {error!r}")
        else:
            self.wrong.append(f"create by {name_of(actor)}: done; expected {code} {sentence}")

    def finish(self) -> None:
        """Ask that every refusal has its entry and that nothing was otherwise than it must be."""
        for uid, messages in self._refused.items():
            entries = [e for e in self.world.lab.reading.history(uid) if e["type"] == "refusal"]
            told = [str(e["sections"]["detail"].get("message", "")) for e in entries]
            for message in messages:
                if message[:1000] in told:
                    told.remove(message[:1000])
                else:
                    self.wrong.append(f"no entry says: {message}")
        self._refused.clear()
        found, self.wrong = self.wrong, []
        assert not found, f"{self.type.name}:\n  " + "\n  ".join(found)

    @contextmanager
    def held(self, number: str) -> Iterator[tuple[str, str]]:
        """Hold a record; gives the hold's number and reason."""
        reason = "Looked into: the label is smudged."
        hold = self.world.create_only("hold", subject=number, reason=reason)
        yield hold, reason
        self.world.do(hold, "lift")


def name_of(actor: Actor) -> str:
    """Return the user name of a person, the manner of a machine."""
    return actor.username if isinstance(actor, Person) else actor.auth


def sentence(code: str, **values: Any) -> str:
    """Return the message that the catalogue of errors (DOMAIN 1.6) has for these values."""
    return CATALOGUE[code].template.format_map(values)


# --- guards ------------------------------------------------------------------------------------

Asked = tuple[str, int]
"""Name of the act and identity of the guard: two guards of equal words on one act are two."""


def own_guards(t: w.Type) -> dict[Asked, w.Guard]:
    """Return every guard of a type but the conditions, by act and identity."""
    return {(act, id(guard)): guard for act, guard in guards_of(t) if not isinstance(guard, w.When)}


@contextmanager
def watched() -> Iterator[set[Asked]]:
    """Note every guard that fails inside."""
    failed: set[Asked] = set()

    def watching(ask: Any) -> Any:
        def asked(guard: w.Guard, scene: guards.Scene) -> Any:
            found = ask(guard, scene)
            if found:
                failed.add((scene.action, id(guard)))
            return found

        return asked

    with pytest.MonkeyPatch.context() as patch:
        for word, ask in list(guards._ASK.items()):
            patch.setitem(guards._ASK, word, watching(ask))
        yield failed


def given(world: World, row: Row, act: str) -> dict[str, Any]:
    """Return the fields the example gives with an act."""
    giving = example(row.type).acts.get(act)
    return dict(giving(world, row)) if giving is not None else {}


def prepare(world: World, row: Row, act: str) -> Row:
    """Do what the example does before an act; return the record as it is then."""
    before = example(row.type).before.get(act)
    if before is not None:
        before(world, row)
    return world.row(row.label if row.revision else row.number)
