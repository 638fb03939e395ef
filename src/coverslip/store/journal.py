"""The signer's journal: lines appended to one file, each flushed before it is answered.

Rules kept here:

* A line whose write or flush failed may be on the disk or not. What the file then shows counts as
  written: it is written once more in place and flushed before it is believed, for after a failed
  flush the system may hold a line that never reached the disk.
* Half a line was never answered and is cut off.
* A new file's name is flushed too. The file operations stand behind one seam, so that tests can fail
  each of them as "not done" and as "done but reported failed".
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class JournalDisk:
    """The real file operations. Each raises OSError."""

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of ``data`` at ``offset`` (bytes)."""
        view = memoryview(data)
        while view:
            done = os.pwrite(descriptor, view, offset)
            view, offset = view[done:], offset + done

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to ``size`` bytes."""
        os.ftruncate(descriptor, size)

    def fsync(self, descriptor: int) -> None:
        """Wait until the file's bytes are on the device."""
        os.fsync(descriptor)


class JournalFile:
    """One open, locked journal. Not for several threads."""

    def __init__(self, path: Path, disk: JournalDisk | None = None) -> None:
        """Open or make the file and lock it. Raises OSError; BlockingIOError when another holds it."""
        self._disk = disk or JournalDisk()
        self._path = path
        self._descriptor = os.open(path, _FLAGS, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def settle(self) -> None:
        """Cut half a line off, and make the last whole line durable. Raises OSError."""
        data = self._path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end != len(data):
            self._disk.truncate(self._descriptor, end)
        start = data.rfind(b"\n", 0, max(0, end - 1)) + 1
        if end > start:
            self._disk.write(self._descriptor, data[start:end], start)
        self._disk.fsync(self._descriptor)
        self._flush_name()

    def append(self, line: bytes) -> None:
        """Add a line (without its end) and flush. After OSError ``settle`` before anything else."""
        end = os.fstat(self._descriptor).st_size
        self._disk.write(self._descriptor, line + b"\n", end)
        self._disk.fsync(self._descriptor)

    def _flush_name(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
