"""The doctor: every deviation of what an installation stands on, each named with what to do about it.

Rules kept here:

* Each check says what is expected and what was found. What could not be looked at is ``unknown``, never
  ``ok``; nothing is mended here.
* What an evaluation installation may lack (a clock, separate accounts, a backup) is a ``warning`` there and
  a ``finding`` in a regulated one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coverslip.bootstrap import anchors, doctor_database, doctor_files, wiring
from coverslip.bootstrap.doctor_line import Check, State, looked
from coverslip.bootstrap.quarantine import insist_sound
from coverslip.errors import CoverslipError
from coverslip.settings import Home
from coverslip.store.refusals import readable
from coverslip.store.signer import read_journal


def doctor(root: Path) -> list[dict[str, Any]]:
    """Look at an installation from outside; see ``Check.value`` for each line.

    Raises ENVIRONMENT when there is no installation in ``root``.
    """
    home = Home(root)
    wiring.installation(home)
    made = [check.value() for check in doctor_files.checks(home)]
    try:
        with wiring.database(home), readable(), wiring.connection(home, "cs_verifier") as conn:
            made.append(_agreement(home).value())
            made += [check.value() for check in doctor_database.checks(home, conn)]
            made += [_line(one) for one in anchors.independent_lines(anchors.lines(home, conn))]
    except CoverslipError as error:
        state: State = "finding" if error.spec.family == "evidence" else "unknown"
        made.append(Check(AGREEMENT, state, "the same history", error.message, error.remedy).value())
    return made


AGREEMENT = "ledger and signer agree"


def _agreement(home: Home) -> Check:
    """Ask what ``serve`` asks: is the database, or the journal, not what was signed? Other checks go on."""

    def look() -> Check:
        insist_sound(home)
        journal = read_journal(home.signer / "journal")
        return Check(
            AGREEMENT, "ok", "the same history", f"{journal[-1].size if journal else 0} entries signed"
        )

    return looked(AGREEMENT, "the same history", look)


def _line(given: dict[str, Any]) -> dict[str, Any]:
    """Return another part's line in this form."""
    states: dict[bool | None, State] = {True: "ok", False: "finding", None: "unknown"}
    return {"expected": "", "state": states[given["ok"]], **given}
