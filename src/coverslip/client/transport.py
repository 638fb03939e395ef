"""Transport: one connection to one server, over a private socket or HTTP.

Rules kept here:

* Plain HTTP goes to this machine only; anything else is HTTPS with a checked certificate. Redirects
  are not followed: a token goes where it was issued and nowhere else.
* A read, and a write that carries an idempotency key, is sent again once when the connection broke;
  the key makes the second one an answer instead of a second act. Nothing else is repeated.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

from coverslip import __version__
from coverslip.client.errors import ApiError, fault, from_problem, misuse, unreachable

SERVER_VARIABLE = "COVERSLIP_SERVER"
HOME_VARIABLE = "COVERSLIP_HOME"
SOCKET = Path("run") / "api.sock"
ADDRESS_FILE = Path("run") / "api.address"
PREFIX = "/api/v1"
LONG_S = 3600.0
"""Reading limit for a file on its way, and for an answer that is computed first (export, upload)."""
_PROBLEM_LIMIT_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: ``socket`` for a private socket, else ``url``."""

    url: str
    socket: str = ""

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else self.url


def parse_address(text: str) -> Address:
    """Read ``unix:PATH``, an absolute path, ``https://…`` or ``http://`` to this machine.

    Raises ``MisuseError`` for anything else, and for a URL that carries a user or a path.
    """
    if text.startswith("unix:") or text.startswith("/"):
        return Address("http://localhost", str(Path(text.removeprefix("unix:")).expanduser().absolute()))
    parts = urlsplit(text)
    plain = parts.scheme in ("http", "https") and parts.hostname and not (parts.username or parts.password)
    if not plain or parts.path.strip("/") or parts.query or parts.fragment:
        raise misuse("server", "unix:PATH, https://HOST[:PORT], or http:// to this machine", text)
    if parts.scheme == "http" and not _loopback(parts.hostname or ""):
        raise misuse(
            "server",
            "https for any other machine; plain http reaches this machine only",
            text,
            "Use the https address of the server.",
        )
    return Address(f"{parts.scheme}://{parts.netloc}")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def find_address(
    server: str = "", home: Path | None = None, environment: Mapping[str, str] | None = None
) -> Address | None:
    """Return the server named by ``server``, ``home``, or the environment; ``None`` when none is."""
    given = os.environ if environment is None else environment
    text = server or ("" if home else given.get(SERVER_VARIABLE, ""))
    if text:
        return parse_address(text)
    folder = home or (Path(given[HOME_VARIABLE]).expanduser() if given.get(HOME_VARIABLE) else None)
    return _socket_of(folder.absolute()) if folder else None


def _socket_of(home: Path) -> Address:
    """Return a home's socket; a home with a long path names one elsewhere in ``run/api.address``."""
    try:
        text = (home / ADDRESS_FILE).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    return parse_address(text) if text else Address("http://localhost", str(home / SOCKET))


@dataclass(frozen=True, slots=True)
class Octets:
    """Bytes that came, and the answer's headers by name in lower case."""

    data: bytes
    headers: Mapping[str, str]


