"""The signer: the only holder of the log's key, with a memory of its own.

Rules kept here:

* It signs a checkpoint only if its proof shows that the tree extends the one it signed last; a smaller
  tree, or another root at the same size, is refused for ever, whatever the database says.
* It writes to its journal and flushes before the signature leaves: what was published is remembered.
  Where writing fails nothing leaves, and the journal is read again before the next answer: what stands
  in it then was signed.
* It knows nothing of the database. One process holds it at a time.
* It starts only with the key that signed its journal's last line; another is nobody's, whoever put it there.
* The one way to another history is a recovery that two people sign; the lines of the lost one stay.
"""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.kernel.clock import utc_now
from coverslip.ledger import note, proof, receipt
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.failure import LedgerError, ProofError
from coverslip.store import recovery
from coverslip.store.journal import JournalDisk, JournalFile
from coverslip.store.notes import NoteKey, NoteVerifier, create_seed, read_seed
from coverslip.verifier.recovery import Recovery, parse as parse_recovery
from coverslip.verifier.report import BundleError

KEY_FILE = "signing.key"
JOURNAL_FILE = "journal"
ROTATION_FILE = "rotation"
"""Statement of a change of key that was begun; while it lies there only whoever ends it signs."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A tree the signer signed: size, root (32 bytes) and the note as written.

    ``recovery`` is the detail of the recovery (as JSON text) that this line begins a history with.
    """

    size: int
    root: bytes
    note: bytes
    recovery: str = ""


class CheckpointSigner(Protocol):
    """Whoever signs checkpoints: the signer itself or a client of its socket."""

    def vkey(self) -> str:
        """Return the verifier key text."""
        ...

    def last(self) -> Signed | None:
        """Return the newest tree signed, None before the first."""
        ...

    def sign(self, size: int, root: bytes, consistency: Sequence[bytes]) -> Signed:
        """Sign a tree that extends the last one; raises RECOVERY_REQUIRED when it does not."""
        ...

    def receipt(self, entry: str, leaf_hash: bytes, at: str) -> bytes:
        """Return a signed pending receipt."""
        ...


def refused(reason: str, signed: int, found: int) -> EvidenceBroken:
    """Return the error of a tree that does not follow the signed one; sizes are in its message."""
    return EvidenceBroken(
        "RECOVERY_REQUIRED",
        message=f"{reason}: the last signed checkpoint has {signed} entries, the database {found}. The ledger"
        " is read-only until two people sign a recovery.",
        signed=signed, found=found,
    )  # fmt: skip


def read_journal(path: Path) -> list[Signed]:
    """Return everything signed, oldest first; a torn last line was never answered and is left out.

    Raises EVIDENCE for a line that is not of the form, or sizes that do not rise but at a recovery.
    """
    if not path.exists():
        return []
    found: list[Signed] = []
    lines = path.read_bytes().split(b"\n")
    for position, line in enumerate(lines[:-1], 1):
        try:
            value = json.loads(line)
            declared = json.dumps(parse_recovery(value["recovery"]).detail()) if "recovery" in value else ""
            one = Signed(
                int(value["size"]), bytes.fromhex(value["root"]), str(value["note"]).encode(), declared
            )
        except (ValueError, KeyError, TypeError) as error:
            raise _broken(position, "a signed size and root", str(error)) from error
        if len(one.root) != 32 or (found and one.size <= found[-1].size and not one.recovery):
            raise _broken(position, "a larger size than before", str(one.size))
        found.append(one)
    return found


def current(journal: Sequence[Signed]) -> list[Signed]:
    """Return the lines that still hold: without those beyond what each recovery kept, oldest first."""
    found: list[Signed] = []
    for one in journal:
        if one.recovery:
            kept = int(json.loads(one.recovery)["statement"]["kept"]["size"])
            found = [earlier for earlier in found if earlier.size <= kept]
            if found and one.size == found[-1].size:
                found.pop()
        found.append(one)
    return found


def lost(journal: Sequence[Signed]) -> set[tuple[int, bytes]]:
    """Return (size, root) of every line that a recovery declared lost."""
    standing = {(one.size, one.root) for one in current(journal)}
    return {(one.size, one.root) for one in journal} - standing


