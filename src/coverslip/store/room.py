"""Room on the database's disk: writing stops while there is still enough for everything but writing.

Rules kept here: below the reserve a command is refused before it begins, so that the server never meets
a full disk in the middle of its log, which would end it, and reading with it. Looked at at most once a
second; a disk that cannot be looked at (the database is elsewhere) refuses nothing.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from coverslip.errors import EnvironmentFault

RESERVE_BYTES: Final = 128 << 20
"""What the server needs without new commands: its log's spare segments, integration, a checkpoint."""
_LOOK_EVERY_S: Final = 1.0


class Room:
    """Free space of the file system that holds ``folder``. Used by several threads without harm."""

    def __init__(self, folder: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._folder, self._reserve = folder, reserve_bytes
        self._looked, self._free = float("-inf"), reserve_bytes

    def free(self) -> int:
        """Return the bytes free for the program's own account, at most a second old."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            try:
                found = os.statvfs(self._folder)
                self._free = found.f_bavail * found.f_frsize
            except OSError:
                self._free = self._reserve
        return self._free

    def insist(self) -> None:
        """Return while there is room. Raises STORAGE below the reserve."""
        free = self.free()
        if free < self._reserve:
            raise EnvironmentFault(
                "STORAGE",
                what=f"The database's disk ({free >> 20} MiB free, {self._reserve >> 20} MiB are kept back)",
            )
