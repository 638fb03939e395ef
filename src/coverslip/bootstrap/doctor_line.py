"""One line of the doctor's answer, and how a check that could not be made is told.

Rules kept here: what could not be looked at is ``unknown``, never ``ok``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from coverslip.bootstrap import wiring
from coverslip.errors import CoverslipError
from coverslip.settings import Home

State = Literal["ok", "warning", "finding", "unknown"]
_VERDICTS: dict[State, bool | None] = {"ok": True, "warning": True, "finding": False, "unknown": None}


@dataclass(frozen=True, slots=True)
class Check:
    """One answer. ``remedy`` says what a person must do; empty where nothing is to do."""

    name: str
    state: State
    expected: str
    found: str
    remedy: str = ""

    def value(self) -> dict[str, Any]:
        """Return the check for JSON; ``ok`` is ``None`` where something could not be determined."""
        return {
            "check": self.name,
            "state": self.state,
            "ok": _VERDICTS[self.state],
            "expected": self.expected,
            "found": self.found,
            "remedy": "" if self.state == "ok" else self.remedy,
        }


def judge(
    name: str, good: bool, expected: str, found: str, remedy: str, otherwise: State = "finding"
) -> Check:
    """Return a check that is ``ok`` or ``otherwise``."""
    return Check(name, "ok" if good else otherwise, expected, found, remedy)


def softer(home: Home) -> State:
    """Return how grave it is where an installation lacks what an evaluation need not have."""
    return "warning" if wiring.installation(home).use == "evaluation" else "finding"


def looked(name: str, expected: str, look: Callable[[], Check]) -> Check:
    """Return what ``look`` answers, or ``unknown`` with the reason it could not look."""
    try:
        return look()
    except CoverslipError as error:
        state: State = "finding" if error.spec.family == "evidence" else "unknown"
        return Check(name, state, expected, error.message, error.remedy)
    except (OSError, psycopg.Error) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Check(
            name, "unknown", expected, f"could not be checked: {text}", "Run it as the home's owner."
        )
