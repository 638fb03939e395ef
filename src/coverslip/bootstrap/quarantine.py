"""Quarantine: what an installation does when its database contradicts what was signed.

Rules kept here: nothing is written, neither by a person nor by the installation itself; reading and exporting
go on. The way out is the history put back, or a recovery that two people sign (``bootstrap/recovering.py``);
where the journal lost its end, only the journal put back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg

from coverslip.application.services import Services
from coverslip.bootstrap import wiring
from coverslip.bootstrap.labs import GATHERERS, Lab
from coverslip.errors import EvidenceBroken
from coverslip.settings import Home
from coverslip.store import memory, startup
from coverslip.store.anchors import read_file_anchor
from coverslip.store.quarantine import again
from coverslip.store.signer import read_journal

CONTRADICTED = 4
"""Exit code of a child process that found the database to contradict what was signed."""
LOG = "quarantine.jsonl"


def contradiction(home: Home) -> EvidenceBroken | None:
    """Return why the database of a running home must not be written to, None where it may.

    Raises EVIDENCE for a journal that cannot be read.
    """
    try:
        with wiring.connection(home, "cs_verifier") as conn:
            # In this order, for the signer may be at work: what is stored, what was signed, what is there.
            kept = kept_here(home, conn)
            journal = read_journal(home.signer / "journal")
            startup.compare(conn, journal[-1] if journal else None)
        memory.insist_whole(journal, kept, wiring.trusted(home))
    except EvidenceBroken as error:
        if error.code != "RECOVERY_REQUIRED":
            raise
        return error
    return None


def kept_here(home: Home, conn: psycopg.Connection[Any]) -> list[tuple[str, bytes]]:
    """Return the notes that a journal must remember, each after where in this installation it is kept."""
    kept = [("the database", data) for data in memory.newest_stored(conn)]
    return kept + [(str(home.anchors), data) for data in read_file_anchor(home.anchors)]


def insist_sound(home: Home) -> None:
    """Return if the database may be written to. Raises RECOVERY_REQUIRED if not."""
    found = contradiction(home)
    if found is not None:
        raise found


def to_argument(error: EvidenceBroken) -> str:
    """Return the reason of a quarantine as a child process takes it."""
    values = {name: error.values[name] for name in ("signed", "found", "remedy") if name in error.values}
    return json.dumps({"message": error.message, **values})


def from_argument(text: str) -> EvidenceBroken:
    """Return the reason that ``to_argument`` wrote."""
    value = json.loads(text)
    return EvidenceBroken("RECOVERY_REQUIRED", **value)


@contextmanager
def quarantined(home: Home, reason: EvidenceBroken) -> Iterator[Services]:
    """Open what the interface uses while the home is in quarantine, over its running database."""
    with wiring.core(home, dict(GATHERERS), quarantine=reason) as core:
        opened = Lab(core)
        exports = opened.exports()
        exports.wait_s = 0.0
        try:
            yield replace(opened.services(), exporting=exports, quarantine=lambda: again(reason))
        finally:
            opened.readers.close()
