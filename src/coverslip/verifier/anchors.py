"""Checkpoints held outside the bundle (``--anchors``) and copies of them inside it.

Rules kept here:

* An anchor counts only if the log's trusted key signed it; whatever else lies in the folder is named.
* Every anchored checkpoint must be a prefix of the log: a larger one means that this log was rolled
  back (or the bundle is older), another root at its size that there are two histories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint, CheckpointError
from coverslip.ledger.leaf import parse_time
from coverslip.verifier.keys import Trust
from coverslip.verifier.recovery import Recovery
from coverslip.verifier.report import BundleError, Report, UsageError

MAX_FILE: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Anchor:
    """One anchored checkpoint and where it was found."""

    source: str
    checkpoint: Checkpoint
    signers: tuple[int, ...] = ()
    """Ids of the log's keys that signed it."""
    cosigned: tuple[tuple[str, int], ...] = ()
    """Trusted witnesses that cosigned it, with the POSIX second each saw it at."""


def load(folder: Path, log: str, trust: Trust, report: Report) -> list[Anchor]:
    """Read the anchors of ``log`` from a folder (or one file) of signed checkpoints.

    Raises UsageError if there is no such folder. What cannot be read is undetermined, never ignored.
    """
    if not folder.exists():
        raise UsageError(f"there is no {folder}")
    paths = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else [folder]
    paths = [path for path in paths if path.suffix != ".tsr"]
    found = []
    for path in paths:
        try:
            if path.stat().st_size > MAX_FILE:
                raise BundleError("too large for checkpoints")
            found += list(read(path.read_bytes(), str(path), log, trust))
        except (BundleError, OSError) as error:
            report.undetermined.append(f"The anchor file {path} could not be used: {error}")
    if not found:
        report.undetermined.append(f"No anchor of the log {log} was found in {folder}.")
    return found


def read(data: bytes, source: str, log: str, trust: Trust) -> Iterator[Anchor]:
    """Yield the checkpoints of one file: one signed note or several after each other.

    Raises BundleError at the first that is not a checkpoint of ``log`` signed by its trusted key.
    """
    for one in _notes(data):
        try:
            sealed = note.parse(one)
            signers = tuple(one.key_id for one in note.verify(sealed, trust.named(log)))
            seen = _cosigned(sealed, trust)
            checkpoint = Checkpoint.parse(sealed.text)
        except (note.NoteError, CheckpointError) as error:
            raise BundleError(str(error)) from None
        if checkpoint.origin != log:
            raise BundleError(f"it is of the log {checkpoint.origin}")
        yield Anchor(source, checkpoint, signers, seen)


def _cosigned(sealed: note.Note, trust: Trust) -> tuple[tuple[str, int], ...]:
    """Return which trusted witnesses cosigned a note, and when. Raises NoteError for a false cosignature."""
    found = {(one.name, one.key_id) for one in sealed.signatures}
    known = [one for one in trust.witnesses() if (one.name, one.key_id) in found]
    made = note.verify(sealed, known) if known else ()
    return tuple((one.name, int.from_bytes(one.signature[:8], "big")) for one in made)


def _notes(data: bytes) -> Iterator[bytes]:
    """Split after each group of signature lines."""
    lines: list[bytes] = []
    for line in data.splitlines(keepends=True):
        if lines and lines[-1].startswith("— ".encode()) and not line.startswith("— ".encode()):
            yield b"".join(lines)
            lines = []
            if not line.strip():
                continue
        lines.append(line)
    if lines:
        yield b"".join(lines)


def compare(
    anchors: list[Anchor],
    size: int,
    roots: Mapping[int, bytes],
    part: str,
    report: Report,
    recoveries: Sequence[Recovery] = (),
) -> int:
    """Compare anchors with a log of ``size``; return how many hold. ``roots`` by tree size.

    One that lies in a range that ``recoveries`` declare lost holds nothing and is said so, not found.
    """
    held, lost = 0, 0
    for anchor in anchors:
        checkpoint = anchor.checkpoint
        other = checkpoint.size > size or roots.get(checkpoint.size) != checkpoint.root
        if other and any(_lost(checkpoint, one) for one in recoveries):
            lost += 1
        elif checkpoint.size > size:
            report.add(
                part,
                f"rollback: {anchor.source} anchors {checkpoint.size} entries, the bundle's log has {size}; "
                "the log was rolled back or the bundle is older than the anchor",
            )
        elif roots.get(checkpoint.size) != checkpoint.root:
            report.add(
                part,
                f"fork: {anchor.source} anchors another history of the first {checkpoint.size} entries",
            )
        else:
            held += 1
    if lost:
        report.not_proven.append(
            f"{lost} checkpoint(s) of {part} lie in a range declared lost: that they are of the lost history"
            " and not of a third one, only the signer's journal can show."
        )
    return held


def _lost(checkpoint: Checkpoint, recovery: Recovery) -> bool:
    """Whether a checkpoint can be of the history that a recovery declares lost."""
    if checkpoint.size == recovery.signed.size:
        return checkpoint.root.hex() == recovery.signed.root
    return recovery.kept.size < checkpoint.size < recovery.signed.size


def too_old(newest: str, exported_at: str, hours: float) -> bool:
    """Whether more than ``hours`` lie between the last anchored entry and the export (ledger times)."""
    return parse_time(exported_at) - parse_time(newest) > timedelta(hours=hours)
