"""Verifying: the whole ledger and its projections, entered and told, whoever asked for it.

Rules kept here: what was found is an entry and, where it does not hold, an alert within the same turn; a
verification that could not be made is told as well, never passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from coverslip.alerts import Alerts
from coverslip.bootstrap.checking import ledger_replay, ledger_verify
from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.kernel.change import Context
from coverslip.kernel.clock import monotonic_s
from coverslip.kernel.events import Event, Events
from coverslip.settings import Home
from coverslip.store.certificates import subject

KIND: Final = "verification"
ACT: Final = "checked"
_SHOWN: Final = 5


@dataclass(frozen=True)
class Verifying:
    """Verifies a home and enters what it found in the name of the installation's account."""

    home: Home
    installation: str
    events: Events
    service: Callable[[], Context]
    alerts: Callable[[], Alerts]

    def check(self, told: Callable[[int], None] | None = None) -> dict[str, Any]:
        """Verify now, enter and tell; return what was entered. ``told`` hears how many were walked."""
        begun = monotonic_s()
        try:
            found, counts = ledger_verify(self.home.root, None, told)
            replayed, projections = ledger_replay(self.home.root)
        except EnvironmentFault:
            raise
        except CoverslipError as error:
            return self._enter({"holds": False, "findings": 1, "first": [str(error)[:500]]})
        sentences = [f["sentence"][:500] for f in [*found, *replayed]]
        return self._enter(
            {
                "holds": not sentences,
                "findings": len(sentences),
                "first": sentences[:_SHOWN],
                "entries": int(counts.get("entries", 0)),
                "records": int(projections.get("records", 0)),
                "took_ms": round((monotonic_s() - begun) * 1000),
            }
        )

    def _enter(self, detail: dict[str, Any]) -> dict[str, Any]:
        self.events.installation(
            Event("verification", ACT, detail, subject(self.installation, KIND)), self.service()
        )
        if not detail["holds"]:
            told = f"The ledger does not hold: {detail['findings']} findings. {detail['first'][0]}"
            self.alerts().raise_alert("trail_verification", "critical", told[:1000])
        return detail
