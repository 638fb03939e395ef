"""Damaged objects: set aside with their bytes kept, and put back from a replica that proves itself.

Rules kept here:

* Nothing is judged twice by halves: under the publishing lock an object is hashed again, and only one that
  still does not fit its name is moved.
* The damaged bytes and the sidecar are kept in quarantine with what was expected and what was found. A marker
  beside the empty place says where they went, so that a reader is told *damaged*, never *not found*.
* A replica is believed only by hash: what it gives must have the root asked for.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from coverslip.errors import EnvironmentFault
from coverslip.ledger import canonical
from coverslip.ledger.files import FileDigest
from coverslip.vault import fixity
from coverslip.vault.disk import Disk, guarded
from coverslip.vault.layout import Layout
from coverslip.vault.quarantine import Quarantined
from coverslip.vault.sidecar import Sidecar


class Replica(Protocol):
    """A second place for objects, such as another vault's folder."""

    def path(self, root: str) -> Path:
        """Return the object's file. Raises NOT_FOUND."""
        ...


def set_aside(disk: Disk, layout: Layout, root: str, about: Mapping[str, Any]) -> Quarantined | None:
    """Move an object that does not fit its name into quarantine; None where it fits after all, or is gone.

    ``about`` is the caller's account (canonical JSON values). One that cannot be read counts as damaged.
    Raises ENVIRONMENT when the disk refuses.
    """
    with guarded("setting a damaged object aside"), disk.locked(layout.publishing):
        if not os.path.lexists(layout.object(root)):
            return None
        digest = _digest(disk, layout.object(root))
        if digest is not None and digest.root.hex() == root:
            return None
        return _move(disk, layout, root, digest, about)


def mend_sidecar(disk: Disk, layout: Layout, root: str) -> bool:
    """Write the sidecar of a sound object anew; False where the object itself does not fit its name.

    The old one is kept in quarantine. Raises ENVIRONMENT when the disk refuses.
    """
    with guarded("writing a sidecar anew"), disk.locked(layout.publishing):
        digest = _digest(disk, layout.object(root))
        if digest is None or digest.root.hex() != root:
            return False
        target = layout.sidecar(root)
        if os.path.lexists(target):
            folder = _folder(disk, layout)
            disk.rename(target, folder / "sidecar.json")
            disk.fsync_directory(folder)
        _write_over(disk, layout, target, Sidecar.of(digest).encode())
        return True


def marker(layout: Layout, root: str) -> str:
    """Return the quarantine id under which the damaged bytes of this name are kept, empty if never."""
    try:
        return str(canonical.decode(layout.marker(root).read_bytes())["quarantine"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"


def _digest(disk: Disk, path: Path) -> FileDigest | None:
    try:
        return fixity.digest_of(disk, path)
    except EnvironmentFault:
        return None


def _move(
    disk: Disk, layout: Layout, root: str, digest: FileDigest | None, about: Mapping[str, Any]
) -> Quarantined:
    folder = _folder(disk, layout)
    found = "" if digest is None else digest.root.hex()
    sha256 = "" if digest is None else digest.sha256.hex()
    entry = Quarantined(
        folder.name, 0 if digest is None else digest.size, sha256, found, {**about, "object": root}
    )
    account = {"v": 1, "size": entry.size, "sha256": sha256, "root": found, "about": dict(entry.about)}
    _write_over(disk, layout, folder / "about.json", canonical.encode(account))
    _write_over(disk, layout, layout.marker(root), canonical.encode({"v": 1, "quarantine": folder.name}))
    disk.rename(layout.object(root), folder / "content")
    if os.path.lexists(layout.sidecar(root)):
        disk.rename(layout.sidecar(root), folder / "sidecar.json")
    disk.fsync_directory(folder)
    disk.fsync_directory(layout.object(root).parent)
    return entry


def _folder(disk: Disk, layout: Layout) -> Path:
    folder = layout.quarantine / str(uuid.uuid4())
    disk.make_directory(folder)
    return folder


def _write_over(disk: Disk, layout: Layout, target: Path, data: bytes) -> None:
    staged = layout.incoming / f"{uuid.uuid4()}.json"
    descriptor = disk.create(staged)
    try:
        disk.write(descriptor, data)
        disk.seal(descriptor)
        disk.fsync(descriptor)
    finally:
        os.close(descriptor)
    disk.rename(staged, target)
    disk.fsync_directory(target.parent)
