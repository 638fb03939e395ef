"""Faults on purpose: every call at a port can end the process, or fail, before or after it was done.

A scenario is run in a process of its own, forked from one that has everything imported, so that an end is
a real one: no handler runs, nothing is flushed. Its ports count their calls; the plan names one of them
and what happens there. Nothing in the product knows of this.

    crash_before, crash_after   the process ends (os._exit) just before or just after the call
    fail_before, fail_after     the call fails without being done, or is done and reported as failed
    stop_before, stop_after     the process is frozen until somebody lets it go on
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from coverslip.errors import EnvironmentFault
from coverslip.store.anchors import FileAnchor
from coverslip.store.journal import JournalDisk
from coverslip.store.sequencer import Sequencer
from coverslip.store.signer import Signer
from coverslip.store.signer_socket import SignerClient
from coverslip.vault import LocalVault
from coverslip.vault.disk import Disk

HOWS = ("crash_before", "crash_after", "fail_before", "fail_after")
CRASHED = 137
LIMIT = 1 << 30


class Points:
    """The calls made so far, and the one at which the plan strikes."""

    def __init__(self, at: int = -1, how: str = "", trace: int = -1, name: str = "") -> None:
        """``at`` counts from 0; or ``name`` is that of the call, the first time it is made."""
        self.at, self.how, self.name, self._trace = at, how, name, trace
        self.names: list[str] = []

    def around(self, name: str, do: Callable[[], Any], error: Callable[[], BaseException]) -> Any:
        """Do a call under the plan and return its answer."""
        here = len(self.names) == self.at or (name == self.name and name not in self.names)
        self.names.append(name)
        if self._trace >= 0:
            os.write(self._trace, name.encode() + b"\n")
        if here and self.how.endswith("before"):
            self._strike(error)
        answer = do()
        if here and self.how.endswith("after"):
            self._strike(error)
        return answer

    def _strike(self, error: Callable[[], BaseException]) -> None:
        if self.how.startswith("crash"):
            os._exit(CRASHED)
        if self.how.startswith("stop"):
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        raise error()


def _io() -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO))


# --- the ports -------------------------------------------------------------------------------------

_NAMES = (
    ("listen ledger", "listen"),
    ("pg_try_advisory_lock", "1 leader lock"),
    ("for update", "1 tree row"),
    ("left join ledger.entry p", "2 fetch"),
    ("update ledger.tree set low_water", "2 low water"),
    ("copy ledger.leaf", "4 leaf rows"),
    ("copy ledger.tile", "4 tiles"),
    ("update ledger.tree set size", "4 tree row"),
    ("insert into ledger.checkpoint", "6 checkpoint row"),
    ("insert into ledger.anchor", "6 anchor row"),
)


def _named(query: Any) -> str:
    text = str(query)
    return next((name for part, name in _NAMES if part in text), "read: " + " ".join(text.split())[:60])


class FaultyConnection(psycopg.Connection[Any]):
    """A connection that is lost at the point of the plan."""

    points: Points

    @contextmanager
    def transaction(self, *args: Any, **more: Any) -> Iterator[Any]:  # type: ignore[override]
        inner = super().transaction(*args, **more)
        found = inner.__enter__()
        try:
            yield found
        except BaseException:
            inner.__exit__(*sys.exc_info())
            raise
        self.points.around("4 commit", lambda: inner.__exit__(None, None, None), self.lost)

    def lost(self) -> psycopg.OperationalError:
        self.close()
        return psycopg.OperationalError("server closed the connection unexpectedly")


class FaultyCursor(psycopg.Cursor[Any]):
    """Statements and copies of a faulty connection."""

    def execute(self, query: Any, *args: Any, **more: Any) -> Any:
        conn: Any = self.connection
        return conn.points.around(
            _named(query), lambda: super(FaultyCursor, self).execute(query, *args, **more), conn.lost
        )

    @contextmanager
    def copy(self, statement: Any, *args: Any, **more: Any) -> Iterator[Any]:  # type: ignore[override]
        conn: Any = self.connection
        conn.points.around(f"{_named(statement)} begin", lambda: None, conn.lost)
        with super().copy(statement, *args, **more) as copying:
            yield copying
        conn.points.around(f"{_named(statement)} end", lambda: None, conn.lost)


class FaultyJournal(JournalDisk):
    """The signer's disk."""

    def __init__(self, points: Points) -> None:
        self._points = points

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        self._points.around(
            "5 journal write", lambda: super(FaultyJournal, self).write(descriptor, data, offset), _io
        )

    def fsync(self, descriptor: int) -> None:
        self._points.around("5 journal flush", lambda: super(FaultyJournal, self).fsync(descriptor), _io)


