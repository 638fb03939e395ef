"""Writes evidence bundles, format ``coverslip-bundle-v1``.

Rules kept here:

* Pure of database and vault: leaves, bodies and files are handed in; the caller decides what is in
  scope. Everything readable (trail, record copies, page) is computed here from those very bytes.
* Nothing is exported that its own evidence contradicts: leaves must have the checkpoint's root, files
  the hashes their records name.
* Two passes: the first hashes every member (generated ones go to a private temporary folder, original
  files are only read), the second writes. Memory does not grow with files or with the log.
* The manifest is signed by the caller; no key enters this module.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final, Self
from zoneinfo import ZoneInfo

from coverslip.errors import EvidenceBroken
from coverslip.exports.zipfile_canonical import CanonicalZip, Head
from coverslip.ledger import leaf as leaf_format, note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.files import ChunkTree
from coverslip.ledger.tree import Frontier, leaf_hash
from coverslip.verifier import leaves as leaf_lines, page, rendering, rows, sections, zipformat
from coverslip.verifier.history import Entry, History, Stream, member_files
from coverslip.verifier.manifest import Exporter, Manifest, MemberHash, Scope, ScopeRecord, Withheld
from coverslip.verifier.rows import Row
from coverslip.verifier.sections import FileItem, Stored

__all__ = [
    "Exporter",
    "Member",
    "Request",
    "Scope",
    "ScopeRecord",
    "Stored",
    "Withheld",
    "Written",
    "write_bundle",
]

_PIECE: Final = 1024 * 1024
README: Final = b"""This is an evidence bundle.

index.html      the copy as a person reads it: records, signatures, audit trail
records/        each record as JSON: present content, versions, signatures
trail.csv/.json the audit trail, one row for each field an entry changed (CSV cells that a spreadsheet could
                run are preceded by an apostrophe; trail.json has the exact text)
files/          original files, bit for bit
leaves.bin      every entry of the log, as hashed; bodies/ the content behind the entries of this copy
checkpoint      signed size and root of the log
manifest.json   hash of every member, signed in manifest.sig

To check it: python3 verify.pyz THIS_FILE --keys keys.txt
Obtain verify.pyz and keys.txt apart from this bundle; the verify.pyz inside is a convenience.
"""


@dataclass(frozen=True, slots=True)
class Member:
    """An original file to be copied: bytes and how to read them, twice."""

    size: int
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Request:
    """What a bundle is of. ``record`` is the label asked for, ``export_key`` the vkey that signs it,
    ``checkpoint_note`` the signed checkpoint whose leaves are handed in."""

    log: str
    use: str
    scope: Scope
    record: str
    exported_at: str
    exported_by: Exporter
    checkpoint_note: bytes
    export_key: str


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the manifest's SHA-256 (the export entry holds it), members and bytes."""

    manifest_sha256: str
    members: int
    size: int


@dataclass(frozen=True, slots=True)
class _Ready:
    head: Head
    sha256: str
    open: Callable[[], BinaryIO]


@dataclass(slots=True)
class _Log:
    """What the walk over the log leaves behind."""

    history: History
    frontier: Frontier = field(default_factory=Frontier)


