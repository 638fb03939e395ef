"""The few file operations the vault needs, behind one seam.

Rules kept here: nothing follows a symbolic link in its last component, nothing created replaces
something that exists, writes are complete or fail. A subclass that fails on purpose shows what the
vault does when a disk is full or broken. Methods raise OSError; ``fault`` turns one into the
environment error a caller sees.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from coverslip.errors import EnvironmentFault

_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe must not hang us
_REMEDIES: Final = {
    errno.ENOSPC: "Free space on the vault's disk, then send the file again.",
    errno.EDQUOT: "Raise the quota of the vault's disk, then send the file again.",
    errno.EROFS: "Make the vault's disk writable; check why it became read-only.",
    errno.EIO: "The disk reports a fault: have it examined before sending again.",
    errno.EACCES: "Give the program's user access to the vault's folder.",
}


class Disk:
    """The real file system. Paths are absolute; offsets and sizes are bytes."""

    def make_directory(self, path: Path) -> None:
        """Create one directory (mode 0700) and make its name durable; an existing one is fine."""
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            return
        self.fsync_directory(path.parent)

    def create(self, path: Path) -> int:
        """Open a new file for writing and reading back, and return its descriptor."""
        return os.open(path, _CREATE, 0o600)

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of ``data`` at the current position."""
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def fsync(self, descriptor: int) -> None:
        """Wait until the file's bytes are on the device."""
        os.fsync(descriptor)

    def fsync_directory(self, path: Path) -> None:
        """Wait until the names in a directory are on the device."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def seal(self, descriptor: int) -> None:
        """Take away every write permission (mode 0444)."""
        os.fchmod(descriptor, 0o444)

    def rename(self, source: Path, target: Path) -> None:
        """Move a file within the vault. The caller holds the publishing lock and saw no target."""
        os.rename(source, target)

    def remove(self, path: Path) -> None:
        """Remove one file that never became visible; an absent one is fine."""
        path.unlink(missing_ok=True)

    def open_read(self, path: Path) -> int:
        """Open a file for reading and return its descriptor."""
        return os.open(path, _READ)

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``; fewer only at the end of the file."""
        parts: list[bytes] = []
        while size > 0 and (part := os.pread(descriptor, size, offset)):
            parts.append(part)
            size -= len(part)
            offset += len(part)
        return b"".join(parts)

    def forget_cache(self, descriptor: int) -> None:
        """Ask that the next read come from the device, where the system offers to."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def free(self, descriptor: int) -> int:
        """Return the bytes free on the disk of an open file."""
        found = os.fstatvfs(descriptor)
        return found.f_bavail * found.f_frsize

    def size(self, descriptor: int) -> int:
        """Return the length of an open file."""
        return os.fstat(descriptor).st_size

    @contextmanager
    def locked(self, path: Path) -> Iterator[None]:
        """Hold an exclusive lock on a lock file; every process and thread queues for it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def fault(act: str, error: OSError) -> EnvironmentFault:
    """Return the environment error for a failed file operation; ``act`` says what was attempted."""
    number = error.errno or 0
    if number in (errno.ENOSPC, errno.EDQUOT):
        return EnvironmentFault("STORAGE", what=f"The vault's disk ({act})", remedy=_REMEDIES[number])
    return EnvironmentFault(
        "ENVIRONMENT",
        what=f"vault, {act}",
        expected="the file system to do it",
        found=f"{errno.errorcode.get(number, 'error')} ({error.strerror or 'no reason given'})",
        remedy=_REMEDIES.get(number, "Lab IT examines the vault's disk; then send the file again."),
    )


@contextmanager
def guarded(act: str) -> Iterator[None]:
    """Turn every OSError inside into the environment error of ``act``."""
    try:
        yield
    except OSError as error:
        raise fault(act, error) from error
