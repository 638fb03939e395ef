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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from coverslip.errors import Conflict, CoverslipError, Invalid, Refused
from coverslip.kernel import authority, bulk, entries, receipts, signature, words as w
from coverslip.kernel.attempt import Attempt, Gatherer, Parts
from coverslip.kernel.change import Change, Context, Credential, Receipt
from coverslip.kernel.clock import ClockState
from coverslip.kernel.decide import Decision
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.drafts import Draft
from coverslip.kernel.events import Events
from coverslip.kernel.facts import Facts, facts_from
from coverslip.kernel.held import Held
from coverslip.kernel.judging import Condition
from coverslip.kernel.ports import Store
from coverslip.kernel.refinery import Refinery
from coverslip.kernel.rows import Row
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
            attempt = Attempt(self._parts, change, context)
            return self._submit(attempt, credential)
        except CoverslipError as error:
            self._events.refuse(error, context, change.act, attempt.subject if attempt else None)
            raise

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
            decision, facts = Attempt(self._parts, change, context, dry=True).decide()
            if decision.signature is not None:
                self._require_signing(
                    facts, context, decision.signature, delegated=decision.delegation is not None
                )
        except CoverslipError as error:
            # What is yet to be given is not asked for; what a guard says is, whatever its code.
            return None if error.spec.family == "invalid" and "unmet" not in error.values else error
        return None

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
        wanted = decision.signature
        assert wanted is not None  # noqa: S101 -- the caller asked
        label = decision.primary.number
        self._require_signing(facts, attempt.context, wanted, delegated=decision.delegation is not None)
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
            decision.delegation,
            components,
            period,
        )
        made = signature.make(signed, signer, credential)
        self._ceremonies.proved(attempt.context)
        attempt.period = period
        return made

    def _require_signing(
        self, facts: Facts, context: Context, wanted: w.Signature, *, delegated: bool
    ) -> None:
        if context.auth != "password":
            raise Refused("AUTH_ROLE", role="a person", action="sign", record="", roles="a service or device")
        evaluation = facts.installation.get("use") == "evaluation"
        authority.require_signing(facts, context.person, wanted.stage, evaluation=evaluation)
        if wanted.roles:
            authority.require_role(
                facts, context.person, wanted.roles, f"sign '{wanted.meaning}'", "", delegated=delegated
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
