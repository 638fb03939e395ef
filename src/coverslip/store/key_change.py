"""The signer's files through a change of its key, in steps that can each be the last before a crash.

Rules kept here:

* The statement is written and flushed before anything else changes; from then on the old key signs nothing.
* The new key takes the old one's place by one rename. The old seed is gone then: kept, it could only forge.
* The journal goes on: the signer remembers what it signed with either key.
"""

from __future__ import annotations

import os
from pathlib import Path

from coverslip.errors import EnvironmentFault
from coverslip.ledger import note, rotation
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.store.notes import NoteKey, NoteVerifier, create_seed, read_seed
from coverslip.store.signer import KEY_FILE, ROTATION_FILE, Signed

NEXT_FILE = "signing.key.next"


def begun(folder: Path) -> bytes | None:
    """Return the statement of a change that has begun and not ended."""
    path = folder / ROTATION_FILE
    return path.read_bytes() if path.exists() else None


def begin(folder: Path, origin: str, last: Signed, at: str) -> bytes:
    """Make the next key and write the statement that both keys sign; return it. ``at`` in ledger form."""
    following = folder / NEXT_FILE
    following.unlink(missing_ok=True)
    old, new = NoteKey(origin, read_seed(folder / KEY_FILE)), NoteKey(origin, create_seed(following))
    said = rotation.Rotation(Checkpoint(origin, last.size, last.root), old.verifier_key, new.verifier_key, at)
    statement = note.sign(said.text(), [old, new]).to_bytes()
    _write(folder / ROTATION_FILE, statement, 0o600)
    return statement


def swap(folder: Path, origin: str, statement: bytes) -> None:
    """Put the next key in the old one's place, once. Raises ENVIRONMENT for any other key."""
    new = rotation.opened(statement, NoteVerifier).new
    if (folder / NEXT_FILE).exists():
        if NoteKey(origin, read_seed(folder / NEXT_FILE)).verifier_key != new:
            raise _other(folder / NEXT_FILE)
        (folder / NEXT_FILE).replace(folder / KEY_FILE)
        _flush(folder)
    if NoteKey(origin, read_seed(folder / KEY_FILE)).verifier_key != new:
        raise _other(folder / KEY_FILE)


def end(folder: Path) -> None:
    """Let the signer sign again."""
    (folder / ROTATION_FILE).unlink()
    _flush(folder)


def publish(path: Path, made: rotation.Rotation) -> None:
    """Put the new key into ``keys.txt``; the old one stays, for what it signed."""
    lines = path.read_text("utf-8").splitlines()
    old, new = made.old.format(), made.new.format()
    if new in lines:
        return
    at = lines.index(old) if old in lines else len(lines)
    said = f"# The key above signs since {made.at}; the one below signed up to {made.last.size} entries."
    lines[at:at] = [new, said]
    _write(path, ("\n".join(lines) + "\n").encode(), path.stat().st_mode & 0o777)


def _write(path: Path, data: bytes, mode: int) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _flush(path.parent)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _other(path: Path) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT", what=str(path), expected="the key that the statement names", found="another",
        remedy="Put the signer's folder back as it was when the change began.",
    )  # fmt: skip