class TornJournal(FaultyJournal):
    """A signer's disk that takes half a line and then is full, or ends the process."""

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        def half() -> None:
            os.pwrite(descriptor, data[: len(data) // 2], offset)
            self._points.around("5 half a line", lambda: None, lambda: OSError(errno.ENOSPC, "full"))
            os.pwrite(descriptor, data[len(data) // 2 :], offset + len(data) // 2)

        half()


class FaultySigner:
    """The signer as the sequencer sees it: answers can be lost."""

    def __init__(self, signer: Signer | SignerClient, points: Points) -> None:
        self._signer, self._points = signer, points

    def vkey(self) -> str:
        return self._signer.vkey()

    def last(self) -> Any:
        return self._points.around("5 ask what was signed", self._signer.last, _silent)

    def sign(self, size: int, root: bytes, proof: Any) -> Any:
        return self._points.around("5 have it signed", lambda: self._signer.sign(size, root, proof), _silent)


def _silent() -> EnvironmentFault:
    return EnvironmentFault("UNAVAILABLE", what="The signer")


class FaultyAnchor:
    """A file anchor whose disk fails."""

    def __init__(self, path: Path, points: Points) -> None:
        self._inner, self._points = FileAnchor(path), points
        self.type, self.target = self._inner.type, self._inner.target

    def put(self, note: bytes) -> bytes:
        answer: bytes = self._points.around("6 anchor", lambda: self._inner.put(note), _io)
        return answer


class FaultyDisk(Disk):
    """The vault's disk; every operation that changes or flushes something can fail."""

    def __init__(self, points: Points, number: int = errno.EIO) -> None:
        self._points, self._number = points, number

    def _error(self) -> OSError:
        return OSError(self._number, os.strerror(self._number))


def _disk_operation(name: str) -> Callable[..., Any]:
    def operation(self: FaultyDisk, *args: Any) -> Any:
        plain = getattr(Disk, name)
        return self._points.around(f"disk {name}", lambda: plain(self, *args), self._error)

    return operation


for _name in (
    "make_directory",
    "create",
    "write",
    "fsync",
    "fsync_directory",
    "seal",
    "rename",
    "remove",
    "open_read",
    "read",
):
    setattr(FaultyDisk, _name, _disk_operation(_name))


# --- the scenarios ---------------------------------------------------------------------------------


def step(points: Points, given: dict[str, Any]) -> Any:
    """One step of sequencer and signer, and after a failure another one, as the running sequencer does."""

    def connect() -> Any:
        conn = FaultyConnection.connect(given["dsn"], cursor_factory=FaultyCursor)
        conn.points = points  # type: ignore[attr-defined]
        return conn

    disk = (TornJournal if given.get("torn") else FaultyJournal)(points)
    signer = _signer(given, disk)
    sequencer = Sequencer(
        connect, FaultySigner(signer, points), bytes.fromhex(given["key"]),
        [FaultyAnchor(Path(given["anchor"]), points)],
    )  # fmt: skip
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            done = sequencer.step()
            if done.leader:
                return done.signed
        except (psycopg.OperationalError, EnvironmentFault):
            sequencer.close()
        time.sleep(0.005)  # the server needs a moment to notice that the former leader is gone
    raise AssertionError("it never led again")


def _signer(given: dict[str, Any], disk: JournalDisk) -> Signer:
    """Start the signer, once more when it did not come up, as its supervisor does."""
    try:
        return Signer(Path(given["signer"]), given["origin"], disk)
    except EnvironmentFault:
        return Signer(Path(given["signer"]), given["origin"], disk)


def lead(points: Points, given: dict[str, Any]) -> Any:
    """Sequence with the signer's socket until told to stop, as the running process does."""

    def connect() -> Any:
        conn = FaultyConnection.connect(given["dsn"], cursor_factory=FaultyCursor)
        conn.points = points  # type: ignore[attr-defined]
        return conn

    sequencer = Sequencer(
        connect, FaultySigner(SignerClient(Path(given["socket"])), points), bytes.fromhex(given["key"]),
        [FaultyAnchor(Path(given["anchor"]), points)],
    )  # fmt: skip
    signed = 0
    while not Path(given["until"]).exists():
        try:
            signed = sequencer.step().signed or signed
        except (psycopg.OperationalError, EnvironmentFault):
            sequencer.close()
        time.sleep(0.01)
    sequencer.close()
    return signed


def _twice(do: Callable[[], Any]) -> Any:
    """Do it, and once more when the environment did not let it be done, as a sender does."""
    try:
        return do()
    except EnvironmentFault:
        return do()


def store(points: Points, given: dict[str, Any]) -> Any:
    """A file into the vault."""
    disk, data = FaultyDisk(points, given.get("errno", errno.EIO)), Path(given["data"]).read_bytes()
    return _twice(lambda: LocalVault(Path(given["vault"]), disk).store(io.BytesIO(data), LIMIT).root)


def set_apart(points: Points, given: dict[str, Any]) -> Any:
    """A file into quarantine."""
    disk, data = FaultyDisk(points), Path(given["data"]).read_bytes()

    def do() -> str:
        vault = LocalVault(Path(given["vault"]), disk)
        with vault.receive(io.BytesIO(data), LIMIT) as received:
            return vault.quarantine(received, {"why": "test"}).id

    return _twice(do)


class FaultyPort:
    """Methods of a port, those named struck under the plan, the others as they are."""

    def __init__(self, inner: Any, points: Points, label: str, names: tuple[str, ...]) -> None:
        self._inner, self._points, self._label, self._names = inner, points, label, names

    def __getattr__(self, name: str) -> Any:
        plain = getattr(self._inner, name)
        if name not in self._names:
            return plain

        def struck(*args: Any, **more: Any) -> Any:
            what = f" {args[0].act}" if name == "submit" else ""
            return self._points.around(f"{self._label} {name}{what}", lambda: plain(*args, **more), _unable)

        return struck


def _unable() -> EnvironmentFault:
    return EnvironmentFault("TRAIL_UNAVAILABLE")


def deliver(points: Points, given: dict[str, Any]) -> Any:
    """A delivery to a whole laboratory, sent again after a failure, as a device does."""
    from coverslip.bootstrap.labs import lab
    from coverslip.kernel.change import Context
    from coverslip.settings import Home

    data = bytes.fromhex(given["data"])
    with lab(Home(Path(given["home"]))) as opened:
        ingest = opened.ingest()
        ingest._vault = FaultyPort(ingest._vault, points, "vault", ("receive", "commit", "quarantine"))
        ingest._door = FaultyPort(ingest._door, points, "door", ("submit",))
        context = Context(**given["context"])
        return _twice(lambda: ingest.deliver(given["session"], context, given["manifest"], io.BytesIO(data)))


SCENARIOS: dict[str, Callable[[Points, dict[str, Any]], Any]] = {
    "step": step,
    "lead": lead,
    "store": store,
    "set_apart": set_apart,
    "deliver": deliver,
}


# --- the process that forks them -------------------------------------------------------------------


def _serve_scenarios() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        for module in asked["given"].get("imports", ()):
            importlib.import_module(module)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            os._exit(_run(asked, writing))
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read().decode()
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status), "said": said}), flush=True)


