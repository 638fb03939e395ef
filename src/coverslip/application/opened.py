"""What somebody who only reads was sent: an inspector leaves an entry by whatever way they come.

Rules kept here: it is entered before it is answered, and where it cannot be, nothing is answered; of an
image's tiles one entry stands for those of a session. In quarantine nothing is written.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from coverslip.application.services import Services
from coverslip.kernel.accounts import Session
from coverslip.kernel.events import Event
from coverslip.kernel.identity import context_of

_KEPT = 20_000


class Opened:
    """Enters what accounts that only read ask for; bounded."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def entered(self, services: Services, session: Session, path: str) -> None:
        """Enter that a path was read. Raises ``TRAIL_UNAVAILABLE`` where it cannot be entered."""
        account = services.accounts.account(session.person) or {}
        if not account.get("reads_only") or services.quarantine() is not None:
            return
        image, tiles, _ = path.partition("/tiles/")
        if tiles and not self._first(session.id, image):
            return
        detail = {"page": f"{image}{tiles and '/tiles'}"[:500]}
        services.events.record(Event("view", "open_page", detail), context_of(session))

    def _first(self, session: str, image: str) -> bool:
        with self._lock:
            if (session, image) in self._tiles:
                return False
            self._tiles[(session, image)] = None
            while len(self._tiles) > _KEPT:
                self._tiles.popitem(last=False)
            return True
