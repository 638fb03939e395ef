"""The front of the web process: whom a request is addressed to, and what is refused before it is looked at.

Rules kept here:

* A request over the network must name this server in its one Host header, whatever it asks for; what does not
  is answered 421 and reaches neither pages nor interface. The private socket has no name and needs none.
* Over TLS every answer tells browsers to come back over TLS only.
* The head of a request is at most ``HEAD_BYTES``; how long it and a body may take, and who keeps a place when
  all are taken, is seen to by ``connections``. A message that could be read in two ways (two lengths, a
  length that is none) is refused by the parser, 400.
* The body of a stranger is whole before anything looks at the request, so that one that is long in coming
  costs a connection and no more. A stranger without any token sends ``STRANGER_BYTES`` at most; of those with
  a token nobody has looked at yet ``UNPROVEN`` send more at a time.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from coverslip.bootstrap.connections import CROWDED, STRANGER, TOKEN, Patience, Seats, connections
from coverslip.bootstrap.listening import Listening
from coverslip.errors import CoverslipError, Invalid, Refused

CROWDED_S = 5
STRANGER_BYTES = 64 * 1024
UNPROVEN = 4
OPEN_FILES = 4096
"""Files a web process may have open: its connections, and the files and database sessions behind them."""
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
        self._unproven = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        if scope["type"] == "http" and _two_lengths(scope):
            await _answered(
                Invalid("VAL_FORM", field="the request", expected="one length", found="two"), send
            )
            return
        if scope.get(CROWDED):
            await _answered(_crowded(), send)
            return
        if scope["type"] != "http" or _private(scope):
            await self._application(scope, receive, send)
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not answers(self._place.hosts, hosts[0].decode("latin-1")):
            await _answered(Invalid("WRONG_HOST"), send)
            return
        await self._known(scope, receive, self._strict(send) if self._place.secure else send)

    async def _known(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request to this server, a stranger's once its body is here."""
        if not scope.get(STRANGER) or not _has_body(scope):
            await self._application(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) <= STRANGER_BYTES:
            whole = await _whole(receive)
            if whole is not None:
                await self._application(scope, whole, send)
        elif not scope.get(TOKEN):
            size = length.decode("latin-1")[:20] or "unknown"
            error = Invalid("TOO_LARGE", what="What nobody signed in for", size=size, limit=STRANGER_BYTES)
            await _answered(error, send)
        elif self._unproven >= UNPROVEN:
            await _answered(_crowded(), send)
        else:
            self._unproven += 1
            try:
                await self._application(scope, receive, send)
            finally:
                self._unproven -= 1

    @staticmethod
    def _strict(send: Send) -> Send:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [one for one in message["headers"] if one[0].lower() != b"strict-transport-security"]
                message["headers"] = [*kept, (b"strict-transport-security", HSTS)]
            await send(message)

        return tell


def _crowded() -> Refused:
    said = f"There are too many connections at once; try again in {CROWDED_S} s."
    return Refused("THROTTLED", message=said, seconds=CROWDED_S)


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


def _has_body(scope: Message) -> bool:
    """Whether a body follows the head: only what says so has one."""
    return bool({b"content-length", b"transfer-encoding"} & {name for name, _ in scope["headers"]})


async def _whole(receive: Receive) -> Receive | None:
    """Take a small body; return how it is received again, None where its sender is gone."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body, more = body + message.get("body", b""), message.get("more_body", False)
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


async def _answered(error: CoverslipError, send: Send) -> None:
    """Answer an error, and close the connection: what follows on it may be no request."""
    body = json.dumps(error.problem()).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"connection", b"close"), (b"cache-control", b"no-store")]
    if "seconds" in error.values:
        headers.append((b"retry-after", str(error.values["seconds"]).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


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
    application: Application,
    *,
    tls: ssl.SSLContext | None = None,
    lifespan: bool = True,
    patience: Patience | None = None,
    seats: Seats | None = None,
) -> uvicorn.Config:
    """Return how requests are read: bounded heads and times, no header believed about who sends."""
    found = uvicorn.Config(
        application,
        http=connections(seats or Seats(), patience or Patience()),
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        # The address is the peer's: a header is whatever its sender says (21 CFR 11.300(d)).
        proxy_headers=False,
        h11_max_incomplete_event_size=HEAD_BYTES,
        timeout_keep_alive=30,
        lifespan="on" if lifespan else "off",
    )
    found.load()
    found.ssl = tls
    return found


def _open_files() -> None:
    """Let this process have as many files open as its connections need, where the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(
    application: Application,
    place: Listening,
    private: list[socket.socket],
    public: list[socket.socket],
    patience: Patience | None = None,
) -> None:
    """Serve an application on its private and public sockets until told to stop by a signal."""
    _open_files()
    front = Front(application, place)
    first = _First(config(front, patience=patience))
    if not public:
        first.run(sockets=private)
        return
    other = _Beside(config(front, tls=place.tls(), lifespan=False, patience=patience))
    first.beside = (other,)

    async def both() -> None:
        ended = asyncio.ensure_future(other.serve(sockets=public))
        try:
            await first.serve(sockets=private)
        finally:
            other.should_exit = True
            await ended

    asyncio.run(both())
