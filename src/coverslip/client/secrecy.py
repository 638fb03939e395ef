"""Keeping a process that sees secrets to itself.

Rules kept here: it leaves no core dump, and no other process of the same account may look into it. Where
the system does not offer this (other than Linux), core dumps are still switched off.
"""

from __future__ import annotations

import ctypes
import resource

_PR_SET_DUMPABLE = 4
_PR_GET_DUMPABLE = 3


def keep_to_itself() -> bool:
    """Forbid core dumps of this process and its children, and debuggers; return whether both are in force.

    What this process starts may be looked into again: a new program decides for itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return False
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return bool(prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
