"""Senders that take their time: nobody waits for them without end, and they take nobody else's place."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator

import httpx
import pytest

from coverslip.bootstrap.connections import Seats
from coverslip.bootstrap.faces import Faces
from fix_browser import serving
from fix_drip import dripping, head
from fix_lab import Lab, secret_of
from fix_tls import small_server

SLOW = 300
ANSWERED_S = 3.0
"""Alone, on a machine with nothing else to do, it is a tenth of that."""


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server whose limits are a second or two (``fix_tls``)."""
    with small_server(tmp_path_factory.mktemp("slow"), headers_s=1.0) as (port, _):
        yield port


def begun(port: int, path: str, length: int = 1_000_000) -> socket.socket:
    """Begin a long body, with a token that may be somebody's."""
    conn = socket.create_connection(("127.0.0.1", port), timeout=10)
    conn.sendall(head(path, "Cookie: coverslip=x", length=length))
    return conn


def closed_within(conn: socket.socket, seconds: float, each_s: float = 0.2, part: bytes = b"") -> bool:
    """Send a part again and again until the server hangs up; false where it does not in time."""
    conn.settimeout(each_s)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if part:
                conn.sendall(part)
            if conn.recv(65536) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def answer_of(conn: socket.socket) -> bytes:
    """Return the whole small answer."""
    found = b""
    while not found.endswith(b"ok"):
        part = conn.recv(4096)
        assert part, found
        found += part
    return found


def test_a_body_that_falls_silent_is_hung_up_on(impatient: int) -> None:
    with begun(impatient, "/") as conn:
        assert closed_within(conn, 4)


def test_a_byte_at_a_time_is_hung_up_on(impatient: int) -> None:
    with begun(impatient, "/") as conn:
        assert closed_within(conn, 6, part=b"a")


def test_who_brings_no_token_sends_little(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient), timeout=10) as conn:
        conn.sendall(head("/", length=65_537))
        assert conn.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_body_in_many_small_chunks_is_too(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient), timeout=10) as conn:
        conn.sendall(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nCookie: coverslip=x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        assert closed_within(conn, 6, part=b"1\r\na\r\n")


def test_a_large_file_over_a_poor_line_comes_through(impatient: int) -> None:
    """Two KiB each half second, and once nothing for nearly as long as may be."""
    parts, each = 16, 2048
    with begun(impatient, "/", parts * each) as conn:
        for n in range(parts):
            time.sleep(0.8 if n == 6 else 0.4)
            conn.sendall(b"x" * each)
        assert answer_of(conn).startswith(b"HTTP/1.1 200")


def test_time_the_server_takes_itself_is_nobodys_fault(impatient: int) -> None:
    length = 8 * 1024**2
    with begun(impatient, "/later", length) as conn:
        conn.sendall(b"x" * length)
        assert answer_of(conn).startswith(b"HTTP/1.1 200")


def test_who_goes_on_after_the_answer_is_hung_up_on(impatient: int) -> None:
    with begun(impatient, "/unread", 1024**3) as conn:
        assert answer_of(conn).startswith(b"HTTP/1.1 200")
        assert closed_within(conn, 6, each_s=0.01, part=b"x" * 4096)


def test_who_takes_nothing_of_an_answer_is_hung_up_on(impatient: int) -> None:
    with socket.socket() as conn:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        conn.connect(("127.0.0.1", impatient))
        conn.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(4)
        conn.settimeout(5)
        got = 0
        try:
            while part := conn.recv(1024**2):
                got += len(part)
        except ConnectionResetError:
            pass
        assert got < 60 * 1024**2


def test_who_takes_an_answer_slowly_gets_it_whole(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient), timeout=10) as conn:
        conn.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        got = 0
        while part := conn.recv(1024**2):
            got += len(part)
            time.sleep(0.02)
        assert got > 64 * 1024**2


# --- the pages meanwhile ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seats() -> Seats:
    """The places of the server of this module."""
    return Seats()


@pytest.fixture(scope="module")
def port(faced: Faces, seats: Seats) -> Iterator[int]:
    """The pages at a port, with the limits of ``serve``."""
    with serving(faced, seats=seats) as found:
        yield found


