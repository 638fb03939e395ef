"""The write-once store on a local disk.

Rules kept here:

* A name is given under one lock: sidecar first, object last. The object's name is the moment it
  exists; whatever fails before leaves nothing a reader can see.
* Storing the same bytes again answers with what is there, after hashing what is there.
* Directories are flushed before the answer: what was answered survives a power cut.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverslip.errors import EvidenceBroken, NotFound
from coverslip.ledger.files import BLOCK_SIZE
from coverslip.vault import damage, fixity, quarantine, receiving
from coverslip.vault.disk import Disk, fault, guarded
from coverslip.vault.layout import Layout
from coverslip.vault.quarantine import Quarantined
from coverslip.vault.reader import VerifiedReader, VerifiedStream, damaged
from coverslip.vault.receiving import Leftover, Receiving, Stream
from coverslip.vault.sidecar import Sidecar, SidecarError


@dataclass(frozen=True, slots=True)
class Stored:
    """An object that is in the vault. ``existed``: the same bytes were there before."""

    root: str
    sha256: str
    size: int
    existed: bool


class LocalVault:
    """A vault in one folder. Any number of processes may use the same folder at once."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        """Open the vault at ``root``, creating its folders. Raises ENVIRONMENT if that fails."""
        self._disk = disk or Disk()
        self._layout = Layout(root.absolute())
        self._layout.create(self._disk)

    # --- taking in -----------------------------------------------------------------------------
    def receive(self, source: Stream | Path, limit_bytes: int) -> Receiving:
        """Take a file in, undecided; see ``receiving.receive`` for what it raises."""
        return receiving.receive(self._disk, self._layout, source, limit_bytes)

    def commit(self, received: Receiving) -> Stored:
        """Give a received file its name and return it.

        Raises:
            EvidenceBroken: HASH, other bytes already lie under this root; EVIDENCE, its sidecar is broken.
            EnvironmentFault: ENVIRONMENT, the disk refuses; the object is then not visible, or is
                complete, and storing it again does no harm.
            ValueError: the file was decided before.
        """
        root = received.undecided().root
        known = self.has(root)
        if known:  # hashed before the lock is taken: objects never change, and others need not wait
            self.verify(root)
        with guarded("publishing an object"), self._disk.locked(self._layout.publishing):
            existed = self.has(root)
            if existed and not known:
                self.verify(root)
            if not existed:
                self._publish(received)
            self._flush(root)
        if existed:
            received.discard()
        received.decided()
        return Stored(root, received.digest.sha256.hex(), received.digest.size, existed)

    def store(self, source: Stream | Path, limit_bytes: int) -> Stored:
        """Receive and commit in one step. Raises as both do."""
        with self.receive(source, limit_bytes) as received:
            return self.commit(received)

    def quarantine(self, received: Receiving, about: Mapping[str, Any]) -> Quarantined:
        """Keep a received file's bytes apart, with why; see ``quarantine.quarantine``."""
        received.undecided()
        return quarantine.quarantine(self._disk, self._layout, received, about)

    def quarantined(self) -> list[Quarantined]:
        """Return everything in quarantine, by id."""
        return quarantine.quarantined(self._layout)

    def changed_in_quarantine(self) -> list[str]:
        """Return ids whose kept bytes are no longer those that were kept."""
        return quarantine.changed(self._layout)

    def quarantined_content(self, entry_id: str) -> Path:
        """Return where the bytes of one quarantined delivery lie. Raises NOT_FOUND."""
        return quarantine.content(self._layout, entry_id)

    # --- reading -------------------------------------------------------------------------------
    def has(self, root: str) -> bool:
        """Whether an object of this root is stored; says nothing about its condition."""
        return os.path.lexists(self._layout.object(root))

    def path(self, root: str) -> Path:
        """Return the object's file, for a reader in another process.

        Raises NOT_FOUND; HASH where damaged bytes of this name were set aside and nothing replaced them.

        Bytes read through it are not verified: call ``verify`` first.
        """
        if not self.has(root):
            aside = damage.marker(self._layout, root)
            if aside:
                raise damaged(root, "the whole file", f"its bytes were set aside into quarantine {aside}")
            raise NotFound("NOT_FOUND", what="stored file", record=root)
        return self._layout.object(root)

    def verify(self, root: str) -> Stored:
        """Hash the whole object and return it. Raises NOT_FOUND, HASH, EVIDENCE or ENVIRONMENT."""
        sidecar = self.sidecar(root)
        finding = fixity.examine(self._disk, self._layout, root)
        if finding is not None:
            raise damaged(root, finding.where, finding.found)
        return Stored(root, sidecar.sha256.hex(), sidecar.size, True)

    def sidecar(self, root: str) -> Sidecar:
        """Return what is kept beside an object. Raises NOT_FOUND; EVIDENCE where it is broken."""
        path = self.path(root).with_name(f"{root}.json")
        try:
            return Sidecar.decode(path.read_bytes(), bytes.fromhex(root))
        except FileNotFoundError as error:
            raise _broken_sidecar(root, "none") from error
        except SidecarError as error:
            raise _broken_sidecar(root, str(error)) from error
        except OSError as error:
            raise fault("reading a sidecar", error) from error

    def reader(self, root: str) -> VerifiedReader:
        """Return random access to an object, every read verified. Raises as ``sidecar``."""
        nodes = self.sidecar(root).checked_nodes()
        with guarded("opening an object"):
            descriptor = self._disk.open_read(self._layout.object(root))
        return VerifiedReader(self._disk, descriptor, root, nodes)

    def open(self, root: str) -> io.BufferedReader:
        """Return the object as a read-only, seekable, verified stream; reads raise HASH.

        Raises as ``sidecar``.
        """
        return io.BufferedReader(VerifiedStream(self.reader(root)), BLOCK_SIZE)

    def read_range(self, root: str, offset: int, length: int) -> bytes:
        """Return ``length`` verified bytes from ``offset``.

        Raises as ``sidecar`` and ``VerifiedReader.read``.
        """
        reader = self.reader(root)
        try:
            return reader.read(offset, length)
        finally:
            reader.close()

    # --- looking after -------------------------------------------------------------------------
    def check(
        self, roots: Iterable[str] | None = None, progress: Callable[[int, int], None] | None = None
    ) -> fixity.CheckReport:
        """Hash what is stored and return findings; see ``fixity.check``."""
        return fixity.check(self._disk, self._layout, roots, progress)

    def objects(self) -> Iterator[tuple[int, str, int]]:
        """Yield (modified in ns since 1970, root, size) of everything stored, in no order."""
        return fixity.listing(self._layout)

    def examine(self, root: str) -> list[fixity.VaultFinding]:
        """Hash one object and its sidecar and return what is wrong. Unlike ``verify`` it raises nothing."""
        return list(fixity.check(self._disk, self._layout, [root], None, alone=True).findings)

    def set_aside(self, root: str, about: Mapping[str, Any]) -> Quarantined | None:
        """Move a damaged object into quarantine; see ``damage.set_aside``."""
        return damage.set_aside(self._disk, self._layout, root, about)

    def mend_sidecar(self, root: str) -> bool:
        """Write the sidecar of a sound object anew; see ``damage.mend_sidecar``."""
        return damage.mend_sidecar(self._disk, self._layout, root)

    def take_from(self, replica: damage.Replica, root: str) -> Stored:
        """Store the object of this root from a replica, believed only by hash.

        Raises NOT_FOUND where the replica lacks it; HASH where its bytes have another root (nothing is kept);
        ENVIRONMENT when either disk refuses.
        """
        source = replica.path(root)
        with guarded("opening a replica"):
            size = source.stat().st_size
        with self.receive(source, size) as received:
            if received.root != root:
                raise damaged(root, "the whole file", f"the replica's bytes have root {received.root}")
            return self.commit(received)

    def leftovers(self) -> list[Leftover]:
        """Return undecided files in ``incoming``."""
        return receiving.leftovers(self._disk, self._layout)

    def sweep(self, now: float) -> list[Leftover]:
        """Remove unlocked leftovers older than a day at ``now`` (seconds since 1970); return them."""
        return receiving.sweep(self._disk, self._layout, now)

    # --- inside --------------------------------------------------------------------------------
    def _publish(self, received: Receiving) -> None:
        disk, target = self._disk, self._layout.object(received.root)
        disk.make_directory(target.parent.parent)
        disk.make_directory(target.parent)
        staged = received.path.with_name(f"{received.path.name}.json")
        descriptor = disk.create(staged)
        try:
            disk.write(descriptor, Sidecar.of(received.digest).encode())
            disk.seal(descriptor)
            disk.fsync(descriptor)
            received.seal()
            # Replaces at most the sidecar of an object that never came to be.
            disk.rename(staged, self._layout.sidecar(received.root))
            disk.rename(received.path, target)
        except OSError:
            with suppress(OSError):  # the first failure is the one to tell
                disk.remove(staged)
                if not os.path.lexists(target):  # a rename can be done and still be reported as failed
                    disk.remove(self._layout.sidecar(received.root))
            raise
        finally:
            os.close(descriptor)

    def _flush(self, root: str) -> None:
        # The folders' own names too: whoever made them may have been killed before their flush.
        shard = self._layout.object(root).parent
        for folder in (shard, shard.parent, shard.parent.parent, self._layout.incoming):
            self._disk.fsync_directory(folder)


def _broken_sidecar(root: str, found: str) -> EvidenceBroken:
    what = f"sidecar of stored object {root}"
    return EvidenceBroken("EVIDENCE", what=what, expected="one that fits it", found=found)
