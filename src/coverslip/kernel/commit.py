"""The one door: every change of every record passes here (law 2).

Rules kept here:

* Nothing is held while Python thinks: facts in one statement, a pure decision, one commit that
  compares everything looked at again under lock.
* A conflict is decided again once; a second one goes to the person. A signed act is never decided
  again on another base than the one that was signed.
* A refusal is an answer and an entry (``refusals``); if the entry cannot be written, 503.
* What a passkey signs is prepared first and kept for its answer: once, for one session, for five minutes.
  With the answer everything is decided again; where the outcome is not the one signed, it is stale.
* The proof of holding a new key is made by that key and no other.
* A file enters a record only if it is kept, with the size and hashes the record gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from coverslip.errors import Conflict, CoverslipError, Invalid, Refused
from coverslip.kernel import authority, beforehand, bulk, entries, passkeys, receipts, signature, words as w
from coverslip.kernel.attempt import Attempt, Gatherer, Parts
from coverslip.kernel.change import Assertion, Change, Context, Credential, Receipt
from coverslip.kernel.clock import ClockState, people_time
from coverslip.kernel.decide import Decision
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.drafts import Draft
from coverslip.kernel.events import Events
from coverslip.kernel.facts import Facts, facts_from
from coverslip.kernel.held import Held
from coverslip.kernel.judging import Condition, given_later
from coverslip.kernel.passkeys import Passkey
from coverslip.kernel.ports import Store
from coverslip.kernel.prepared import Waiting
from coverslip.kernel.refinery import Refinery
from coverslip.kernel.rows import Row
from coverslip.ledger import canonical
from coverslip.ledger.identity import uuid7

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

    def passkeys(
        self, context: Context, new: Mapping[str, Any] | None = None
    ) -> tuple[signature.Signer, list[Passkey]]:
        """Return who signs in this session and the passkeys that may; ``new``: only that key, yet to count.

        Refuses when there is none.
        """
        ...

    def answered(
        self, context: Context, challenge: bytes, assertion: Assertion, new: Mapping[str, Any] | None = None
    ) -> Passkey:
        """Return the passkey that answered a challenge; refuses every other answer, and counts it."""
        ...

    def proved(self, context: Context) -> None:
        """Note that the secret was right."""
        ...

    def signed(self, context: Context, period: str) -> None:
        """Note a signing that was written, which opens or continues the period."""
        ...


@dataclass(frozen=True, slots=True)
class Ready:
    """A statement ready for a passkey: the name its answer is given under, and what is asked of it."""

    ceremony: str
    challenge: bytes
    passkeys: tuple[Passkey, ...]
    statement: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Prepared:
    attempt: Attempt
    decision: Decision
    now: str
    sections: Mapping[str, entries.Section]
    statement: dict[str, Any]
    period: str


class Door:
    """Takes changes to the ledger. One instance serves all sessions; between calls it keeps only what
    waits for a passkey."""

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
        """``catalogue`` holds the shipped types; the door's own follows the refinements in force.

        ``kept`` says which files may be named; without it there is no vault to ask.
        """
        self.catalogue = Refinery(catalogue, store)
        self._store = store
        self._ceremonies = ceremonies
        self._clock = clock
        self._events = events
        self._parts = Parts(self.catalogue, store, clock, dict(gatherers or {}), Held(store))
        self._kept = kept
        self._waiting: Waiting[_Prepared] = Waiting()

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
            before = receipts.earlier(self._store, change, context) if change.idempotency_key else None
            if before is not None:
                return before
            if credential is not None and credential.assertion is not None:
                kept = self._waiting.take(context.session, credential.assertion.ceremony)
                if kept is None:
                    raise passkeys.unprepared()
                if not _alike(kept.attempt.change, change):
                    raise passkeys.refused(passkeys.OTHERWISE)
                attempt = kept.attempt
                return self._answered(kept, change, context, credential.assertion)
            attempt = Attempt(self._parts, change, context)
            return self._submit(attempt, credential)
        except CoverslipError as error:
            self._events.refuse(error, context, change.act, attempt.subject if attempt else None)
            raise

    def prepare(self, change: Change, context: Context) -> Ready:
        """Prepare what a passkey is to sign; ``submit`` with its answer does the change.

        Raises what ``submit`` raises, and ``VAL_FORM`` where the act asks no signature.
        """
        attempt = None
        try:
            attempt = Attempt(self._parts, change, context)
            decision, facts = attempt.decide()
            self._require_files(decision.primary)
            self._require_ready(attempt, decision, facts, offered=True)
            signer, found = self._ceremonies.passkeys(context, _new_key(decision))
            sections = entries.content_sections(decision.primary)
            period = self._open_period(facts, context) or str(uuid7())
            signed = self._statement(attempt, decision, facts, sections, signer, passkeys.COMPONENTS, period)
        except CoverslipError as error:
            self._events.refuse(error, context, change.act, attempt.subject if attempt else None)
            raise
        kept = _Prepared(attempt, decision, facts.now, sections, signed, period)
        name = self._waiting.put(context.session, kept)
        return Ready(name, _challenge(signed), tuple(found), signed)

    def _answered(self, kept: _Prepared, change: Change, context: Context, assertion: Assertion) -> Receipt:
        attempt, before = kept.attempt, kept.decision
        new = _new_key(before)
        found = self._ceremonies.answered(context, _challenge(kept.statement), assertion, new)
        self._ceremonies.proved(context)
        # What guards look at is gathered anew: minutes may have passed.
        Attempt(self._parts, change, context, dry=True).decide()
        attempt.change, attempt.context, attempt.period = change, context, kept.period
        decision, facts = attempt.decide(now=kept.now)
        if decision.signature is None or not _same(decision.primary, before.primary):
            raise _stale(decision.primary)
        self._require_ready(attempt, decision, facts, offered=True)
        section = signature.with_assertion(kept.statement, found.kid, found.public, assertion)
        sections = {**kept.sections, "signature": section}
        receipt = self._write(attempt, decision, facts, sections, decision.signature.meaning, kept.now)
        if not receipt.replayed:
            self._ceremonies.signed(context, kept.period)
        return receipt

    def submit_all(self, changes: Sequence[Change], context: Context, idempotency_key: str = "") -> Receipt:
        """Do up to 500 unsigned changes in one transaction under one command id, or none of them.

        Raises what ``submit`` raises for the first that is refused, with its ``line`` (from 1) as a value,
        and ``SEQ_PRE`` where one looks at what another changes.
        """
        try:
            return bulk.submit_all(self._parts, changes, context, idempotency_key, self._require_files)
        except CoverslipError as error:
            line = error.values.get("line")
            act = changes[int(line) - 1].act if line else "bulk"
            self._events.refuse(error, context, act, None)
            raise

    def _submit(self, attempt: Attempt, credential: Credential | None) -> Receipt:
        receipt = self._decide_and_write(attempt, credential)
        if attempt.period and not receipt.replayed:
            self._ceremonies.signed(attempt.context, attempt.period)
        return receipt

    def _decide_and_write(self, attempt: Attempt, credential: Credential | None) -> Receipt:
        decision, facts = attempt.decide()
        self._require_files(decision.primary)
        sections = entries.content_sections(decision.primary)
        meaning = ""
        if decision.signature is not None:
            sections["signature"] = self._sign(attempt, decision, facts, sections, credential)
            meaning = decision.signature.meaning
        return self._write(attempt, decision, facts, sections, meaning, facts.now)

    def _write(
        self,
        attempt: Attempt,
        decision: Decision,
        facts: Facts,
        sections: Mapping[str, entries.Section],
        meaning: str,
        now: str,
    ) -> Receipt:
        """Write a decision made at ``now``; on a conflict decide once more."""
        try:
            return attempt.write(decision, attempt.facts_now(facts), sections, meaning)
        except Conflict:
            again, facts = attempt.decide(now=now)
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
        change = replace(beforehand.asked(row, act), fields=dict(fields or {}))
        try:
            attempt = Attempt(self._parts, change, context, dry=True)
        except CoverslipError as error:
            return _told(error)
        return self._explained(attempt)

    def explain_all(
        self, row: Row, context: Context, acts: Sequence[str]
    ) -> dict[str, CoverslipError | None]:
        """Return ``explain`` of every act, in the order given; what they look at is read at once."""
        if not acts:
            return {}
        try:
            several = beforehand.Several(self._parts, row, context, acts)
        except CoverslipError:
            return {act: self.explain(row, context, act) for act in acts}
        return {act: self._explained(several.attempt(act)) for act in acts}

    def _explained(self, attempt: Attempt) -> CoverslipError | None:
        try:
            decision, facts = attempt.decide()
            if decision.signature is not None:
                delegated = decision.delegation is not None
                self._require_signing(facts, attempt.context, decision.signature, delegated=delegated)
        except CoverslipError as error:
            return _told(error)
        return None

    def offer(self, row: Row, context: Context, act: str) -> CoverslipError | None:
        """Return why an act cannot be begun by this person now, or ``None``; nothing is written or recorded.

        Unlike ``explain`` it leaves aside what the act itself still asks for: a form must be reached before
        it can be filled in. What was given is judged by every guard when it is sent.
        """
        return self._offered(
            row, act, self.explain(row, context, act), lambda: self.conditions(row, context, act)
        )

    def offer_all(self, row: Row, context: Context, acts: Sequence[str]) -> dict[str, CoverslipError | None]:
        """Return ``offer`` of every act, in the order given; what they look at is read at once."""
        if not acts:
            return {}
        try:
            several = beforehand.Several(self._parts, row, context, acts)
        except CoverslipError:
            return {act: self.offer(row, context, act) for act in acts}
        found = {}
        for act in acts:
            error = self._explained(several.attempt(act))
            found[act] = self._offered(row, act, error, several.attempt(act).judge)
        return found

    def _offered(
        self, row: Row, act: str, error: CoverslipError | None, judge: Callable[[], list[Condition]]
    ) -> CoverslipError | None:
        found = self.catalogue[row.type].acts.get(act)
        if error is None or found is None or not found.fields or "unmet" not in error.values:
            return error
        unmet = [one for one in judge() if not one.met]
        aside = [one for one in unmet if given_later(one.guard, found.fields, row.fields)]
        return None if unmet and len(aside) == len(unmet) else error

    def conditions(self, row: Row, context: Context, act: str) -> list[Condition]:
        """Return every guard of an act on a record, met or not; nothing is written or recorded."""
        change = Change(act, row.type, row.number, row.revision, {}, "", row.version)
        return Attempt(self._parts, change, context, dry=True).judge()

    def require_writer(self, context: Context, action: str) -> None:
        """Refuse who may not write at all, where no record says who may; the refusal is an entry."""
        facts = facts_from(self._store.facts({"session": context.session}), self._clock().value())
        try:
            authority.require_account(facts, context.person)
            authority.require_writer(facts, context.person, "", action)
        except Refused as error:
            self._events.refuse(error, context, action, None)
            raise

    def explain_create(self, definition: Definition, context: Context) -> CoverslipError | None:
        """Return why this person may not create records of a type, or ``None``."""
        facts = facts_from(self._store.facts({"session": context.session}), self._clock().value())
        try:
            authority.require_account(facts, context.person)
            authority.require_writer(facts, context.person, definition.type.title, "create")
            authority.require_role(
                facts, context.person, definition.type.create.who, "create", definition.type.title
            )
        except Refused as error:
            return error
        return None

    def _sign(
        self,
        attempt: Attempt,
        decision: Decision,
        facts: Facts,
        sections: Mapping[str, entries.Section],
        credential: Credential | None,
    ) -> entries.Section:
        self._require_ready(attempt, decision, facts, offered=credential is not None)
        assert credential is not None  # noqa: S101 -- offered
        context = attempt.context
        signer = self._ceremonies.signer(context)
        new = _new_key(decision)
        if new is not None and new["kid"] != signer.wrapped["kid"]:
            raise Refused("SIG_REAUTH", expected="an answer of the new key itself is")
        period = self._open_period(facts, context)
        components = signature.check_components(credential, signer, within_period=bool(period))
        period = period or str(uuid7())
        signed = self._statement(attempt, decision, facts, sections, signer, components, period)
        made = signature.make(signed, signer, credential)
        self._ceremonies.proved(context)
        attempt.period = period
        return made

    def _require_ready(self, attempt: Attempt, decision: Decision, facts: Facts, *, offered: bool) -> None:
        """Refuse where nothing is signed, by whom may not sign, or without a credential and a view."""
        wanted, label = decision.signature, decision.primary.number
        if wanted is None:
            raise Invalid(
                "VAL_FORM", record=label, field="signature", expected="none for this act", found="one"
            )
        self._require_signing(facts, attempt.context, wanted, delegated=decision.delegation is not None)
        asked = {"record": label, "action": decision.primary.act, "meaning": wanted.meaning}
        if not offered:
            raise Refused("SIG_REQUIRED", meaning_text=wanted.text, **asked)
        if not attempt.change.shown:
            raise Refused(
                "SIG_REQUIRED", remedy="Open the record, read it, and sign what was shown.", **asked
            )

    def _open_period(self, facts: Facts, context: Context) -> str:
        series = any(a.kind == "series" for a in facts.authority)
        return self._ceremonies.period(context) if series else ""

    def _statement(
        self,
        attempt: Attempt,
        decision: Decision,
        facts: Facts,
        sections: Mapping[str, entries.Section],
        signer: signature.Signer,
        components: list[str],
        period: str,
    ) -> dict[str, Any]:
        return signature.statement(
            facts,
            decision.primary,
            sections,
            attempt.change,
            attempt.context,
            signer,
            decision.role,
            decision.delegation,
            components,
            period,
        )

    def _require_signing(
        self, facts: Facts, context: Context, wanted: w.Signature, *, delegated: bool
    ) -> None:
        if not context.personal:
            raise Refused("AUTH_ROLE", role="a person", action="sign", record="", roles="a service or device")
        evaluation = facts.installation.get("use") == "evaluation"
        authority.require_signing(facts, context.person, wanted.stage, evaluation=evaluation)
        if wanted.roles:
            authority.require_role(
                facts, context.person, wanted.roles, f"sign '{wanted.meaning}'", "", delegated=delegated
            )


def _told(error: CoverslipError) -> CoverslipError | None:
    """Return what is said in advance: what is yet to be given is not asked for; what a guard says is."""
    return None if error.spec.family == "invalid" and "unmet" not in error.values else error


def _new_key(decision: Decision) -> dict[str, Any] | None:
    """Return the key whose holding the act proves, as its record lists it; None for every other act."""
    wanted, draft = decision.signature, decision.primary
    if wanted is None or wanted.stage != "before_verification":
        return None
    named = [p.keys for p in draft.definition.type.provides if isinstance(p, w.Account)]
    listed = [key for name in named for key in draft.fields.get(name, ())]
    return dict(listed[-1]) if listed else None


def _challenge(signed: Mapping[str, Any]) -> bytes:
    return passkeys.challenge_of(signature.PREFIX + canonical.encode(dict(signed)))


def _alike(prepared: Change, given: Change) -> bool:
    """Whether a change is the one that was prepared; under what key it is sent is another matter."""
    return replace(prepared, idempotency_key="") == replace(given, idempotency_key="")


def _same(again: Draft, signed: Draft) -> bool:
    """Whether a second decision is the one that was signed: same content, on the same base version."""
    bases = [(d.base.version, d.base.leaf_hash) if d.base else None for d in (again, signed)]
    return bases[0] == bases[1] and replace(again, base=None) == replace(signed, base=None)


def _stale(draft: Draft) -> Conflict:
    base = draft.base
    return Conflict(
        "SIG_STALE",
        record=draft.number,
        time=people_time(base.changed_at, "") if base else "this moment",
        v=base.version if base else 1,
    )
