"""Streams: pages that wait for something to arrive, told by one that looks for all of them.

Rules kept here:

* A waiting page costs a connection and a little memory: no thread and no question to the database of its own.
  What several pages wait for is looked at once in ``look_every_s``, however many they are.
* A stream is compared with where its page stands when it begins, so that nothing falls between page and
  stream. It says when something arrived and ends; by itself after ``last_s``, and where looking fails.
* A session has ``of_session`` streams, this process ``most``; beyond them a page is told so and asks itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from fastapi.concurrency import run_in_threadpool

from coverslip.errors import CoverslipError

ARRIVED = b"event: arrived\ndata: new\n\n"
END = b"event: end\ndata: end\n\n"
STILL = b": still\n\n"
Look = Callable[[], str]
_log = logging.getLogger("coverslip.web")


@dataclass(eq=False)
class _Waiting:
    session: str
    subject: str
    at: str
    look: Look
    told: asyncio.Event = field(default_factory=asyncio.Event)
    last: bytes = END


class Streams:
    """The streams of one application. Used by one event loop at a time."""

    def __init__(
        self,
        *,
        most: int = 400,
        of_session: int = 4,
        look_every_s: float = 5.0,
        still_every_s: float = 15.0,
        last_s: float = 600.0,
    ) -> None:
        self.most, self.of_session = most, of_session
        self.look_every_s, self.still_every_s, self.last_s = look_every_s, still_every_s, last_s
        self._waiting: dict[_Waiting, None] = {}
        self._looking: asyncio.Task[None] | None = None

    def full(self, session: str) -> bool:
        """Whether there is no stream left for a session."""
        own = sum(one.session == session for one in self._waiting)
        return own >= self.of_session or len(self._waiting) >= self.most

    async def wait(self, session: str, subject: str, at: str, look: Look) -> AsyncIterator[bytes]:
        """Yield signs of life until ``look`` says something else than ``at``; then that, and end.

        ``subject`` names what is looked at: one look serves all who wait for the same.
        """
        mine = _Waiting(session, subject, at, look)
        self._waiting[mine] = None
        try:
            yield b": listening\n\n"
            if await run_in_threadpool(look) != at:
                yield ARRIVED
                return
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            until = asyncio.get_running_loop().time() + self.last_s
            while (left := until - asyncio.get_running_loop().time()) > 0:
                try:
                    await asyncio.wait_for(mine.told.wait(), min(self.still_every_s, left))
                except TimeoutError:
                    yield STILL
                else:
                    yield mine.last
                    return
            yield END
        finally:
            self._waiting.pop(mine, None)

    async def _look(self) -> None:
        """Look in turn at everything that is waited for, until nobody waits."""
        while self._waiting:
            for subject, look in {one.subject: one.look for one in self._waiting}.items():
                try:
                    now = await run_in_threadpool(look)
                except CoverslipError:
                    _log.warning("a stream ends: what it waits for cannot be looked at", exc_info=True)
                    self._tell(subject, None)
                else:
                    self._tell(subject, now)
            await asyncio.sleep(self.look_every_s)

    def _tell(self, subject: str, now: str | None) -> None:
        for one in list(self._waiting):
            if one.subject == subject and now != one.at:
                one.last = END if now is None else ARRIVED
                one.told.set()
