"""Where things lie inside a vault.

``objects/ab/cd/<root hex>`` and ``<root hex>.json`` beside it, and ``<root hex>.aside`` where damaged bytes
of that name were set aside; ``incoming/<uuid>`` while a file is
received; ``quarantine/<uuid>/content`` and ``about.json`` for what was refused; ``locks/``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from coverslip.errors import Invalid
from coverslip.vault.disk import Disk, guarded

ROOT_NAME: Final = re.compile(r"[0-9a-f]{64}")


class Layout:
    """The folders of one vault. Nothing here reads or writes files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.objects = root / "objects"
        self.incoming = root / "incoming"
        self.quarantine = root / "quarantine"
        self.locks = root / "locks"

    def create(self, disk: Disk) -> None:
        """Make the folders that are missing. Raises ENVIRONMENT where the disk refuses."""
        with guarded("creating its folders"):
            for folder in (self.root, self.objects, self.incoming, self.quarantine, self.locks):
                disk.make_directory(folder)

    def object(self, root: str) -> Path:
        """Return where the object of this root lies, stored or not.

        Raises:
            Invalid: VAL_FORM, ``root`` is not 64 lower-case hexadecimal digits.
        """
        if not isinstance(root, str) or not ROOT_NAME.fullmatch(root):
            expected = "64 lower-case hexadecimal digits"
            raise Invalid("VAL_FORM", field="root", expected=expected, found=repr(root)[:80])
        return self.objects / root[:2] / root[2:4] / root

    def sidecar(self, root: str) -> Path:
        """Return where the sidecar of this root lies. Raises as ``object``."""
        return self.object(root).with_name(f"{root}.json")

    def marker(self, root: str) -> Path:
        """Return where it is said that damaged bytes of this name were set aside. Raises as ``object``."""
        return self.object(root).with_name(f"{root}.aside")

    @property
    def publishing(self) -> Path:
        """The lock file held while names are given."""
        return self.locks / "publish"
