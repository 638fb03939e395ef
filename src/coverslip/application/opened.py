"""What somebody who only reads was sent: an inspector leaves an entry by whatever way they come.

Rules kept here: it is entered before it is answered, and where it cannot be, nothing is answered; of an
image's tiles one entry stands for those of a while. In quarantine nothing is written.
"""

from __future__ import annotations

from coverslip.application.services import Services
from coverslip.kernel.accounts import Session
from coverslip.kernel.events import Event
from coverslip.kernel.identity import context_of


def entered(services: Services, session: Session, path: str) -> None:
    """Enter that a path was read. Raises ``TRAIL_UNAVAILABLE`` where it cannot be entered, ``THROTTLED``."""
    account = services.accounts.account(session.person) or {}
    if not account.get("reads_only") or services.quarantine() is not None:
        return
    image, tiles, _ = path.partition("/tiles/")
    detail = {"page": f"{image}{tiles and '/tiles'}"[:500]}
    services.events.view(Event("view", "open_page", detail), context_of(session))
