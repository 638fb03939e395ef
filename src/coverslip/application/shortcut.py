"""The short way to a tile: for somebody who was let through to an image a moment ago.

Rules kept here:

* Nobody is admitted here. The ordinary route checks session, account and record; what it found holds for this
  session and this record for ``ADMITTED_S``, and is then asked anew. So a session that ends, an account that
  is locked and a record that changes are felt by tiles within that time, and by everything else at once.
* Only a whole, well-formed request that succeeds is answered here. Anything else, any refusal above all, goes
  the ordinary way, where it is refused in words and recorded.
* Tiles have threads of their own, so that looking at images keeps nobody from signing in.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

import anyio
from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Receive, Scope, Send

from coverslip.application.services import Services
from coverslip.errors import CoverslipError
from coverslip.imaging.display import Display, Picture, display
from coverslip.kernel.clock import monotonic_s
from coverslip.kernel.rows import Row

ADMITTED_S: Final = 2.0
THREADS: Final = 24
_KEPT: Final = 4096
_PATH: Final = re.compile(r"/images/([A-Z0-9-]{1,40})/tiles/(\d{1,2})/(\d{1,6})_(\d{1,6})\.(jpg|png|webp)")
CACHE: Final = "private, max-age=86400, immutable"
"""A tile's address names original and settings: what it answers never changes. Only this browser keeps it."""


class Admissions:
    """Which session was let through to which image, and when; bounded, forgetful."""

    def __init__(self, seconds: float = ADMITTED_S) -> None:
        self._seconds = seconds
        self._rows: OrderedDict[tuple[bytes, str], tuple[float, Row]] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, token: str, number: str, row: Row) -> None:
        """Remember that the ordinary way let this session through to this record."""
        with self._lock:
            self._rows[_key(token, number)] = (monotonic_s() + self._seconds, row)
            while len(self._rows) > _KEPT:
                self._rows.popitem(last=False)

    def row(self, token: str, number: str) -> Row | None:
        """Return the record, where this session was let through to it a moment ago."""
        found = self._rows.get(_key(token, number)) if token else None
        return found[1] if found is not None and monotonic_s() < found[0] else None


def _key(token: str, number: str) -> tuple[bytes, str]:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest(), number


class TileShortcut:
    """Stands before an application (ASGI) and answers tiles of sessions admitted a moment ago."""

    def __init__(
        self,
        application: ASGIApp,
        services: Services,
        admissions: Admissions,
        prefix: str,
        token_of: Callable[[Scope], str],
        headers: dict[str, str],
    ) -> None:
        self._application, self._services, self._admissions = application, services, admissions
        self._prefix, self._token_of = prefix, token_of
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        asked = self._asked(scope)
        if asked is None:
            await self._application(scope, receive, send)
            return
        row, settings, where = asked
        try:
            if self._limiter is None:
                self._limiter = anyio.CapacityLimiter(THREADS)
            found = await run_sync(self._services.pictures.tile, row, settings, *where, limiter=self._limiter)
        except CoverslipError:
            await self._application(scope, receive, send)
            return
        await self._send(scope, send, found)

    def _asked(self, scope: Scope) -> tuple[Row, Display, tuple[int, int, int]] | None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        path = str(scope["path"])
        match = _PATH.fullmatch(path, len(self._prefix)) if path.startswith(self._prefix) else None
        if match is None:
            return None
        row = self._admissions.row(self._token_of(scope), match.group(1))
        if row is None:
            return None
        settings = _settings(scope["query_string"], match.group(5))
        if settings is None:
            return None
        return row, settings, (int(match.group(2)), int(match.group(3)), int(match.group(4)))

    async def _send(self, scope: Scope, send: Send, found: Picture) -> None:
        tag = f'"{found.tag}"'.encode()
        fresh = any(name == b"if-none-match" and tag in value for name, value in scope["headers"])
        headers = [(b"etag", tag), (b"content-type", found.media.encode()), *self._headers]
        body = b"" if fresh else found.data
        if not fresh:
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 304 if fresh else 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@lru_cache(maxsize=1024)
def _settings(query: bytes, format: str) -> Display | None:
    """Return the settings of an address with nothing unknown, nothing twice and its channels named."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=8
        )
        given: dict[str, Any] = dict(pairs)
        if len(given) != len(pairs) or not given.get("channels") or set(given) - {"channels", "z", "t", "q"}:
            return None
        numbers = [given.get("z", "0"), given.get("t", "0"), given.get("q", "85")]
        if not all(re.fullmatch("[0-9]{1,6}", one) for one in numbers):
            return None
        return display(given["channels"], int(numbers[0]), int(numbers[1]), format, int(numbers[2]))
    except (ValueError, CoverslipError):
        return None


def bearer(scope: Scope) -> str:
    """Return the bearer token of a request, empty unless there is exactly one."""
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(found) != 1:
        return ""
    scheme, _, token = found[0].decode("latin-1").partition(" ")
    return token if scheme.lower() == "bearer" else ""
