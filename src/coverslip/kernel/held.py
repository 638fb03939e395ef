"""Held: what a door knows already of its installation and of the people in its sessions.

Rules kept here:

* An installation's name, use and id never change, so they are read once.
* What a person may do is held under the epoch it was read at. The store is told the epoch and answers with
  the whole anew when it has moved or a row has begun or ended; the commit compares the epoch again under
  lock. A revocation that was acknowledged is never overlooked.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.kernel.facts import Facts, facts_from
from coverslip.kernel.ports import Store

MOST_SESSIONS = 2048


@dataclass(frozen=True, slots=True)
class _Known:
    epoch: int
    until: str
    documents: list[str]
    authority: list[dict[str, Any]]

    def told(self) -> dict[str, Any]:
        value = {"epoch": self.epoch, "documents": self.documents}
        return value | ({"until": self.until} if self.until else {})


class Held:
    """One for a door; safe for many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sessions: OrderedDict[str, _Known] = OrderedDict()
        self._installation: dict[str, Any] | None = None
        self._lock = threading.Lock()

    def facts(
        self, session: str, request: Mapping[str, Any], clock: Mapping[str, Any], *, signing: bool
    ) -> Facts:
        """Read the facts of a request by a session, with the last checkpoint only for ``signing``."""
        asked = {**request, "session": session}
        known = self._known(session)
        if known is not None:
            asked["held"] = known.told()
        installation = self._installation
        if installation is not None and not signing:
            asked["lean"] = True
        value = self._store.facts(asked)
        if "authority" in value:
            self._keep(session, value)
        elif known is not None:
            value["authority"] = known.authority
        if "installation" in value:
            fixed = value["installation"]
            self._installation = {k: v for k, v in fixed.items() if k not in ("version", "leaf_hash")}
        else:
            value["installation"] = installation
        return facts_from(value, dict(clock))

    def _known(self, session: str) -> _Known | None:
        with self._lock:
            found = self._sessions.get(session)
            if found is not None:
                self._sessions.move_to_end(session)
            return found

    def _keep(self, session: str, value: Mapping[str, Any]) -> None:
        if not value.get("session"):
            return
        known = _Known(
            int(value["epoch"]), str(value.get("until") or ""), value["needed"], value["authority"]
        )
        with self._lock:
            self._sessions[session] = known
            self._sessions.move_to_end(session)
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
