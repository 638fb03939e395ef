"""Ending with the process that started us, however that one ends (Linux).

Rules kept here: asked for between fork and exec, after the account was changed, because a change of
account forgets it; a parent that died meanwhile is noticed. Where the system does not offer it, the
next start finds and ends what was left behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)


def die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return a function for ``preexec_fn``: the kernel sends ``number`` when the calling thread ends."""
    parent = os.getpid()

    def ask() -> None:
        if _PRCTL is None:
            return
        _PRCTL(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:
            os._exit(1)

    return ask
