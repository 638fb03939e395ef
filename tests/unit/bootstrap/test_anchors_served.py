"""While an installation is served, its keeper supplies the places by itself."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap import anchors, wiring
from coverslip.settings import Home
from coverslip.store import anchor_rows


@pytest.fixture
def served(founded_stopped: Home, authority: Any, tmp_path: Path) -> Iterator[tuple[Home, Path]]:
    """A served copy with a timestamp authority and a file to supply, and what it said."""
    home = founded_stopped
    for given in (
        {"name": "tsa", "type": "rfc3161", "target": authority.url, "roots": str(authority.maker.root)},
        {"name": "kept", "type": "file", "target": str(tmp_path / "kept")},
    ):
        anchors.anchors_add(home.root, given)
    said = tmp_path / "said"
    with open(said, "wb") as out:
        command = [sys.executable, "-m", "coverslip.cli", "serve", "--home", str(home.root)]
        running = subprocess.Popen(command, stdout=out, stderr=out)
    yield home, said
    running.terminate()
    running.wait(60)


def test_places_are_supplied_by_themselves(served: tuple[Home, Path], tmp_path: Path) -> None:
    home, said = served
    until = time.monotonic() + 120
    found: set[str] = set()
    while found != {"rfc3161", "file"} and time.monotonic() < until:
        time.sleep(0.5)
        if "ready" in said.read_text():
            with wiring.connection(home, "cs_verifier") as conn:
                done = anchor_rows.successes(conn)
            found = {kind for kind, target in done if target != str(home.anchors)}
    assert found == {"rfc3161", "file"}, said.read_text()
    assert (tmp_path / "kept").read_bytes().count(b"\n\n") >= 1
