"""What waits for a passkey's answer: statements prepared for signing, and challenges for new passkeys.

Rules kept here:

* Each is for one session, is taken once, and is over after five minutes.
* The store is bounded: eight for a session, the oldest goes first; when all is full, the oldest of all.
* It lives in this process only: what is lost is prepared anew, and nothing of it is evidence.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from coverslip.kernel.clock import monotonic_s
from coverslip.kernel.passkeys import TIMEOUT_MS

EACH, MOST = 8, 2000
LASTS_S = TIMEOUT_MS / 1000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    session: str
    until_s: float
    value: T


class Waiting(Generic[T]):
    """Things that wait, each for its session; safe for many threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept[T]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, session: str, value: T) -> str:
        """Keep a value for a session and return the name it is taken by."""
        name = secrets.token_hex(16)
        now = monotonic_s()
        with self._lock:
            for old in [n for n, k in self._kept.items() if k.until_s < now]:
                del self._kept[old]
            mine = [n for n, k in self._kept.items() if k.session == session]
            for old in mine[: max(0, len(mine) - EACH + 1)]:
                del self._kept[old]
            while len(self._kept) >= MOST:
                self._kept.popitem(last=False)
            self._kept[name] = _Kept(session, now + LASTS_S, value)
        return name

    def take(self, session: str, name: str) -> T | None:
        """Return what waits under a name for this session, once; ``None`` when there is nothing."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept.session != session:
                return None
            del self._kept[name]
        return kept.value if monotonic_s() <= kept.until_s else None
