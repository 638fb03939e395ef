"""Where a client may connect, and what it makes of answers that are no answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coverslip.client import Coverslip, FaultError, MisuseError, UnreachableError, find_address, parse_address


@pytest.mark.parametrize(
    "text",
    [
        "unix:/srv/lab/run/api.sock",
        "/srv/lab/run/api.sock",
        "https://lab.test",
        "https://lab.test:8443",
        "http://localhost:8000",
        "http://127.0.0.1:1",
        "http://[::1]:8000",
    ],
)
def test_a_private_socket_https_and_this_machine_are_addresses(text: str) -> None:
    found = parse_address(text)
    assert str(found).removeprefix("unix:") == text.removeprefix("unix:")


@pytest.mark.parametrize(
    "text",
    [
        "http://lab.test",
        "http://192.0.2.7:8000",
        "http://localhost.evil.test",
        "ftp://lab.test",
        "lab.test",
        "https://ada:secret@lab.test",
        "https://lab.test/path",
        "https://",
        "",
    ],
)
def test_plain_http_to_another_machine_and_anything_odd_is_refused(text: str) -> None:
    with pytest.raises(MisuseError):
        parse_address(text)


def test_a_home_beats_the_environment_and_names_its_socket(tmp_path: Path) -> None:
    given = {"COVERSLIP_SERVER": "https://lab.test", "COVERSLIP_HOME": "/elsewhere"}
    assert str(find_address(home=tmp_path, environment=given)) == f"unix:{tmp_path}/run/api.sock"
    assert str(find_address(environment=given)) == "https://lab.test"
    assert str(find_address("http://localhost:1", environment=given)) == "http://localhost:1"
    assert find_address(environment={}) is None


def test_a_home_with_a_long_path_names_its_socket_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "api.address").write_text("/tmp/coverslip-0-ab/api.sock\n")
    assert str(find_address(home=tmp_path, environment={})) == "unix:/tmp/coverslip-0-ab/api.sock"


def test_no_server_named_is_a_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COVERSLIP_SERVER", raising=False)
    monkeypatch.delenv("COVERSLIP_HOME", raising=False)
    with pytest.raises(MisuseError):
        Coverslip()


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A listener that gives one canned answer per connection, then closes it; yields what it was sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def run() -> None:
        for answer in answers:
            peer, _ = listener.accept()
            with peer:
                seen.append(peer.recv(65536))
                peer.sendall(answer)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        thread.join(5)
        listener.close()


def http(status: str, body: bytes, media: str = "application/json", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n"
    head += f"Connection: close\r\n{extra}\r\n"
    return head.encode() + body


def test_a_read_is_asked_again_once_when_the_connection_broke() -> None:
    with answering(b"", http("200 OK", b'{"size": 4}')) as (address, seen), Coverslip(address) as cs:
        assert cs.ledger_status() == {"size": 4}
    assert len(seen) == 2


def test_bytes_that_were_cut_off_are_asked_for_again_once() -> None:
    whole = http("200 OK", b"pixels", "application/octet-stream")
    with answering(whole[:-2], whole) as (address, seen), Coverslip(address) as cs:
        assert cs._transport.octets("/images/IMG-1/planes/0/0/0/region", most=6).data == b"pixels"
    assert len(seen) == 2


def test_bytes_that_are_cut_off_twice_are_none() -> None:
    cut = http("200 OK", b"pixels", "application/octet-stream")[:-2]
    with answering(cut, cut) as (address, seen), Coverslip(address) as cs, pytest.raises(UnreachableError):
        cs._transport.octets("/images/IMG-1/planes/0/0/0/region", most=6)
    assert len(seen) == 2


def test_more_bytes_than_can_be_are_a_fault() -> None:
    flood = http("200 OK", b"p" * 100, "application/octet-stream")
    with (
        answering(flood) as (address, _),
        Coverslip(address) as cs,
        pytest.raises(FaultError, match="at most 6"),
    ):
        cs._transport.octets("/images/IMG-1/planes/0/0/0/region", most=6)


def test_a_write_is_asked_again_under_the_same_key() -> None:
    answer = b'{"command": "c", "at": "t", "replayed": true, "receipt": "r", "entries": []}'
    with answering(b"", http("201 Created", answer)) as (address, seen), Coverslip(address) as cs:
        assert cs.records.create("study", {}).replayed
    keys = [next(line for line in request.split(b"\r\n") if b"dempotency" in line) for request in seen]
    assert len(keys) == 2 and keys[0] == keys[1]


def test_a_sign_in_is_never_sent_twice() -> None:
    with answering(b"") as (address, seen), Coverslip(address) as cs, pytest.raises(UnreachableError):
        cs.sign_in("ada", "secret")
    assert len(seen) == 1


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", b"<html>", "text/html"),
        http("502 Bad Gateway", b"<html>", "text/html"),
        http("200 OK", b"{not json"),
        http("302 Found", b"", "text/html", "Location: http://127.0.0.1:1/elsewhere\r\n"),
        http("500 Internal", b'{"code": "SOMETHING_NEW", "message": "?"}', "application/problem+json"),
    ],
)
def test_what_is_no_answer_of_coverslip_could_not_be_determined(answer: bytes) -> None:
    with answering(answer) as (address, _), Coverslip(address) as cs, pytest.raises(FaultError):
        cs.ledger_status()


def test_a_code_of_a_newer_server_keeps_its_name() -> None:
    body = b'{"code": "NEW_RULE", "message": "No.", "remedy": "Ask.", "rule": "P11-x"}'
    with (
        answering(http("403 Forbidden", body, "application/problem+json")) as (address, _),
        Coverslip(address) as cs,
    ):
        with pytest.raises(Exception) as caught:
            cs.me()
        assert type(caught.value).__name__ == "RefusedError"
        assert str(caught.value) == "NEW_RULE: No."
