"""What the database refuses, as errors of the catalogue.

Rules kept here: SQLSTATEs CS001 to CS013 are Coverslip's own and mean one thing each; everything else
that stops a commit is TRAIL_UNAVAILABLE, because then nothing was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from coverslip.errors import Conflict, CoverslipError, EnvironmentFault, EvidenceBroken, Invalid, Refused

_RETRY = {"40001", "40P01"}


def from_state(state: str, message: str, detail: str, constraint: str = "") -> CoverslipError:
    """Return the error behind SQLSTATE ``state``; the caller chains the database's own."""
    if state in _RETRY or (state == "23505" and constraint == "entry_record_id_version_key"):
        return Conflict("SIG_STALE", record=detail if state == "40001" else "", time="this moment", v="again")
    if state == "CS001":
        return Refused("AUTH_REQUIRED")
    if state == "CS002":
        return Invalid("IDEMPOTENCY", key=detail)
    if state == "CS003":
        return Invalid("DUP", **json.loads(detail))
    if state == "CS004":
        return Refused("CLOCK", offset=detail)
    if state == "CS012":
        return EnvironmentFault("CLOCK_BACK", behind=f"{float(detail):.1f} s")
    if state == "CS013":
        found = json.loads(detail)
        return EvidenceBroken(
            "EVIDENCE",
            record=found["record"],
            what=f"the versions of {found['record']}",
            expected="versions that came through the application",
            found=f"entry {found['entry']}, which did not: nothing is built on it",
        )
    if state == "53100":
        return EnvironmentFault("STORAGE", what="The database's disk")
    return EnvironmentFault("TRAIL_UNAVAILABLE", why=f"{state} {message}".strip())


@contextmanager
def readable() -> Iterator[None]:
    """Say in the words of evidence what PostgreSQL says of a page it cannot believe: EVIDENCE."""
    try:
        yield
    except (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted) as error:
        raise EvidenceBroken(
            "EVIDENCE",
            what="the database's files",
            expected="pages that fit their checksums",
            found=str(error.diag.message_primary or error),
        ) from error
