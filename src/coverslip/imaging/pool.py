"""Reader processes that stay, so that a hostile file can hurt only one of them and a tile costs no start.

Rules kept here:

* A process has a bare environment, its own session, and limits on memory, processor time and open files that
  it sets on itself before it opens a file. Each question has its time; who is late is killed.
* After a death, a late answer or one of the wrong shape the process is replaced, and the file refused: that
  is never taken for "nothing wrong". A file that killed its reader is refused for a while without asking.
* One process serves one question at a time; a question prefers a process that has the file open.
* Pixels come back through the pipe; an answer is bounded before room is made for it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from coverslip.errors import EnvironmentFault
from coverslip.imaging.isolated import ENVIRONMENT, PACKAGE_ROOT
from coverslip.imaging.metadata import AnswerError, Limits, Refusal, refusal_from_answer
from coverslip.kernel.clock import monotonic_s

LIMITS: Final = Limits(
    address_space=3 << 30,
    cpu_seconds=3600,
    answer_bytes=80 << 20,
    max_segment_bytes=256 << 20,
    max_plane_bytes=512 << 20,
)
SECONDS: Final = 60.0
"""One question may take this long, its waiting for a free process not counted."""
_START_SECONDS: Final = 30.0
_WAIT_SECONDS: Final = 60.0
_AFTER_DEATH_SECONDS: Final = 30.0
_DEADLY: Final = 1000
_QUESTIONS: Final = 50_000
_HEAD_BYTES: Final = 4 << 20
_LENGTHS: Final = struct.Struct(">II")
_START: Final = (
    "import sys\n"
    "if sys.argv[1] not in sys.path: sys.path.insert(0, sys.argv[1])\n"
    "from coverslip.imaging.readers.serving import main\n"
    "sys.exit(main())\n"
)


@dataclass(frozen=True, slots=True)
class File:
    """An original: the key it is kept open under, its path, and what its bytes are held against.

    ``nodes`` are called for when a process opens the file: the hashes (hex) of its 1 MiB blocks; None where
    nothing is known of them. ``root`` is what they fold to.
    """

    key: str
    path: str
    root: str = ""
    nodes: Callable[[], Sequence[str]] | None = None


class _Died(Exception):
    """A process gave no answer; says what was found instead."""


@dataclass(eq=False)
class _Reader:
    """One process and what it has open."""

    process: subprocess.Popen[bytes]
    known: set[str] = field(default_factory=set)
    asked: int = 0
    leaving: bool = False

    @property
    def usable(self) -> bool:
        """Whether it lives, means to stay, and has not served long enough."""
        return self.process.poll() is None and not self.leaving and self.asked < _QUESTIONS

    def ask(self, question: dict[str, Any], limits: Limits, deadline: float) -> tuple[dict[str, Any], bytes]:
        """Put one question. Raises _Died."""
        self.asked += 1
        self._send(json.dumps(question).encode() + b"\n", deadline)
        head, data = _LENGTHS.unpack(self._receive(_LENGTHS.size, deadline))
        if head > _HEAD_BYTES or data > limits.answer_bytes:
            raise _Died(f"an answer of {head + data} bytes")
        try:
            answer = json.loads(self._receive(head, deadline))
        except (ValueError, RecursionError) as error:
            raise _Died(f"no answer that can be read: {error}"[:200]) from error
        if not isinstance(answer, dict):
            raise _Died("no answer that can be read")
        self.leaving = answer.pop("leaving", False) is True
        return answer, self._receive(data, deadline)

    def kill(self) -> int:
        """End the process and return its status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return self.process.wait()

    def _send(self, data: bytes, deadline: float) -> None:
        target = self.process.stdin
        assert target is not None  # noqa: S101 - made with a pipe
        view = memoryview(data)
        while view:
            _ready(target.fileno(), select.POLLOUT, deadline)
            try:
                view = view[os.write(target.fileno(), view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise _Died("it was gone") from error

    def _receive(self, length: int, deadline: float) -> bytes:
        source = self.process.stdout
        assert source is not None  # noqa: S101 - made with a pipe
        if length == 0:
            return b""
        data = bytearray(length)
        view, at = memoryview(data), 0
        while at < length:
            _ready(source.fileno(), select.POLLIN, deadline)
            got = os.readv(source.fileno(), [view[at:]])
            if not got:
                raise _Died("its end")
            at += got
        return bytes(data)


class ReaderPool:
    """At most ``size`` reader processes, started when they are needed. Safe for many threads."""

    def __init__(self, size: int = 0, limits: Limits = LIMITS, seconds: float = SECONDS) -> None:
        self._size = size or max(2, min(4, os.cpu_count() or 2))
        self._limits, self._seconds = limits, seconds
        self._free: list[_Reader] = []
        self._all: set[_Reader] = set()
        self._starting = 0
        self._changed = threading.Condition()
        self._deadly: dict[str, tuple[float, Refusal]] = {}
        self._closed = False

    def ask(self, file: File, task: str, **more: Any) -> tuple[dict[str, Any], bytes] | Refusal:
        """Return what a reader answers about a file, or why the file is refused.

        Raises:
            EnvironmentFault: ENVIRONMENT, no process can be started or none became free in time.
        """
        known = self._deadly.get(file.key)
        if known is not None:
            if monotonic_s() < known[0]:
                return known[1]
            self._deadly.pop(file.key, None)
        question = {"task": task, "key": file.key, "seconds": int(self._seconds) + 1, **more}
        with self._lease(file.key) as reader:
            try:
                return self._put(reader, file, question)
            except _Died as death:
                return self._replace(reader, file, str(death))

    def close(self) -> None:
        """End all processes."""
        with self._changed:
            self._closed = True
            readers, self._free = list(self._all), []
            self._all.clear()
            self._changed.notify_all()
        for reader in readers:
            reader.kill()

    @property
    def processes(self) -> list[int]:
        """The ids of the processes there are."""
        with self._changed:
            return [reader.process.pid for reader in self._all]

    def _put(
        self, reader: _Reader, file: File, question: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes] | Refusal:
        deadline = monotonic_s() + self._seconds
        if file.key not in reader.known or question["task"] == "open":
            opened = self._open(reader, file, deadline)
            if isinstance(opened, Refusal) or question["task"] == "open":
                return opened
        answer, data = reader.ask(question, self._limits, deadline)
        if answer.get("closed") is True:  # it keeps a few files open only, and closed this one meanwhile
            opened = self._open(reader, file, deadline)
            if isinstance(opened, Refusal):
                return opened
            answer, data = reader.ask(question, self._limits, deadline)
        return _refused(answer) or (answer, data)

    def _open(self, reader: _Reader, file: File, deadline: float) -> tuple[dict[str, Any], bytes] | Refusal:
        question: dict[str, Any] = {
            "task": "open", "key": file.key, "path": file.path, "seconds": int(self._seconds) + 1,
        }  # fmt: skip
        if file.nodes is not None:
            question |= {"root": file.root, "nodes": list(file.nodes())}
        answer, data = reader.ask(question, self._limits, deadline)
        refusal = _refused(answer)
        if refusal is not None:
            return refusal
        reader.known.add(file.key)
        return answer, data

    def _replace(self, reader: _Reader, file: File, found: str) -> Refusal:
        """End a reader that failed a file, and refuse the file."""
        died = reader.process.poll()
        status = reader.kill()
        with self._changed:
            self._all.discard(reader)
        if died is None and found != "its end":
            refusal = Refusal(
                "limits", f"an answer within {self._seconds:g} s", f"{found}; the reader was stopped"
            )
        elif status == -signal.SIGXCPU:
            refusal = Refusal("limits", f"at most {self._limits.cpu_seconds} s of computing", "more")
        elif status < 0:
            name = signal.Signals(-status).name
            refusal = Refusal("parses", "a file the reader survives", f"the reader died of {name}")
        else:
            refusal = Refusal("parses", "a file the reader survives", f"the reader ended with {status}")
        if len(self._deadly) >= _DEADLY:
            self._deadly.clear()
        self._deadly[file.key] = (monotonic_s() + _AFTER_DEATH_SECONDS, refusal)
        return refusal

    @contextmanager
    def _lease(self, key: str) -> Iterator[_Reader]:
        reader = self._take(key)
        try:
            yield reader
        finally:
            with self._changed:
                if reader in self._all:
                    if reader.usable and not self._closed:
                        self._free.append(reader)
                    else:
                        self._all.discard(reader)
                        reader.kill()
                self._changed.notify()

    def _take(self, key: str) -> _Reader:
        until = monotonic_s() + _WAIT_SECONDS
        with self._changed:
            while True:
                if self._closed:
                    raise _fault("readers that are not closed", "closed ones")
                found = self._pick(key)
                if found is not None:
                    return found
                if len(self._all) + self._starting < self._size:
                    self._starting += 1
                    break
                if not self._changed.wait(until - monotonic_s()):
                    raise _fault("a free reader process", f"{len(self._all)} busy ones")
        try:
            reader = self._start()
        except _Died as death:
            raise _fault("to start a reader process", str(death)) from death
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify()
        with self._changed:
            self._all.add(reader)
        return reader

    def _pick(self, key: str) -> _Reader | None:
        """Return a free living reader, one that has the file open if there is one."""
        while self._free:
            at = next((n for n, one in enumerate(self._free) if key in one.known), len(self._free) - 1)
            reader = self._free.pop(at)
            if reader.process.poll() is None:
                return reader
            self._all.discard(reader)
            reader.kill()
        return None

    def _start(self) -> _Reader:
        command = [sys.executable, "-I", "-B", "-c", _START, PACKAGE_ROOT]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=ENVIRONMENT, cwd="/", start_new_session=True, bufsize=0,
            )  # fmt: skip
        except OSError as error:
            raise _fault("to start a reader process", str(error)) from error
        assert process.stdin is not None  # noqa: S101 - made with a pipe
        os.set_blocking(process.stdin.fileno(), False)
        reader = _Reader(process)
        try:
            reader.ask({"limits": asdict(self._limits)}, self._limits, monotonic_s() + _START_SECONDS)
        except _Died:
            reader.kill()
            raise
        return reader


def _ready(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - monotonic_s()) * 1000):
        raise _Died("none")


def _refused(answer: dict[str, Any]) -> Refusal | None:
    if "refused" not in answer:
        return None
    try:
        return refusal_from_answer(answer["refused"])
    except AnswerError as error:
        return Refusal("parses", "a reader's answer", f"something else: {error}"[:400])


def _fault(expected: str, found: str) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT",
        what="image reader",
        expected=expected,
        found=found,
        remedy="Free memory, or try again when fewer people look at images.",
    )
