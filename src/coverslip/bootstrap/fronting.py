"""The front of the web process: whom a request is addressed to, and how long a sender may take over it.

Rules kept here:

* A request over the network must name this server in its one Host header, whatever it asks for; what does not
  is answered 421 and reaches neither pages nor interface. The private socket has no name and needs none.
* Over TLS every answer tells browsers to come back over TLS only.
* A sender has ``HEADERS_S`` for the head of a request, and the head is at most ``HEAD_BYTES``: connections
  that are opened and kept silent do not use up the places of others. A message that could be read in two
  ways (two lengths, a length that is none) is refused by the parser, 400.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from coverslip.bootstrap.listening import Listening
from coverslip.errors import Invalid

HEADERS_S = 20.0
HEAD_BYTES = 64 * 1024
HSTS = b"max-age=31536000"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Front:
    """Stands before an application and lets through what is addressed to this server."""

    def __init__(self, application: Application, place: Listening) -> None:
        self._application, self._place = application, place

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        if scope["type"] == "http" and _two_lengths(scope):
            await _answered(
                Invalid("VAL_FORM", field="the request", expected="one length", found="two"), send
            )
            return
        if scope["type"] != "http" or _private(scope):
            await self._application(scope, receive, send)
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not answers(self._place.hosts, hosts[0].decode("latin-1")):
            await _answered(Invalid("WRONG_HOST"), send)
            return
        await self._application(scope, receive, self._strict(send) if self._place.secure else send)

    @staticmethod
    def _strict(send: Send) -> Send:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [one for one in message["headers"] if one[0].lower() != b"strict-transport-security"]
                message["headers"] = [*kept, (b"strict-transport-security", HSTS)]
            await send(message)

        return tell


def answers(hosts: tuple[str, ...], header: str) -> bool:
    """Return whether a Host header names one of these hosts; its port is not looked at."""
    name, bracket, rest = header.strip().lower().rpartition("]")
    if bracket:
        name, port = f"{name}]", rest.removeprefix(":")
    else:
        name, _, port = rest.partition(":")
    return name in hosts and (not port or port.isdigit())


def _private(scope: Message) -> bool:
    """Whether a request came over the private socket, which only this user can open."""
    server = scope.get("server")
    return server is None or server[1] is None


def _two_lengths(scope: Message) -> bool:
    """Whether a message says in two ways where it ends: a proxy before this server may take the other."""
    return {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}


async def _answered(error: Invalid, send: Send) -> None:
    """Answer an error, and close the connection: what follows on it may be no request."""
    body = json.dumps(error.problem()).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"connection", b"close"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Timely(H11Protocol):
    """A connection that is closed when the head of its first request takes too long.

    Between requests the server's own keep-alive limit holds; within one, its head is timed here.
    """

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._waiting is None and self.conn.their_state is h11.IDLE:
            self._wait()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEADERS_S, self.transport.abort)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class _Beside(uvicorn.Server):
    """A server that leaves signals to the one it stands beside."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield


class _First(uvicorn.Server):
    """A server that stops others with itself."""

    beside: tuple[uvicorn.Server, ...] = ()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, and the others too."""
        super().handle_exit(sig, frame)
        for one in self.beside:
            one.should_exit = True
            one.force_exit = one.force_exit or (self.force_exit and sig == signal.SIGINT)


def config(
    application: Application, *, tls: ssl.SSLContext | None = None, lifespan: bool = True
) -> uvicorn.Config:
    """Return how requests are read: bounded heads, no header believed about who sends."""
    found = uvicorn.Config(
        application,
        http=_Timely,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        # The address is the peer's: a header is whatever its sender says (21 CFR 11.300(d)).
        proxy_headers=False,
        h11_max_incomplete_event_size=HEAD_BYTES,
        timeout_keep_alive=30,
        limit_concurrency=200,
        lifespan="on" if lifespan else "off",
    )
    found.load()
    found.ssl = tls
    return found


def run(
    application: Application, place: Listening, private: list[socket.socket], public: list[socket.socket]
) -> None:
    """Serve an application on its private and public sockets until told to stop by a signal."""
    front = Front(application, place)
    first = _First(config(front))
    if not public:
        first.run(sockets=private)
        return
    other = _Beside(config(front, tls=place.tls(), lifespan=False))
    first.beside = (other,)

    async def both() -> None:
        ended = asyncio.ensure_future(other.serve(sockets=public))
        try:
            await first.serve(sockets=private)
        finally:
            other.should_exit = True
            await ended

    asyncio.run(both())
