"""A witness's memory of one log: appended and flushed before anything is answered.

Rules kept here:

* A line is written whole and flushed to the disk before the cosignature leaves; a torn last line was
  never answered and is dropped.
* Only the end is read at start: a witness that has run for years starts at once.
* A journal is made once, when its log becomes known, and begins with a line that says so. One that is
  missing or empty is refused: a witness that forgot would cosign a second history.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coverslip.errors import EnvironmentFault, EvidenceBroken

_TAIL: Final = 1 << 20
_CONFLICTS: Final = 1 << 20
_FIRST: Final = b'{"begun":1}'


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that was cosigned: size, root (32 bytes) and the cosigned note."""

    size: int
    root: bytes
    note: bytes


class Journal:
    """Appends to a file of JSON lines. Not for several threads."""

    def __init__(self, path: Path) -> None:
        """Open a journal, dropping a torn last line. Raises ENVIRONMENT when it is missing or empty."""
        self._path = path
        if not path.exists() or path.stat().st_size == 0:
            raise EnvironmentFault(
                "ENVIRONMENT", what=str(path), expected="what this witness cosigned",
                found="nothing: the journal is missing or empty",
                remedy="Put it back from a copy. Without it the witness could cosign a second history: give"
                " the log to a new witness with another key instead.",
            )  # fmt: skip
        with open(path, "rb+") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _TAIL))
            tail = file.read()
            if tail and not tail.endswith(b"\n"):
                file.truncate(end - len(tail) + tail.rfind(b"\n") + 1)
                os.fsync(file.fileno())

    @classmethod
    def create(cls, path: Path) -> Journal:
        """Begin the journal of a log that was not known before. Raises FileExistsError if it has one."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_FIRST + b"\n")
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return cls(path)

    def append(self, seen: Seen) -> None:
        """Write one checkpoint and flush it."""
        line = json.dumps({"size": seen.size, "root": seen.root.hex(), "note": seen.note.decode()})
        append(self._path, line.encode() + b"\n")

    def recent(self) -> Iterator[Seen]:
        """Yield the newest checkpoints, oldest first. Raises EVIDENCE for a line that is none."""
        with open(self._path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _TAIL))
            lines = file.read().split(b"\n")[1 if end > _TAIL else 0 : -1]
        for line in lines:
            if line == _FIRST:
                continue
            try:
                value = json.loads(line)
                yield Seen(int(value["size"]), bytes.fromhex(value["root"]), str(value["note"]).encode())
            except (ValueError, KeyError, TypeError) as error:
                raise EvidenceBroken(
                    "EVIDENCE", what=f"witness journal {self._path}", expected="checkpoints", found=str(error)
                ) from error


def append(path: Path, data: bytes) -> None:
    """Append bytes to a file and flush them; take back what could not be written whole. Raises OSError."""
    with open(path, "ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) != len(data):
                raise OSError(f"{path} could not be written whole")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise


def keep_conflict(path: Path, request: bytes) -> None:
    """Keep a request that proves misconduct of a log's signer, in a file of at most 1 MiB."""
    if not path.exists() or path.stat().st_size + len(request) < _CONFLICTS:
        append(path, request + b"\n")
