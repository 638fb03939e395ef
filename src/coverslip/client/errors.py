"""What went wrong, as a caller can act on it: one root, a class per family.

Rules kept here:

* What the server answers as problem details arrives with its code, message, rule, clause, record and
  remedy; nothing is parsed out of a sentence.
* What fails before or without the server (no connection, a wrong address, bytes that do not match)
  uses the same catalogue, so that a caller catches one root.
* A code of a newer server that is not in this catalogue is kept; its family follows from the status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coverslip.errors import CATALOGUE, CoverslipError, EnvironmentFault, EvidenceBroken, Family, Invalid

_DETAILS = ("problems", "unmet", "allowed", "meaning", "meaning_text", "line")


class ApiError(Exception):
    """Root: ``code``, ``message``, ``rule``, ``clause``, ``record``, ``remedy``, HTTP ``status``.

    ``details`` holds what else was said: ``problems`` (every wrong field), ``unmet`` (every condition
    not met), ``meaning`` and ``meaning_text`` of a signature that is needed, ``line`` of a change among
    many. ``status`` is 0 where no server answered.
    """

    def __init__(self, problem: Mapping[str, Any], status: int = 0) -> None:
        self.code = str(problem.get("code") or "UNAVAILABLE")
        self.message = str(
            problem.get("message") or problem.get("detail") or problem.get("title") or self.code
        )
        self.rule = str(problem.get("rule") or "")
        self.clause = str(problem.get("clause") or "")
        self.record = str(problem.get("record") or "")
        self.remedy = str(problem.get("remedy") or "")
        self.status = status
        self.details = {name: problem[name] for name in _DETAILS if name in problem}
        super().__init__(f"{self.code}: {self.message}")

    def value(self) -> dict[str, Any]:
        """Return the JSON form."""
        names = ("code", "message", "rule", "clause", "record", "remedy", "status")
        return {name: getattr(self, name) for name in names} | self.details


class RefusedError(ApiError):
    """The act is not permitted: authority, sequence, independence, signature, hold, device, lock."""


class ConflictError(ApiError):
    """What was read has changed meanwhile: read again, then decide again."""


class InvalidError(ApiError):
    """Content is missing, malformed or outside its limits; ``details["problems"]`` lists all of it."""


class NotFoundError(ApiError):
    """Nothing is stored under this name."""


class EvidenceError(ApiError):
    """Bytes disagree with their evidence. Stop, keep a copy, tell the security officer."""


class FaultError(ApiError):
    """Something outside the records cannot do its part: it could not be determined or written."""


class UnreachableError(FaultError):
    """No server answered; whether a write arrived is unknown until it is asked for again."""


class MisuseError(InvalidError):
    """This call could not be sent as it was made: wrong address, unusable file or key."""


_BY_FAMILY: Mapping[Family, type[ApiError]] = {
    "refused": RefusedError, "conflict": ConflictError, "invalid": InvalidError, "not_found": NotFoundError,
    "evidence": EvidenceError, "environment": FaultError,
}  # fmt: skip
_BY_STATUS = {404: NotFoundError, 409: ConflictError, 413: InvalidError, 422: InvalidError}


def from_problem(problem: Mapping[str, Any], status: int) -> ApiError:
    """Return the error of an answer with problem details."""
    spec = CATALOGUE.get(str(problem.get("code", "")))
    if status >= 500 and (spec is None or status == 500):
        return FaultError(problem, status)
    kind = _BY_FAMILY[spec.family] if spec else _BY_STATUS.get(status, RefusedError)
    return kind(problem, status)


def _local(kind: type[ApiError], error: CoverslipError) -> ApiError:
    return kind(error.problem())


def unreachable(what: str, why: str) -> ApiError:
    """Return the error of a server that does not answer; ``why`` is the system's word for it."""
    fault = EnvironmentFault("UNAVAILABLE", what=what, message=f"{what} does not answer ({why}).")
    return _local(UnreachableError, fault)


def misuse(field: str, expected: str, found: str, remedy: str = "") -> ApiError:
    """Return the error of a call that cannot be sent as it stands."""
    values = {"remedy": remedy} if remedy else {}
    return _local(MisuseError, Invalid("VAL_FORM", field=field, expected=expected, found=found, **values))


def broken(record: str, what: str, expected: str, found: str) -> ApiError:
    """Return the error of bytes that are not those the evidence names."""
    return _local(
        EvidenceError, EvidenceBroken("EVIDENCE", record=record, what=what, expected=expected, found=found)
    )


def fault(what: str, expected: str, found: str, remedy: str = "") -> ApiError:
    """Return the error of an environment that cannot do its part."""
    error = EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found, remedy=remedy)
    return _local(FaultError, error)