def _run(asked: dict[str, Any], writing: int) -> int:
    points = Points(asked["at"], asked["how"], writing, asked.get("name", ""))
    try:
        answer = SCENARIOS[asked["scenario"]](points, asked["given"])
    except BaseException:  # the parent shows it; the child must not go on
        os.write(writing, b"error " + traceback.format_exc().replace("\n", "\\n").encode() + b"\n")
        return 1
    os.write(writing, b"answer " + json.dumps(answer).encode() + b"\n")
    return 0


class Ended:
    """How a scenario ended: exit status, the calls made, answer and error."""

    def __init__(self, status: int, said: str) -> None:
        self.status, lines = status, said.splitlines()
        self.calls = [line for line in lines if not line.startswith(("answer ", "error "))]
        self.answer = next((json.loads(line[7:]) for line in lines if line.startswith("answer ")), None)
        self.error = next((line[6:].replace("\\n", "\n") for line in lines if line.startswith("error ")), "")


class Faults:
    """Runs scenarios; ``sweep`` strikes at every call there is."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, scenario: str, given: dict[str, Any], at: int = -1, how: str = "") -> Ended:
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = {"scenario": scenario, "given": given, "at": at, "how": how}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ended(answer["status"], answer["said"])

    def sweep(
        self,
        scenario: str,
        how: str,
        prepare: Callable[[int], dict[str, Any]],
        check: Callable[[int, str, Ended], None],
    ) -> list[str]:
        """Strike at call after call until a run has fewer; return the names of the calls struck."""
        struck: list[str] = []
        while True:
            at = len(struck)
            given = prepare(at)
            ended = self.run(scenario, given, at, how)
            if len(ended.calls) <= at:
                assert ended.status == 0, ended.error
                return struck
            name = ended.calls[at]
            struck.append(name)
            expected = CRASHED if how.startswith("crash") else 0
            assert ended.status == expected, f"{how} at {name}: {ended.status} {ended.error}"
            if ended.status == CRASHED:
                ended = self.run(scenario, given)
                assert ended.status == 0, f"after {how} at {name}: {ended.error}"
            check(at, f"{how} at call {at}, {name}", ended)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def alone(scenario: str, given: dict[str, Any], name: str = "", how: str = "") -> subprocess.Popen[str]:
    """Start a scenario in a process of its own, struck the first time it makes the call ``name``."""
    asked = {"scenario": scenario, "given": given, "at": -1, "how": how, "name": name}
    command = [sys.executable, __file__, json.dumps(asked)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ended(running: subprocess.Popen[str]) -> Ended:
    """Wait for a scenario of one's own and return how it ended."""
    said, _ = running.communicate(timeout=60)
    return Ended(running.returncode, said)


@pytest.fixture(scope="session")
def faults() -> Iterator[Faults]:
    """The runner of scenarios under faults."""
    made = Faults()
    yield made
    made.close()


if __name__ == "__main__":
    assert importlib.util.find_spec("coverslip") is not None
    if len(sys.argv) > 1:
        sys.exit(_run(json.loads(sys.argv[1]), 1))
    _serve_scenarios()
