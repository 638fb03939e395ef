"""chrony: ask the host's own time service what it knows, through ``chronyc``.

Rules kept here: the program is called without a shell, with a time limit and a bare environment; what
it prints is read by position and refused whole when it does not fit.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Final

from coverslip.errors import EnvironmentFault
from coverslip.timekeeping.reading import Reading

COMMAND: Final = ("chronyc", "-n", "-c", "tracking")
TIMEOUT_S: Final = 3.0
_FIELDS: Final = 14
_ITSELF: Final = {"", "00000000", "7F7F0101"}
"""Reference ids of a service that has no source but the host's own clock (``local stratum``)."""
_REFERENCE, _STRATUM, _OFFSET, _DELAY, _DISPERSION, _LEAP = 0, 2, 4, 10, 11, 13


def ask() -> str:
    """Return what ``chronyc tracking`` prints; raises ``ENVIRONMENT`` when it does not answer."""
    try:
        done = subprocess.run(
            COMMAND,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise _unusable(str(error)) from error
    if done.returncode:
        raise _unusable((done.stdout + done.stderr).strip()[:200] or f"exit {done.returncode}")
    return done.stdout


def measure(answer: Callable[[], str] = ask) -> Reading:
    """Return the host clock's offset as chrony estimates it; raises ``ENVIRONMENT`` when it cannot tell.

    chrony's bound is the offset still to be corrected, root dispersion and half the root delay.
    """
    fields = answer().strip().split(",")
    if len(fields) < _FIELDS:
        raise _unusable(f"{len(fields)} fields instead of {_FIELDS}")
    if fields[_LEAP] not in ("Normal", "Insert second", "Delete second") or fields[_STRATUM] == "0":
        raise _unusable(f"'{fields[_LEAP][:40]}', stratum {fields[_STRATUM][:4]}")
    if fields[_REFERENCE].upper() in _ITSELF:
        raise _unusable("a service that follows the host's own clock")
    try:
        behind, delay, dispersion = (float(fields[i]) for i in (_OFFSET, _DELAY, _DISPERSION))
    except ValueError as error:
        raise _unusable(str(error)) from error
    # chrony says how far the host is behind its time; we say how far it is ahead.
    return Reading(
        "chrony", fields[1] or "chrony", round(-behind * 1e6), round((dispersion + abs(delay) / 2) * 1e6) + 1
    )


def _unusable(found: str) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT",
        what="chrony",
        expected="a synchronised time service",
        found=found,
        remedy="Start chronyd and see 'chronyc sources', or name another time source.",
    )