def answered(port: int, token: str, path: str = "/work", times: int = 30) -> list[float]:
    """Ask for a page, each time over a connection of its own; return how long each answer took, sorted."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        with httpx.Client(
            base_url=f"http://localhost:{port}", timeout=10, cookies={"coverslip": token}
        ) as one:
            answer = one.get(path)
        assert answer.status_code == 200, (answer.status_code, answer.text[:200])
        took.append(time.monotonic() - began)
    return sorted(took)


def p95(took: list[float]) -> float:
    return statistics.quantiles(took, n=20)[-1]


def test_a_signed_in_person_is_answered_while_300_send_a_byte_a_second(lab: Lab, port: int) -> None:
    quiet = answered(port, lab.quinn.token)
    with dripping(port, SLOW, head("/sign-in")) as held:
        took = answered(port, lab.quinn.token)
        assert held() <= SLOW
    print(f"answered p95: {p95(quiet) * 1000:.0f} ms alone, {p95(took) * 1000:.0f} ms beside {SLOW}")
    assert p95(took) < ANSWERED_S, (quiet, took)


def test_whoever_is_not_signed_in_yet_can_sign_in_meanwhile(lab: Lab, port: int) -> None:
    form = {"username": "alan", "password": secret_of("alan"), "workstation": "desk", "zone": "UTC"}
    desk = httpx.Client(base_url=f"http://localhost:{port}", timeout=10)
    with dripping(port, SLOW, head("/sign-in"), addresses=20), desk as someone:
        assert someone.get("/sign-in").status_code == 200
        wrong = form | {"password": "something else"}
        assert someone.post("/sign-in", data=wrong).status_code == 401


@pytest.mark.parametrize("addresses", [1, 40])
def test_of_strangers_only_so_many_are_kept(port: int, seats: Seats, addresses: int) -> None:
    room = seats.room
    with dripping(port, SLOW, head("/sign-in"), addresses):
        seen = []
        until = time.monotonic() + 3
        while time.monotonic() < until:
            seen.append((seats.strangers(), seats.strangers("127.0.1.1")))
            time.sleep(0.01)
    assert max(all for all, _ in seen) <= room.strangers
    assert 0 < max(of_one for _, of_one in seen) <= room.of_address


class Held:
    """A connection as places see it."""

    def __init__(self, seats: Seats, address: str, since: float) -> None:
        self.seats, self.address, self.since = seats, address, since
        self.stranger = self.waited_for = True
        self.phase, self.who, self.gone = "head", b"", False

    def hang_up(self) -> None:
        self.gone = True
        self.seats.leave(self)  # type: ignore[arg-type]


def test_a_crowd_that_comes_in_one_moment_pushes_out_its_own() -> None:
    seats = Seats()
    alone = Held(seats, "192.0.2.1", 0.0)
    assert seats.take(alone)  # type: ignore[arg-type]
    crowd = [Held(seats, f"198.51.100.{n % 10}", 1.0 + n) for n in range(1000)]
    for one in crowd:
        assert seats.take(one)  # type: ignore[arg-type]
    assert not alone.gone
    assert sum(not one.gone for one in crowd) == seats.room.strangers - 1


def test_who_is_being_answered_is_never_pushed_out() -> None:
    seats = Seats()
    busy = [Held(seats, "192.0.2.1", 0.0) for _ in range(seats.room.of_address)]
    for one in busy:
        assert seats.take(one)  # type: ignore[arg-type]
        one.waited_for = False
    assert not seats.take(Held(seats, "192.0.2.1", 1.0))  # type: ignore[arg-type]
    assert not any(one.gone for one in busy)


def test_one_session_does_not_take_the_places_of_others(lab: Lab, port: int) -> None:
    answered(port, lab.alan.token, times=1)
    cookie = f"Cookie: coverslip={lab.alan.token}"
    with dripping(port, SLOW, head("/ingest/upload", cookie, length=10_000_000)):
        assert p95(answered(port, lab.quinn.token)) < ANSWERED_S


def test_a_token_nobody_has_found_a_session_for_takes_no_place(lab: Lab, port: int) -> None:
    cookie = "Cookie: coverslip=invented"
    with dripping(port, SLOW, head("/sign-in", cookie, length=1_000_000)):
        assert p95(answered(port, lab.quinn.token)) < ANSWERED_S
