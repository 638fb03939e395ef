"""An attempt: one change on its way through the door, from its number to its entries.

Rules kept here:

* Nothing is held while Python thinks: facts in one statement, a pure decision, one commit that compares
  everything looked at again under lock.
* A number is drawn once, and only for people who may act at all.
* The catalogue is the one its facts tell of. Facts that were read by another one are read again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from coverslip.errors import Conflict, CoverslipError, EvidenceBroken, NotFound
from coverslip.kernel import authority, entries, receipts, words as w
from coverslip.kernel.change import Change, Context, Receipt
from coverslip.kernel.clock import ClockState, monotonic_s
from coverslip.kernel.content import number_references, parse_reference
from coverslip.kernel.decide import Decision, decide
from coverslip.kernel.definition import Definition
from coverslip.kernel.drafts import Draft, Ids, Request
from coverslip.kernel.facts import Facts, Plan, newest_of, plan_act
from coverslip.kernel.held import Held, Reading
from coverslip.kernel.judging import Condition, conditions
from coverslip.kernel.making import pointing
from coverslip.kernel.ports import Batch, Read, Scope, Store
from coverslip.kernel.refinery import Refinery
from coverslip.kernel.rows import Row, row_from
from coverslip.kernel.upgrade import Changed
from coverslip.ledger.identity import uuid7

Gatherer = Callable[[Row], Any]
_READINGS = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """What every attempt works with."""

    catalogue: Refinery
    store: Store
    clock: Callable[[], ClockState]
    gatherers: Mapping[tuple[str, int], Gatherer]
    held: Held


class Attempt:
    """One change on its way: resolved references, numbers drawn once, facts read per decision."""

    def __init__(self, parts: Parts, change: Change, context: Context, *, dry: bool = False) -> None:
        """``dry``: nothing will be written: no number is drawn, only what a guard looks at is gathered."""
        self._parts, self.change, self.context, self._dry = parts, change, context, dry
        self._store = parts.store
        self._command = str(uuid7())
        self.period = ""
        self._found: dict[tuple[str, int], Row] = {}
        self._first: Facts | None = None
        self._reading: Reading | None = None
        self._from_held = False
        self._catalogue = parts.catalogue.last
        self.defines: list[Changed] = []
        self.definition, self._row = self._locate()
        self._ids: Ids | None = None
        self._taken: dict[tuple[str, int], tuple[str, str]] = {}
        self._previous = self._latest_revision()

    @property
    def subject(self) -> Row | None:
        """The record acted on, as it was when the attempt began; absent at creation."""
        return self._row

    # --- reading -------------------------------------------------------------------------------

    def _locate(self) -> tuple[Definition, Row | None]:
        change, catalogue = self.change, self._catalogue
        if change.act == "create":
            definition = catalogue.get(change.type)
            if definition is None:
                raise NotFound("NOT_FOUND", what="record type", record=change.type[:60])
            self._found = self._resolve(definition)
            return definition, None
        # The number says the type, so that one statement finds the record and reads what its act needs.
        supposed = catalogue.with_prefix(change.number)
        if supposed is None:
            raise NotFound("NOT_FOUND", what="record", record=change.number[:60])
        self._found = self._resolve(supposed)
        if not self._dry and self._plain(supposed):
            held = self._recall()
            if held is not None and held.record is not None:
                return supposed, held.record
        number = {"number": change.number, **({"revision": change.revision} if change.revision else {})}
        facts = self._read_facts(supposed, change.number, number)
        row = facts.record
        if row is None:
            raise NotFound("NOT_FOUND", what="record", record=change.number[:60])
        if row.type != supposed.name:
            raise EvidenceBroken(
                "EVIDENCE", what=f"the type of {row.number}", expected=supposed.name, found=row.type
            )
        self._first = facts
        return self._catalogue[supposed.name], row

    def _recall(self) -> Facts | None:
        """Take up what is held of the record, as the first facts of this attempt."""
        reading = self._parts.held.left(self.context.session, self.change)
        if reading is None:
            return None
        now = self._parts.held.now(reading, self._parts.clock().value())
        # What was held under another catalogue is not taken up: it is read again under the one in force.
        self._first = now if now and self._parts.catalogue.told(now) is self._catalogue else None
        self._reading, self._from_held = reading, self._first is not None
        return self._first

    def _plain(self, definition: Definition) -> bool:
        """Whether the act is not signed and no link is given: what it reads does not depend on its fields."""
        return _signature(definition, self.change.act) is None and not self._proposed(definition)

    def _read_many(self, references: list[tuple[str, int]]) -> dict[tuple[str, int], Row]:
        reads = [
            {"as": f"n{i}", "reference": {"number": number, "revision": revision}}
            for i, (number, revision) in enumerate(references)
        ]
        found = self._store.facts({"reads": reads}).get("reads", {})
        rows = {r: found.get(f"n{i}") or [] for i, r in enumerate(references)}
        return {r: row_from(v[0]) for r, v in rows.items() if v}

    def _resolve(self, definition: Definition) -> dict[tuple[str, int], Row]:
        references = sorted(
            number_references(definition.type.fields, self.change.fields, self._catalogue.list_prefix)
        )
        return self._read_many(references) if references else {}

    def _latest_revision(self) -> Row | None:
        if self.change.act != "create" or not self.change.number:
            return None
        if parse_reference(self.change.number) is None:
            raise NotFound("NOT_FOUND", what="record", record=self.change.number[:60])
        rows = self._store.facts({"reads": [{"as": "latest", "latest": self.change.number}]})["reads"][
            "latest"
        ]
        if not rows or rows[0]["type"] != self.definition.name:
            raise NotFound(
                "NOT_FOUND", what=self.definition.type.title.lower(), record=self.change.number[:60]
            )
        return row_from(rows[0])

    def _facts(self) -> Facts:
        """Return the facts the record was found with, once; after that they are read anew."""
        first, self._first = self._first, None
        if first is not None:
            return first
        row = self._row
        if row is None:
            facts = self._read_facts(self.definition, self.change.number, None)
        else:
            facts = self._read_facts(self.definition, row.number, {"type": row.type, "uid": row.uid})
        self.definition = self._catalogue[self.definition.name]
        return facts

    def _read_facts(self, definition: Definition, number: str, record: dict[str, Any] | None) -> Facts:
        """Read what the act needs by the catalogue in force, which is the one the facts tell of."""
        for _ in range(_READINGS):
            facts = self._read_once(definition, number, record)
            catalogue = self._parts.catalogue.told(facts)
            if catalogue is self._catalogue:
                return facts
            self._catalogue, definition = catalogue, catalogue[definition.name]
            self._found = self._resolve(definition)
        raise Conflict("SIG_STALE", record=number, time="this moment", v="anew")

    def _plan(self, definition: Definition, number: str) -> Plan:
        return plan_act(self._catalogue, definition, self.change.act, number)

    def _read_once(self, definition: Definition, number: str, record: dict[str, Any] | None) -> Facts:
        plan = self._plan(definition, number)
        request: dict[str, Any] = {
            "reads": [read for read in plan.reads.values() if not _later(read, plan)],
            "proposed": self._proposed(definition),
        }
        if record is not None:
            request["record"] = record
        found = self._parts.held.facts(
            self.context.session,
            request,
            self._parts.clock().value(),
            signing=_signature(definition, self.change.act) is not None,
        )
        found = self._with_newest(found, plan.newest)
        found = self._with_in_force(found, plan)
        self._reading = Reading(found, monotonic_s())
        return found

    def _with_newest(self, facts: Facts, names: list[str]) -> Facts:
        """Return the facts with the newest versions of the records that ``names`` led to."""
        wanted = {newest_of(name): [r.number for r in facts.rows(name)] for name in names}
        reads = [
            {"as": f"{i} {name}", "latest": number}
            for name, numbers in wanted.items()
            for i, number in enumerate(numbers)
        ]
        if not reads:
            return facts
        found = self._store.facts({"reads": reads})["reads"]
        rows = {
            name: tuple(row_from(found[f"{i} {name}"][0]) for i in range(len(numbers)))
            for name, numbers in wanted.items()
        }
        return replace(facts, reads={**facts.reads, **rows})

    def _with_in_force(self, facts: Facts, plan: Plan) -> Facts:
        """Return the facts with the versions in force that consequences supersede, and what these look at."""
        for name, base in plan.in_force.items():
            numbers = sorted({row.number for row in facts.rows(base)})
            if not numbers:
                continue
            reads = [read for read in plan.reads.values() if read["as"].startswith(name)]
            asked = {"reads": [{"as": name, "by_number": numbers}, *reads]}
            value = self._store.facts(asked)
            rows = {n: tuple(row_from(r) for r in found) for n, found in value["reads"].items()}
            scopes = {**(value.get("scopes") or {}), **facts.scopes}
            facts = replace(facts, reads={**facts.reads, **rows}, scopes=scopes)
        return facts

    def _proposed(self, definition: Definition) -> dict[str, Any]:
        """Links of the fields given, so that paths lead to where they will point."""
        kinds = definition.type.fields
        found: dict[str, Any] = {}
        for name, value in self.change.fields.items():
            declared = kinds.get(name)
            if declared is not None and value is not None:
                found[name] = _linked(declared.kind, value, self._found)
        return {k: v for k, v in found.items() if v is not None}

    def facts_now(self, facts: Facts) -> Facts:
        """Return the facts with the time of writing: a ceremony takes a while."""
        if _signature(self.definition, self.change.act) is not None:
            return replace(facts, now=self._store.facts({})["now"])
        return facts

    # --- deciding ------------------------------------------------------------------------------

    def decide(self, now: str = "") -> tuple[Decision, Facts]:
        """Read facts and decide; ``now`` keeps the time of an earlier decision in the content."""
        try:
            return self._decide(now)
        except CoverslipError:
            if not self._from_held:
                raise
            # What was held may be over: a refusal is given only from what is read.
            self._from_held, self._first = False, None
            return self._decide(now)

    def _decide(self, now: str) -> tuple[Decision, Facts]:
        if now:
            self._found = self._resolve(self.definition)
        facts = self._facts()
        deciding = replace(facts, now=now) if now else facts
        if self._ids is None:
            self._check_authority_first(facts)
            self._ids = self._new_ids()
            self._gathered = self._gather(facts)
        decision = decide(self._request(), deciding)
        drafts = (decision.primary, *decision.consequences, *(c.draft for c in decision.creates))
        self.defines = self._parts.catalogue.following(facts, drafts, self._catalogue)
        return decision, facts

    def _request(self) -> Request:
        assert self._ids is not None  # noqa: S101 -- drawn by whoever asks
        return Request(
            self._catalogue,
            self.definition,
            self.change,
            self.context,
            self._ids,
            self._found,
            self._gathered,
            self._previous,
        )

    def judge(self) -> list[Condition]:
        """Return every guard of the act by itself; who may do it is not asked."""
        facts = self._facts()
        self._ids, self._gathered = self._new_ids(), self._gather(facts)
        return conditions(self._request(), facts)

    def _check_authority_first(self, facts: Facts) -> None:
        """Numbers are drawn only for people who may act at all, so that probing burns none."""
        authority.require_account(facts, self.context.person)

    def _new_ids(self) -> Ids:
        if self._row is not None:
            return Ids(self._row.uid, self._row.number, self._take)
        number = self._previous.number if self._previous else self._draw(self.definition, self.change.fields)
        return Ids(str(uuid7()), number, self._take)

    def _take(
        self, definition: Definition, index: int, fields: Mapping[str, Any], number: str = ""
    ) -> tuple[str, str]:
        """Give id and number of the n-th record of a type this command makes; once, however often decided."""
        key = (definition.name, index)
        if key not in self._taken:
            self._taken[key] = (str(uuid7()), number or self._draw(definition, fields))
        return self._taken[key]

    def _effects(self) -> tuple[w.Effect, ...]:
        if self.change.act == "create":
            return self.definition.type.create.effects
        found = self.definition.acts.get(self.change.act)
        return found.effects if found else ()

    def _draw(self, definition: Definition, fields: Mapping[str, Any]) -> str:
        number = definition.type.number
        if self._dry:
            return f"{number.prefix}-0"
        if number.code:
            # As the field will be kept, so that no number differs from another by space alone.
            return f"{number.prefix}-{unicodedata.normalize('NFC', str(fields.get(number.code, ''))).strip()}"
        answer = self._store.facts({"number": number.prefix})
        year = f"{answer['now'][:4]}-" if number.yearly else ""
        return f"{number.prefix}-{year}{int(answer['number']):0{number.width}d}"

    def _gather(self, facts: Facts) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for effect in self._effects():
            if isinstance(effect, w.Gather):
                if self._dry and not effect.asked:
                    found[effect.field] = {}
                    continue
                rows = facts.rows("/".join(("self", *effect.path)))
                gatherer = self._parts.gatherers[(effect.gatherer, effect.version)]
                found[effect.field] = gatherer(rows[0]) if rows else []
        return found

    # --- writing -------------------------------------------------------------------------------

    def write(
        self, decision: Decision, facts: Facts, sections: Mapping[str, entries.Section], meaning: str
    ) -> Receipt:
        """Build all entries of the command and commit them; raises ``Conflict`` when facts moved."""
        built = self.build(decision, facts, sections, meaning)
        defined = self._parts.catalogue.entries(self._frame(decision, facts), decision.primary, self.defines)
        committed = self._store.commit(self.batch(decision, facts, [*(b for _, b in built), *defined]))
        if committed.replayed:
            before = receipts.earlier(self._store, self.change, self.context)
            if before is not None:
                return before
        if len(built) == 1:
            self._leave(facts, decision.primary.as_row(built[0][1].leaf_hash))
        written = tuple(receipts.receipt(d, b) for d, b in built)
        return Receipt(self._command, committed.at, written)

    def build(
        self,
        decision: Decision,
        facts: Facts,
        sections: Mapping[str, entries.Section],
        meaning: str,
        command: str = "",
    ) -> list[tuple[Draft, entries.Built]]:
        """Build every entry of the decision, the primary one first; ``command``: of which it is a part."""
        frame = self._frame(decision, facts, command)
        primary = entries.build_record(frame, decision.primary, sections, meaning)
        built = [(decision.primary, primary)]
        for draft in decision.consequences:
            built.append((draft, entries.build_record(frame, draft, entries.content_sections(draft))))
        known = {draft.uid: draft.as_row(one.leaf_hash) for draft, one in built}
        for created in decision.creates:
            draft = pointing(self._catalogue, created, known[created.parent])
            built.append((draft, entries.build_record(frame, draft, entries.content_sections(draft))))
        return built

    def _frame(self, decision: Decision, facts: Facts, command: str = "") -> entries.Frame:
        return entries.Frame(
            facts.installation["origin"],
            command or self._command,
            facts.now,
            facts.clock,
            self.context,
            behalf=str(decision.delegation.data["behalf"]) if decision.delegation else "",
        )

    def _leave(self, facts: Facts, row: Row) -> None:
        """Hold how a change that wrote nothing but its record left it.

        Not where something was counted, or where a document may come into force meanwhile that the person's
        roles require: neither has a counter that the commit could compare.
        """
        reading, person = self._reading, self.context.person
        if (
            reading is not None
            and self._row is not None
            and not facts.scopes
            and self._plain(self.definition)
            and authority.documents_known(facts, person)
        ):
            self._parts.held.leave(self.context.session, self.change, reading, row)

    def batch(self, decision: Decision, facts: Facts, built: list[entries.Built]) -> Batch:
        """Return the batch of this change alone."""
        until = min(
            (a.valid_to for a in facts.authority if a.valid_to and a.person == self.context.person),
            default="",
        )
        key = self.change.idempotency_key or None
        return Batch(
            command=UUID(self._command),
            actor=UUID(self.context.person),
            at=entries.instant(facts.now),
            entries=tuple(b.new for b in built),
            session=UUID(self.context.session),
            epoch=facts.epoch,
            valid_until=entries.instant(until) if until else None,
            reads=tuple(Read(t, UUID(u), s) for t, u, s in decision.reads),
            scopes=tuple(Scope(k, s) for k, s in decision.scopes),
            idempotency_key=key,
            request_hash=receipts.request_hash(self.change) if key else None,
        )


def _later(read: Mapping[str, Any], plan: Plan) -> bool:
    """Whether a read leads on from versions in force whose numbers another read gives first."""
    return any(str(read["as"]).startswith(name) for name in plan.in_force)


def _signature(definition: Definition, act: str) -> w.Signature | None:
    if act == "create":
        return definition.type.create.signature
    found = definition.acts.get(act)
    return found.signature if found else None


def _linked(kind: w.Kind, value: Any, found: Mapping[tuple[str, int], Row]) -> Any:
    if isinstance(value, list):
        links = [_linked(kind, item, found) for item in value]
        return [link for link in links if link is not None]
    if isinstance(kind, w.Table) and isinstance(value, dict):
        row = {c: _linked(s.kind, value[c], found) for c, s in kind.columns.items() if c in value}
        return {c: v for c, v in row.items() if v is not None} or None
    if isinstance(kind, w.Link):
        reference = parse_reference(value)
        row_found = found.get(reference) if reference else None
        return None if row_found is None else {"type": row_found.type, "uid": row_found.uid}
    return None
