"""Taking in one file: hash while it streams, make it durable, read it back, then decide.

Rules kept here:

* The bytes are read from the source once; chunk tree and flat SHA-256 come from that one pass.
* After the flush to disk the file is read back and hashed again; a difference is a disk fault.
* A received file is decided exactly once: kept, quarantined or discarded. Leaving it undecided
  discards it. Until then it carries a lock, so that sweeping never takes a file still in use.
* At most a few MiB are in memory, whatever the size.
* A delivery never takes the disk's last room: the database may live on the same one, and a full disk
  would end it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import uuid
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from coverslip.errors import EnvironmentFault, Invalid
from coverslip.ledger.files import ChunkTree, FileDigest
from coverslip.vault.disk import Disk, guarded
from coverslip.vault.layout import Layout

READ_SIZE: Final = 1 << 20
_AHEAD: Final = 4
"""How many MiB the hashing thread may lag behind the writing one."""
SWEEP_AFTER_SECONDS: Final = 24 * 3600
RESERVE_BYTES: Final = 128 << 20
"""Room that deliveries leave on the vault's disk."""
_LOOK_EVERY: Final = 64 << 20


class Stream(Protocol):
    """Anything that hands out bytes in order, ending with an empty answer."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file in ``incoming`` that nobody decided.

    ``modified`` in seconds since 1970; ``busy``: somebody still holds its lock.
    """

    name: str
    size: int
    modified: float
    busy: bool


class Receiving:
    """One received, durable, read-back file that is not yet visible. Use it as a context manager."""

    def __init__(self, disk: Disk, path: Path, descriptor: int, digest: FileDigest) -> None:
        self._disk = disk
        self.path = path
        self.digest = digest
        self._descriptor = descriptor

    @property
    def root(self) -> str:
        """The name the object would have, in hexadecimal."""
        return self.digest.root.hex()

    @property
    def open(self) -> bool:
        """Whether it is still undecided."""
        return self._descriptor >= 0

    def undecided(self) -> Receiving:
        """Return this file. Raises ValueError if it was kept, quarantined or discarded before."""
        if not self.open:
            raise ValueError("this delivery was decided before")
        return self

    def seal(self) -> None:
        """Take away write permission and flush, before the file is given its final place."""
        self._disk.seal(self._descriptor)
        self._disk.fsync(self._descriptor)

    def decided(self) -> None:
        """Release the lock; the file has its final place, or is gone."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def discard(self) -> None:
        """Forget the bytes. Raises ENVIRONMENT if they cannot be removed (a sweep takes them later)."""
        if not self.open:
            return
        try:
            with guarded("removing an unwanted delivery"):
                self._disk.remove(self.path)
        finally:
            self.decided()

    def __enter__(self) -> Receiving:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


def receive(disk: Disk, layout: Layout, source: Stream | Path, limit_bytes: int) -> Receiving:
    """Take a file in and return it undecided.

    Raises:
        Invalid: TOO_LARGE above ``limit_bytes``; VAL_FORM where a source path is no regular file or
            changed while it was read.
        EnvironmentFault: ENVIRONMENT when disk or source fail, or the read-back differs.
    """
    if not isinstance(source, Path):
        return _take(disk, layout, source, limit_bytes)
    with guarded("opening a delivered file"):
        descriptor = disk.open_read(source)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise Invalid("VAL_FORM", field="file", expected="a regular file", found="something else")
        receiving = _take(disk, layout, _Opened(disk, descriptor), limit_bytes)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        receiving.discard()
        expected = "a file nobody is writing"
        raise Invalid("VAL_FORM", field="file", expected=expected, found="a change while it was read")
    return receiving


class _Opened:
    """An open file as a stream."""

    def __init__(self, disk: Disk, descriptor: int) -> None:
        self._disk = disk
        self._descriptor = descriptor
        self._offset = 0

    def read(self, size: int, /) -> bytes:
        data = self._disk.read(self._descriptor, size, self._offset)
        self._offset += len(data)
        return data


def _take(disk: Disk, layout: Layout, source: Stream, limit: int) -> Receiving:
    path = layout.incoming / str(uuid.uuid4())
    with guarded("opening a file for a delivery"):
        descriptor = disk.create(path)
    kept = False
    try:
        with guarded("receiving a delivery"):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            digest = _copy(disk, source, descriptor, limit)
            disk.fsync(descriptor)
            _read_back(disk, descriptor, digest)
        kept = True
        return Receiving(disk, path, descriptor, digest)
    finally:
        if not kept:
            Receiving(disk, path, descriptor, ChunkTree().finish()).discard()


def _copy(disk: Disk, source: Stream, descriptor: int, limit: int) -> FileDigest:
    tree = ChunkTree()
    size = 0
    pending: deque[Future[None]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="vault-hash") as pool:
        while block := source.read(READ_SIZE):
            size += len(block)
            if size > limit:
                raise Invalid("TOO_LARGE", what="the file", size="larger", limit=f"{limit} bytes")
            if size // _LOOK_EVERY != (size - len(block)) // _LOOK_EVERY or size == len(block):
                _insist_room(disk, descriptor)
            pending.append(pool.submit(tree.update, block))
            disk.write(descriptor, block)
            if len(pending) > _AHEAD:
                pending.popleft().result()
        for waiting in pending:
            waiting.result()
    return tree.finish()


def _insist_room(disk: Disk, descriptor: int) -> None:
    if disk.free(descriptor) < RESERVE_BYTES + _LOOK_EVERY:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read_back(disk: Disk, descriptor: int, digest: FileDigest) -> None:
    disk.forget_cache(descriptor)
    found = hashlib.sha256()
    offset = 0
    while block := disk.read(descriptor, READ_SIZE, offset):
        found.update(block)
        offset += len(block)
    if (offset, found.digest()) != (digest.size, digest.sha256):
        raise EnvironmentFault(
            "ENVIRONMENT",
            what="vault, reading back a delivery",
            expected=f"{digest.size} bytes with SHA-256 {digest.sha256.hex()}",
            found=f"{offset} bytes with SHA-256 {found.hexdigest()}",
            remedy="The disk does not keep what is written: have disk and memory examined.",
        )


def leftovers(disk: Disk, layout: Layout) -> list[Leftover]:
    """Return what lies in ``incoming``, by name. Raises ENVIRONMENT when it cannot be listed."""
    with guarded("listing incoming files"):
        found = [_leftover(disk, path) for path in sorted(layout.incoming.iterdir())]
    return [item for item in found if item is not None]


def sweep(disk: Disk, layout: Layout, now: float) -> list[Leftover]:
    """Remove leftovers older than a day that nobody holds, and return them.

    ``now`` is the caller's clock in seconds since 1970. Raises ENVIRONMENT when the disk refuses.
    """
    idle = [item for item in leftovers(disk, layout) if not item.busy]
    old = [item for item in idle if now - item.modified > SWEEP_AFTER_SECONDS]
    with guarded("removing abandoned deliveries"):
        for item in old:
            disk.remove(layout.incoming / item.name)
    return old


def _leftover(disk: Disk, path: Path) -> Leftover | None:
    try:
        descriptor = disk.open_read(path)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(descriptor)
        return Leftover(path.name, status.st_size, status.st_mtime, _busy(descriptor))
    finally:
        os.close(descriptor)


def _busy(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
