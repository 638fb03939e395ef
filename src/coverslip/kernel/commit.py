"""The one door: every change of every record passes here (law 2).

Rules kept here:

* Nothing is held while Python thinks: facts in one statement, a pure decision, one commit that
  compares everything looked at again under lock.
* A conflict is decided again once; a second one goes to the person. A signed act is never decided
  again on another base than the one that was signed.
* A refusal is an answer and an entry (``refusals``); if the entry cannot be written, 503.
* A file enters a record only if it is kept, with the size and hashes the record gives it.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

from coverslip.errors import Conflict, CoverslipError, EvidenceBroken, Invalid, NotFound, Refused
from coverslip.kernel import authority, entries, signature
from coverslip.kernel import words as w
from coverslip.kernel.change import Change, Context, Credential, EntryReceipt, Receipt
from coverslip.kernel.clock import ClockState
from coverslip.kernel.content import number_references, parse_reference
from coverslip.kernel.decide import Decision, decide
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.drafts import Draft, Ids, Request
from coverslip.kernel.events import Events
from coverslip.kernel.facts import Facts, facts_from, plan_act
from coverslip.kernel.ports import Batch, Read, Scope, Store
from coverslip.kernel.rows import Row, row_from
from coverslip.ledger import canonical, leaf
from coverslip.ledger.identity import uuid7

Gatherer = Callable[[Row], Any]
Kept = Callable[[Mapping[str, Any]], bool]
"""Whether a file ``{"path", "root", "sha256", "size"}`` is kept just so."""


class Ceremonies(Protocol):
    """What signing needs of identity: who signs, with what key, in which continuous period."""

    def signer(self, context: Context) -> signature.Signer:
        """Return the signer of this session with the wrapped key; refuses when there is none.

        The attempt counts as a failed one until ``proved`` is called.
        """
        ...

    def period(self, context: Context) -> str:
        """Return the id of the open continuous period, empty when none is open."""
        ...

    def proved(self, context: Context) -> None:
        """Note that the secret was right."""
        ...

    def signed(self, context: Context, period: str) -> None:
        """Note a signing that was written, which opens or continues the period."""
        ...


class Door:
    """Takes changes to the ledger. One instance serves all sessions; it keeps nothing between calls."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: Store,
        ceremonies: Ceremonies,
        clock: Callable[[], ClockState],
        events: Events,
        gatherers: Mapping[tuple[str, int], Gatherer] | None = None,
        kept: Kept | None = None,
    ) -> None:
        """``kept`` says which files may be named; without it there is no vault to ask."""
        self.catalogue = catalogue
        self._store = store
        self._ceremonies = ceremonies
        self._clock = clock
        self._events = events
        self._gatherers = dict(gatherers or {})
        self._kept = kept

    def submit(self, change: Change, context: Context, credential: Credential | None = None) -> Receipt:
        """Do one change, or raise why not; a refusal is recorded before it is raised.

        Raises:
            Refused: authority, sequence, independence, signature, hold, device.
            Invalid: content or reason; every problem is listed.
            Conflict: the record changed after ``expected_version`` was read.
            EnvironmentFault: nothing was written, the refusal's own entry included.
        """
        attempt = None
        try:
            before = self._earlier(change, context) if change.idempotency_key else None
            if before is not None:
                return before
            attempt = _Attempt(self, change, context)
            return self._submit(attempt, credential)
        except CoverslipError as error:
            self._events.refuse(error, context, change.act, attempt.subject if attempt else None)
            raise

    def _earlier(self, change: Change, context: Context) -> Receipt | None:
        """Return the receipt of what was written under this key; refuse a key of another request."""
        found = self._store.earlier(UUID(context.person), change.idempotency_key)
        if found is None:
            return None
        if found.request_hash != _request_hash(change):
            raise Invalid("IDEMPOTENCY", key=change.idempotency_key)
        receipts = tuple(_receipt_of(data, content) for data, content in found.entries)
        return Receipt(str(found.command), found.at, receipts, replayed=True)

    def _submit(self, attempt: _Attempt, credential: Credential | None) -> Receipt:
        receipt = self._decide_and_write(attempt, credential)
        if attempt.period and not receipt.replayed:
            self._ceremonies.signed(attempt.context, attempt.period)
        return receipt

    def _decide_and_write(self, attempt: _Attempt, credential: Credential | None) -> Receipt:
        decision, facts = attempt.decide()
        self._require_files(decision.primary)
        sections = entries.content_sections(decision.primary)
        meaning = ""
        if decision.signature is not None:
            sections["signature"] = self._sign(attempt, decision, facts, sections, credential)
            meaning = decision.signature.meaning
        try:
            return attempt.write(decision, attempt.facts_now(facts), sections, meaning)
        except Conflict:
            again, facts = attempt.decide(now=facts.now)
            if decision.signature is None:
                return attempt.write(again, facts, entries.content_sections(again.primary), meaning)
            if not _same(again.primary, decision.primary):
                raise _stale(again.primary) from None
            return attempt.write(again, facts, sections, meaning)

    def _require_files(self, draft: Draft) -> None:
        """Refuse a file that is not kept as named; those of the version before were asked about then."""
        before = entries.file_items(replace(draft, content=draft.base.content)) if draft.base else []
        for item in entries.file_items(draft):
            if item not in before and self._kept is not None and not self._kept(item):
                raise Invalid(
                    "VAL_FORM",
                    record=draft.number,
                    field="files",
                    expected="a file that was delivered or attached, as it was",
                    found=f"'{item['path'][:60]}'",
                )

    def explain(
        self, row: Row, context: Context, act: str, fields: Mapping[str, Any] | None = None
    ) -> CoverslipError | None:
        """Return why this person may not do ``act`` now, or ``None``; nothing is written or recorded.

        Reasons, signatures and fields not yet given are not asked for.
        """
        change = Change(
            act,
            row.type,
            row.number,
            row.revision,
            dict(fields or {}),
            "asked in advance, nothing done",
            row.version,
        )
        try:
            decision, facts = _Attempt(self, change, context, dry=True).decide()
            if decision.signature is not None:
                self._require_signing(facts, context, decision.signature)
        except CoverslipError as error:
            return None if error.spec.family == "invalid" else error
        return None

    def explain_create(self, definition: Definition, context: Context) -> CoverslipError | None:
        """Return why this person may not create records of a type, or ``None``."""
        facts = facts_from(self._store.facts({"session": context.session}), self._clock().value())
        try:
            authority.require_account(facts, context.person)
            authority.require_role(
                facts, context.person, definition.type.create.who, "create", definition.type.title
            )
        except Refused as error:
            return error
        return None

    def _sign(
        self,
        attempt: _Attempt,
        decision: Decision,
        facts: Facts,
        sections: Mapping[str, entries.Section],
        credential: Credential | None,
    ) -> entries.Section:
        wanted = decision.signature
        assert wanted is not None  # noqa: S101 -- the caller asked
        label = decision.primary.number
        self._require_signing(facts, attempt.context, wanted)
        if credential is None:
            raise Refused(
                "SIG_REQUIRED",
                record=label,
                action=decision.primary.act,
                meaning=wanted.meaning,
                meaning_text=wanted.text,
            )
        if not attempt.change.shown:
            raise Refused(
                "SIG_REQUIRED",
                record=label,
                action=decision.primary.act,
                meaning=wanted.meaning,
                remedy="Open the record, read it, and sign what was shown.",
            )
        signer = self._ceremonies.signer(attempt.context)
        series = any(a.kind == "series" for a in facts.authority)
        period = self._ceremonies.period(attempt.context) if series else ""
        components = signature.check_components(credential, signer, within_period=bool(period))
        period = period or str(uuid7())
        signed = signature.statement(
            facts,
            decision.primary,
            sections,
            attempt.change,
            attempt.context,
            signer,
            decision.role,
            components,
            period,
        )
        made = signature.make(signed, signer, credential)
        self._ceremonies.proved(attempt.context)
        attempt.period = period
        return made

    def _require_signing(self, facts: Facts, context: Context, wanted: w.Signature) -> None:
        if context.auth != "password":
            raise Refused("AUTH_ROLE", role="a person", action="sign", record="", roles="a service or device")
        evaluation = facts.installation.get("use") == "evaluation"
        authority.require_signing(facts, context.person, wanted.stage, evaluation=evaluation)
        if wanted.roles:
            authority.require_role(facts, context.person, wanted.roles, f"sign '{wanted.meaning}'", "")


