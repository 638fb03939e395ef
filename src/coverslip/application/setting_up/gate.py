"""Who may set up: whoever can read the operator's console, in one browser at a time.

Rules kept here (P11-300-d):

* The code has 80 random bits, is used once and compared in constant time. Using it makes the next one, told
  on the console, by which another browser takes over; the one before is then out.
* After ``TRIES`` wrong codes nobody is heard for ``WAIT_S`` seconds, the right code included.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from coverslip.errors import Refused

TRIES = 5
WAIT_S = 60.0
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Gate:
    """The one-time code and the browser that used it."""

    def __init__(self, tell: Callable[[str], None], now: Callable[[], float]) -> None:
        self._tell, self._now = tell, now
        self._wrong: list[float] = []
        self._token = b""
        self._new_code()

    def enter(self, code: str) -> str:
        """Return the token of the browser that gave the code. Raises ``SIG_REAUTH``, ``THROTTLED``."""
        now = self._now()
        self._wrong = [at for at in self._wrong if at > now - WAIT_S]
        if len(self._wrong) >= TRIES:
            raise Refused("THROTTLED", seconds=int(self._wrong[0] + WAIT_S - now) + 1)
        given = hashlib.sha256(code.strip().upper().replace("-", "").encode()).digest()
        if not hmac.compare_digest(given, self._code):
            self._wrong.append(now)
            raise Refused("SETUP_CODE")
        self._wrong.clear()
        token = secrets.token_urlsafe(32)
        self._token = hashlib.sha256(token.encode()).digest()
        self._new_code()
        return token

    def knows(self, token: str) -> bool:
        """Whether this is the token of the browser that is let in."""
        return bool(self._token) and hmac.compare_digest(hashlib.sha256(token.encode()).digest(), self._token)

    def _new_code(self) -> None:
        code = "".join(secrets.choice(_LETTERS) for _ in range(16))
        self._code = hashlib.sha256(code.encode()).digest()
        self._tell("-".join(code[n : n + 4] for n in range(0, 16, 4)))
