"""Packing: the files of a home that are no table and no stored file, told apart into plain ones and keys.

Rules kept here: what is written is private and on the device before it counts; a key never lies among the
plain files, wherever in the home somebody put it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import Any, Final

from coverslip.bootstrap import backupset, wiring
from coverslip.bootstrap.moving import SCRATCH
from coverslip.ledger import canonical
from coverslip.settings import Home
from coverslip.store import backup as database

KEY_FOLDERS: Final = ("secrets", "signer", "export")
"""Folders of a home that hold secrets; the signer's journal in one of them is none."""
_NEVER: Final = frozenset({"run", "logs", "vault", SCRATCH})
"""Parts of a home that are made anew, or taken otherwise."""


def keep_keys(home: Home, place: Path) -> str:
    """Copy secrets and private keys into a folder named by their set; return the set's digest."""
    files = [one for one in _regular(home) if _is_key(home, one)]
    items = [{"path": str(one.relative_to(home.root)), "sha256": database.hash_of(one)} for one in files]
    said = canonical.encode({"v": 1, "installation": wiring.installation(home).uuid, "files": items})
    digest = hashlib.sha256(said).hexdigest()
    folder = place / f"keys-{digest[:16]}"
    if (folder / backupset.KEYS).exists():
        backupset.opened_keys(folder, digest)
        return digest
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place / f"{backupset.PARTIAL}{digest[:16]}"
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    for one, item in zip(files, items, strict=True):
        copy = draft / item["path"]
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(copy, one.read_bytes())
    write(draft / backupset.KEYS, said)
    draft.rename(folder)
    database.durable(place)
    return digest


def plain_files(home: Home, draft: Path) -> None:
    """Copy what else lies in the home: facts, public keys, anchors, settings."""
    for path in _regular(home):
        inside = path.relative_to(home.root)
        if inside.parts[0] in KEY_FOLDERS or _is_key(home, path):
            continue
        copy = draft / "home" / inside
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(copy, path.read_bytes())


def listed(draft: Path) -> list[dict[str, Any]]:
    """Return path, size and SHA-256 of every file of a draft, each flushed to its device."""
    found = []
    for path in sorted(one for one in draft.rglob("*") if one.is_file()):
        database.durable(path)
        inside = str(path.relative_to(draft))
        found.append({"path": inside, "size": path.stat().st_size, "sha256": database.hash_of(path)})
    return found


def write(path: Path, data: bytes) -> None:
    """Write a new private file and wait until it is on the device."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _regular(home: Home) -> list[Path]:
    """Return the regular files of a home, without databases (also those moved away), vault and logs."""
    found: list[Path] = []
    for top in sorted(home.root.iterdir()):
        if top.name.startswith("postgres") or top.name in _NEVER:
            continue
        files = sorted(top.rglob("*")) if top.is_dir() and not top.is_symlink() else [top]
        found += [one for one in files if stat.S_ISREG(one.lstat().st_mode)]
    return found


def _is_key(home: Home, path: Path) -> bool:
    secret = path.relative_to(home.root).parts[0] in KEY_FOLDERS or path.suffix in (".key", ".pem")
    return secret and path != home.signer / "journal"
