"""Events: entries that are no record version: sign-ins, refusals, views, exports, installation facts.

Rules kept here:

* An event is a version of its session's stream; of the installation's where there is no session, or where
  it is the installation's own.
* It names its subject in ``about`` and never advances it.
* That something was sent to somebody is entered once for each session, version and kind (``views``).
* A refusal is recorded in a transaction of its own; those marked ``per_minute`` once per actor or
  address, rule and minute, with the count so far.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from coverslip.errors import Conflict, CoverslipError, EnvironmentFault
from coverslip.kernel import entries
from coverslip.kernel.accounts import Accounts
from coverslip.kernel.change import Context
from coverslip.kernel.clock import ClockState
from coverslip.kernel.facts import facts_from
from coverslip.kernel.ports import Batch, Store
from coverslip.kernel.rows import NIL, Row
from coverslip.kernel.views import Views
from coverslip.ledger import leaf
from coverslip.ledger.identity import uuid7

_ATTEMPTS = 40
_PAUSE_MS = 20
NOBODY = Context(NIL, NIL, "none")
"""Context of what happens before anybody is known."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: entry type (``refusal``, ``session``, ``view``, ``export``, …), act and detail."""

    type: str
    act: str
    detail: dict[str, Any]
    about: Row | None = None


class Events:
    """Appends events; safe for many threads, retries when two meet on one stream."""

    def __init__(self, store: Store, accounts: Accounts, clock: Callable[[], ClockState]) -> None:
        self._store, self._accounts, self._clock = store, accounts, clock
        # Threads of one process take turns at the installation's stream instead of meeting on it.
        self._turn = threading.Lock()
        self._views = Views()

    def view(self, event: Event, context: Context) -> None:
        """Enter that something is sent to a person, once for each session, version and kind (``views``).

        Raises ``TRAIL_UNAVAILABLE`` when it could not be written, ``THROTTLED`` beyond what a person reads.
        """
        key = Views.key(context.session, event.act, event.detail, event.about)
        if self._views.due(key, context.person):
            self.record(event, context)
            self._views.entered(key, context.person)

    def record(self, event: Event, context: Context) -> entries.Built:
        """Append one event to the context's session, or to the installation where there is none.

        Raises ``TRAIL_UNAVAILABLE`` when it could not be written.
        """
        return self._insist(event, context, context.session != NIL)

    def installation(self, event: Event, context: Context) -> entries.Built:
        """Append one event to the installation's stream, whatever session the actor is in.

        Raises ``TRAIL_UNAVAILABLE`` when it could not be written.
        """
        return self._insist(event, context, False)

    def _insist(self, event: Event, context: Context, in_session: bool) -> entries.Built:
        for _ in range(_ATTEMPTS):
            try:
                with nullcontext() if in_session else self._turn:
                    return self._append(event, context, in_session)
            except Conflict:
                # Many may wait for one stream, the installation's above all; they must not keep step.
                time.sleep(secrets.randbelow(_PAUSE_MS) / 1000)
        raise EnvironmentFault("TRAIL_UNAVAILABLE", why="the stream was busy")

    def _append(self, event: Event, context: Context, in_session: bool) -> entries.Built:
        answer = self._store.facts({"streams": [context.session]} if in_session else {})
        facts = facts_from(answer, self._clock().value())
        installation = facts.installation
        head = (answer.get("streams") or {}).get(context.session) if in_session else installation
        stream = context.session if in_session else installation["uuid"]
        kind = "session" if in_session else "installation"
        version = int((head or {}).get("version", 0)) + 1
        command = str(uuid7())
        frame = entries.Frame(installation["origin"], command, facts.now, facts.clock, context, event.type)
        sections = {"detail": entries.section("detail", event.detail)}
        place = entries.context_value(context)
        if place:
            sections["context"] = entries.section("context", place)
        subject = event.about
        about = leaf.About(subject.type, subject.uid, subject.version) if subject else None
        built = entries.build_event(
            frame,
            kind,
            stream,
            version,
            (head or {}).get("leaf_hash") if version > 1 else None,
            event.act,
            sections,
            about,
        )
        self._store.commit(
            Batch(UUID(command), UUID(context.person), entries.instant(facts.now), (built.new,))
        )
        return built

    def refuse(
        self, error: CoverslipError, context: Context, action: str, subject: Row | None = None
    ) -> None:
        """Record a refusal as its code asks, once; the caller then raises or answers it."""
        recorded = error.spec.recorded
        if recorded == "no" or error.recorded:
            return
        error.recorded = True
        detail = {
            "code": error.code,
            "rule": error.rule,
            "clause": error.clause,
            "action": action[:80],
            "record": error.record[:80],
            "message": error.message[:1000],
        }
        if recorded == "per_minute":
            who = context.person if context.person != NIL else context.address or "unknown"
            if not self._accounts.refusal_slot(f"{who}", f"{error.code}:{error.rule}"):
                return
        self.record(Event("refusal", "refused", {k: v for k, v in detail.items() if v}, subject), context)
