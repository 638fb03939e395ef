"""Runs: claims queued runs, executes them apart, and brings their results through the one door.

Rules kept here:

* The record's state is the queue: starting a run is its claim, and one worker wins it.
* Pixels come from the vault, hash-checked, decoded in the readers' own process.
* Whatever happens ends in a record: results and *finish*, or *fail* with the log and the reason.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from coverslip.analysis.recipe import Objects, Recipe, job_of, recipe
from coverslip.analysis.runner import Outcome, run
from coverslip.errors import Conflict, CoverslipError, EnvironmentFault, Refused
from coverslip.kernel.change import Change, Context, Receipt
from coverslip.kernel.commit import Door
from coverslip.kernel.rows import Row

MAX_WAITING = 1000
_log = logging.getLogger("coverslip.analysis")


class Reading(Protocol):
    """Reading records."""

    def in_state(self, kind: str, state: str, limit: int = 100) -> list[Row]:
        """Return records of a type in a state, oldest first."""
        ...

    def by_uid(self, kind: str, uid: str) -> Row | None:
        """Return a record."""
        ...


class Vault(Objects, Protocol):
    """Objects by root."""

    def store(self, source: Any, limit_bytes: int) -> Any:
        """Keep a file."""
        ...


class Runs:
    """Executes analysis runs; a job of the worker."""

    def __init__(
        self, door: Door, reading: Reading, vault: Vault, service: Callable[[], Context], limit_bytes: int
    ) -> None:
        self._door, self._reading, self._vault = door, reading, vault
        self._service, self._limit = service, limit_bytes

    def step(self) -> bool:
        """Take the oldest queued run that may start, if there is one, and bring it to an end."""
        for row in self._reading.in_state("analysis_run", "queued", MAX_WAITING):
            if self._claim(row):
                self._execute(row.number)
                return True
        return False

    def recover(self) -> int:
        """Record every run left *running* by a worker that died as failed; return how many.

        Called once, before the worker takes anything up. It holds for one worker an installation, which
        is what the supervisor starts: another worker's run would be taken for one left behind.
        """
        left = self._reading.in_state("analysis_run", "running", MAX_WAITING)
        for row in left:
            try:
                self._fail(row.number, "The worker ended before the run did; run it again by request.", "")
            except EnvironmentFault:
                raise
            except CoverslipError as error:  # one run that cannot be ended must not stop the worker
                _log.warning("run %s stays running: %s", row.number, error)
        return len(left)

    def _claim(self, row: Row) -> bool:
        """Start the run; another worker that won it, or a hold, is no error.

        A run that may never start is recorded as failed.
        """
        refusal = self._door.explain(row, self._service(), "start")
        try:
            if refusal is not None and refusal.code in ("HOLD", "SEQ_STATE", "SIG_STALE"):
                return False
            self._act(row.number, "start")
        except Conflict:
            return False
        except Refused as error:
            if error.code not in ("HOLD", "SEQ_STATE"):
                self._fail(row.number, error.message, "")
            return False
        return True

    def _act(
        self, number: str, act: str, fields: Mapping[str, Any] | None = None, reason: str = ""
    ) -> Receipt:
        return self._door.submit(
            Change(act, number=number, fields=dict(fields or {}), reason=reason), self._service()
        )

    # --- execution -----------------------------------------------------------------------------

    def _execute(self, number: str) -> None:
        row = self._current(number)
        try:
            made = recipe(row, self._reading.by_uid)
            with run(job_of(made, self._vault)) as outcome:
                if outcome.completed:
                    self._finish(row, made, outcome)
                else:
                    self._fail(number, outcome.failed, outcome.log)
        except EnvironmentFault as error:
            # The run stays where it is; a person reads why in its record.
            self._fail(number, f"{error.message} {error.remedy}".strip(), "")
        except CoverslipError as error:
            self._fail(number, error.message, "")

    def _current(self, number: str) -> Row:
        return next(r for r in self._reading.in_state("analysis_run", "running", 1000) if r.number == number)

    # --- results -------------------------------------------------------------------------------

    def _finish(self, row: Row, made: Recipe, outcome: Outcome) -> None:
        summary, flagged = _summary(made.method, made.images, outcome.result["fields"])
        fields: dict[str, Any] = {
            "title": f"Results of {row.number}",
            "run": row.number,
            "method": made.method.label,
            "algorithm": made.algorithm.label,
            "parameters": made.parameters.label,
            "csv": self._keep(outcome.folder / "results.csv", "text/csv"),
            "table": self._keep(outcome.folder / "results.parquet", "application/vnd.apache.parquet"),
            "row_hashes_root": outcome.rows_root,
            "row_count": int(outcome.result["rows"]),
            "rows": summary,
        }
        if flagged:
            fields["flagged"] = flagged
        results = self._door.submit(Change("create", type="result_set", fields=fields), self._service())
        self._act(
            row.number,
            "finish",
            {
                "env_digest": outcome.result["env_digest"],
                "environment": _environment(outcome.result),
                "log": self._keep_text(f"{row.number}.log", outcome.log),
                "results": results.entries[0].number,
                "suitability": _suitability(made.method, summary, flagged),
            },
        )

    def _fail(self, number: str, why: str, log: str) -> None:
        fields: dict[str, Any] = {"error": (why or "no reason was given")[:20_000]}
        if log:
            fields["log"] = self._keep_text(f"{number}.log", log)
        with contextlib.suppress(Conflict):
            self._act(number, "fail", fields, f"The run could not be completed: {why}"[:3000])

    def _keep(self, path: Path, media_type: str) -> dict[str, Any]:
        with path.open("rb") as source:
            return self._value(path.name, media_type, source)

    def _keep_text(self, name: str, text: str) -> dict[str, Any]:
        return self._value(name, "text/plain", BytesIO(text.encode() or b"(empty)\n"))

    def _value(self, name: str, media_type: str, source: BinaryIO) -> dict[str, Any]:
        stored = self._vault.store(source, self._limit)
        return {
            "name": name,
            "size": stored.size,
            "sha256": stored.sha256,
            "root": stored.root,
            "media_type": media_type,
        }


def _summary(
    method: Row, images: Sequence[Row], fields: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of the result set and the flagged images."""
    by_number = {image.number: image for image in images}
    rows: list[dict[str, Any]] = []
    flagged: list[dict[str, Any]] = []
    for field in fields:
        image = by_number[field["image"]]
        position = str(image.fields.get("position") or image.number)
        measured = {"count": field["count"], "median_area": field["median_area_px"]}
        for output in method.fields["outputs"]:
            rows.append(_row(output, position, measured.get(output["quantity_name"])))
        failed = [g for g in field["gates"] if not g["passed"]]
        if failed:
            said = "; ".join(f"{g['name']} {g['value']} (limit {g['limit']})" for g in failed)
            flagged.append({"image": image.number, "reason": f"outside operating limits: {said}"[:1000]})
    return rows, flagged


