"""Reproduction of a recorded run: computed again from its records and the vault, and compared.

Rules kept here:

* Nothing is written: no record, no object; the run stays as it is.
* The recorded table is hashed before it is compared, and its rows must have the root the results name.
* One reproduction at a time: it costs as much as the run did.
"""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import Any, Protocol

from coverslip.analysis.recipe import Objects, job_of, recipe
from coverslip.analysis.reproduce import compare
from coverslip.analysis.runner import rows_root, run
from coverslip.errors import EnvironmentFault, EvidenceBroken, Refused
from coverslip.kernel.rows import Row

REPRODUCIBLE = ("completed", "in_review", "accepted", "rejected")
SHOWN_DIFFERENCES = 100
RETRY_S = 30


class Reading(Protocol):
    """Reading records."""

    def by_uid(self, kind: str, uid: str) -> Row | None:
        """Return a record."""
        ...


class Reruns:
    """Computes recorded runs again."""

    def __init__(self, reading: Reading, vault: Objects) -> None:
        self._reading, self._vault = reading, vault
        self._busy = threading.Lock()

    def reproduce(self, row: Row) -> dict[str, Any]:
        """Compute a run again and return the verdict, the counts, and the first differences.

        Raises ``SEQ_STATE`` for a run without results, ``THROTTLED`` while another is computed, ``EVIDENCE``
        when the recorded table is not the one its results name, ``ENVIRONMENT`` when the computation
        fails, and what ``recipe.job_of`` raises.
        """
        if row.type != "analysis_run" or row.state not in REPRODUCIBLE:
            raise Refused(
                "SEQ_STATE",
                record=row.number,
                state=row.state,
                action="reproduce",
                states=", ".join(REPRODUCIBLE),
            )
        if not self._busy.acquire(blocking=False):
            raise Refused("THROTTLED", seconds=RETRY_S)
        try:
            return self._again(row)
        finally:
            self._busy.release()

    def _again(self, row: Row) -> dict[str, Any]:
        link = row.fields["results"]
        results = self._reading.by_uid(link["type"], link["uid"])
        if results is None:
            raise EnvironmentFault(
                "ENVIRONMENT", what=f"the results of {row.number}", expected="a record", found="none"
            )
        recorded_root = str(results.fields["csv"]["root"])
        self._vault.verify(recorded_root)
        recorded = self._vault.path(recorded_root)
        named = str(results.fields["row_hashes_root"])
        if (found := rows_root(recorded)) != named:
            raise EvidenceBroken(
                "EVIDENCE", what=f"the rows of {results.number}", expected=named[:16], found=found[:16]
            )
        with run(job_of(recipe(row, self._reading.by_uid), self._vault)) as outcome:
            if not outcome.completed:
                raise EnvironmentFault(
                    "ENVIRONMENT",
                    what=f"computing {row.number} again",
                    expected="results",
                    found=outcome.failed,
                )
            compared = compare(recorded, outcome.folder / "results.csv")
            digest = str(outcome.result["env_digest"])
        return {
            "run": row.number,
            "results": results.number,
            "verdict": compared.verdict,
            "rows": compared.rows,
            "differing": len(compared.differences),
            "differences": [asdict(d) for d in compared.differences[:SHOWN_DIFFERENCES]],
            "rows_root": {"recorded": named, "again": outcome.rows_root},
            "env_digest": {"recorded": str(row.fields["env_digest"]), "again": digest},
        }
