"""Assurance: what may be said of the integrity of records, when it was found, and by which check.

Rules kept here: nothing is said to be verified but what was computed from the stored bytes, with the time at
which it was; a record that does not match its hash is neither signed nor changed, whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.kernel.change import Context
from coverslip.kernel.rows import Row


@dataclass(frozen=True, slots=True)
class Seal:
    """What was found of one record at ``at``: ``state`` (verified, waits, altered) and why."""

    state: str
    at: str
    why: str = ""
    size: int = 0
    """Entries of the signed checkpoint that covers it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A verification that runs or ran in this process. ``result`` is what was entered at its end."""

    running: bool = False
    begun: str = ""
    by: str = ""
    done: int = 0
    of: int = 0
    result: dict[str, Any] = field(default_factory=dict)
    ended: str = ""


class Assurance(Protocol):
    """Checking what is stored against what was signed."""

    def seal(self, row: Row) -> Seal | None:
        """Return what a record's own entries say of it, computed now; None where nothing can be computed."""
        ...

    def entry(self, index: int) -> dict[str, Any] | None:
        """Return the proof of an entry: ``state`` (holds, waits, altered), why, path, checkpoint."""
        ...

    def record(self, row: Row) -> dict[str, Any]:
        """Return the proof of every entry of a record and of those about it, and what was checked."""
        ...

    def proof(self, row: Row) -> str:
        """Return the proofs of a record as text (C2SP tlog-proof, one after the other)."""
        ...

    def standing(self) -> dict[str, Any]:
        """Return how the installation stands: verification, backup, drill, files, clock, heartbeat."""
        ...

    def start(self, context: Context) -> Progress:
        """Begin a verification of everything in the background; one that runs already is left to it."""
        ...

    def progress(self) -> Progress:
        """Return how far it is, or what the last one in this process found."""
        ...


class NoAssurance:
    """Stands where nothing can be checked: nothing is said to be verified."""

    def seal(self, row: Row) -> Seal | None:
        """Return that nothing is known."""
        return None

    def entry(self, index: int) -> dict[str, Any] | None:
        """Return that nothing is known."""
        return None

    def record(self, row: Row) -> dict[str, Any]:
        """Raise ``ENVIRONMENT``."""
        raise _nothing()

    def proof(self, row: Row) -> str:
        """Raise ``ENVIRONMENT``."""
        raise _nothing()

    def standing(self) -> dict[str, Any]:
        """Return that nothing is known."""
        return {}

    def start(self, context: Context) -> Progress:
        """Raise ``ENVIRONMENT``."""
        raise _nothing()

    def progress(self) -> Progress:
        """Return that none ever ran."""
        return Progress()


def insist_sound(assurance: Assurance, row: Row) -> None:
    """Refuse to act on a record that does not match its hash (``HASH``)."""
    found = assurance.seal(row)
    if found is not None and found.state == "altered":
        raise broken(row, found)


def broken(row: Row, found: Seal) -> EvidenceBroken:
    """Return the refusal of every act on a record that was altered."""
    return EvidenceBroken("HASH", record=row.label, why=found.why)


def _nothing() -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what="verification", expected="a ledger to check", found="none")
