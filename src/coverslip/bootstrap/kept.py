"""Checkpoints kept elsewhere, as an operator names them: a file of notes, or a folder of such files.

Rules kept here: a place that is not there is wrong usage, and a place without a single checkpoint of this log
tells nothing: neither is ever taken for a place that agrees.
"""

from __future__ import annotations

from pathlib import Path

from coverslip.client.errors import misuse
from coverslip.errors import EnvironmentFault
from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.failure import LedgerError
from coverslip.store.anchors import read_file_anchor


def insist_there(
    option: str, path: Path | None, expected: str = "a file or folder that is there", *, folder: bool = True
) -> None:
    """Return if the path an option names is there, or none is named. Raises ``MisuseError`` if not.

    ``folder`` False: a folder is none.
    """
    if path is not None and not (path.exists() if folder else path.is_file()):
        found = f"{path}, which is a folder" if path.is_dir() else f"{path}, which is not there"
        raise misuse(option, expected, found, "Look at the path; nothing was done.")


def kept_notes(path: Path, origin: str) -> list[bytes]:
    """Return every note kept in a file or in the files of a folder, good or bad.

    Raises ``MisuseError`` where the path is not there; ENVIRONMENT where it cannot be read, or holds no
    checkpoint of the log ``origin``.
    """
    insist_there("--anchors", path)
    try:
        files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
        notes = [data for one in files for data in read_file_anchor(one)]
    except OSError as error:
        raise _nothing(path, origin, error.strerror or str(error)) from error
    if not any(claims(data, origin) for data in notes):
        raise _nothing(path, origin, f"none in {len(notes)} notes" if notes else "no note")
    return notes


def claims(data: bytes, origin: str) -> bool:
    """Whether a note reads as a checkpoint of the log ``origin``, whoever signed it."""
    try:
        return Checkpoint.parse(note.parse(data).text).origin == origin
    except LedgerError:
        return False


def _nothing(path: Path, origin: str, found: str) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT", what=str(path), expected=f"a checkpoint of {origin}", found=found,
        remedy="Name the place where checkpoints of this log were kept. Nothing was compared with it.",
    )  # fmt: skip