def _broken(line: int, expected: str, found: str) -> EvidenceBroken:
    return EvidenceBroken("EVIDENCE", what=f"signer journal line {line}", expected=expected, found=found)


class Signer:
    """The signer in its own folder (mode 0700): key file and journal."""

    def __init__(
        self, folder: Path, origin: str, disk: JournalDisk | None = None, *, rotating: bool = False
    ) -> None:
        """Take up the folder. Raises ENVIRONMENT when another process holds it or the key is unusable.

        Also when a change of key was begun and not ended, or the key is not the one that signed last, but
        neither for whoever ends the change (``rotating``).
        ``disk`` does the journal's file operations; tests give one that fails.
        """
        if not rotating and (folder / ROTATION_FILE).exists():
            raise EnvironmentFault(
                "ENVIRONMENT", what=str(folder / ROTATION_FILE), expected="a change of key that is finished",
                found="one begun", remedy="Finish it: 'coverslip ledger keys rotate'.",
            )  # fmt: skip
        self._origin = origin
        self._key = NoteKey(origin, read_seed(folder / KEY_FILE))
        self._path = folder / JOURNAL_FILE
        self._lock = threading.Lock()
        try:
            self._file = JournalFile(self._path, disk)
        except BlockingIOError as error:
            raise EnvironmentFault(
                "ENVIRONMENT", what=str(folder), expected="one signer", found="another process holding it"
            ) from error
        except OSError as error:
            raise _unwritten(self._path, error) from error
        self._settled = False
        self._last: Signed | None = None
        try:
            self._settle()
            if not rotating:
                insist_own(folder / KEY_FILE, self._key.verifier_key, self._last)
        except BaseException:  # the lock must not outlive a signer that never came to be; raised again
            self._file.close()
            raise

    @classmethod
    def create(cls, folder: Path, origin: str) -> Signer:
        """Make folder and key, once. Raises FileExistsError when there is a key."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_seed(folder / KEY_FILE)
        return cls(folder, origin)

    def close(self) -> None:
        """Let go of the folder."""
        self._file.close()

    def vkey(self) -> str:
        """Return the verifier key text."""
        return self._key.verifier_key.format()

    def last(self) -> Signed | None:
        """Return the newest tree signed, None before the first. Raises as ``sign`` after a failed write."""
        with self._lock:
            self._settle()
            return self._last

    def sign(self, size: int, root: bytes, consistency: Sequence[bytes]) -> Signed:
        """Sign a tree that extends the last one; the same tree again gives the same note.

        ``consistency`` is the proof from the last signed size, oldest hash first, empty for the first
        tree and for the same one. Raises RECOVERY_REQUIRED for a smaller or different tree, STORAGE or
        ENVIRONMENT when the journal cannot be written: nothing was signed, asking again is right.
        """
        with self._lock:
            self._settle()
            last = self._last
            if last is not None:
                if size == last.size and root == last.root:
                    return last
                self._insist_extends(last, size, root, consistency)
            text = Checkpoint(self._origin, size, root).text()
            made = Signed(size, root, note.sign(text, [self._key]).to_bytes())
            self._append(made)
            self._last = made
            return made

    def recover(
        self, detail: Mapping[str, Any], entries: recovery.Entries, consistency: Sequence[bytes]
    ) -> Signed:
        """Sign another tree than the one that follows, because two people declare what was lost.

        ``detail`` is that of the recovery entry, ``entries`` the first of the database up to what both
        histories have, ``consistency`` the proof from there to the tree found. The journal keeps every
        line; the new one holds the detail. Asked again for the recovery it carried out last, it returns
        that. Raises RECOVERY_REFUSED saying why not, and as ``sign`` when the journal cannot be written.
        """
        with self._lock:
            self._settle()
            last = self._last
            if last is not None and last.recovery and json.loads(last.recovery) == dict(detail):
                return last
            made = self._judged(detail, entries, consistency)
            text = Checkpoint(self._origin, made.found.size, bytes.fromhex(made.found.root)).text()
            signed = Signed(
                made.found.size, bytes.fromhex(made.found.root), note.sign(text, [self._key]).to_bytes(),
                json.dumps(dict(detail)),
            )  # fmt: skip
            self._append(signed)
            self._last = signed
            return signed

    def _judged(
        self, detail: Mapping[str, Any], entries: recovery.Entries, consistency: Sequence[bytes]
    ) -> Recovery:
        try:
            made = parse_recovery(dict(detail))
        except BundleError as error:
            raise recovery.refusal(str(error)) from error
        last, known = self._last, current(read_journal(self._path))
        if made.log != self._origin:
            raise recovery.refusal(f"it is of the log {made.log}")
        if last is None or (made.signed.size, made.signed.root) != (last.size, last.root.hex()):
            raise recovery.refusal("it names another tree than the one signed last")
        if made.signed_note != last.note.decode():
            raise recovery.refusal("it does not keep the last checkpoint of the lost history")
        if not any((one.size, one.root.hex()) == (made.kept.size, made.kept.root) for one in known):
            raise recovery.refusal("what it says both histories have in common was never signed")
        recovery.insist(made, entries, consistency, utc_now()[:10])
        return made

    def receipt(self, entry: str, leaf_hash: bytes, at: str) -> bytes:
        """Return a signed receipt of an entry that is not yet in a checkpoint."""
        text = receipt.PendingReceipt(self._origin, entry, leaf_hash.hex(), at).text()
        return note.sign(text, [self._key]).to_bytes()

    def _insist_extends(self, last: Signed, size: int, root: bytes, consistency: Sequence[bytes]) -> None:
        if size < last.size:
            raise refused("The tree became smaller", last.size, size)
        if size == last.size:
            raise refused("The tree has another root at the same size", last.size, size)
        try:
            proof.verify_consistency(last.size, size, last.root, root, list(consistency))
        except ProofError as error:
            raise refused(
                f"The tree does not extend the signed one ({error.reason})", last.size, size
            ) from error

    def _append(self, made: Signed) -> None:
        value: dict[str, Any] = {"size": made.size, "root": made.root.hex(), "note": made.note.decode()}
        line = json.dumps(value | ({"recovery": json.loads(made.recovery)} if made.recovery else {}))
        self._settled = False
        try:
            self._file.append(line.encode())
        except OSError as error:
            raise _unwritten(self._path, error) from error
        self._settled = True

    def _settle(self) -> None:
        """Read the journal again if the last write may not have come to an end."""
        if self._settled:
            return
        try:
            self._file.settle()
            known = read_journal(self._path)
        except OSError as error:
            raise _unwritten(self._path, error) from error
        self._last = known[-1] if known else None
        self._settled = True


def _unwritten(path: Path, error: OSError) -> EnvironmentFault:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EnvironmentFault("STORAGE", what=f"The disk of {path}", why=error.strerror)
    return EnvironmentFault(
        "ENVIRONMENT",
        what=str(path),
        expected="a file that can be written and flushed",
        found=str(error),
        remedy="Lab IT examines the signer's disk. Nothing was signed; signing goes on by itself.",
    )


def insist_own(path: Path, key: note.VerifierKey, last: Signed | None) -> None:
    """Return when ``key``, that of the file ``path``, signed ``last``. Raises ENVIRONMENT naming both."""
    if last is None:
        return
    try:
        verify_note(last.note, [NoteVerifier(key)])
    except LedgerError as error:
        raise foreign(path, f"the key that signed last, {_signers(last.note)}", key) from error


def foreign(path: Path, expected: str, key: note.VerifierKey) -> EnvironmentFault:
    """Return the error of a signing key that is not the log's."""
    return EnvironmentFault(
        "ENVIRONMENT", what=str(path), expected=expected, found=f"another, {key.name}+{key.key_id:08x}",
        remedy="Put the log's own key back. Find out who exchanged it: nothing was signed with this one.",
    )  # fmt: skip


def _signers(data: bytes) -> str:
    try:
        return ", ".join(f"{one.name}+{one.key_id:08x}" for one in note.parse(data).signatures)
    except LedgerError:
        return "which its journal does not name"


def verify_note(data: bytes, verifiers: Sequence[note.Verifier]) -> Checkpoint:
    """Return the checkpoint of a note that a known key signed. Raises LedgerError."""
    parsed = note.parse(data)
    note.verify(parsed, verifiers)
    return Checkpoint.parse(parsed.text)


__all__ = [
    "CheckpointSigner", "LedgerError", "Signed", "Signer", "current", "foreign", "insist_own", "lost",
    "read_journal", "refused", "verify_note",
]  # fmt: skip
