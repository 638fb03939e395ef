"""Senders that take their time: many connections at once, a byte a second each, from a process of their own.

``dripping(port, 300, head)`` opens them from addresses of the loopback other than 127.0.0.1 and opens anew
what is closed; ``held()`` says how many are open now.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SENDERS = """
import asyncio, sys

port, count, addresses = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
head, open_now = bytes.fromhex(sys.argv[4]), set()

async def one(n):
    while True:
        try:
            near = (f"127.0.1.{1 + n % addresses}", 0)
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=near)
        except OSError:
            await asyncio.sleep(1)
            continue
        open_now.add(n)
        try:
            writer.write(head)
            while not reader.at_eof():
                writer.write(b"a")
                await writer.drain()
                try:
                    await asyncio.wait_for(reader.read(65536), 1)
                except TimeoutError:
                    pass
        except OSError:
            pass
        open_now.discard(n)
        writer.close()
        await asyncio.sleep(1)

async def tell():
    while True:
        print(len(open_now), flush=True)
        await asyncio.sleep(0.25)

async def main():
    await asyncio.gather(tell(), *(one(n) for n in range(count)))

asyncio.run(main())
"""


@contextmanager
def dripping(port: int, count: int, head: bytes, addresses: int = 10) -> Iterator[Callable[[], int]]:
    """Have so many senders at work; yields how many connections they hold now."""
    said: list[int] = []
    command = [sys.executable, "-c", _SENDERS, str(port), str(count), str(addresses), head.hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        output = running.stdout

        def held() -> int:
            said.append(int(output.readline()))
            return said[-1]

        try:
            until = time.monotonic() + 20
            while max(held(), *said) < 20:
                assert time.monotonic() < until, said
            yield held
        finally:
            running.kill()


def head(path: str, *lines: str, length: int = 60_000) -> bytes:
    """Return the head of a form that is long in coming."""
    said = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/x-www-form-urlencoded"]
    return "\r\n".join([*said, f"Content-Length: {length}", *lines, "", ""]).encode()
