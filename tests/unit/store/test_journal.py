"""The journal after a write that failed: what stands in it was written, half a line was not."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.ledger.tree import consistency_proof, leaf_hash, root_of
from coverslip.store.journal import JournalDisk, JournalFile
from coverslip.store.signer import Signer, read_journal

LEAVES = [leaf_hash(bytes([n])) for n in range(9)]


class Broken(JournalDisk):
    """Fails one operation once: before it, half way, or after it."""

    def __init__(self) -> None:
        self.plan: tuple[str, str, int] | None = None
        self.written: list[tuple[int, bytes]] = []

    def _strike(self, operation: str, moment: str) -> None:
        if self.plan is not None and self.plan[:2] == (operation, moment):
            number, self.plan = self.plan[2], None
            raise OSError(number, os.strerror(number))

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        self._strike("write", "before")
        if self.plan is not None and self.plan[:2] == ("write", "half"):
            super().write(descriptor, data[: len(data) // 2], offset)
            self._strike("write", "half")
        super().write(descriptor, data, offset)
        self.written.append((offset, data))
        self._strike("write", "after")

    def fsync(self, descriptor: int) -> None:
        self._strike("fsync", "before")
        super().fsync(descriptor)
        self._strike("fsync", "after")


@pytest.fixture
def disk() -> Broken:
    return Broken()


@pytest.fixture
def signer(tmp_path: Path, disk: Broken) -> Iterator[Signer]:
    Signer.create(tmp_path / "signer", "lab.example/log").close()
    made = Signer(tmp_path / "signer", "lab.example/log", disk)
    made.sign(3, root_of(LEAVES[:3]), [])
    yield made
    made.close()


@pytest.mark.parametrize(
    ("operation", "moment", "stands"),
    [
        ("write", "before", False), ("write", "half", False), ("write", "after", True),
        ("fsync", "before", True), ("fsync", "after", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_after_a_failed_write_the_journal_is_believed_and_no_size_is_signed_twice(
    signer: Signer, disk: Broken, tmp_path: Path, operation: str, moment: str, number: int, stands: bool
) -> None:
    disk.plan = (operation, moment, number)
    proof = consistency_proof(LEAVES[:5], 3)
    with pytest.raises(EnvironmentFault) as caught:
        signer.sign(5, root_of(LEAVES[:5]), proof)
    assert caught.value.code == ("STORAGE" if number == errno.ENOSPC else "ENVIRONMENT")
    last = signer.last()
    assert last is not None and last.size == (5 if stands else 3)
    signer.sign(5, root_of(LEAVES[:5]), proof)
    signer.sign(9, root_of(LEAVES), consistency_proof(LEAVES, 5))
    assert [one.size for one in read_journal(tmp_path / "signer" / "journal")] == [3, 5, 9]


def test_a_line_whose_flush_failed_is_written_once_more_before_it_is_believed(
    signer: Signer, disk: Broken
) -> None:
    """After a failed flush the system may call a page clean that never reached the disk."""
    disk.plan = ("fsync", "before", errno.EIO)
    with pytest.raises(EnvironmentFault):
        signer.sign(5, root_of(LEAVES[:5]), consistency_proof(LEAVES[:5], 3))
    line = disk.written[-1]
    disk.written.clear()
    assert signer.last() is not None
    assert disk.written == [line]


def test_while_the_disk_stays_broken_nothing_is_signed_and_afterwards_it_is(
    signer: Signer, disk: Broken
) -> None:
    for _ in range(3):
        disk.plan = ("fsync", "before", errno.EIO)
        with pytest.raises(EnvironmentFault):
            signer.sign(5, root_of(LEAVES[:5]), consistency_proof(LEAVES[:5], 3))
    assert signer.sign(5, root_of(LEAVES[:5]), consistency_proof(LEAVES[:5], 3)).size == 5


def test_only_one_holds_a_journal(tmp_path: Path) -> None:
    first = JournalFile(tmp_path / "journal")
    with pytest.raises(BlockingIOError):
        JournalFile(tmp_path / "journal")
    first.close()
    JournalFile(tmp_path / "journal").close()
