"""Many changes in one command: one transaction, one entry each, one command id for all (DOMAIN 1.3).

Rules kept here:

* Everything or nothing. Each change is decided as if it came alone, and refused in the same words.
* Nothing is signed in bulk: a signature is made for a record that was read.
* Each is decided on what was there before the command. Changes of which one looks at what another
  changes are therefore refused: together they would not be what each of them was decided to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from coverslip.errors import Conflict, CoverslipError, Invalid, Refused
from coverslip.kernel import entries, receipts
from coverslip.kernel.attempt import Attempt, Parts
from coverslip.kernel.change import Change, Context, Receipt
from coverslip.kernel.decide import Decision
from coverslip.kernel.drafts import Draft
from coverslip.kernel.facts import Facts, linked_uids
from coverslip.kernel.ports import Batch
from coverslip.ledger.identity import uuid7

MOST_CHANGES = 500


@dataclass(frozen=True, slots=True)
class _Decided:
    attempt: Attempt
    decision: Decision
    facts: Facts


def submit_all(
    parts: Parts,
    changes: Sequence[Change],
    context: Context,
    idempotency_key: str,
    require_files: Callable[[Draft], None],
) -> Receipt:
    """Write all changes in one command, or none; raises what the first refused one raises, with its line."""
    if not 1 <= len(changes) <= MOST_CHANGES:
        raise Invalid(
            "VAL_RANGE", record="", field="changes", value=str(len(changes)), limits=f"1–{MOST_CHANGES}"
        )
    hashed = receipts.request_hash_of(changes) if idempotency_key else b""
    before = receipts.earlier_of(parts.store, idempotency_key, hashed, context) if idempotency_key else None
    if before is not None:
        return before
    try:
        return _write(parts, _decide(parts, changes, context, require_files), idempotency_key, hashed)
    except Conflict:
        return _write(parts, _decide(parts, changes, context, require_files), idempotency_key, hashed)


def _decide(
    parts: Parts, changes: Sequence[Change], context: Context, require_files: Callable[[Draft], None]
) -> list[_Decided]:
    found: list[_Decided] = []
    for line, change in enumerate(changes, 1):
        try:
            attempt = Attempt(parts, change, context)
            decision, facts = attempt.decide()
            if decision.signature is not None:
                raise Refused(
                    "SIG_REQUIRED",
                    record=decision.primary.number,
                    action=change.act,
                    meaning=decision.signature.meaning,
                    remedy="Nothing is signed in bulk: sign each record after reading it.",
                )
            if attempt.defines:
                raise Refused(
                    "SEQ_PRE",
                    record=decision.primary.number,
                    action=change.act.replace("_", " "),
                    conditions="it changes record types, which happens by itself and not in bulk",
                )
            require_files(decision.primary)
        except CoverslipError as error:
            error.values["line"] = line
            raise
        found.append(_Decided(attempt, decision, facts))
    _require_apart(found)
    return found


def _drafts(decision: Decision) -> Iterable[Draft]:
    yield decision.primary
    yield from decision.consequences
    yield from (c.draft for c in decision.creates)


def _touched(decision: Decision) -> set[str]:
    """Return the uids a decision changes: records written, and those its holds stop."""
    found: set[str] = set()
    for draft in _drafts(decision):
        found.add(draft.uid)
        blocks = draft.definition.type.blocks
        if blocks:
            found |= linked_uids(draft.fields, blocks)
    return found


def _require_apart(decided: Sequence[_Decided]) -> None:
    """Refuse changes of which one looks at what another changes."""
    changed: dict[str, int] = {}
    counted: dict[int, int] = {}
    for line, one in enumerate(decided):
        for uid in _touched(one.decision):
            if changed.setdefault(uid, line) != line:
                raise _entangled(one.decision, line)
        for key, counter in one.decision.scopes:
            if counter is not None:
                counted.setdefault(key, line)
    for line, one in enumerate(decided):
        for _, uid, _ in one.decision.reads:
            if changed.get(uid, line) != line:
                raise _entangled(one.decision, line)
        for key, _ in one.decision.scopes:
            if counted.get(key, line) != line:
                raise _entangled(one.decision, line)
        # What lets somebody act is looked at too: nobody acts in the command that ends or changes it.
        if any(changed.get(granted.source, line) != line for granted in one.facts.authority):
            raise _entangled(one.decision, line)


def _entangled(decision: Decision, line: int) -> Refused:
    error = Refused(
        "SEQ_PRE",
        record=decision.primary.number,
        action=decision.primary.act.replace("_", " "),
        conditions="what it depends on is not changed by another line of the same command",
    )
    error.values["line"] = line + 1
    return error


def _write(parts: Parts, decided: Sequence[_Decided], key: str, hashed: bytes) -> Receipt:
    command = str(uuid7())
    now = parts.store.facts({})["now"]
    written: list[tuple[Draft, entries.Built]] = []
    batches: list[Batch] = []
    for one in decided:
        facts = replace(one.facts, now=now)
        sections = entries.content_sections(one.decision.primary)
        built = one.attempt.build(one.decision, facts, sections, "", command)
        batches.append(one.attempt.batch(one.decision, facts, [b for _, b in built]))
        written += built
    committed = parts.store.commit(_joined(batches, command, key, hashed))
    if committed.replayed:
        before = receipts.earlier_of(parts.store, key, hashed, decided[0].attempt.context)
        if before is not None:
            return before
    return Receipt(command, committed.at, tuple(receipts.receipt(d, b) for d, b in written))


def _joined(batches: Sequence[Batch], command: str, key: str, hashed: bytes) -> Batch:
    """Return one batch of all: every read at the counter it was first seen with."""
    first = batches[0]
    reads = {(r.type, r.uid): r for b in reversed(batches) for r in b.reads}
    scopes = {s.key: s for b in batches for s in sorted(b.scopes, key=lambda s: s.seq is not None)}
    until = [b.valid_until for b in batches if b.valid_until is not None]
    return replace(
        first,
        command=type(first.command)(command),
        entries=tuple(e for b in batches for e in b.entries),
        epoch=min(b.epoch for b in batches if b.epoch is not None) if first.epoch is not None else None,
        valid_until=min(until, default=None),
        reads=tuple(reads[k] for k in sorted(reads)),
        scopes=tuple(scopes[k] for k in sorted(scopes)),
        idempotency_key=key or None,
        request_hash=hashed or None,
    )
