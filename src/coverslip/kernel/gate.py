"""A gate before costly work: few at once, and nobody's crowd stands in another's way.

Rules kept here:

* At most ``slots`` are inside. Who waits stands in the line of their address; lines are served in turn, so
  that a flood from one address costs another at most one turn for each address that floods.
* A line holds ``line`` and no more, all lines together ``most``: who comes after is told to try again,
  without work having been done. Who waits occupies a thread of the server, which has more than ``most``.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from coverslip.errors import Refused

SLOTS = 2
LINE = 8
MOST = 64
TRY_AGAIN_S = 1


class Gate:
    """Lets a few in at once, address by address in turn. Safe for many threads."""

    def __init__(self, slots: int = SLOTS, line: int = LINE, most: int = MOST) -> None:
        self._free, self._line, self._most = slots, line, most
        self._lines: OrderedDict[str, deque[object]] = OrderedDict()
        self._changed = threading.Condition()

    @contextmanager
    def enter(self, address: str) -> Iterator[None]:
        """Wait for a place and keep it for the while; raises ``THROTTLED`` where the line is full."""
        mine = object()
        with self._changed:
            waiting = self._lines.get(address, ())
            if len(waiting) >= self._line or sum(map(len, self._lines.values())) >= self._most:
                raise Refused("THROTTLED", seconds=TRY_AGAIN_S)
            self._lines.setdefault(address, deque()).append(mine)
            self._changed.wait_for(lambda: self._free > 0 and self._next() is mine)
            self._serve(address)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _next(self) -> object:
        return next(iter(self._lines.values()))[0]

    def _serve(self, address: str) -> None:
        """Take the first of an address in; its line goes behind the others."""
        self._free -= 1
        waiting = self._lines[address]
        waiting.popleft()
        if waiting:
            self._lines.move_to_end(address)
        else:
            del self._lines[address]
