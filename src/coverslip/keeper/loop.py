"""The keeper's loop: duties, each in a thread of its own, so that a long one never delays a heartbeat.

Rules kept here:

* A duty that fails is logged and tried again, sooner than its turn; it never stops another duty.
* Nothing is remembered here: a duty finds out from the ledger what is due, so that a restart loses nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Protocol

RETRY_S = 15.0
_JOIN_S = 10.0
_log = logging.getLogger("coverslip.keeper")


class Duty(Protocol):
    """Something to do at once at start and again every ``every_s`` seconds."""

    @property
    def name(self) -> str:
        """Short name, for the log and for people."""
        ...

    @property
    def every_s(self) -> float:
        """Seconds between the end of one turn and the next."""
        ...

    def do(self) -> None:
        """Do what is due; cheap when nothing is."""
        ...


def run(duties: Sequence[Duty], stop: threading.Event, retry_s: float = RETRY_S) -> None:
    """Keep every duty until ``stop`` is set; returns when the turns under way have ended, or after 10 s."""
    threads = [
        threading.Thread(target=_keep, args=(duty, stop, retry_s), name=f"duty-{duty.name}", daemon=True)
        for duty in duties
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(_JOIN_S)


def _keep(duty: Duty, stop: threading.Event, retry_s: float) -> None:
    while not stop.is_set():
        try:
            duty.do()
            pause = duty.every_s
        except Exception:  # a duty's failure must not end the others; it is in the log and tried again
            _log.exception("duty %s failed and is tried again", duty.name)
            pause = min(retry_s, duty.every_s)
        stop.wait(pause)
