"""Certificates of backups, restores and drills: written where the ledger may be written, and read again.

Rules kept here: nothing is written to a ledger that contradicts its signer; where no server runs, what was
written gets its place and its signature at once, so that nothing waits for the next start.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from coverslip.bootstrap import wiring
from coverslip.bootstrap.founding import sequencer_of
from coverslip.bootstrap.labs import Lab, lab
from coverslip.bootstrap.quarantine import contradiction
from coverslip.bootstrap.signing import open_signer
from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.kernel.events import Event
from coverslip.settings import Home
from coverslip.store.certificates import Certificates, subject
from coverslip.store.migrate import pending


def last_backup(core: wiring.Core) -> dict[str, Any] | None:
    """Return the newest backup on the ledger: ``index``, ``at``, ``detail``; None before the first."""
    return Certificates(core.pool, core.facts.uuid).last("backup", "backup_made")


def last_drill(core: wiring.Core) -> dict[str, Any] | None:
    """Return the newest restore drill on the ledger: ``index``, ``at``, ``detail``; None before the first."""
    return Certificates(core.pool, core.facts.uuid).last("backup", "restore_drill")


def last_fixity(core: wiring.Core) -> dict[str, Any] | None:
    """Return the newest report of re-read objects: ``index``, ``at``, ``detail``; None before the first."""
    return Certificates(core.pool, core.facts.uuid).last("vault", "report")


def enter(opened: Lab, act: str, detail: dict[str, Any], kind: str = "backup") -> None:
    """Write a certificate in the name of the installation's account.

    ``kind`` is ``backup`` or ``vault``. Raises TRAIL_UNAVAILABLE when it cannot be written.
    """
    about = subject(opened.core.facts.uuid, kind)
    type_ = "fixity" if kind == "vault" else "backup"
    opened.core.events.installation(Event(type_, act, detail, about), opened.service())


def certify(home: Home, act: str, detail: dict[str, Any], kind: str = "backup") -> str:
    """Write a certificate to a home whose database runs; return why that could not be, empty if it was."""
    refused = unwritable(home) or _behind(home)
    if refused:
        return refused
    with lab(home) as opened:
        enter(opened, act, detail, kind)
    settle(home)
    return ""


def _behind(home: Home) -> str:
    """Return why this release cannot write to the database as it is, empty if it can."""
    with wiring.connection(home, "cs_verifier") as conn:
        waiting = pending(conn)
    return f"{len(waiting)} migrations are to be applied first: 'coverslip migrate'" if waiting else ""


def unwritable(home: Home) -> str:
    """Return why the ledger of a home whose database runs may not be written, empty if it may."""
    try:
        found = contradiction(home)
    except EvidenceBroken as error:
        return error.message
    return "" if found is None else found.message


def settle(home: Home) -> None:
    """Give what waits its place in the tree and have it signed, unless a server is there to do it."""
    try:
        signer = open_signer(home)
    except EnvironmentFault:
        return  # another process holds the signer: a server runs
    try:
        sequencer = sequencer_of(home, signer)
        while sequencer.step().integrated:
            pass
        sequencer.close()
    finally:
        signer.close()


def plain(text: str, limit: int = 500) -> str:
    """Return text as an entry may hold it."""
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))[:limit]
