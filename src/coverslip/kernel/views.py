"""Views: who was sent what, entered once for each session, version and kind of view.

Rules kept here (one mechanism for prints, signing pages, images, review items and what an inspector opens):

* The first time a session is sent something is an entry. The same again (same kind, same version of the same
  record, same bytes shown) is no other fact, and none is entered; another session has entries of its own.
* What has no version, as a list an inspector opens, may say something else later: it is entered again when
  ``AGAIN_S`` have gone by.
* What cannot be entered is not shown, and is not taken for entered the next time.
* A person is sent ``MOST`` different things within ``WINDOW_S`` seconds and is then told to wait
  (``THROTTLED``): so many views are no reading any more, and each is an entry for ever.
* What was sent is remembered by this process, up to ``KEPT``: forgetting makes an entry more, never one less.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from coverslip.errors import Refused
from coverslip.kernel.clock import monotonic_s
from coverslip.kernel.rows import Row
from coverslip.ledger import canonical

AGAIN_S = 600.0
WINDOW_S = 600.0
MOST = 1200
KEPT = 50_000
_PEOPLE = 5000

Key = tuple[str, str, str, int, bytes]


class Views:
    """Remembers what sessions were sent. Safe for many threads."""

    def __init__(self, now: Callable[[], float] = monotonic_s) -> None:
        self._now, self._lock = now, threading.Lock()
        self._sent: OrderedDict[Key, float] = OrderedDict()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    @staticmethod
    def key(session: str, act: str, detail: dict[str, Any], about: Row | None) -> Key:
        """Return what makes one view the same as another."""
        uid, version = (about.uid, about.version) if about is not None else ("", 0)
        return session, act, uid, version, canonical.encode(detail)

    def due(self, key: Key, person: str) -> bool:
        """Whether a view is to be entered. Raises ``THROTTLED`` where a person was sent too much."""
        with self._lock:
            now = self._now()
            sent = self._sent.get(key)
            if sent is not None and (key[2] or now - sent < AGAIN_S):
                return False
            times = self._times.get(person, deque())
            while times and times[0] <= now - WINDOW_S:
                times.popleft()
            if len(times) >= MOST:
                raise _too_many(int(times[0] + WINDOW_S - now) + 1)
            return True

    def entered(self, key: Key, person: str) -> None:
        """Remember that a view was entered."""
        with self._lock:
            now = self._now()
            self._sent[key] = now
            self._sent.move_to_end(key)
            self._times.setdefault(person, deque()).append(now)
            self._times.move_to_end(person)
            for kept, most in ((self._sent, KEPT), (self._times, _PEOPLE)):
                while len(kept) > most:
                    kept.popitem(last=False)


def _too_many(seconds: int) -> Refused:
    message = (
        f"You opened {MOST} different records and pages within {WINDOW_S / 60:.0f} minutes, and that you did"
        f" is kept of each; try again in {seconds} s."
    )
    return Refused("THROTTLED", message=message, seconds=seconds)
