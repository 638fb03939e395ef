"""Bytes as no browser sends them, at the served pages: two lengths, bodies without end, paths that climb."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from coverslip.bootstrap.faces import Faces
from coverslip.web.security import FORM_LIMIT_BYTES, csrf_token
from fix_browser import serving
from fix_lab import Lab
from fix_pages import record_entries

SECRETS = (b"root:x", b"[build-system]", b"def csrf_token", b"{% block", b"PRIVATE KEY")
"""What a file outside of the static ones would show."""


@pytest.fixture(scope="module")
def port(faced: Faces) -> Iterator[int]:
    """The pages at a port, read as ``serve`` reads."""
    with serving(faced) as found:
        yield found


@pytest.fixture(scope="module")
def cookie(lab: Lab) -> str:
    return f"coverslip={lab.quinn.token}"


def said(port: int, text: bytes, wait_s: float = 3.0) -> bytes:
    """Send bytes as they are; return all that comes back until the server closes or is silent."""
    found = b""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as conn:
        conn.sendall(text)
        while True:
            try:
                part = conn.recv(65536)
            except (TimeoutError, ConnectionResetError):
                return found
            if not part:
                return found
            found += part


def statuses(answer: bytes) -> list[int]:
    """Return the status of every answer in a stream of them."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


def head(*lines: str, path: str = "/sign-in", method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode("latin-1")


SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded"
TWO_MEANINGS = {
    "both lengths": ("Content-Length: 4", "Transfer-Encoding: chunked"),
    "chunked first": ("Transfer-Encoding: chunked", "Content-Length: 4"),
    "two lengths": ("Content-Length: 4", "Content-Length: 40"),
    "lengths in one": ("Content-Length: 4, 40",),
    "signed length": ("Content-Length: +4",),
    "hex length": ("Content-Length: 0x4",),
    "negative length": ("Content-Length: -1",),
    "length of nothing": ("Content-Length:",),
    "chunked twice": ("Transfer-Encoding: chunked, chunked",),
    "unknown coding": ("Transfer-Encoding: gzip, chunked",),
    "coding with a tab": ("Transfer-Encoding:\tchunked\x0b",),
    "space before the colon": ("Content-Length : 4",),
    "folded line": ("X: a", " Content-Length: 4"),
    "bare line feed": ("X: a\nContent-Length: 4",),
}


@pytest.mark.parametrize("lines", TWO_MEANINGS.values(), ids=TWO_MEANINGS)
def test_a_message_of_two_meanings_brings_no_second_request_in(port: int, lines: tuple[str, ...]) -> None:
    answer = said(port, head(FORM, *lines) + b"0\r\n\r\n" + SMUGGLED)
    found = statuses(answer)
    assert found and found[0] >= 400, answer[:400]
    assert 200 not in found, "the second request was answered"


def test_a_chunked_form_is_refused_before_it_is_read(port: int) -> None:
    began = time.monotonic()
    answer = said(port, head(FORM, "Transfer-Encoding: chunked", "Connection: close") + b"5\r\na=b&c\r\n")
    assert statuses(answer)[:1] in ([411], [413])
    assert time.monotonic() - began < 3.5, "it waited for the rest"


@pytest.mark.parametrize(
    "chunk", [b"ffffffffffffffff\r\n", b"-1\r\nx\r\n", b"5;\x00ext\r\nabcde\r\n", b"zz\r\nx\r\n"]
)
def test_chunks_that_are_none_bring_nothing_in(port: int, chunk: bytes) -> None:
    answer = said(port, head(FORM, "Transfer-Encoding: chunked") + chunk + SMUGGLED)
    assert 200 not in statuses(answer)


def test_a_form_beyond_its_limit_is_refused_unread(port: int, cookie: str) -> None:
    answer = said(
        port, head(FORM, f"Content-Length: {FORM_LIMIT_BYTES + 1}", f"Cookie: {cookie}", "Connection: close")
    )
    assert statuses(answer)[:1] == [413]


def test_a_form_that_is_shorter_than_it_says_changes_nothing(lab: Lab, port: int, cookie: str) -> None:
    before = record_entries(lab)
    body = urlencode({"csrf": csrf_token(lab.quinn.token), "f.title": "cut"}).encode()
    lines = (FORM, f"Content-Length: {len(body) + 500}", f"Cookie: {cookie}")
    assert 303 not in statuses(said(port, head(*lines, path="/types/deviation/new") + body, wait_s=1.0))
    assert record_entries(lab) == before


BOMBS = {
    "parts": b"".join(
        b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nx\r\n' % n for n in range(20_000)
    ),
    "files": b"".join(
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="%d"\r\n\r\nx\r\n' % n
        for n in range(2_000)
    ),
    "a name": b'--b\r\nContent-Disposition: form-data; name="'
    + b"n" * 1_000_000
    + b'"\r\n\r\nx\r\n--b--\r\n',
    "headers": b"--b\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(50_000)) + b"\r\nx\r\n--b--\r\n",
    "a part": b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n'
    + b"x" * 2_000_000
    + b"\r\n--b--\r\n",
    "no end": b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx',
    "no part": b"x" * 100_000,
    "another boundary": b"--c\r\n\r\nx\r\n--c--\r\n",
    "two names": b'--b\r\nContent-Disposition: form-data; name="a"; name="csrf"\r\n\r\nx\r\n--b--\r\n',
    "a part within": b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS)
def test_a_form_made_to_exhaust_is_refused_soon(lab: Lab, port: int, cookie: str, body: bytes) -> None:
    before, began = record_entries(lab), time.monotonic()
    conn = http.client.HTTPConnection("localhost", port, timeout=20)
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Cookie": cookie}
    conn.request("POST", "/types/deviation/new", body, headers)
    answer = conn.getresponse()
    text = answer.read()
    conn.close()
    assert 400 <= answer.status < 500, text[:500]
    assert time.monotonic() - began < 10
    assert record_entries(lab) == before


OTHER_KINDS = [
    "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\xff",
    "application/json", "text/plain", "application/x-www-form-urlencoded; charset=utf-7", "",
]  # fmt: skip


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_body_of_another_kind_is_no_form(lab: Lab, port: int, cookie: str, kind: str) -> None:
    before = record_entries(lab)
    body = b'{"csrf": "x"}'
    lines = [f"Cookie: {cookie}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"Content-Type: {kind}"] if kind else []
    found = statuses(said(port, head(*lines, path="/types/deviation/new") + body))
    assert found and 400 <= found[0] < 500, found
    assert record_entries(lab) == before


CLIMBS = [
    "../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "%252e%252e%252f", "..%c0%af", "....//", "..;/",
    "%2e%2e%5c", "/../", "./../", "..%00/", "..%ff/",
]  # fmt: skip
GOALS = ["templates/_base.html", "web/security.py", "pyproject.toml", "etc/passwd", "secrets/cs_superuser"]


@pytest.mark.parametrize("climb", CLIMBS, ids=repr)
@pytest.mark.parametrize("base", ["/static/", "/static/assets/", "/static/assets/fonts/"])
def test_static_files_are_the_only_ones_there(port: int, base: str, climb: str) -> None:
    for goal in GOALS:
        for times in (1, 2, 3, 8):
            path = f"{base}{climb * times}{goal}"
            answer = said(port, head("Connection: close", path=path, method="GET"))
            assert statuses(answer)[:1] in ([400], [404], [405]), (path, answer[:200])
            assert not any(secret in answer.partition(b"\r\n\r\n")[2] for secret in SECRETS), path


def test_static_folders_are_not_listed(port: int) -> None:
    for path in ("/static/", "/static/assets/", "/static/assets", "/static"):
        assert statuses(said(port, head("Connection: close", path=path, method="GET")))[0] in (307, 404)


def test_a_static_file_is_there(port: int) -> None:
    answer = said(port, head("Connection: close", path="/static/coverslip.css", method="GET"))
    assert statuses(answer)[0] == 200


@pytest.mark.parametrize(
    "path", ["/r/SOP-0001v1/{0}", "/r/{0}", "/types/{0}", "/types/{0}/new", "/images/{0}"]
)
def test_names_of_records_lead_to_no_file(port: int, cookie: str, path: str) -> None:
    for climb in CLIMBS:
        for goal in GOALS:
            lines = ("Connection: close", f"Cookie: {cookie}")
            answer = said(port, head(*lines, path=path.format(climb * 5 + goal), method="GET"))
            assert statuses(answer)[:1] not in ([200], [500]), path
            assert b"root:x" not in answer


def test_an_address_without_end_is_refused(port: int) -> None:
    assert statuses(said(port, head(path="/" + "a" * 100_000, method="GET")))[:1] in (
        [],
        [400],
        [404],
        [414],
        [431],
    )


def test_the_server_still_answers(port: int) -> None:
    answer = said(port, head("Connection: close", path="/healthz", method="GET"))
    assert statuses(answer) == [200]