def write_bundle(
    out: BinaryIO,
    request: Request,
    *,
    leaves: Iterable[bytes],
    bodies: Iterable[tuple[int, Mapping[str, Stored]]],
    open_file: Callable[[ScopeRecord, FileItem], Member],
    extra: Mapping[str, bytes],
    sign_manifest: Callable[[bytes], bytes],
) -> Written:
    """Write a bundle to ``out``.

    ``leaves`` are all leaves from index 0 to the checkpoint's size. ``bodies`` are (tree index, stored
    sections) in rising order: every entry of the records in scope, and all definitions, genesis
    entries, erasures and ``user`` records. ``open_file`` gives each original file that is not withheld.
    ``extra`` are further members (``verify.pyz``, ``policy.json``, ``schema-fingerprint``,
    ``anchors/...``). ``sign_manifest`` takes the note text's bytes and returns the signed note.

    Raises EvidenceBroken where log, checkpoint, bodies or files contradict each other.
    """
    checkpoint = Checkpoint.parse(note.parse(request.checkpoint_note).text)
    offsets: dict[int, str] = {}
    with TemporaryDirectory(prefix="coverslip-bundle-") as folder, _Spool(Path(folder)) as spool:
        log = _Log(History({record.id for record in request.scope.records}, offsets))
        _walk(spool, log, leaves, bodies, offsets)
        _insist_root(checkpoint, log.frontier)
        streams = _streams(request.scope, log.history)
        for stream in streams:
            spool.put(f"records/{stream.label}.json", [rendering.record_json(request.log, stream)])
        for path, data in {"README.txt": README, "checkpoint": request.checkpoint_note, **extra}.items():
            spool.put(path, [data])
        draft = _manifest(request, checkpoint, (), offsets)
        spool.put("index.html", page.pieces(draft, streams, _stored_rows(spool)))
        ready = spool.ready() + list(_files(request.scope, streams, open_file))
        ready.sort(key=lambda one: zipformat.order(one.head.path))
        hashes = tuple(MemberHash(one.head.path, one.head.size, one.sha256) for one in ready)
        manifest = _manifest(request, checkpoint, hashes, offsets).to_bytes()
        digest = sha256(manifest).hexdigest()
        seal = sign_manifest(f"coverslip manifest v1\n{digest}\n".encode())
        return Written(digest, len(ready) + 2, _write(out, manifest, seal, ready))


def _write(out: BinaryIO, manifest: bytes, seal: bytes, ready: list[_Ready]) -> int:
    archive = CanonicalZip(out)
    for path, data in (("manifest.json", manifest), ("manifest.sig", seal)):
        archive.add(Head(path, len(data), zlib.crc32(data)), [data])
    for one in ready:
        with one.open() as stream:
            archive.add(one.head, _pieces(stream))
    archive.close()
    return archive.offset


def _manifest(
    request: Request, checkpoint: Checkpoint, members: tuple[MemberHash, ...], offsets: dict[int, str]
) -> Manifest:
    return Manifest(
        log=request.log,
        use=request.use,
        exported_at=request.exported_at,
        exported_by=request.exported_by,
        scope=request.scope,
        record=request.record,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        export_key=request.export_key,
        members=members,
        offsets=offsets,
    )


