"""Checking what is stored: every object is hashed again and held against its name.

Rules kept here: a finding names the object and, where known, the first damaged byte range; what
could not be read is a finding of its own, never silence; checking changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from coverslip.errors import EnvironmentFault
from coverslip.ledger.files import BLOCK_SIZE, ChunkTree, FileDigest
from coverslip.vault.disk import Disk, guarded
from coverslip.vault.layout import ROOT_NAME, Layout
from coverslip.vault.sidecar import Sidecar, SidecarError

Kind = Literal["missing", "damaged", "extra", "unnamed", "sidecar_missing", "sidecar_damaged", "unreadable"]
_READ: Final = 4 * BLOCK_SIZE


@dataclass(frozen=True, slots=True)
class VaultFinding:
    """One thing wrong. ``name`` is an object's root or a path inside the vault.

    ``first`` (inclusive) and ``stop`` (exclusive) are bytes, -1 where unknown. ``unnamed`` is an object that
    nothing asked for refers to, such as an upload no record names yet; ``modified`` (seconds since 1970)
    tells how old it is.
    """

    kind: Kind
    name: str
    expected: str
    found: str
    first: int = -1
    stop: int = -1
    modified: float = -1

    @property
    def where(self) -> str:
        """The damaged byte range in words."""
        return f"bytes {self.first} to {self.stop}" if self.first >= 0 else "the whole file"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check looked at and found. ``ok`` only if all expected objects were read and fit."""

    objects: int
    size: int
    findings: tuple[VaultFinding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing at all was found."""
        return not self.findings


def _cut_off(name: str, wanted: set[str]) -> bool:
    """Whether a stranger is the sidecar of an object nobody names; the next delivery of it replaces this."""
    path = Path(name)
    return path.suffix == ".json" and ROOT_NAME.fullmatch(path.stem) is not None and path.stem not in wanted


def check(
    disk: Disk,
    layout: Layout,
    roots: Iterable[str] | None,
    progress: Callable[[int, int], None] | None,
    *,
    alone: bool = False,
) -> CheckReport:
    """Hash objects and return what is wrong.

    With ``roots``, exactly these must be there: other objects are *unnamed*, strangers *extra*, but not the
    sidecar of an object that nobody names: publishing was cut off before the object was there. Without,
    everything stored is checked against itself. ``progress(done, total)`` is called after each object.
    ``alone``: look at ``roots`` and at nothing else.

    Raises:
        EnvironmentFault: ENVIRONMENT, the object folders cannot be listed.
    """
    names, strangers = set[str](), set[str]()
    if not alone:
        with guarded("listing the objects"):
            names, strangers = _listing(layout)
    wanted = names if roots is None else set(roots)
    if roots is not None:
        strangers = {name for name in strangers if not _cut_off(name, wanted)}
    findings = [VaultFinding("extra", name, "nothing of this name", "a file") for name in sorted(strangers)]
    findings += [_unnamed(layout, name) for name in sorted(names - wanted)]
    size = 0
    for done, root in enumerate(sorted(wanted), 1):
        length, found = _object(disk, layout, root)
        size += length
        findings += found
        if progress is not None:
            progress(done, len(wanted))
    return CheckReport(len(wanted), size, tuple(findings))


def _unnamed(layout: Layout, root: str) -> VaultFinding:
    try:
        modified = layout.object(root).lstat().st_mtime
    except OSError:
        modified = -1
    found = "an object nothing refers to"
    return VaultFinding("unnamed", root, "no such object", found, modified=modified)


def examine(disk: Disk, layout: Layout, root: str) -> VaultFinding | None:
    """Hash one object against its name; None if it fits. Raises ENVIRONMENT if it cannot be read."""
    sidecar = _sidecar(layout, root)
    digest = digest_of(disk, layout.object(root))
    if digest.root.hex() == root:
        return None
    return _damage(root, digest, sidecar if isinstance(sidecar, Sidecar) else None)


def _object(disk: Disk, layout: Layout, root: str) -> tuple[int, list[VaultFinding]]:
    path = layout.object(root)
    if not os.path.lexists(path):
        aside = os.path.lexists(layout.marker(root))
        found = "damaged bytes, set aside into quarantine" if aside else "no file of this name"
        return 0, [VaultFinding("missing", root, "an object", found)]
    sidecar = _sidecar(layout, root)
    findings = [] if isinstance(sidecar, Sidecar) else [sidecar]
    try:
        digest = digest_of(disk, path)
    except EnvironmentFault as error:
        return 0, [*findings, VaultFinding("unreadable", root, "a readable file", error.message)]
    known = sidecar if isinstance(sidecar, Sidecar) else None
    if digest.root.hex() != root:
        findings.append(_damage(root, digest, known))
    elif known is not None and (known.sha256, known.size) != (digest.sha256, digest.size):
        found = f"SHA-256 {known.sha256.hex()} in the sidecar"
        findings.append(VaultFinding("sidecar_damaged", root, f"SHA-256 {digest.sha256.hex()}", found))
    return digest.size, findings


def _damage(root: str, digest: FileDigest, sidecar: Sidecar | None) -> VaultFinding:
    found = f"root {digest.root.hex()}, {digest.size} bytes"
    if sidecar is None:
        return VaultFinding("damaged", root, f"root {root}", found)
    expected = f"root {root}, {sidecar.size} bytes"
    pairs = zip(sidecar.nodes, digest.mib_nodes, strict=False)
    index = next((at for at, (one, other) in enumerate(pairs) if one != other),
                 min(len(sidecar.nodes), len(digest.mib_nodes)))  # fmt: skip
    first = index * BLOCK_SIZE
    stop = min(first + BLOCK_SIZE, max(sidecar.size, digest.size))
    return VaultFinding("damaged", root, expected, found, first, stop)


def _sidecar(layout: Layout, root: str) -> Sidecar | VaultFinding:
    try:
        return Sidecar.decode(layout.sidecar(root).read_bytes(), bytes.fromhex(root))
    except FileNotFoundError:
        return VaultFinding("sidecar_missing", root, "a sidecar", "none")
    except (SidecarError, OSError) as error:
        return VaultFinding("sidecar_damaged", root, "a sidecar that fits the object", str(error))


def digest_of(disk: Disk, path: Path) -> FileDigest:
    """Hash one file past the system's cache. Raises ENVIRONMENT if it cannot be read."""
    tree = ChunkTree()
    with guarded(f"reading object {path.name}"):
        descriptor = disk.open_read(path)
        try:
            disk.forget_cache(descriptor)
            offset = 0
            while block := disk.read(descriptor, _READ, offset):
                tree.update(block)
                offset += len(block)
        finally:
            os.close(descriptor)
    return tree.finish()


def _listing(layout: Layout) -> tuple[set[str], set[str]]:
    """Return the object roots in their places, and the paths of everything that has no business there.

    A sidecar without its object counts as a stranger: its object was never finished, or is lost.
    """
    names: set[str] = set()
    others: set[str] = set()
    for folder, _, files in os.walk(layout.objects, onerror=_raise):
        for file in files:
            root = file.removesuffix(".json")
            path = Path(folder, file)
            placed = ROOT_NAME.fullmatch(root) is not None and path.parent == layout.object(root).parent
            if placed and file == root:
                names.add(root)
            elif path == marked(layout, file):
                continue
            else:
                others.add(str(path.relative_to(layout.root)))
    sidecars = {str(layout.sidecar(root).relative_to(layout.root)) for root in names}
    return names, others - sidecars


def marked(layout: Layout, file: str) -> Path | None:
    """Return where a marker of this file name belongs; None for any other name."""
    root = file.removesuffix(".aside")
    return layout.marker(root) if root != file and ROOT_NAME.fullmatch(root) else None


def listing(layout: Layout) -> Iterator[tuple[int, str, int]]:
    """Yield (modified, in ns since 1970; root; size) of every object in its place, in no order."""
    with guarded("listing the objects"):
        for folder, _, files in os.walk(layout.objects, onerror=_raise):
            for file in files:
                path = Path(folder, file)
                if ROOT_NAME.fullmatch(file) and path.parent == layout.object(file).parent:
                    status = path.lstat()
                    yield status.st_mtime_ns, file, status.st_size


def _raise(error: OSError) -> None:
    raise error