class _Attempt:
    """One change on its way: resolved references, numbers drawn once, facts read per decision."""

    def __init__(self, door: Door, change: Change, context: Context, *, dry: bool = False) -> None:
        """``dry``: nothing will be written, so no number is drawn and nothing gathered."""
        self.door, self.change, self.context, self._dry = door, change, context, dry
        self._store = door._store
        self._command = str(uuid7())
        self.period = ""
        self._found: dict[tuple[str, int], Row] = {}
        self._first: Facts | None = None
        self.definition, self._row = self._locate()
        self._ids: Ids | None = None
        self._previous = self._latest_revision()

    @property
    def subject(self) -> Row | None:
        """The record acted on, as it was when the attempt began; absent at creation."""
        return self._row

    # --- reading -------------------------------------------------------------------------------

    def _locate(self) -> tuple[Definition, Row | None]:
        change, catalogue = self.change, self.door.catalogue
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
        return supposed, row

    def _read_many(self, references: list[tuple[str, int]]) -> dict[tuple[str, int], Row]:
        reads = [
            {"as": f"n{i}", "reference": {"number": number, "revision": revision}}
            for i, (number, revision) in enumerate(references)
        ]
        found = self._store.facts({"reads": reads}).get("reads", {})
        rows = {r: found.get(f"n{i}") or [] for i, r in enumerate(references)}
        return {r: row_from(v[0]) for r, v in rows.items() if v}

    def _resolve(self, definition: Definition) -> dict[tuple[str, int], Row]:
        references = sorted(number_references(definition.type.fields, self.change.fields))
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
            return self._read_facts(self.definition, self.change.number, None)
        return self._read_facts(self.definition, row.number, {"type": row.type, "uid": row.uid})

    def _read_facts(self, definition: Definition, number: str, record: dict[str, Any] | None) -> Facts:
        plan = plan_act(self.door.catalogue, definition, self.change.act)
        if definition.type.revisions and number:
            plan.numbers("effective", [number])
        request: dict[str, Any] = {
            "session": self.context.session,
            "reads": list(plan.reads.values()),
            "proposed": self._proposed(definition),
        }
        if record is not None:
            request["record"] = record
        return facts_from(self._store.facts(request), self.door._clock().value())

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
        if self._signed(facts):
            return replace(facts, now=self._store.facts({})["now"])
        return facts

    def _signed(self, facts: Facts) -> bool:
        found = self.definition.acts.get(self.change.act)
        declared = (
            self.definition.type.create.signature
            if self.change.act == "create"
            else found and found.signature
        )
        return declared is not None

    # --- deciding ------------------------------------------------------------------------------

    def decide(self, now: str = "") -> tuple[Decision, Facts]:
        """Read facts and decide; ``now`` keeps the time of an earlier decision in the content."""
        if now:
            self._found = self._resolve(self.definition)
        facts = self._facts()
        deciding = replace(facts, now=now) if now else facts
        if self._ids is None:
            self._check_authority_first(facts)
            self._ids = self._new_ids()
            self._gathered = self._gather(facts)
        request = Request(
            self.door.catalogue,
            self.definition,
            self.change,
            self.context,
            self._ids,
            self._found,
            self._gathered,
            self._previous,
        )
        return decide(request, deciding), facts

    def _check_authority_first(self, facts: Facts) -> None:
        """Numbers are drawn only for people who may act at all, so that probing burns none."""
        authority.require_account(facts, self.context.person)

    def _new_ids(self) -> Ids:
        effects = self._effects()
        created = {
            e.type: (str(uuid7()), self._draw(self.door.catalogue[e.type], {}))
            for e in effects
            if isinstance(e, w.Create)
        }
        if self._row is not None:
            return Ids(self._row.uid, self._row.number, created)
        number = self._previous.number if self._previous else self._draw(self.definition, self.change.fields)
        return Ids(str(uuid7()), number, created)

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
                if self._dry:
                    found[effect.field] = {}
                    continue
                rows = facts.rows("/".join(("self", *effect.path)))
                gatherer = self.door._gatherers[(effect.gatherer, effect.version)]
                found[effect.field] = gatherer(rows[0]) if rows else []
        return found

    # --- writing -------------------------------------------------------------------------------

    def write(
        self, decision: Decision, facts: Facts, sections: Mapping[str, entries.Section], meaning: str
    ) -> Receipt:
        """Build all entries of the command and commit them; raises ``Conflict`` when facts moved."""
        frame = entries.Frame(
            facts.installation["origin"], self._command, facts.now, facts.clock, self.context
        )
        primary = entries.build_record(frame, decision.primary, sections, meaning)
        built = [(decision.primary, primary)]
        for draft in decision.consequences:
            built.append((draft, entries.build_record(frame, draft, entries.content_sections(draft))))
        link = decision.primary.as_row(primary.leaf_hash).link()
        for effect, draft in decision.creates:
            pointing = replace(
                draft, content={**draft.content, "fields": {**draft.fields, effect.link: link}}
            )
            built.append(
                (pointing, entries.build_record(frame, pointing, entries.content_sections(pointing)))
            )
        committed = self._store.commit(self._batch(decision, facts, [b for _, b in built]))
        if committed.replayed:
            before = self.door._earlier(self.change, self.context)
            if before is not None:
                return before
        receipts = tuple(_receipt(d, b) for d, b in built)
        return Receipt(self._command, committed.at, receipts)

    def _batch(self, decision: Decision, facts: Facts, built: list[entries.Built]) -> Batch:
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
            request_hash=_request_hash(self.change) if key else None,
        )