class _Spool:
    """Generated members in a private temporary folder, hashed as they are written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, tuple[BinaryIO, _Hash]] = {}
        self._done: list[_Ready] = []
        self._paths: dict[str, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream, _hashed in self._open.values():
            stream.close()

    def append(self, path: str, data: bytes) -> None:
        """Add to a member that is open, or open it."""
        if path not in self._open:
            self._paths[path] = self._folder / f"{len(self._paths):08d}"
            self._open[path] = (self._paths[path].open("xb"), _Hash())
        stream, hashed = self._open[path]
        stream.write(data)
        hashed.update(data)

    def close(self, path: str) -> None:
        """Close a member; it can be read from now on."""
        stream, hashed = self._open.pop(path)
        stream.close()
        source = self._paths[path]
        self._done.append(
            _Ready(Head(path, hashed.size, hashed.crc), hashed.flat.hexdigest(), lambda: source.open("rb"))
        )

    def put(self, path: str, pieces: Iterable[bytes]) -> None:
        """Write a whole member."""
        self.append(path, b"")
        for piece in pieces:
            self.append(path, piece)
        self.close(path)

    def read(self, path: str) -> BinaryIO:
        """Open a closed member."""
        return self._paths[path].open("rb")

    def ready(self) -> list[_Ready]:
        """Return all closed members."""
        return list(self._done)


class _Hash:
    """SHA-256, CRC-32 and size of what went by."""

    def __init__(self) -> None:
        self.flat, self.crc, self.size = sha256(), 0, 0

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self.flat.update(data)
        self.crc, self.size = zlib.crc32(data, self.crc), self.size + len(data)


def _walk(
    spool: _Spool,
    log: _Log,
    leaves: Iterable[bytes],
    bodies: Iterable[tuple[int, Mapping[str, Stored]]],
    offsets: dict[int, str],
) -> None:
    """Spool leaves, bodies and trails, and feed the history, in one walk."""
    waiting = iter(bodies)
    body = next(waiting, None)
    spool.append("leaves.bin", b"")
    spool.append("trail.csv", rows.csv_head())
    lead, part = b"[\n", ""
    for index, data in enumerate(leaves):
        digest = leaf_hash(data)
        log.frontier.append(digest)
        spool.append("leaves.bin", leaf_lines.framed(data))
        if body is None or body[0] != index:
            continue
        if part and part != sections.path_of(index):
            spool.close(part)
        part = sections.path_of(index)
        spool.append(part, sections.to_line(index, body[1]))
        for row in log.history.feed(_entry(index, digest, data, body[1], offsets)):
            spool.append("trail.csv", rows.csv_row(row))
            spool.append("trail.json", lead + rows.json_row(row))
            lead = b",\n"
        body = next(waiting, None)
    if body is not None:
        raise EvidenceBroken(
            "EVIDENCE", what=f"the body of entry {body[0]}", expected="an entry there, in rising order",
            found=f"a log of {log.frontier.size} entries",
        )  # fmt: skip
    spool.append("trail.json", b"\n]\n" if lead == b",\n" else b"[\n]\n")
    for path in ("leaves.bin", "trail.csv", "trail.json", *([part] if part else [])):
        spool.close(path)


def _entry(
    index: int, digest: bytes, data: bytes, stored: Mapping[str, Stored], offsets: dict[int, str]
) -> Entry:
    values = {name: sections.read(name, one.text) for name, one in stored.items()}
    if "signature" in values:
        made = values["signature"]
        offset = utc_offset(made.prepared_at, made.zone)
        if offset:
            offsets[index] = offset
    return Entry(index, digest.hex(), leaf_format.parse(data), values)


def utc_offset(at: str, zone: str) -> str:
    """Return the UTC offset (``±hh:mm``) of a zone at a ledger time, empty where the zone is unknown."""
    try:
        local = leaf_format.parse_time(at).replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    except (ValueError, KeyError, OSError, OverflowError):
        return ""
    found = local.strftime("%z")
    return f"{found[:3]}:{found[3:5]}"


def _insist_root(checkpoint: Checkpoint, frontier: Frontier) -> None:
    if (checkpoint.size, checkpoint.root) != (frontier.size, frontier.root()):
        raise EvidenceBroken(
            "EVIDENCE",
            what="the leaves of the log",
            expected=f"{checkpoint.size} entries with the root {checkpoint.root.hex()}",
            found=f"{frontier.size} with the root {frontier.root().hex()}",
        )


def _streams(scope: Scope, history: History) -> list[Stream]:
    found = []
    for record in scope.records:
        stream = history.streams.get(record.id)
        if stream is None:
            raise EvidenceBroken(
                "EVIDENCE", record=record.label, what=f"the entries of {record.label}",
                expected="their bodies", found="none",
            )  # fmt: skip
        stream.label = record.label
        found.append(stream)
    return found


def _stored_rows(spool: _Spool) -> Iterator[Row]:
    with spool.read("trail.json") as stream:
        for line in stream:
            if line not in (b"[\n", b"]\n"):
                yield Row(**json.loads(line.rstrip(b",\n")))


def _files(
    scope: Scope, streams: list[Stream], open_file: Callable[[ScopeRecord, FileItem], Member]
) -> Iterator[_Ready]:
    """Hash every original file that is not withheld and compare it with its record."""
    withheld = {one.number for one in scope.withheld}
    for record, stream in zip(scope.records, streams, strict=True):
        for path, (item, _) in member_files(stream).items():
            if f"{record.label}/{item.path}" not in withheld:
                yield _file(path, record, item, open_file(record, item))


def _file(path: str, record: ScopeRecord, item: FileItem, member: Member) -> _Ready:
    chunks, crc = ChunkTree(), 0
    with member.open() as stream:
        for piece in _pieces(stream):
            chunks.update(piece)
            crc = zlib.crc32(piece, crc)
    found = chunks.finish()
    if (found.size, found.sha256.hex(), found.root.hex()) != (item.size, item.sha256, item.root):
        raise EvidenceBroken("HASH", record=f"{record.label}/{item.path}")
    return _Ready(Head(path, found.size, crc), item.sha256, member.open)


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(_PIECE):
        yield piece
