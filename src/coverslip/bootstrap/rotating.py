"""Changing the log's key: stop the server, state it by both keys, enter it, sign with the new one.

Rules kept here (LEDGER 5): every step may be the last before a crash; the same command then goes on from
there, and until it has ended the signer signs nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coverslip.bootstrap import wiring
from coverslip.bootstrap.founding import sequencer_of
from coverslip.bootstrap.labs import lab
from coverslip.bootstrap.signing import open_signer
from coverslip.errors import EnvironmentFault
from coverslip.kernel.clock import utc_now
from coverslip.kernel.events import Event
from coverslip.ledger import rotation
from coverslip.settings import Home
from coverslip.store import anchor_rows, key_change
from coverslip.store.notes import NoteVerifier
from coverslip.store.signer import Signer


def keys_rotate(root: Path) -> dict[str, Any]:
    """Change the log's key, or end a change that was begun; return old and new key and from where.

    Raises ENVIRONMENT while the server runs, RECOVERY_REQUIRED when the database contradicts the signer.
    """
    home = Home(root)
    origin = wiring.installation(home).origin
    with wiring.database(home):
        statement = key_change.begun(home.signer) or _begin(home, origin)
        made = rotation.opened(statement, NoteVerifier)
        _settle(home, origin, sign=False)
        if not _entered(home, statement):
            _enter(home, made, statement)
            _settle(home, origin, sign=False)
        key_change.swap(home.signer, origin, statement)
        key_change.publish(home.public_keys, made)
        size = _settle(home, origin, sign=True)
        key_change.end(home.signer)
    return {
        "old": made.old.format(),
        "new": made.new.format(),
        "old_signed": made.last.size,
        "signed": size,
        "keys": str(home.public_keys),
    }


def keys_list(root: Path) -> list[dict[str, Any]]:
    """Return the log's keys in order, with the sizes each may sign; the last one signs now."""
    home = Home(root)
    origin = wiring.installation(home).origin
    with wiring.database(home), wiring.connection(home, "cs_verifier") as conn:
        held = [rotation.opened(statement, NoteVerifier) for _, statement in anchor_rows.rotations(conn)]
    found = rotation.epochs(held)
    if not found:
        (key,) = (one for one in wiring.trusted(home) if one.name == origin)
        return [{"key": key.vkey(), "after": 0, "last": ""}]
    return [
        {"key": one.key.format(), "after": one.after, "last": "" if one.last is None else one.last}
        for one in found
    ]


def _begin(home: Home, origin: str) -> bytes:
    """Have everything signed by the old key that was entered before, then state the change."""
    open_signer(home).close()  # a change by a foreign key would make that key the log's
    _settle(home, origin, sign=True)
    signer = open_signer(home)
    try:
        last = signer.last()
        if last is None:
            raise EnvironmentFault(
                "ENVIRONMENT", what="the log", expected="a signed checkpoint", found="none",
                remedy="Run 'coverslip ledger checkpoint'.",
            )  # fmt: skip
        return key_change.begin(home.signer, origin, last, utc_now())
    finally:
        signer.close()


def _settle(home: Home, origin: str, sign: bool) -> int:
    """Integrate what waits, and have it signed or not; return the size of the tree."""
    signer = Signer(home.signer, origin, rotating=True)
    sequencer = sequencer_of(home, signer)
    try:
        step = sequencer.step(sign=sign)
        while step.integrated:
            step = sequencer.step(sign=sign)
        if not step.leader:
            raise EnvironmentFault(
                "ENVIRONMENT", what="the ledger", expected="no sequencer running", found="one running",
                remedy="Stop the server first.",
            )  # fmt: skip
        return step.size
    finally:
        sequencer.close()
        signer.close()


def _entered(home: Home, statement: bytes) -> bool:
    with wiring.connection(home, "cs_verifier") as conn:
        return any(found == statement for _, found in anchor_rows.rotations(conn))


def _enter(home: Home, made: rotation.Rotation, statement: bytes) -> None:
    detail = {
        "old": made.old.format(),
        "new": made.new.format(),
        "size": made.last.size,
        "statement": statement.decode(),
    }
    with lab(home) as opened:
        opened.core.events.installation(Event("keys", "rotate", detail), opened.service())