def _request_hash(change: Change) -> bytes:
    value = [change.act, change.type, change.number, change.revision, change.reason, _plain(change.fields)]
    return hashlib.sha256(canonical.encode(value)).digest()


def _plain(value: Any) -> Any:
    """Reduce arbitrary request JSON to the canonical profile, for hashing only."""
    if isinstance(value, dict):
        return [[str(k), _plain(v)] for k, v in sorted(value.items(), key=lambda kv: str(kv[0]))]
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if isinstance(value, bool) else repr(value)


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


def _receipt(draft: Draft, built: entries.Built) -> EntryReceipt:
    return EntryReceipt(
        draft.definition.name,
        draft.uid,
        draft.number,
        draft.revision,
        draft.version,
        draft.state,
        draft.act,
        built.entry,
        built.leaf_hash,
    )


def _receipt_of(data: bytes, content: bytes) -> EntryReceipt:
    """Return the receipt of an entry as it stands on the ledger."""
    found, value = leaf.parse(data), canonical.decode(content)
    return EntryReceipt(
        found.record.kind,
        found.record.id,
        str(value["number"]),
        int(value.get("revision", 0)),
        found.record.ver,
        str(value["state"]),
        found.act,
        found.entry,
        leaf.hash(data).hex(),
    )


def _same(again: Draft, signed: Draft) -> bool:
    """Whether a second decision is the one that was signed: same content, on the same base version."""
    bases = [(d.base.version, d.base.leaf_hash) if d.base else None for d in (again, signed)]
    return bases[0] == bases[1] and replace(again, base=None) == replace(signed, base=None)


def _stale(draft: Draft) -> Conflict:
    base = draft.base
    return Conflict(
        "SIG_STALE",
        record=draft.number,
        time=base.changed_at if base else "this moment",
        v=base.version if base else 1,
    )
