"""Pages that wait to be told: many at once, nothing lost, none of them costing a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from coverslip.bootstrap.faces import Faces
from coverslip.errors import EnvironmentFault
from coverslip.web.streams import ARRIVED, END, Streams
from fix_browser import serving
from fix_lab import Lab

MANY = 200
EACH = 4


@pytest.fixture(scope="module")
def port(faced: Faces) -> Iterator[int]:
    faced._pages.state.streams.look_every_s = 0.5  # type: ignore[attr-defined]
    with serving(faced) as found:
        yield found


@pytest.fixture(scope="module")
def case(lab: Lab) -> str:
    return lab.new_review()[1]


def position(lab: Lab, case: str) -> str:
    return lab.workspace().position(lab.row(case))


def listening(port: int, token: str, case: str, at: str) -> tuple[socket.socket, bytes]:
    """Open a stream; return its connection and what came up to the first sign of life."""
    conn = socket.create_connection(("127.0.0.1", port), timeout=20)
    asked = (
        f"GET /review/{case}/events?at={at} HTTP/1.1\r\nHost: localhost\r\nCookie: coverslip={token}\r\n\r\n"
    )
    conn.sendall(asked.encode())
    found = b""
    while b"listening" not in found and b"204 No Content" not in found:
        part = conn.recv(4096)
        if not part:
            break
        found += part
    return conn, found


def told(conn: socket.socket, seconds: float) -> bytes:
    """Return what a stream says until it tells of something or the time is over."""
    conn.settimeout(seconds)
    found = b""
    try:
        while b"event: " not in found and (part := conn.recv(4096)):
            found += part
    except TimeoutError:
        pass
    return found


def resident_kib() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmRSS:")))


def test_two_hundred_pages_wait_without_a_thread_each_and_all_are_told(
    lab: Lab, port: int, case: str
) -> None:
    tokens = [lab.sign_in("rita").token for _ in range(MANY // EACH)]
    at = position(lab, case)
    first, _ = listening(port, tokens[0], case, at)
    threads, memory = threading.active_count(), resident_kib()
    waiting = [first]
    waiting += [listening(port, tokens[n // EACH], case, at)[0] for n in range(1, MANY)]
    more_threads, more_kib = threading.active_count() - threads, resident_kib() - memory
    print(f"{MANY} streams: {more_threads} threads more, {more_kib / MANY:.0f} KiB each")
    try:
        # Somebody else's page is answered meanwhile, and a page beyond its session's share asks by itself.
        assert httpx.get(
            f"http://localhost:{port}/work", cookies={"coverslip": lab.quinn.token}, timeout=20
        ).is_success
        beyond, answer = listening(port, tokens[0], case, at)
        beyond.close()
        assert b"204 No Content" in answer
        lab.rita.do(case, "start")
        began = time.monotonic()
        said = [told(conn, 20) for conn in waiting]
        took = time.monotonic() - began
    finally:
        for conn in waiting:
            conn.close()
    assert [ARRIVED.splitlines()[0] in one for one in said] == [True] * MANY
    assert took < 20
    assert more_threads <= 40, "streams hold no threads of their own; those of the pool come and go"
    assert more_kib / MANY < 512


def test_what_arrived_between_page_and_stream_is_told_at_once(lab: Lab, port: int, case: str) -> None:
    conn, begun = listening(port, lab.quinn.token, case, "earlier")
    with conn:
        assert b"event: arrived" in begun or b"event: arrived" in told(conn, 10)


# --- without a server ------------------------------------------------------------------------------------


async def gathered(streams: Streams, *wanted: tuple[str, str, str, object]) -> list[list[bytes]]:
    async def one(session: str, subject: str, at: str, look: object) -> list[bytes]:
        return [part async for part in streams.wait(session, subject, at, look)]  # type: ignore[arg-type]

    return list(await asyncio.gather(*(one(*each) for each in wanted)))


def test_what_many_wait_for_is_looked_at_once_for_all() -> None:
    looks: list[int] = []

    def look() -> str:
        looks.append(1)
        return "old" if len(looks) <= 30 else "new"

    streams = Streams(look_every_s=0.01, last_s=10)
    found = asyncio.run(gathered(streams, *[(f"s{n}", "case", "old", look) for n in range(20)]))
    assert {one[-1] for one in found} == {ARRIVED}
    assert 30 < len(looks) <= 32, "twenty first looks, then one for all each time"


def test_each_is_told_of_what_it_waits_for_only() -> None:
    streams = Streams(look_every_s=0.01, last_s=0.3)
    changes = iter(["old"] * 3)
    found = asyncio.run(
        gathered(
            streams,
            ("s", "one", "old", lambda: next(changes, "new")),
            ("s", "two", "old", lambda: "old"),
        )
    )
    assert [one[-1] for one in found] == [ARRIVED, END]


def test_where_looking_fails_the_stream_ends_and_the_page_asks_by_itself() -> None:
    answers = iter(["old"])

    def look() -> str:
        for one in answers:
            return one
        raise EnvironmentFault("UNAVAILABLE", what="The database")

    found = asyncio.run(gathered(Streams(look_every_s=0.01, last_s=10), ("s", "one", "old", look)))
    assert found[0][-1] == END


def test_a_session_has_its_share_and_gives_it_back() -> None:
    streams = Streams(most=3, of_session=2, look_every_s=0.01, last_s=0.2)

    async def play() -> list[bool]:
        seen = [streams.full("a")]
        all_of_them = gathered(streams, *[(who, "one", "old", lambda: "old") for who in ("a", "a", "b")])
        running = asyncio.ensure_future(all_of_them)
        await asyncio.sleep(0.1)
        seen += [streams.full("a"), streams.full("b"), streams.full("c")]
        await running
        return [*seen, streams.full("a")]

    assert asyncio.run(play()) == [False, True, True, True, False]
