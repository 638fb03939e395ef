"""Who may set up: whoever can read the operator's console, in one browser at a time.

Rules kept here (P11-300-d):

* The code has 80 random bits, is used once and compared in constant time. Using it makes the next one, told
  on the console, by which another browser takes over; the one before is then out.
* Wrong codes are counted by address and altogether. Who gave ``TRIES`` wrong ones within ``WAIT_S`` seconds
  is told to wait, and so is everybody while ``MOST`` came from anywhere; the console is told, once a wait.
* The right code is heard all the same: whoever reads the console is not shut out by who does not, be it from
  the same address. What guessing can come to is bounded by the code alone: at 10 000 guesses a second, more
  than this server reads, a year of guessing finds it with a chance of 3 in 10^13 (3.2e11 of 2^80).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable

from coverslip.errors import Refused

TRIES = 5
MOST = 100
WAIT_S = 60.0
_ADDRESSES = 1000
_EVERYWHERE = "anywhere"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Gate:
    """The one-time code and the browser that used it. Safe for many threads."""

    def __init__(
        self,
        tell: Callable[[str], None],
        now: Callable[[], float],
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``tell`` and ``warn`` write a code, and a sentence, on the console."""
        self._tell, self._now, self._warn = tell, now, warn
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()
        self._token = b""
        self._new_code()

    def enter(self, code: str, address: str = "") -> str:
        """Return the token of the browser that gave the code. Raises ``SETUP_CODE``, ``THROTTLED``."""
        given = hashlib.sha256(code.strip().upper().replace("-", "").encode()).digest()
        with self._lock:
            if not hmac.compare_digest(given, self._code):
                raise self._refused(address)
            token = secrets.token_urlsafe(32)
            self._token = hashlib.sha256(token.encode()).digest()
            self._new_code()
            return token

    def knows(self, token: str) -> bool:
        """Whether this is the token of the browser that is let in."""
        return bool(self._token) and hmac.compare_digest(hashlib.sha256(token.encode()).digest(), self._token)

    def _refused(self, address: str) -> Refused:
        """Count a wrong code and return what is said of it."""
        now, waits = self._now(), 0.0
        for who, most in ((address, TRIES), (_EVERYWHERE, MOST)):
            times = [at for at in self._wrong.pop(who, []) if at > now - WAIT_S]
            if len(times) >= most:
                waits = max(waits, times[0] + WAIT_S - now)
            else:
                times.append(now)
                if len(times) == most:
                    self._warn(f"{most} wrong set-up codes within {WAIT_S:.0f} s from {who or 'nowhere'}")
            self._wrong[who] = times
        while len(self._wrong) > _ADDRESSES:
            self._wrong.popitem(last=False)
        return Refused("THROTTLED", seconds=int(waits) + 1) if waits else Refused("SETUP_CODE")

    def _new_code(self) -> None:
        code = "".join(secrets.choice(_LETTERS) for _ in range(16))
        self._code = hashlib.sha256(code.encode()).digest()
        self._tell("-".join(code[n : n + 4] for n in range(0, 16, 4)))
