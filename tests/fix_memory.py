"""A served installation whose processes' memory a test may search, and what the system says of them."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from coverslip.cli.demo.stage import serving
from coverslip.settings import Home
from fix_store import copy_home

_READABLE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")


@dataclass
class Running:
    """A home served by processes of its own."""

    home: Home
    address: str

    def children(self) -> dict[str, int]:
        """Role -> process id of every child of ``serve``."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"coverslip.bootstrap.child" in words and os.fsencode(self.home.root) in words:
                found[words[words.index(b"coverslip.bootstrap.child") + 1].decode()] = int(entry.name)
        return found


def occurrences(pid: int, secrets: dict[str, bytes]) -> dict[str, int]:
    """Return how often each secret lies in the writable and readable memory of a process.

    Raises PermissionError where the process does not let itself be looked into.
    """
    counts = dict.fromkeys(secrets, 0)
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            match = _READABLE.match(line)
            if match is None or "[v" in line:
                continue
            first, last = int(match[1], 16), int(match[2], 16)
            try:
                memory.seek(first)
                data = memory.read(last - first)
            except (OSError, ValueError, OverflowError):
                continue
            for name, secret in secrets.items():
                counts[name] += data.count(secret)
    return counts


@pytest.fixture
def running(_founded: Path, cluster_root: Path) -> Iterator[Running]:
    """A copy of a founded installation, served."""
    parent = Path(tempfile.mkdtemp(prefix="s-", dir=cluster_root))
    parent.chmod(0o711)
    home = copy_home(_founded, parent / "home")
    with serving(home) as address:
        yield Running(Home(home), address)
    shutil.rmtree(parent)
