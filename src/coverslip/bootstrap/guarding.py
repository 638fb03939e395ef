"""Guarding: the schema's fingerprint as a duty of the keeper, and as a test before anything is served.

Rules kept here: an installation whose guards are not as published is not served (P11-10-e.3); the
database alone still starts, so that an operator can look and put back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from coverslip.bootstrap import wiring
from coverslip.bootstrap.labs import Lab
from coverslip.errors import EvidenceBroken
from coverslip.settings import Home
from coverslip.store import fingerprint
from coverslip.store.fingerprint import Difference
from coverslip.store.fingerprint_duty import FingerprintDuty
from coverslip.store.fingerprint_log import SYSTEM, recorded, replaced

_GUARDS = ("trigger ", "event trigger ", "rule ", "policy ", "function ", "foreign key trigger ", "setting ")
"""What an entry or its refusal rests on. Other deviations are recorded and told, and do not stop the work."""
_OFF = ("not in force", "not valid", "not immediate")
"""What is said of a table, column, constraint or index of this release that PostgreSQL passes by."""


def fingerprinting(lab: Lab, write: Callable[[str, str, dict[str, Any]], None]) -> FingerprintDuty:
    """Return the duty that enters the schema's fingerprint at start and every hour."""

    def look() -> tuple[Any, Any]:
        with wiring.connection(lab.core.home, "cs_verifier") as conn:
            return fingerprint.read(conn), recorded(conn)

    def tell(differing: Sequence[Difference]) -> None:
        sentences = "\n".join(one.sentence() for one in differing)
        day = lab.core.accounts.now()[:10]
        lab.alerts().raise_alert(
            "schema",
            "critical",
            f"{len(differing)} objects of the database are not as they should be: {differing[0].sentence()}",
            evidence={"deviations": [one.value(300) for one in differing[:20]]},
            bucket=f"{hashlib.sha256(sentences.encode()).hexdigest()[:32]}/{day}",
        )

    return FingerprintDuty(look, write, tell)


def check_guards(home: Home) -> None:
    """Return if the guards of a home whose database runs are as published.

    Raises EVIDENCE with the first that is not, or when PostgreSQL's own functions are not those recorded
    first. A database of an earlier release cannot be compared with the list shipped: passes.
    """
    with wiring.connection(home, "cs_verifier") as conn:
        refuse(conn)


def refuse(conn: psycopg.Connection[Any]) -> None:
    """Raise EVIDENCE when a guard is not as published; ``conn`` is an idle connection of cs_verifier."""
    found = fingerprint.read(conn)
    system = replaced(recorded(conn), found)
    for one in [*(fingerprint.deviations(found) or ()), *([] if system is None else [system])]:
        off = one.expected != fingerprint.ABSENT and any(word in one.found for word in _OFF)
        if off or one.object == SYSTEM or one.object.startswith(_GUARDS):
            raise EvidenceBroken(
                "EVIDENCE",
                what=f"the database's {one.object}",
                expected=one.expected,
                found=one.found,
                remedy="Run 'coverslip ledger verify' and 'coverslip doctor', and find out who changed it.",
            )
