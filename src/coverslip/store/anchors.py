"""Anchors: checkpoints put where the server's owner cannot silently change them.

Rules kept here: a file anchor is appended and flushed, never rewritten; each note is followed by an
empty line, so that the file is readable and splits again into notes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Anchor(Protocol):
    """A place outside the database that keeps checkpoints."""

    @property
    def type(self) -> str:
        """Kind of place, as recorded."""
        ...

    @property
    def target(self) -> str:
        """Where it is, as recorded."""
        ...

    def put(self, note: bytes) -> bytes:
        """Keep a checkpoint note; return the evidence of it. Raises OSError when it cannot."""
        ...


@dataclass(frozen=True, slots=True)
class FileAnchor:
    """A file, best on another host: one in the home (``anchors/checkpoints``) is not independent."""

    path: Path

    @property
    def type(self) -> str:
        """Kind of place, as recorded."""
        return "file"

    @property
    def target(self) -> str:
        """Where it is, as recorded."""
        return str(self.path)

    def put(self, note: bytes) -> bytes:
        """Append a note and flush it; a torn end of an earlier append is closed first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab+") as file:
            end = file.seek(0, os.SEEK_END)
            lead = b""
            if end:
                file.seek(max(0, end - 2))
                lead = b"" if file.read() == b"\n\n" else b"\n\n"
            file.write(lead + note + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return note


def read_file_anchor(path: Path) -> list[bytes]:
    """Return the notes of an anchor file in order; anything that is no note is returned as it is."""
    if not path.exists():
        return []
    pieces = path.read_bytes().split(b"\n\n")
    notes: list[bytes] = []
    waiting: bytes | None = None
    for piece in pieces:
        text = piece.strip(b"\n")
        if not text:
            continue
        if text.startswith("— ".encode()):
            notes.append((waiting or b"") + b"\n\n" + text + b"\n")
            waiting = None
        else:
            if waiting is not None:
                notes.append(waiting)
            waiting = text
    if waiting is not None:
        notes.append(waiting)
    return notes
