"""The real command: ``coverslip serve`` in a process of its own, on a home that need not be there yet."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from fix_setup import Browser
from fix_tls import free_port

READY_S = 90.0


@dataclass
class Served:
    """A running ``coverslip serve`` and what it printed."""

    home: Path
    url: str
    process: subprocess.Popen[str]
    output: Path
    verify: Any = True
    secrets: list[str] = field(default_factory=list)

    def said(self, pattern: str) -> str:
        """Wait for a line and return its first group."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            found = re.findall(pattern, self.output.read_text("utf-8"), re.M)
            if found:
                return str(found[-1])
            assert self.process.poll() is None, self.output.read_text("utf-8")
            time.sleep(0.1)
        raise AssertionError(f"{pattern} was never said: {self.output.read_text('utf-8')}")

    @contextmanager
    def browser(self) -> Iterator[Browser]:
        with httpx.Client(base_url=self.url, verify=self.verify, timeout=120) as client:
            yield Browser(client)


@contextmanager
def serving(home: Path, folder: Path, *options: str, scheme: str = "http") -> Iterator[Served]:
    """Run ``coverslip serve`` on a home that need not be there yet."""
    port, output = free_port(), folder / "serve.txt"
    command = [
        sys.executable,
        "-m",
        "coverslip.cli",
        "serve",
        "--home",
        str(home),
        "--port",
        str(port),
        *options,
    ]
    with open(output, "w", encoding="utf-8") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, text=True, env=dict(os.environ))
    try:
        yield Served(home, f"{scheme}://127.0.0.1:{port}", process, output)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def once_started(someone: Browser) -> Any:
    """Ask for the sign-in as a browser does, again where the page says so."""
    until = time.monotonic() + READY_S
    while (answer := someone.client.get("/sign-in")).status_code == 503 and time.monotonic() < until:
        assert answer.headers["refresh"] == "2; url=/sign-in"
        time.sleep(0.5)
    return answer