class Transport:
    """Sends requests and turns answers into values or ``ApiError``. Close it, or use it in ``with``."""

    def __init__(self, address: Address, token: str = "", timeout_s: float = 60.0) -> None:
        self.address = address
        self.token = token
        private = bool(address.socket) or address.url.startswith("http://")
        carrier = httpx.HTTPTransport(uds=address.socket) if address.socket else None
        self._http = httpx.Client(
            base_url=address.url, transport=carrier, timeout=httpx.Timeout(timeout_s, connect=10.0),
            # No proxy of the environment stands between a person and a server on the same machine.
            trust_env=not private, follow_redirects=False, headers={"User-Agent": f"coverslip/{__version__}"},
        )  # fmt: skip

    def __enter__(self) -> Transport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the session at the server goes on."""
        self._http.close()

    def json(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Send a request and return the decoded answer; ``None`` for an empty one. Raises ``ApiError``.

        ``timeout_s`` is for requests whose answer takes longer than others.
        """
        self._require_socket()
        again = method == "GET" or bool((headers or {}).get("Idempotency-Key"))
        options: dict[str, Any] = {"params": query, "headers": self._headers(headers)}
        if body is not None:
            options["json"] = body
        if timeout_s is not None:
            options["timeout"] = timeout_s
        for attempt in (1, 2):
            try:
                response = self._http.request(method, PREFIX + path, **options)
                break
            except httpx.ConnectError as error:
                raise self._unreachable(error) from error
            except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
                if attempt == 2 or not again:
                    raise self._unreachable(error) from error
            except httpx.HTTPError as error:
                raise self._unreachable(error) from error
        return _decoded(response)

    def octets(self, path: str, *, query: Mapping[str, Any] | None = None, most: int) -> Octets:
        """Read bytes with the answer's headers, at most ``most`` of them; sent again once, as a read.

        Raises ``ApiError``; ``FaultError`` where the answer is larger than ``most``.
        """
        self._require_socket()
        for attempt in (1, 2):
            try:
                return self._octets(path, query, most)
            except httpx.ConnectError as error:
                raise self._unreachable(error) from error
            except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
                if attempt == 2:
                    raise self._unreachable(error) from error
            except httpx.HTTPError as error:
                raise self._unreachable(error) from error
        raise AssertionError("the second attempt answers or raises")

    def _octets(self, path: str, query: Mapping[str, Any] | None, most: int) -> Octets:
        with self._http.stream("GET", PREFIX + path, params=query, headers=self._headers(None)) as response:
            if not response.is_success:
                response.read()
                _decoded(response)
            data = bytearray()
            for block in response.iter_bytes():
                data += block
                if len(data) > most:
                    raise fault(f"The answer to {path}", f"at most {most} bytes", "more")
            return Octets(bytes(data), {name.lower(): text for name, text in response.headers.items()})

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        content: Iterator[bytes] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[httpx.Response]:
        """Send a request and yield its answer unread; an error answer raises ``ApiError``."""
        self._require_socket()
        options: dict[str, Any] = {
            "headers": self._headers(headers),
            "timeout": httpx.Timeout(LONG_S, connect=10.0),
        }
        if body is not None:
            options["json"] = body
        elif content is not None:
            options["content"] = content
        try:
            with self._http.stream(method, PREFIX + path, **options) as response:
                if not response.is_success:
                    response.read()
                    _decoded(response)
                yield response
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _require_socket(self) -> None:
        """Say that nobody listens before a connection is tried, in words that name the socket."""
        if self.address.socket and not os.path.exists(self.address.socket):
            raise unreachable(f"The server at {self.address}", "there is no socket this account can reach")

    def _headers(self, given: Mapping[str, str] | None) -> dict[str, str]:
        headers = dict(given or {})
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def _unreachable(self, error: httpx.HTTPError) -> ApiError:
        return unreachable(f"The server at {self.address}", str(error) or type(error).__name__)


def decoded(response: httpx.Response) -> Any:
    """Read a streamed answer to its end and return its value. Raises ``ApiError``."""
    response.read()
    return _decoded(response)


def _decoded(response: httpx.Response) -> Any:
    if response.status_code == 204:
        return None
    media = response.headers.get("content-type", "").split(";")[0].strip()
    try:
        value = response.json() if media in ("application/json", "application/problem+json") else None
    except (json.JSONDecodeError, UnicodeDecodeError):
        value = None
    if response.is_success and value is not None:
        return value
    if isinstance(value, dict) and "code" in value and len(response.content) <= _PROBLEM_LIMIT_BYTES:
        raise from_problem(value, response.status_code)
    raise fault(
        "The server",
        "an answer of Coverslip",
        f"HTTP {response.status_code} {media or 'without content'}",
        "Check the server's address; something else may answer there.",
    )
