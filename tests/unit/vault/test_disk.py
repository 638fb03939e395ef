"""When the disk fails, the vault says so and shows nothing half-done."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.vault import LocalVault
from coverslip.vault.disk import Disk

LIMIT = 1 << 30


class FaultyDisk(Disk):
    """Fails the ``after``-th call of one operation and all later ones, until repaired."""

    def __init__(self, operation: str, number: int, after: int = 1) -> None:
        self.operation = operation
        self.number = number
        self.left = after
        self.broken = False

    def _step(self, operation: str) -> None:
        if self.broken and operation == self.operation:
            self.left -= 1
            if self.left <= 0:
                raise OSError(self.number, "made to fail")

    def write(self, descriptor: int, data: bytes) -> None:
        self._step("write")
        super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self._step("fsync")
        super().fsync(descriptor)

    def fsync_directory(self, path: Path) -> None:
        self._step("fsync_directory")
        super().fsync_directory(path)

    def rename(self, source: Path, target: Path) -> None:
        self._step("rename")
        super().rename(source, target)

    def seal(self, descriptor: int) -> None:
        self._step("seal")
        super().seal(descriptor)

    def create(self, path: Path) -> int:
        self._step("create")
        return super().create(path)


class LyingDisk(Disk):
    """Writes something other than it was told."""

    def write(self, descriptor: int, data: bytes) -> None:
        super().write(descriptor, b"\x00" * len(data))


FAULTS = [
    ("create", errno.EACCES, 1),
    ("write", errno.ENOSPC, 1),
    ("write", errno.ENOSPC, 3),
    ("write", errno.EIO, 4),
    ("fsync", errno.EIO, 1),
    ("fsync", errno.EIO, 2),
    ("fsync", errno.EIO, 3),
    ("seal", errno.EROFS, 1),
    ("seal", errno.EROFS, 2),
    ("create", errno.ENOSPC, 2),
    ("rename", errno.EIO, 1),
    ("rename", errno.EIO, 2),
]


@pytest.mark.parametrize(("operation", "number", "after"), FAULTS)
def test_a_failing_disk_is_an_environment_error_and_nothing_is_visible(
    tmp_path: Path, operation: str, number: int, after: int
) -> None:
    disk = FaultyDisk(operation, number, after)
    vault = LocalVault(tmp_path / "v", disk)
    data = bytes(range(256)) * 4096 * 3
    disk.broken = True
    with pytest.raises(EnvironmentFault) as caught:
        vault.store(io.BytesIO(data), LIMIT)
    assert caught.value.remedy
    if number == errno.ENOSPC:
        assert caught.value.code == "STORAGE" and caught.value.status == 507
    else:
        assert caught.value.code == "ENVIRONMENT" and errno.errorcode[number] in caught.value.message
    disk.broken = False
    assert vault.check().findings == ()
    assert vault.check().objects == 0
    assert vault.leftovers() == []
    stored = vault.store(io.BytesIO(data), LIMIT)
    assert vault.check([stored.root]).ok


def test_a_failed_directory_flush_is_told_and_the_same_file_can_be_sent_again(tmp_path: Path) -> None:
    disk = FaultyDisk("fsync_directory", errno.EIO, after=3)
    vault = LocalVault(tmp_path / "v", disk)
    disk.broken = True
    with pytest.raises(EnvironmentFault):
        vault.store(io.BytesIO(b"abc"), LIMIT)
    disk.broken = False
    stored = vault.store(io.BytesIO(b"abc"), LIMIT)
    assert vault.check([stored.root]).ok


def test_a_disk_that_keeps_other_bytes_is_caught_by_reading_back(tmp_path: Path) -> None:
    vault = LocalVault(tmp_path / "v", LyingDisk())
    with pytest.raises(EnvironmentFault, match="reading back"):
        vault.store(io.BytesIO(b"abc"), LIMIT)
    assert vault.check().objects == 0
    assert vault.leftovers() == []


@pytest.mark.parametrize(("operation", "after"), [("create", 2), ("rename", 1), ("seal", 2)])
def test_a_quarantine_that_fails_lists_nothing_and_keeps_no_half(
    tmp_path: Path, operation: str, after: int
) -> None:
    disk = FaultyDisk(operation, errno.EIO, after)
    vault = LocalVault(tmp_path / "v", disk)
    disk.broken = True
    with pytest.raises(EnvironmentFault), vault.receive(io.BytesIO(b"abc"), LIMIT) as received:
        vault.quarantine(received, {"why": "test"})
    assert vault.quarantined() == []


def test_a_source_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(errno.ECONNRESET, "peer went away")
            return super().read(size)

    vault = LocalVault(tmp_path / "v")
    with pytest.raises(EnvironmentFault, match="ECONNRESET"):
        vault.store(Breaking(b"x" * (3 << 20)), LIMIT)
    assert vault.leftovers() == []
