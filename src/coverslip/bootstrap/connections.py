"""Connections of the web process: how long a sender may take, and who keeps a place when all are taken.

Rules kept here:

* The head of a request has ``head_s`` seconds. Within a body nobody is silent longer than ``idle_s``
  (``known_idle_s`` for who is signed in), and after ``grace_s`` of waiting at least ``least_bytes_s`` bytes
  have come for each second waited since. Only time in which this server was ready to read is counted, so
  that a large file over a poor line comes through and one byte at a time does not.
* Who takes nothing of an answer for ``unread_s`` is hung up on, and so is who goes on sending for
  ``linger_s`` after the answer.
* A stranger is who has shown no live session on this connection or, with the same token, within
  ``KNOWN_S``. Strangers have a number of places, each address a smaller one: where they are used up, a
  newcomer takes the place of a stranger, of the address with most of them, who has been waited for longest.
  The other places are for people who are signed in; one session has its share and is refused the rest.
* What a connection is waited for with is never a header's word: a token counts once its session was found.
* The private socket is this user's own and stands apart; only the times hold for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from coverslip.application.vouching import VOUCH
from coverslip.kernel.clock import monotonic_s

CROWDED, STRANGER, TOKEN = "coverslip.crowded", "coverslip.stranger", "coverslip.token"
"""Keys of an ASGI scope: no place is left for this request, nobody is known to ask, a token came with it."""
KNOWN_S = 900.0
_KNOWN = 5000
_TOKEN = re.compile(rb"(?:^|;\s*)(?:__Host-)?coverslip(?:-setup)?=([^;\s]{1,200})")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, and bytes a second. Connections are looked at every ``look_s``."""

    head_s: float = 20.0
    idle_s: float = 15.0
    known_idle_s: float = 60.0
    grace_s: float = 30.0
    least_bytes_s: int = 1024
    linger_s: float = 30.0
    unread_s: float = 60.0
    look_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Room:
    """Connections at once: all, those of strangers, of strangers from one address, of one session."""

    most: int = 512
    strangers: int = 128
    of_address: int = 32
    of_session: int = 64


class Seats:
    """Who holds a connection. Used by one event loop only."""

    def __init__(self, room: Room | None = None, now: Callable[[], float] = monotonic_s) -> None:
        self.room, self.now = room or Room(), now
        self._taken: dict[Connection, None] = {}
        self._known: OrderedDict[bytes, float] = OrderedDict()

    def take(self, one: Connection) -> bool:
        """Let a newcomer in, in somebody's place if need be; false where there is none to give."""
        room = self.room
        strangers = [other for other in self._taken if other.stranger]
        mates = [other for other in strangers if other.address == one.address]
        made = (
            _made(mates, room.of_address)
            and _made([other for other in strangers if other in self._taken], room.strangers)
            and _made(list(self._taken), room.most)
        )
        self._taken[one] = None
        return made

    def strangers(self, address: str = "") -> int:
        """Return how many connections of strangers there are, of one address where it is named."""
        return sum(one.stranger and address in ("", one.address) for one in list(self._taken))

    def leave(self, one: Connection) -> None:
        """Give a place back."""
        self._taken.pop(one, None)

    def vouched(self, one: Connection, who: bytes) -> None:
        """Remember that a token is a live session's, and that this connection is of it."""
        self._known[who] = self.now()
        self._known.move_to_end(who)
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        one.who = who

    def spare(self, one: Connection) -> bool:
        """Whether the session of a connection has a place for it among those it may have."""
        taken = sum(other.who == one.who for other in self._taken if other is not one)
        return taken < self.room.of_session

    def recalls(self, who: bytes) -> bool:
        """Whether a token was found to be a live session's a short while ago."""
        return self._known.get(who, -KNOWN_S) > self.now() - KNOWN_S


def _made(taken: list[Connection], most: int) -> bool:
    """Make one of so many places free by hanging up; false where nobody can be hung up on."""
    if len(taken) < most:
        return True
    waited_for = [one for one in taken if one.waited_for]
    if not waited_for:
        return False
    crowd = Counter(one.address for one in taken if one.stranger)
    min(waited_for, key=lambda one: _worth(one, crowd)).hang_up()
    return True


def _worth(one: Connection, crowd: Counter[str]) -> tuple[bool, int, bool, float]:
    """Order by who goes first: strangers, of the address with most, idle ones, the longest waited for.

    Many who come in one moment would else push out who came in the same moment and has not been read yet.
    """
    return not one.stranger, -crowd[one.address] if one.stranger else 0, one.phase != "idle", one.since


