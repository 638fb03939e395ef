"""One client and 64 of them on a disk whose flush takes a millisecond: do they wait for the disk together?

Rules kept here: the same server and disk for one and for 64; the full command runs in processes of their
own, as web processes do, each with threads that edit records of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from bench.appending import appends
from bench.commands import REASON
from bench.flush import shim
from bench.lab import edited_fields, folder, laboratory, session_fields
from bench.rows import NotMeasured, Row, Size, ratio
from coverslip.bootstrap import wiring
from coverslip.kernel.change import Change, Context
from coverslip.settings import Home

CLIENTS = 64
PROCESSES = 4


def measure(size: Size) -> list[Row]:
    """Return both ratios of 64 clients to one."""
    with folder() as place, laboratory(shim(place)) as lab:
        with psycopg.connect(**lab.cluster.dsn("cs_superuser"), autocommit=True) as admin:
            # A web process has a pool; 64 clients of the bare function are more than the role is given.
            admin.execute("alter role cs_writer connection limit 90")
        one, many = (appends(lab, place, clients, size.seconds) for clients in (1, CLIENTS))
        single, full = (commands(lab, clients, size.seconds) for clients in (1, CLIENTS))
    return [
        ratio("append function, 64 clients, 1 ms flush", many, "/s", "one client", one, least=10),
        ratio("full command, 64 clients, 1 ms flush", full, "/s", "one client", single, least=3),
    ]


def commands(lab: Any, clients: int, seconds: float) -> float:
    """Let so many clients edit for a while; return commands per second."""
    with editing(lab, clients, seconds) as finished:
        return finished()


@contextmanager
def editing(lab: Any, clients: int, seconds: float) -> Iterator[Callable[[], float]]:
    """Start so many clients that edit for a while; what is lent waits and returns commands per second."""
    door, context = lab.door, lab.alan.context
    fields = session_fields(lab)
    numbers = [
        door.submit(Change("create", "acquisition_session", fields=fields), context).entries[0].number
        for _ in range(clients)
    ]
    count = min(PROCESSES, clients)
    order = {"home": str(lab.home.root), "seconds": seconds, "context": asdict(context)}
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "bench.concurrency"], text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                )
            )
            for _ in range(count)
        ]  # fmt: skip
        for n, process in enumerate(started):
            _say(process, json.dumps(order | {"numbers": numbers[n::count]}))
        for process in started:
            if _hear(process) != "ready":
                raise NotMeasured("a process of clients did not get ready")
        for process in started:
            _say(process, "go")
        yield lambda: sum(float(_hear(process) or "nan") for process in started)


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


class _Client(threading.Thread):
    """One client: edits its record once to get ready, then again and again from ``go`` to the end."""

    def __init__(
        self, door: Any, context: Context, number: str, gate: threading.Barrier, seconds: float
    ) -> None:
        super().__init__()
        self._door, self._context, self._number = door, context, number
        self._gate, self._seconds = gate, seconds
        self.count, self._version = 0, 1

    def run(self) -> None:
        """Edit until the time is up."""
        self.edit()
        self._gate.wait()
        self._gate.wait()
        until = time.monotonic() + self._seconds
        while time.monotonic() < until:
            self.edit()
            self.count += 1

    def edit(self) -> None:
        """Edit the record once."""
        fields = edited_fields(self._version % 10)
        self._door.submit(
            Change("edit", "acquisition_session", self._number, 0, fields, REASON, self._version),
            self._context,
        )
        self._version += 1


def client() -> None:
    """Be one process of clients: an order comes in, then ``go``; commands per second go out."""
    order = json.loads(sys.stdin.readline())
    context, numbers, seconds = Context(**order["context"]), order["numbers"], float(order["seconds"])
    gate = threading.Barrier(len(numbers) + 1, timeout=60)
    with wiring.core(Home(Path(order["home"])), size=len(numbers)) as core:
        clients = [_Client(core.door, context, number, gate, seconds) for number in numbers]
        # What a process does before its first commit is no part of what is measured.
        clients[0].edit()
        for one in clients:
            one.start()
        gate.wait()
        print("ready", flush=True)
        sys.stdin.readline()
        gate.wait()
        for one in clients:
            one.join()
        print(json.dumps(sum(one.count for one in clients) / seconds), flush=True)


if __name__ == "__main__":
    client()
