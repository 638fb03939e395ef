"""Every error Coverslip raises: one root, six families, one catalogue.

Rules kept here:

* An error is a *code* with *values*; its message is built from both, so that pages, API and
  command line say the same thing without parsing text.
* A code never changes its meaning. Codes of DOMAIN 1.6 carry the HTTP status of REGULATION 0.1.
* A message says what was expected, what was found, where, and what to do next. It never holds a
  secret or a stack trace.
* Families differ only where a caller acts differently.
"""

from __future__ import annotations

from typing import Any, ClassVar

from coverslip.error_codes import (
    SPECS,
    ErrorSpec as ErrorSpec,
    Family as Family,
    Recorded as Recorded,
)


class CoverslipError(Exception):
    """Root of all errors; carries code, values and, where one exists, the record's number.

    ``recorded`` says whether its refusal entry is written already.
    """

    family: ClassVar[Family | None] = None

    def __init__(self, code: str, *, record: str = "", message: str = "", **values: Any) -> None:
        spec = CATALOGUE[code]
        if self.family is not None and spec.family != self.family:
            raise ValueError(f"{code} belongs to family {spec.family}, not {self.family}")
        self.code = code
        self.spec = spec
        self.recorded = False
        self.record = record
        self.values = {"record": record, **values}
        self.message = message or _fill(spec.template, self.values)
        self.remedy = str(values.get("remedy") or _fill(spec.remedy, self.values))
        self.rule = str(values.get("rule") or spec.rule)
        self.clause = str(values.get("clause") or spec.clause)
        super().__init__(f"{code}: {self.message}")

    @property
    def status(self) -> int:
        """HTTP status of this error."""
        return self.spec.status

    def problem(self) -> dict[str, Any]:
        """Return the problem-details body (RFC 9457) of this error, without its values."""
        return {
            "type": f"https://coverslip.invalid/errors/{self.code.lower()}",
            "title": self.code,
            "status": self.status,
            "detail": self.message,
            "code": self.code,
            "message": self.message,
            "rule": self.rule,
            "clause": self.clause,
            "record": self.record,
            "remedy": self.remedy,
        }


class Refused(CoverslipError):
    """The act is not permitted: authority, sequence, independence, signature, hold, device, lock."""

    family = "refused"


class Conflict(CoverslipError):
    """What was read has changed meanwhile; deciding again may succeed."""

    family = "conflict"


class Invalid(CoverslipError):
    """Content is missing, malformed or outside its limits."""

    family = "invalid"


class NotFound(CoverslipError):
    """Nothing is stored under this name."""

    family = "not_found"


class EvidenceBroken(CoverslipError):
    """Stored bytes disagree with their evidence. Work stops until a person has looked."""

    family = "evidence"


class EnvironmentFault(CoverslipError):
    """Something outside the records (disk, database, network, program) cannot do its part."""

    family = "environment"


class _Missing(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "" if key == "remedy" else f"({key})"


def _fill(template: str, values: dict[str, Any]) -> str:
    return template.format_map(_Missing(values))


CATALOGUE: dict[str, ErrorSpec] = {spec.code: spec for spec in SPECS}
"""All codes. Documented in docs/reference/errors.md; tests hold the two together."""
