"""``leaves.bin``: every leaf of the log from index 0, and the chains their versions make.

Each leaf is preceded by its length, four bytes, big-endian. Rules kept here:

* A leaf is judged by :mod:`coverslip.ledger.leaf` unless it matches one pattern that spells out the
  common canonical form byte by byte; the pattern accepts nothing that the parser would refuse. It
  exists because a log has millions of leaves and a laptop should need seconds for them.
* Each stream's versions count 1, 2, 3 ... and each names the leaf hash of the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from coverslip.ledger.leaf import AUTHS, CLOCK_SOURCES, MAX_SIZE, TYPES, LeafError, parse
from coverslip.verifier.report import BundleError

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID7: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_CODE: Final = r"[a-z][a-z0-9_.:-]{0,79}"
_INT: Final = r"(?:0|[1-9][0-9]{0,14})"
_HASH: Final = r"[0-9a-f]{64}"


def _body(section: str) -> str:
    return rf'\{{"c":"{_HASH}","n":{_INT},"s":"{section}"\}}'


def _bodies() -> str:
    """Sections in their sorted order, each at most once, none carried over (``from``)."""
    names = ("content", "context", "detail", "files", "personal", "reason", "signature")
    return "|".join(
        _body(first) + "".join(f"(?:,{_body(later)})?" for later in names[position + 1 :])
        for position, first in enumerate(names)
    )


_FAST: Final = re.compile(
    (
        rf'\{{"act":"{_CODE}","actor":\{{"auth":"(?:{"|".join(sorted(AUTHS))})","id":"{_UUID}",'
        rf'"sess":"{_UUID}"\}},"at":"(?P<at>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}'
        rf'\.[0-9]{{6}}Z)","bodies":\[(?:{_bodies()})?\],'
        rf'"clock":\{{"off_us":(?:0|-?[1-9][0-9]{{0,14}}),"ok":(?:true|false),'
        rf'"src":"(?:{"|".join(sorted(CLOCK_SOURCES))})"\}},"cmd":"{_UUID}",(?P<def>"def":"{_HASH}",)?'
        rf'"entry":"{_UUID7}",(?:"files":\{{"count":{_INT},"root":"{_HASH}"\}},)?'
        rf'"log":"(?P<log>[!#-*,-\[\]-~]{{1,255}})",(?:"meaning":"{_CODE}",)?'
        rf'"record":\{{"id":"(?P<id>{_UUID})","kind":"(?P<kind>{_CODE})",'
        rf'(?:"prev":"(?P<prev>{_HASH})",)?"ver":(?P<ver>[1-9][0-9]{{0,14}})\}},'
        rf'"sw":"[a-z0-9_]+/[a-z0-9_.+-]{{1,64}}","type":"(?P<type>{"|".join(sorted(TYPES))})","v":1\}}'
    ),
    re.ASCII,
)


@dataclass(slots=True)
class Line:
    """What the chain needs of one leaf; ``prev`` is empty for version 1, ``about`` without a subject."""

    log: str
    type: str
    kind: str
    id: str
    ver: int
    prev: str
    at: str
    about: str = ""


def line(data: bytes) -> Line:
    """Read what the chain needs of a leaf, refusing whatever is no leaf. Raises LeafError."""
    text = data.decode("ascii", "replace")
    found = _FAST.fullmatch(text)
    if found is None or len(data) > MAX_SIZE:
        leaf = parse(data)
        record = leaf.record
        about = leaf.about.id if leaf.about else ""
        return Line(
            leaf.log, leaf.type, record.kind, record.id, record.ver, record.prev or "", leaf.at, about
        )
    at, definition, log, id, kind, prev, ver, type_ = found.group(
        "at", "def", "log", "id", "kind", "prev", "ver", "type"
    )
    version = int(ver)
    if (version == 1) != (prev is None):
        raise LeafError("record.prev is there from version 2 on, and only then")
    if definition and kind in ("session", "installation"):
        raise LeafError("only a record version names a definition")
    try:
        datetime.fromisoformat(at)
    except ValueError as error:
        raise LeafError(f"time {at!r}: {error}") from None
    return Line(log, type_, kind, id, version, prev or "", at)


def split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the leaves of ``leaves.bin``. Raises BundleError where its framing is broken."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        position, end = 0, len(data)
        while end - position >= 4:
            stop = position + 4 + int.from_bytes(data[position : position + 4], "big")
            if not position + 6 <= stop <= position + 4 + MAX_SIZE:
                raise BundleError(f"a leaf of {stop - position - 4} bytes; 2 to {MAX_SIZE} are possible")
            if stop > end:
                break
            yield data[position + 4 : stop]
            position = stop
        rest = data[position:]
    if rest:
        raise BundleError(f"{len(rest)} bytes are left over after the last leaf")


def framed(leaf: bytes) -> bytes:
    """Return a leaf as ``leaves.bin`` holds it."""
    return len(leaf).to_bytes(4, "big") + leaf


class Chains:
    """The latest version of every stream, to which the next must link."""

    def __init__(self) -> None:
        self._heads: dict[str, tuple[int, bytes, str]] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def add(self, one: Line, leaf_hash: bytes) -> Iterator[str]:
        """Take the next leaf of the log and yield what is wrong with its place in its stream."""
        version, before, kind = self._heads.get(one.id, (0, b"", one.kind))
        if one.ver != version + 1:
            yield f"version {one.ver} follows version {version} of the same stream"
        elif one.prev != before.hex():
            yield f"does not follow version {version}: names the leaf {one.prev}, which has {before.hex()}"
        if one.kind != kind:
            yield f"a stream of kind {kind} goes on as {one.kind}"
        self._heads[one.id] = (one.ver, leaf_hash, kind)

    def version(self, id: str) -> int:
        """Return the latest version of a stream, 0 if the log has none."""
        return self._heads.get(id, (0, b"", ""))[0]
