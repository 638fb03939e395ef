"""A random walk: several people at several records of a few types, watched step by step by the plain model.

Rules kept here: a walk is made of its seed alone; a failure says the seed and the steps that led there.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from coverslip.errors import CoverslipError
from coverslip.kernel import words as w
from coverslip.kernel.change import Change, Context
from coverslip.records import all_types
from fix_lab import Person
from fix_model import CODES, OPAQUE, SERVICE, Known, Lent, Model, states_of
from fix_people import ALL_ROUND, DELEGATE
from fix_together import together
from fix_tour import given, prepare
from fix_world import WHY, World, example, example_names

PEOPLE = (
    *ALL_ROUND, "maker1", "bench1", "checker1", "checker2", "quality1", "quality2", "admin1", DELEGATE,
    "fresh", "fresh", SERVICE,
)  # fmt: skip
LENT = ("QA", "REV", "AUT", "ANL")
_LEAVES = """
select e.record_id::text, convert_from(e.leaf, 'UTF8')::json, encode(e.leaf_hash, 'hex'),
  e.id = (select min(o.id) from ledger.entry o where o.command_id = e.command_id)
from ledger.entry e where e.record_id = any(%s::uuid[]) order by e.id
"""
_EXAMPLE_FAILS = (KeyError, IndexError, StopIteration, AttributeError, TypeError)
"""What an example raises for a record that is not as it expects: the walk then goes on without it."""


def walkable() -> tuple[w.Type, ...]:
    """Return the types people create and act on; what a walk on accounts would end is the laboratory."""
    known = example_names()
    people = [t for t in all_types() if t.name in known and example(t.name).create is not None]
    acted = [t for t in people if any(not tr.consequence for tr in t.transitions)]
    return tuple(t for t in acted if t.name not in ("user", "role", "site"))


@dataclass
class Walk:
    """One walk. ``steps`` tells what was done, for whoever reads a failure."""

    world: World
    seed: int
    records: list[Known] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    planting: Callable[[], Callable[[], None]] | None = None
    """Plants a bug once the records are made, before the first step; returns what takes it out again."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.model = Model(self.world)
        self.done = 0

    def run(self, steps: int, types: tuple[str, ...] = (), records: int = 6) -> None:
        """Make records, then take steps; raises ``AssertionError`` with the steps at the first difference.

        ``types``: of these; empty: of three chosen by the seed.
        """
        undo: Callable[[], None] | None = None
        try:
            self._begin([self.world.definition(t).type for t in types], records)
            undo = self.planting() if self.planting is not None else None
            for _ in range(steps):
                self._step()
                self.compare()
            self.end()
        except (AssertionError, CoverslipError) as error:
            error.add_note(f"seed {self.seed}; the last steps:\n  " + "\n  ".join(self.steps[-12:]))
            raise
        finally:
            if undo is not None:
                undo()
            self.world.first = ""
            for lent in self.model.lent:
                self.world.do(lent.number, "end_early", by=lent.giver)

    def _begin(self, types: list[w.Type], records: int) -> None:
        giver = ALL_ROUND[0]
        for role in LENT:
            self.model.lent.append(Lent(self.world.lend(giver, DELEGATE, role), giver, DELEGATE, role))
        chosen = types or self.random.sample(walkable(), 3)
        self.world.first = self.random.choice(("", *ALL_ROUND))
        for n in range(records):
            t = chosen[n % len(chosen)]
            row = self.world.row(self.world.new(t.name))
            self.steps.append(f"new {row.label}")
            self.records.append(Known(t, row.label, row.uid))
        self.sync()

    # --- steps ---------------------------------------------------------------------------------

    def _step(self) -> None:
        known = self.random.choice(self.records)
        kinds: list[tuple[int, Callable[[Known], None]]] = [
            (60, self._act), (12, self._edit), (8, self._hold), (8, self._lift), (6, self._pair),
            (3, self._unknown), (3, self._lend),
        ]  # fmt: skip
        kind = self.random.choices([k for _, k in kinds], [n for n, _ in kinds])[0]
        kind(known)

    def _act(self, known: Known) -> None:
        act = self._choose(known)
        if self.random.random() < 0.6 and not self.held(known):
            self._prepare(known, act)
        self._attempt(known, act, self._somebody(known, act), self._values(known, act))

    def _choose(self, known: Known) -> str:
        acts = [tr for tr in known.type.transitions if not tr.consequence]
        here = [tr for tr in acts if known.state in states_of(known.type, tr) and not self._final(known, tr)]
        pool = here if here and self.random.random() < 0.75 else acts
        return self.random.choice(pool).name

    def _final(self, known: Known, found: w.Transition) -> bool:
        """Whether an act would end the record; seldom wanted, or every walk would soon be over."""
        ends = {s.name for s in known.type.states if s.terminal}
        return found.to in ends and self.random.random() < 0.8

    def _somebody(self, known: Known, act: str) -> str:
        """Return anybody, or somebody who may: half of the time each."""
        pool = list(PEOPLE)
        self.random.shuffle(pool)
        if self.random.random() < 0.65:
            for username in pool:
                if not self.model.against(known, act, username, (), known.version) & {
                    "role",
                    "training",
                    "self",
                }:
                    return username
        return pool[0]

    def _prepare(self, known: Known, act: str) -> None:
        found = next(tr for tr in known.type.transitions if tr.name == act)
        if known.state not in states_of(known.type, found) or "pass_days" in _source(
            example(known.type.name).before.get(act)
        ):
            return
        try:
            prepare(self.world, self.world.row(known.label), act)
        except (CoverslipError, AssertionError, *_EXAMPLE_FAILS):
            self.steps.append(f"  not prepared: {act} on {known.label}")
        self.sync()

    def _values(self, known: Known, act: str) -> dict[str, Any]:
        try:
            return given(self.world, self.world.row(known.label), act)
        except (CoverslipError, AssertionError, *_EXAMPLE_FAILS):
            return {}

    def _edit(self, known: Known) -> None:
        texts = [
            n for n, f in known.type.fields.items()
            if isinstance(f.kind, w.Text) and not f.kind.pattern and f.source == "typed" and not f.many
            and not f.unique and not f.personal and known.state not in f.immutable_at
        ]  # fmt: skip
        if not texts:
            return
        value = f"Changed in step {len(self.steps)} of a walk"
        self._attempt(known, "edit", self._somebody(known, "edit") if known.type.edit else "otto",
                      {self.random.choice(texts): value})  # fmt: skip

    def _unknown(self, known: Known) -> None:
        wrong = [tr.name for tr in known.type.transitions if tr.consequence] or ["sing"]
        self._attempt(known, self.random.choice(wrong), self.random.choice(PEOPLE), {})

    def _hold(self, known: Known) -> None:
        if len(self.held(known)) < 2:
            number = self.world.create_only(
                "hold", subject=known.label, reason="Held in the course of a walk."
            )
            self.steps.append(f"{number} holds {known.label}")

    def _lift(self, known: Known) -> None:
        for record in self.records:
            for number in self.held(record)[:1]:
                self.world.do(number, "lift", by="quality3")
                self.steps.append(f"{number} on {record.label} lifted")

    def _lend(self, known: Known) -> None:
        if len(self.model.lent) > 2:
            lent = self.model.lent.pop(self.random.randrange(len(self.model.lent)))
            self.world.do(lent.number, "end_early", by=lent.giver)
            self.steps.append(f"{lent.number} ended: {lent.taker} no longer acts as {lent.role}")

    def _pair(self, known: Known) -> None:
        """Let two people act on the same version at once: one of them at most does."""
        act = self._choose(known)
        people = [self._somebody(known, act) for _ in range(2)]
        reasons = [self.model.against(known, act, p, self.held(known), known.version) for p in people]
        values, row = self._values(known, act), self.world.row(known.label)
        signed = self.world.signs(row, act)
        change = Change(act, row.type, row.number, row.revision, values, WHY, row.version)
        actors = [self._actor(p) for p in people]

        def run(n: int) -> Callable[[], Any]:
            return lambda: self.world.submit(
                change, actors[n], signed=signed and isinstance(actors[n], Person)
            )

        answers = together(run(0), run(1))
        done = [n for n, answer in enumerate(answers) if not isinstance(answer, CoverslipError)]
        self.steps.append(f"{act} on {known.label} by {people} at once: {[str(a)[:60] for a in answers]}")
        assert len(done) < 2, "two acts were formed on one version and both were done"
        assert all(not reasons[n] for n in done), f"done in spite of {reasons}"
        for answer in answers:
            if isinstance(answer, CoverslipError) and answer.spec.recorded == "each":
                known.refusals.append(answer.code)
        self.done += len(done)

    def _actor(self, username: str) -> Person | Context:
        return self.world.lab.service() if username == SERVICE else self.world.named(username)

    def _attempt(self, known: Known, act: str, username: str, values: dict[str, Any]) -> None:
        self.sync()
        version = known.version - (self.random.random() < 0.15)
        against = self.model.against(known, act, username, self.held(known), version)
        row = self.world.row(known.label)
        change = Change(act, row.type, row.number, row.revision, values, WHY, version)
        actor = self._actor(username)
        signed = self.world.signs(row, act) and isinstance(actor, Person)
        try:
            self.world.submit(change, actor, signed=signed)
        except CoverslipError as error:
            self.steps.append(f"{act} on {known.label} ({known.state}) by {username}: {error}"[:200])
            self._refused(known, error, against)
            return
        self.steps.append(f"{act} on {known.label} ({known.state}) by {username}: done")
        assert not against, f"{act} was done in spite of: {', '.join(sorted(against))}"
        self.done += 1

    def _refused(self, known: Known, error: CoverslipError, against: set[str]) -> None:
        if error.spec.recorded == "each":
            known.refusals.append(error.code)
        if against:
            codes = set().union(*(CODES[reason] for reason in against))
            assert error.code in codes, f"refused with {error.code}, but the model sees {sorted(against)}"
            return
        elsewhere = error.record not in (known.label, known.label.split(" ")[0])
        fixed = error.code == "LOCKED" and "is fixed" in error.message
        guard = (
            error.code in OPAQUE
            or "unmet" in error.values
            or (error.code in ("HOLD", "AUTH_TRAIN", "SIG_REQUIRED"))
        )
        assert guard or elsewhere or fixed, (
            f"refused with {error.code}, but the model sees nothing against it"
        )

    # --- comparing -----------------------------------------------------------------------------

    def sync(self) -> None:
        """Let the model live through every entry it has not seen yet."""
        by_uid = {known.uid: known for known in self.records}
        rows = self.world.lab.ask(_LEAVES, list(by_uid))
        fresh = [r for r in rows if r[1]["record"]["ver"] > by_uid[r[0]].version]
        contents = {
            (e["uid"], e["version"]): e["sections"].get("content")
            for uid in {r[0] for r in fresh}
            for e in self.world.lab.reading.history(uid)
            if not e["about"]
        }
        for uid, leaf, hashed, primary in fresh:
            known = by_uid[uid]
            self.model.take(known, leaf, primary, contents.get((uid, leaf["record"]["ver"])))
            known.leaf_hash = hashed

    def held(self, known: Known) -> list[str]:
        """Return the numbers of what blocks a record, by the declarations of what links to it."""
        found = []
        for row in self.world.lab.reading.linked(known.uid):
            t = self.world.definition(row.type).type
            subject = row.fields.get(t.blocks) if t.blocks else None
            blocking = {s.name for s in t.states if s.blocking}
            if isinstance(subject, dict) and subject["uid"] == known.uid and row.state in blocking:
                found.append(row.number)
        return sorted(found)

    def compare(self) -> None:
        """Ask that every record is as the model has it."""
        self.sync()
        for known in self.records:
            row = self.world.row(known.label)
            assert (row.state, row.version, row.leaf_hash) == (known.state, known.version, known.leaf_hash), (
                f"{known.label} is {row.state} v{row.version}; the model: {known.state} v{known.version}"
            )
            people = {k: set(v) for k, v in row.people.items()}
            assert people == known.people, f"{known.label}: {people} did what the model has as {known.people}"
            personal = {
                n for n, f in known.type.fields.items() if f.personal
            }  # kept in a section of their own
            fields = {n: value for n, value in row.fields.items() if n not in personal}
            assert fields == known.fields, f"{known.label} has other fields than its last entry"
            assert sorted(b.number for b in row.blockers) == self.held(known), f"{known.label}: other holds"

    def end(self) -> None:
        """Ask that every refusal has its entry, every signature stands, and the ledger replays to what is."""
        for known in self.records:
            entries = self.world.lab.reading.history(known.uid)
            told = sorted(e["sections"]["detail"]["code"] for e in entries if e["type"] == "refusal")
            missing = list(known.refusals)
            for code in told:
                if code in missing:
                    missing.remove(code)
            assert not missing, f"{known.label}: no entry for {missing}"
            signed = sum("signature" in e["sections"] for e in entries if not e["about"])
            assert signed == known.signatures, f"{known.label}: {signed} signatures, {known.signatures} known"
        assert self.world.lab.replay() == []


def _source(before: Any) -> str:
    """Return the names a preparation uses; one that lets days pass would end sessions and delegations."""
    code = getattr(before, "__code__", None)
    return " ".join((*code.co_names, *map(str, code.co_consts))) if code is not None else ""
