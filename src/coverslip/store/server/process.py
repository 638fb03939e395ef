"""The lock of a home's server, and the live processes of a data directory.

Rules kept here:

* One supervisor per home: an exclusive ``flock`` that dies with its holder and is never inherited,
  neither by a started program nor by a forked child.
* A process belongs to a data directory by what it is (its name, its working folder), never by a
  number in a file alone: numbers are reused, and copied with a copied home.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
import weakref
from dataclasses import dataclass
from pathlib import Path

from coverslip.errors import EnvironmentFault
from coverslip.store.server import config

_PROC = Path("/proc")
_NAMES = ("postgres", "postmaster")
_TITLE = b"postgres: "


class HomeLock:
    """Exclusive lock of the supervisor of one home, in a file naming its holder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        _LOCKS.add(self)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def acquire(self) -> None:
        """Take the lock; doing so twice is harmless.

        Raises EnvironmentFault naming the holder when another supervisor has it.
        """
        if self._handle is not None:
            return
        handle = self._open()
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise EnvironmentFault(
                "ENVIRONMENT",
                what=f"database server of the home of {self._path}",
                expected="no other Coverslip process in charge of it",
                found=f"process {holder} holds the lock",
                remedy=f"Use the running one, or stop process {holder} first.",
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
        self._handle = handle

    def _open(self) -> int:
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except PermissionError as error:
            raise EnvironmentFault(
                "ENVIRONMENT",
                what=f"lock {self._path}",
                expected="a file this account may write",
                found="permission denied",
                remedy="Run as the account that owns the home.",
            ) from error
        owner = os.stat(self._path.parent)
        if os.geteuid() == 0 and os.fstat(handle).st_uid != owner.st_uid:
            os.fchown(handle, owner.st_uid, owner.st_gid)
        return handle

    def release(self) -> None:
        """Give the lock back; doing so without it is harmless. The file stays."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


_LOCKS: weakref.WeakSet[HomeLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # Closing a forked copy leaves the parent's lock alone; keeping it would outlive the parent.
    for lock in list(_LOCKS):
        lock.release()


os.register_at_fork(after_in_child=_forget_in_child)


@dataclass(frozen=True, slots=True)
class Live:
    """What runs on a data directory: the postmaster, if any, and every other server process."""

    postmaster: int | None
    ours: bool
    others: tuple[int, ...]


def find_live(data: Path) -> Live:
    """Return the live server processes whose directory is ``data``; never raises for vanished ones."""
    found = _candidates(data)
    postmaster, ours = None, False
    others: list[int] = []
    for process in found:
        line = _command_line(process)
        # A new child still shows the postmaster's command line, an ending one shows none.
        if not line or line.startswith(_TITLE) or _parent(process) in found:
            others.append(process)
        else:
            postmaster, ours = process, config.MARKER.encode("ascii") in line.split(b"\0")
    return Live(postmaster, ours, tuple(others))


def alive(process: int) -> bool:
    """Whether a process of this number exists and is no zombie."""
    try:
        stat = (_PROC / str(process) / "stat").read_bytes()
    except OSError:
        return False if _PROC.is_dir() else _signallable(process)
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")


def wait_gone(processes: tuple[int, ...], seconds: float) -> bool:
    """Wait until none of ``processes`` lives; False when ``seconds`` were not enough."""
    end = time.monotonic() + seconds
    while any(alive(process) for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def send(process: int, number: signal.Signals) -> None:
    """Signal ``process``; one that is gone already is no fault."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def clear_orphans(data: Path) -> None:
    """End server processes that outlived their postmaster; they may not write beside a new one.

    They notice by themselves as a rule; one in a long computation is killed, which is what the
    crash recovery of the next start is for. Raises EnvironmentFault if one cannot be ended.
    """
    for number, seconds in ((None, 2.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 10.0)):
        left = find_live(data).others
        if number is not None:
            for process in left:
                send(process, number)
        if wait_gone(left, seconds):
            return
    raise EnvironmentFault(
        "ENVIRONMENT",
        what=f"processes of a former server of {data}",
        expected="none",
        found=", ".join(map(str, find_live(data).others)),
        remedy="End these processes, then start again.",
    )


def _candidates(data: Path) -> list[int]:
    if not _PROC.is_dir() or not data.is_dir():
        recorded = _recorded(data)
        return [recorded] if recorded is not None and _signallable(recorded) else []
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and _belongs(entry, data)]


def _belongs(entry: Path, data: Path) -> bool:
    try:
        if (entry / "comm").read_text("utf-8", "replace").strip() not in _NAMES:
            return False
    except OSError:
        return False
    try:
        return os.path.samefile(entry / "cwd", data)
    except FileNotFoundError:
        return False
    except PermissionError:
        # Without the right to look, the command line is what everybody may read.
        return os.fsencode(data) in _command_line(int(entry.name)).split(b"\0")
    except OSError:
        return False


def _parent(process: int) -> int | None:
    try:
        stat = (_PROC / str(process) / "stat").read_bytes()
    except OSError:
        return None
    return int(stat.rpartition(b")")[2].split()[1])


def _command_line(process: int) -> bytes:
    """Return the arguments separated by zero bytes; empty for a process that is ending or gone."""
    if not _PROC.is_dir():
        argv = ["/bin/ps", "-ww", "-o", "args=", "-p", str(process)]
        said = subprocess.run(argv, capture_output=True, check=False, timeout=20).stdout
        return said.strip().replace(b" -", b"\0-").replace(b" cluster_name=", b"\0cluster_name=")
    try:
        return (_PROC / str(process) / "cmdline").read_bytes()
    except OSError:
        return b""


def _recorded(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text("ascii").splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _signallable(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
