"""How a command ends: exit codes, and every failure as one coded sentence on stderr.

Exit codes: 0 holds, 1 a finding or a refusal, 2 wrong usage or untrusted keys, 3 could not be
determined. "Could not check" is never "fine". No stack trace reaches a terminal; what nobody foresaw
is named in one line and written to a log file only its owner can read.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import traceback
from pathlib import Path
from typing import Any

from coverslip.cli.show import warn
from coverslip.client import ApiError, FaultError, MisuseError
from coverslip.errors import CoverslipError

HOLDS, FINDING, USAGE, UNDETERMINED = 0, 1, 2, 3


def exit_code(error: ApiError | CoverslipError) -> int:
    """Return the exit code an error means."""
    if isinstance(error, MisuseError):
        return USAGE
    unknown = isinstance(error, FaultError) or (
        isinstance(error, CoverslipError) and error.spec.family == "environment"
    )
    return UNDETERMINED if unknown else FINDING


def tell(error: ApiError | CoverslipError) -> int:
    """Print an error as code, sentence, remedy and rule; return its exit code."""
    line = error.details.get("line") if isinstance(error, ApiError) else None
    place = "" if line is None else f"change {line}: "
    warn(f"{place}{error.code}: {error.message}")
    if error.remedy:
        warn(f"  {error.remedy}")
    rule = ", ".join(part for part in (error.rule, error.clause) if part)
    if rule:
        warn(f"  ({rule})")
    return exit_code(error)


def unforeseen(error: BaseException) -> int:
    """Write what happened to a log file, say where in one line, and return 3."""
    kind = type(error).__name__
    try:
        path = _log_file()
    except OSError:
        warn(f"UNFORESEEN: {kind}; no log file could be written. Nothing more is known.")
        return UNDETERMINED
    with path.open("w", encoding="utf-8") as out:
        traceback.print_exception(error, file=out)
    warn(f"UNFORESEEN: {kind}; details for whoever maintains this are in {path}.")
    return UNDETERMINED


def _log_file() -> Path:
    """Return a new private file in the home's logs, else in the folder for temporary files."""
    home = os.environ.get("COVERSLIP_HOME")
    for folder in (Path(home) / "logs" if home else None, Path(tempfile.gettempdir())):
        if folder is not None and folder.is_dir():
            with contextlib.suppress(PermissionError):
                descriptor, name = tempfile.mkstemp(prefix="coverslip-", suffix=".log", dir=folder)
                os.close(descriptor)
                return Path(name)
    raise FileNotFoundError("no folder for a log file")


def findings(found: list[dict[str, Any]]) -> int:
    """Return 1 when there are findings, else 0."""
    return FINDING if found else HOLDS
