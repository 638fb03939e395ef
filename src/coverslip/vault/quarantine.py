"""Refused deliveries: the bytes are kept, apart from the objects, with why they were refused.

Nothing in quarantine is ever read as an object. Taking a file out again is a new delivery.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from coverslip.errors import NotFound
from coverslip.ledger import canonical
from coverslip.ledger.failure import CanonicalError
from coverslip.ledger.files import BLOCK_SIZE, ChunkTree
from coverslip.vault.disk import Disk, guarded
from coverslip.vault.layout import Layout
from coverslip.vault.receiving import Receiving

_READ: Final = 4 * BLOCK_SIZE


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A kept, refused delivery. ``about`` is the caller's account of it, in canonical JSON values."""

    id: str
    size: int
    sha256: str
    root: str
    about: Mapping[str, Any]


def quarantine(disk: Disk, layout: Layout, receiving: Receiving, about: Mapping[str, Any]) -> Quarantined:
    """Move a received file into quarantine and return its account.

    ``about`` says why: strings, integers, booleans, lists and maps of them (canonical JSON).

    Raises:
        CanonicalError: ``about`` is outside the canonical profile; nothing is moved.
        EnvironmentFault: ENVIRONMENT when the disk refuses; nothing half-done is listed.
    """
    digest = receiving.digest
    entry = Quarantined(receiving.path.name, digest.size, digest.sha256.hex(), digest.root.hex(), dict(about))
    account = canonical.encode(
        {"v": 1, "size": entry.size, "sha256": entry.sha256, "root": entry.root, "about": entry.about}
    )
    folder = layout.quarantine / entry.id
    with guarded("moving a delivery into quarantine"):
        disk.make_directory(folder)
        _write(disk, folder / "about.json", account)
        receiving.seal()
        disk.rename(receiving.path, folder / "content")
        disk.fsync_directory(folder)
        disk.fsync_directory(layout.incoming)
    receiving.decided()
    return entry


def quarantined(layout: Layout) -> list[Quarantined]:
    """Return everything in quarantine, by id. Raises ENVIRONMENT when it cannot be read."""
    with guarded("listing the quarantine"):
        folders = sorted(path for path in layout.quarantine.iterdir() if (path / "content").exists())
        return [_entry(folder) for folder in folders]


def content(layout: Layout, entry_id: str) -> Path:
    """Return where the bytes of one quarantined delivery lie. Raises NOT_FOUND for an unknown id."""
    known = {entry.id for entry in quarantined(layout)}
    if entry_id not in known:
        raise NotFound("NOT_FOUND", what="quarantined delivery", record=entry_id)
    return layout.quarantine / entry_id / "content"


def changed(layout: Layout) -> list[str]:
    """Hash what is kept again; return the ids whose bytes or account are not those that were kept.

    An account changed together with its bytes fits again; the ledger's entry about it tells.
    """
    found = []
    with guarded("reading the quarantine"):
        for folder in sorted(path for path in layout.quarantine.iterdir() if path.is_dir()):
            try:
                entry = _entry(folder)
                tree = ChunkTree()
                with (folder / "content").open("rb") as file:
                    while data := file.read(_READ):
                        tree.update(data)
                digest = tree.finish()
            except (FileNotFoundError, CanonicalError, KeyError, TypeError):
                found.append(folder.name)
                continue
            if (digest.size, digest.root.hex(), digest.sha256.hex()) != (
                entry.size,
                entry.root,
                entry.sha256,
            ):
                found.append(folder.name)
    return found


def _entry(folder: Path) -> Quarantined:
    value = canonical.decode((folder / "about.json").read_bytes())
    return Quarantined(folder.name, value["size"], value["sha256"], value["root"], value["about"])


def _write(disk: Disk, path: Path, data: bytes) -> None:
    descriptor = disk.create(path)
    try:
        disk.write(descriptor, data)
        disk.seal(descriptor)
        disk.fsync(descriptor)
    finally:
        os.close(descriptor)
