"""A log of plain leaves with a signer of its own, and a witness, in process or as a program of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coverslip.anchoring.cosigner import Cosigner
from coverslip.anchoring.witness import Witness, know, request_of
from coverslip.anchoring.witness_http import create_app
from coverslip.ledger import leaf as leaf_format, note, rotation
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.identity import uuid7
from coverslip.ledger.tree import consistency_proof, leaf_hash, root_of
from coverslip.store.notes import NoteKey
from coverslip.verifier.keys import NoteKey as Checked

ORIGIN = "lab.example/log"
NAME = "witness.example/w1"


def leaf(number: int, kind: str = "record") -> bytes:
    """Return a leaf of a stream of its own."""
    del kind
    person, at = "0" * 8 + "-0000-0000-0000-" + "0" * 12, "2026-11-21T04:00:00.000000Z"
    return leaf_format.Leaf(
        ORIGIN,
        str(uuid7()),
        "session",
        f"act{number}",
        person,
        leaf_format.Record("session", str(uuid7()), 1),
        leaf_format.Actor(person, person, "none"),
        at,
        leaf_format.Clock(0, "none", False),
        "coverslip/0.1.0",
    ).to_bytes()


class Log:
    """A log that can sign any history: an honest one, and others."""

    def __init__(self, seed: int = 1, origin: str = ORIGIN) -> None:
        self.origin = origin
        self.key = NoteKey(origin, bytes([seed]) * 32)
        self.leaves = [leaf(n) for n in range(40)]

    @property
    def hashes(self) -> list[bytes]:
        return [leaf_hash(one) for one in self.leaves]

    def fork(self) -> Log:
        """Return the same log, same key, with another leaf at index 3."""
        other = Log(origin=self.origin)
        other.key, other.leaves = self.key, list(self.leaves)
        other.leaves[3] = leaf(3)
        return other

    def checkpoint(self, size: int) -> bytes:
        """Return the signed checkpoint over the first ``size`` leaves."""
        text = Checkpoint(self.origin, size, root_of(self.hashes[:size])).text()
        return note.sign(text, [self.key]).to_bytes()

    def prove(self, old: int, new: int) -> list[bytes]:
        return consistency_proof(self.hashes[:new], old) if 0 < old < new else []

    def request(self, old: int, new: int) -> bytes:
        return request_of(old, self.prove(old, new), self.checkpoint(new))

    def rotate(self, size: int, seed: int = 2, by: tuple[str, ...] = ("old", "new")) -> tuple[bytes, NoteKey]:
        """Return a statement about a new key, signed by those named, and the new key."""
        new = NoteKey(self.origin, bytes([seed]) * 32)
        last = Checkpoint(self.origin, size, root_of(self.hashes[:size]))
        text = rotation.Rotation(
            last, self.key.verifier_key, new.verifier_key, "2026-11-21T05:00:00.000000Z"
        ).text()
        keys = {"old": self.key, "new": new}
        return note.sign(text, [keys[one] for one in by]).to_bytes(), new


def open_witness(
    folder: Path, mirrored: bool = False, now: Callable[[], int] = lambda: 1_790_000_000
) -> Witness:
    """Return the witness of a folder."""
    return Witness(folder, Cosigner(NAME, b"\x09" * 32, now), Checked, mirrored)


class Program:
    """A witness as a process of its own, by the operator's command, on a loopback port."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder, self.more = folder, more
        self.said = folder.with_name("said.txt")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Program:
        command = [sys.executable, "-m", "coverslip.cli", "witness", "serve", str(self.folder)]
        with open(self.said, "ab") as said:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port), *self.more], stdout=said, stderr=said
            )
        for _ in range(200):
            with socket.socket() as line:
                if line.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(self.said.read_text())

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


class Served:
    """A witness behind its HTTP interface, in a thread of this process."""

    def __init__(self, witness: Witness) -> None:
        import uvicorn

        self.witness = witness
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(witness), port=0, log_level="critical", access_log=False, lifespan="off"
            )
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.witness.close()


@pytest.fixture
def log() -> Log:
    """A log of 40 leaves."""
    return Log()


@pytest.fixture
def witness_folder(tmp_path: Path, log: Log) -> Path:
    """A witness's folder that knows ``log``."""
    folder = tmp_path / "witness"
    folder.mkdir(mode=0o700)
    know(folder, [log.key.verifier_key.format()])
    return folder


@pytest.fixture
def witness(witness_folder: Path) -> Iterator[Witness]:
    made = open_witness(witness_folder)
    yield made
    made.close()


@pytest.fixture
def served(witness_folder: Path) -> Iterator[Served]:
    """A mirroring witness over HTTP."""
    made = Served(open_witness(witness_folder, mirrored=True))
    yield made
    made.close()
