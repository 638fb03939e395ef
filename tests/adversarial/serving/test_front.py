"""Over the network: TLS, forged names, senders that take their time, messages with two meanings."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fix_tls import certificate, small_server

NAME = "lab.example"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with small_server(tmp_path_factory.mktemp("plain"), headers_s=1.0) as (port, _):
        yield port


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    pair = certificate(folder, NAME, "127.0.0.1")
    with small_server(folder, secure=pair) as (port, path):
        yield port, path, pair[0]


def said(port: int, text: bytes, wait_s: float = 5.0) -> bytes:
    """Send bytes as they are and return all that comes back until the server closes or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as conn:
        conn.sendall(text)
        found = b""
        while True:
            try:
                part = conn.recv(4096)
            except (TimeoutError, ConnectionResetError):
                return found
            if not part:
                return found
            found += part


def test_a_forged_host_is_answered_421_and_reaches_nothing(plain: int) -> None:
    for name in ("evil.example", "localhost.evil.example", ""):
        answer = httpx.get(f"http://127.0.0.1:{plain}/", headers={"Host": name})
        assert answer.status_code == 421
        assert answer.json()["code"] == "WRONG_HOST"
    assert httpx.get(f"http://127.0.0.1:{plain}/", headers={"Host": "localhost"}).text == "ok"


def test_two_hosts_or_none_are_refused(plain: int) -> None:
    two = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    none = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    old = b"GET / HTTP/1.0\r\n\r\n"
    for text in (two, none, old):
        assert said(plain, text).split(b" ")[1] in (b"400", b"421")


def test_over_tls_browsers_are_told_to_stay_there(secure: tuple[int, Path, Path]) -> None:
    port, _, cert = secure
    context = ssl.create_default_context(cafile=str(cert))
    with httpx.Client(verify=context) as client:
        answer = client.get(f"https://127.0.0.1:{port}/")
        assert answer.text == "ok"
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        forged = client.get(f"https://127.0.0.1:{port}/", headers={"Host": "evil.example"})
        assert forged.status_code == 421


def test_plain_http_is_told_nothing_of_it(plain: int) -> None:
    assert "strict-transport-security" not in httpx.get(f"http://127.0.0.1:{plain}/").headers


def test_the_tls_port_speaks_no_plain_http(secure: tuple[int, Path, Path]) -> None:
    assert b"ok" not in said(secure[0], b"GET / HTTP/1.1\r\nHost: lab.example\r\n\r\n")


def test_tls_before_1_2_is_refused(secure: tuple[int, Path, Path]) -> None:
    def spoken(version: ssl.TLSVersion) -> str | None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", secure[0])) as raw, context.wrap_socket(raw) as found:
            return found.version()

    assert spoken(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.warns(DeprecationWarning), pytest.raises((ssl.SSLError, ConnectionError)):
        spoken(ssl.TLSVersion.TLSv1_1)


def test_the_private_socket_stays_plain_and_asks_for_no_name(secure: tuple[int, Path, Path]) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(secure[1]))) as client:
        answer = client.get("http://coverslip/")
    assert answer.text == "ok"
    assert "strict-transport-security" not in answer.headers


def test_a_head_that_never_ends_is_hung_up_on(plain: int) -> None:
    began = time.monotonic()
    assert said(plain, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", wait_s=10) == b""
    assert said(plain, b"", wait_s=10) == b""
    assert time.monotonic() - began < 8


def test_a_slow_second_head_too(plain: int) -> None:
    with socket.create_connection(("127.0.0.1", plain), timeout=8) as conn:
        conn.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"ok"):
            answer += conn.recv(4096)
        conn.sendall(b"GET / HTTP/1.1\r\nHo")
        assert hung_up(conn)


def hung_up(conn: socket.socket) -> bool:
    """Whether the server closes; what takes longer than the socket's limit raises."""
    try:
        return conn.recv(4096) == b""
    except ConnectionResetError:
        return True


def test_a_head_beyond_its_limit_is_refused(plain: int) -> None:
    huge = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * (256 * 1024) + b"\r\n\r\n"
    assert b"200 OK" not in said(plain, huge)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: +5\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Content-Length : 5\r\n",
        b" folded: 5\r\n",
    ],
)
def test_a_message_with_two_meanings_is_refused(plain: int, head: bytes) -> None:
    text = b"POST / HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n"
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = said(plain, text + smuggled, wait_s=3)
    assert b"200 OK" not in answer
    assert answer.split(b" ")[1] in (b"400", b"421", b"501")