def _row(output: Mapping[str, Any], position: str, value: Any) -> dict[str, Any]:
    digits = int(output["digits"])
    row: dict[str, Any] = {
        "position": position,
        "quantity_name": output["quantity_name"],
        "unit": output["unit"],
        "digits": digits,
    }
    if value is None:
        return row | {"status": "not_evaluable"}
    text = f"{value:.{digits}f}"
    low, high = output.get("limit_lo"), output.get("limit_hi")
    outside = (low is not None and float(text) < float(low)) or (
        high is not None and float(text) > float(high)
    )
    limited = low is not None or high is not None
    return row | {
        "value": text,
        "raw_value": f"{value:.6f}" if isinstance(value, float) else str(value),
        "status": "out_of_limits" if outside else "within" if limited else "no_limit",
    }


def _suitability(
    method: Row, rows: list[dict[str, Any]], flagged: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the suitability controls of the method, and that no field is beyond the operating limits."""
    found = [
        {
            "control": "fields within operating limits",
            "limit": "all",
            "value": f"{len(flagged)} flagged",
            "pass": not flagged,
        }
    ]
    for control in method.fields.get("suitability", ()):
        values = [
            float(r["value"])
            for r in rows
            if r["quantity_name"] == control.get("quantity_name") and "value" in r
        ]
        mean = sum(values) / len(values) if values else None
        low, high = control.get("limit_lo"), control.get("limit_hi")
        holds = (
            mean is not None and (low is None or mean >= float(low)) and (high is None or mean <= float(high))
        )
        found.append(
            {
                "control": control["control"],
                "limit": f"{low or '…'}–{high or '…'}",
                "value": "none" if mean is None else f"{mean:.3f}",
                "pass": holds,
            }
        )
    return found


def _environment(result: Mapping[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = {
        "packages": result["environment"]["packages"],
        "code_hash": result["code_hash"],
        "parameters": result["parameters"],
    }
    value["system"] = {k: v for k, v in result["system"].items() if v}
    return value