class Connection(H11Protocol):
    """One connection; its class carries what is common to a server (``connections``)."""

    seats: Seats
    patience: Patience
    phase, since, who, address = "head", 0.0, b"", ""
    _got = _waited = _silent = _stalled = _after = 0.0
    _before = _unsent = 0
    _crowded = False
    _looking: asyncio.TimerHandle | None = None

    @property
    def stranger(self) -> bool:
        """Whether nobody is known to be at the other end."""
        return not self.who and self.client is not None

    @property
    def waited_for(self) -> bool:
        """Whether it is the other end's turn: to send, or to take what it was sent."""
        return self.phase != "answer" or self.transport.get_write_buffer_size() > 0

    def hang_up(self) -> None:
        """Close at once; the place is free from now on."""
        self.seats.leave(self)
        self.transport.abort()

    # --- what the transport tells ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address, self.since = (self.client[0] if self.client else ""), self.seats.now()
        if self.client is not None:
            self._crowded = not self.seats.take(self)
        self._looking = self.loop.call_later(self.patience.look_s, self._look)

    def data_received(self, data: bytes) -> None:
        self._got += len(data)
        super().data_received(data)
        self._turn(began=True)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self.seats.leave(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Read what has come; who asks is known, or not, before anything looks at the request."""
        before = self.scope
        super().handle_events()
        if self.scope is not before and self.scope is not None:
            self._recall()
        self._turn()

    # --- who it is -------------------------------------------------------------------------------

    def _recall(self) -> None:
        token = _token(self.headers)
        who = hashlib.sha256(token).digest() if token else b""
        self.who = b""
        if who and self.seats.recalls(who):
            self.seats.vouched(self, who)
        more: dict[str, Any] = {
            VOUCH: self._vouch,
            CROWDED: self._crowded if self.stranger else not self.seats.spare(self),
            STRANGER: self.stranger,
            TOKEN: bool(token),
        }
        cast("dict[str, Any]", self.scope).update(more)

    def _vouch(self, token: str) -> None:
        """Take from any thread that a session was found by this token."""
        who = hashlib.sha256(token.encode()).digest()
        self.loop.call_soon_threadsafe(self.seats.vouched, self, who)

    # --- how long it takes -----------------------------------------------------------------------

    def _turn(self, *, began: bool = False) -> None:
        """Note whose turn it is since when."""
        theirs = self.conn.their_state
        phase = "answer"
        if theirs is h11.IDLE:
            phase = "head" if began or self.phase == "head" else "idle"
        elif theirs is h11.SEND_BODY:
            phase = "body"
        if phase != self.phase:
            self.phase, self.since = phase, self.seats.now()
            self._got = self._waited = self._silent = self._after = 0.0
            self._before = 0

    def _look(self) -> None:
        late = {"head": self._late_head, "body": self._late_body}.get(self.phase, _never)
        if late() or self._unread():
            self.hang_up()
            return
        self._looking = self.loop.call_later(self.patience.look_s, self._look)

    def _late_head(self) -> bool:
        return self.seats.now() - self.since >= self.patience.head_s

    def _late_body(self) -> bool:
        patience, look_s = self.patience, self.patience.look_s
        if self.cycle.response_complete:
            self._after += look_s
            if self._after > patience.linger_s:
                return True
        if self.flow.read_paused:
            return False  # it is this server that does not read
        self._waited += look_s
        self._silent = 0.0 if self._got > self._before else self._silent + look_s
        self._before = int(self._got)
        most_s = patience.idle_s if self.stranger else patience.known_idle_s
        owed = patience.least_bytes_s * (self._waited - patience.grace_s)
        return self._silent >= most_s or self._got < owed

    def _unread(self) -> bool:
        unsent = self.transport.get_write_buffer_size()
        self._stalled = self._stalled + self.patience.look_s if unsent and unsent == self._unsent else 0.0
        self._unsent = unsent
        return self._stalled >= self.patience.unread_s


def _never() -> bool:
    return False


def _token(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the session's token in a head, empty where there is none."""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:207].strip()
        if name == b"cookie" and (found := _TOKEN.search(value)):
            return found[1]
    return b""


def connections(seats: Seats, patience: Patience) -> type[Connection]:
    """Return the protocol of a server's connections."""
    return type("ConnectionHere", (Connection,), {"seats": seats, "patience": patience})
