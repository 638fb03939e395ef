"""Files on their way: hashed before they are sent and while they are sent, checked when they arrive.

Rules kept here: nothing is held in memory but one block; what was announced is what is sent, or the
sending stops; a file that arrives takes its name only after its hash is the recorded one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverslip.client.errors import broken, fault, misuse
from coverslip.client.values import Saved
from coverslip.ledger.files import ChunkTree, FileDigest

BLOCK_BYTES = 1024**2
Progress = Callable[[int], None]
"""Called with the number of bytes done since the last call."""


def quiet(_: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a manifest says of a file: name, size in bytes, SHA-256 (hex), and its time of change."""

    path: Path
    name: str
    size: int
    sha256: str
    changed_ns: int


def examine(path: Path, progress: Progress = quiet) -> FileFacts:
    """Read a file to its end and return its facts. Raises ``MisuseError`` when it is no readable file."""
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as stream:
            changed = os.fstat(stream.fileno()).st_mtime_ns
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
                size += len(block)
                progress(len(block))
    except OSError as error:
        raise misuse(str(path), "a readable file", error.strerror or type(error).__name__) from error
    return FileFacts(path, path.name, size, digest.hexdigest(), changed)


def blocks(facts: FileFacts, progress: Progress = quiet) -> Iterator[bytes]:
    """Yield a file's bytes; raises ``EvidenceError`` before its last block if it is not what was examined."""
    digest = hashlib.sha256()
    left = facts.size
    try:
        stream = facts.path.open("rb")
    except OSError as error:
        raise misuse(str(facts.path), "a readable file", error.strerror or type(error).__name__) from error
    with stream:
        while left:
            block = stream.read(min(BLOCK_BYTES, left))
            digest.update(block)
            left -= len(block)
            if not block or (not left and digest.hexdigest() != facts.sha256):
                raise broken(
                    "",
                    facts.name,
                    f"{facts.size} bytes with SHA-256 {facts.sha256}",
                    "a file that changed while it was sent",
                )
            yield block
            progress(len(block))


def save(
    chunks: Iterable[bytes],
    target: Path,
    *,
    overwrite: bool = False,
    progress: Progress = quiet,
    check: Callable[[FileDigest], None] | None = None,
) -> Saved:
    """Write chunks beside ``target`` and give them its name once they are whole and checked.

    ``check`` sees the digest of what was written and raises to refuse. Raises ``MisuseError`` when the target
    exists, ``FaultError`` when it cannot be written; nothing is left behind then.
    """
    if target.exists() and not overwrite:
        raise misuse(str(target), "a name that is free", "an existing file", "Name another file.")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise misuse(
            str(target.parent), "a folder that can be written", error.strerror or "an error"
        ) from error
    partial = Path(name)
    tree = ChunkTree()
    try:
        with os.fdopen(descriptor, "wb") as out:
            for chunk in chunks:
                tree.update(chunk)
                _write(out, chunk, target)
                progress(len(chunk))
            out.flush()
            os.fsync(out.fileno())
        digest = tree.finish()
        if check is not None:
            check(digest)
        partial.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
    return Saved(str(target), digest.size, digest.sha256.hex())


def _write(out: Any, chunk: bytes, target: Path) -> None:
    try:
        out.write(chunk)
    except OSError as error:
        raise fault(
            str(target), "room for the file", error.strerror or "an error", "Free space on the disk."
        ) from error


def recorded_file(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the file value a record names. Raises ``MisuseError``, which lists what there is."""
    found = [
        item
        for value in record["fields"].values()
        for item in (value if isinstance(value, list) else [value])
        if isinstance(item, dict) and "sha256" in item and "name" in item
    ]
    for item in found:
        if item["name"] == name:
            return dict(item)
    names = ", ".join(str(item["name"]) for item in found) or "none"
    raise misuse("file", f"a file of {record['number']} ({names})", name)


def same_file(record: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Return if two file values agree in every one of size, SHA-256 and root that both state.

    Raises ``EvidenceError`` naming the first that differs.
    """
    for name in ("size", "sha256", "root"):
        if name in expected and name in found and expected[name] != found[name]:
            raise broken(record, f"{name} of {expected['name']}", str(expected[name]), str(found[name]))
