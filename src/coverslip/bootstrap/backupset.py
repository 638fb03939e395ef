"""Backups in a folder: how they lie there, and how one is opened and believed.

``TARGET/backup-set.json`` names the installation; ``TARGET/vault`` holds the objects of all its backups,
each once; ``TARGET/<name>/`` is one backup: ``manifest.json`` and ``manifest.sig``, ``database/`` (one file
a table), ``home/`` (other files of the home, and the signer's journal), ``objects.txt``, ``quarantined.txt``.

Rules kept here:

* A backup is complete or has no manifest: it is put together under another name and renamed at the end.
* The manifest names every file with its SHA-256 and is signed with the export key. A file that differs, is
  gone or is not named refuses the whole backup, and the refusal names it.
* Keys lie elsewhere, under the hash of their set, which the manifest names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from coverslip.errors import EnvironmentFault, EvidenceBroken, NotFound
from coverslip.ledger import canonical, note
from coverslip.ledger.failure import LedgerError
from coverslip.store.backup import hash_of
from coverslip.vault.local import LocalVault

FORMAT: Final = "coverslip-backup"
SET: Final = "backup-set.json"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
OBJECTS: Final = "objects.txt"
QUARANTINED: Final = "quarantined.txt"
PARTIAL: Final = ".partial-"
KEYS: Final = "keyset.json"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup whose manifest was opened and believed. ``hash`` is the manifest's SHA-256 in hex."""

    target: Path
    folder: Path
    manifest: dict[str, Any]
    hash: str

    @property
    def name(self) -> str:
        """Its name in the target."""
        return self.folder.name

    @property
    def size(self) -> int:
        """Entries in the tree it holds."""
        return int(self.manifest["tree"]["size"])

    @property
    def vault(self) -> LocalVault:
        """The objects of all backups of the target."""
        return LocalVault(self.target / "vault")

    def objects(self) -> Iterator[tuple[str, str, int]]:
        """Yield (root, SHA-256 in hex, size) of every object of this backup."""
        with open(self.folder / OBJECTS, encoding="ascii") as lines:
            for line in lines:
                root, sha256, size = line.split()
                yield root, sha256, int(size)


def signed_text(origin: str, manifest_hash: str) -> str:
    """Return what the export key signs of a backup."""
    return f"coverslip backup v1\n{origin}\n{manifest_hash}\n"


def names(target: Path) -> list[str]:
    """Return the names of complete backups, oldest first; empty where the folder is none of backups."""
    if not target.is_dir():
        return []
    return sorted(one.name for one in target.iterdir() if (one / MANIFEST).is_file() and one.name[0] != ".")


def opened(target: Path, name: str, verifiers: Sequence[note.Verifier]) -> Backup:
    """Open a backup of a target, the newest where ``name`` is empty, by keys obtained elsewhere.

    Raises NOT_FOUND when there is none; EVIDENCE when its manifest or signature does not hold.
    """
    known = names(target)
    if not known or (name and name not in known):
        raise NotFound("NOT_FOUND", what="complete backup", record=name or f"in {target}")
    folder = target / (name or known[-1])
    data = _bytes(folder / MANIFEST)
    found = hashlib.sha256(data).hexdigest()
    try:
        signature = note.parse(_bytes(folder / SIGNATURE))
        note.verify(signature, verifiers)
        manifest: dict[str, Any] = canonical.decode(data)
        if manifest["format"] != FORMAT or manifest["v"] != 1:
            raise _broken(f"backup {folder.name}", "a manifest of version 1", str(manifest["v"]))
        expected = signed_text(str(manifest["origin"]), found)
    except (LedgerError, KeyError, TypeError) as error:
        raise _broken(f"manifest of backup {folder.name}", "one the export key signed", str(error)) from error
    if signature.text != expected:
        raise _broken(f"manifest of backup {folder.name}", "the hash that was signed", found)
    return Backup(target, folder, manifest, found)


def check_files(backup: Backup, progress: Progress = lambda _: None) -> int:
    """Hash every file of the backup; return how many. Raises EVIDENCE naming the first that does not fit."""
    listed = {str(one["path"]): one for one in backup.manifest["files"]}
    here = {
        str(path.relative_to(backup.folder))
        for path in backup.folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
    } - {MANIFEST, SIGNATURE}
    for path in sorted(here ^ listed.keys()):
        expected, found = ("no such file", "a file") if path in here else ("a file", "none")
        raise _broken(f"file {path} of backup {backup.name}", expected, found)
    for path, one in sorted(listed.items()):
        progress(f"checking {path}")
        file = backup.folder / path
        found = "a link" if file.is_symlink() else hash_of(file)
        if found != one["sha256"]:
            raise _broken(f"file {path} of backup {backup.name}", f"SHA-256 {one['sha256']}", found)
    return len(listed)


def check_objects(backup: Backup, progress: Progress = lambda _: None) -> tuple[list[str], int, int]:
    """Hash every object of the backup again; return (sentences of what does not fit, objects, bytes)."""
    said: list[str] = []
    count = total = 0
    for root, _, size in backup.objects():
        count, total = count + 1, total + size
        progress(f"hashing object {count} of {backup.manifest['objects']['count']}")
        said += [
            f"object {root} of the backup is {one.kind}: expected {one.expected}, found {one.found}"
            for one in backup.vault.examine(root)
        ]
    return said, count, total


def keyset(folder: Path) -> list[Path]:
    """Return the folders of key sets in a place of keys; the folder itself where it is one."""
    if (folder / KEYS).is_file():
        return [folder]
    return sorted(one for one in folder.iterdir() if (one / KEYS).is_file()) if folder.is_dir() else []


def opened_keys(folder: Path, digest: str) -> Path:
    """Return the folder of the key set with this digest, every file of it hashed.

    Raises NOT_FOUND when it is not there; EVIDENCE when one of its files is not the one that was kept.
    """
    for one in keyset(folder):
        data = _bytes(one / KEYS)
        if hashlib.sha256(data).hexdigest() != digest:
            continue
        for item in canonical.decode(data)["files"]:
            if hash_of(one / str(item["path"])) != item["sha256"]:
                raise _broken(f"key file {item['path']} in {one}", "the one kept", "another")
        return one
    raise NotFound("NOT_FOUND", what="set of keys", record=f"{digest[:16]}… in {folder}")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EnvironmentFault(
            "ENVIRONMENT", what=str(path), expected="a readable file", found=error.strerror or str(error)
        ) from error


def _broken(what: str, expected: str, found: str) -> EvidenceBroken:
    return EvidenceBroken("EVIDENCE", what=what, expected=expected, found=found)
