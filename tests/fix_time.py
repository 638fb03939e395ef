"""A time server for tests: real packets on the loopback, honest or not."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EPOCH = 2_208_988_800


def stamp(seconds: float) -> bytes:
    whole = int(seconds + EPOCH) % (1 << 32)
    return struct.pack(">II", whole, int((seconds % 1) * (1 << 32)))


def answer(
    question: bytes,
    ahead_s: float = 0.0,
    leap: int = 0,
    mode: int = 4,
    stratum: int = 2,
    dispersion_s: float = 0.001,
    originate: bytes | None = None,
    at: float | None = None,
) -> bytes:
    """Return an answer of a server whose time is ``ahead_s`` seconds ahead of this host's."""
    now = (time.time() if at is None else at) + ahead_s
    head = bytes([(leap << 6) | (4 << 3) | mode, stratum, 6, 0xEC])
    head += struct.pack(">iI", 0, round(dispersion_s * 65536)) + b"LOCL" + stamp(now - 10)
    return head + (question[40:48] if originate is None else originate) + stamp(now) + stamp(now)


@contextmanager
def time_server(reply: Callable[[bytes], list[bytes]]) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1; ``reply`` turns a question into the packets sent back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.settimeout(0.2)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    question, peer = found.recvfrom(512)
                except TimeoutError:
                    continue
                for packet in reply(question):
                    found.sendto(packet, peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield found.getsockname()[1]
        finally:
            stop.set()
            thread.join(5)
