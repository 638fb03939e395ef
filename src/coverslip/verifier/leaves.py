"""``leaves.bin``: every leaf of the log from index 0, and the chains their versions make.

Each leaf is preceded by its length, four bytes, big-endian. Rules kept here:

* A leaf is judged by :mod:`coverslip.ledger.leaf` unless :mod:`coverslip.ledger.forms` recognises it as
  one that differs from a judged one in its slots only: a log has millions of leaves and a laptop should
  need seconds for them.
* Each stream's versions count 1, 2, 3 ... and each names the leaf hash of the one before.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from coverslip.ledger.forms import Forms, Seen
from coverslip.ledger.leaf import MAX_SIZE, parse
from coverslip.verifier.report import BundleError

__all__ = ["Chains", "Line", "Lines", "framed", "line", "pieces", "split"]


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


class Lines:
    """Reads leaves, remembering the forms met, so that most need no parser."""

    def __init__(self) -> None:
        forms = Forms()
        self.see = forms.see
        self._learn = forms.learn

    def line(self, data: bytes) -> Line:
        """Read what the chain needs of a leaf, refusing whatever is no leaf. Raises LeafError."""
        seen = self.see(data)
        return self.parsed(data) if seen is None else seen_line(seen, data)

    def parsed(self, data: bytes) -> Line:
        """Read a leaf that was not recognised, and remember its form. Raises LeafError."""
        leaf = parse(data)
        self._learn(leaf, data)
        record = leaf.record
        about = leaf.about.id if leaf.about else ""
        return Line(
            leaf.log, leaf.type, record.kind, record.id, record.ver, record.prev or "", leaf.at, about
        )


def seen_line(seen: Seen, data: bytes) -> Line:
    """Return what the chain needs of a leaf that was recognised."""
    form, at, id, prev, ver = seen
    return Line(
        form.log, form.type, form.kind, id.decode(), int(ver), prev.decode(), at.decode(), form.about(data)
    )


def line(data: bytes) -> Line:
    """Read what the chain needs of a single leaf. Raises LeafError."""
    return Lines().parsed(data)


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the leaves of ``leaves.bin``. Raises BundleError where its framing is broken."""
    for some in pieces(chunks):
        yield from some


def pieces(chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the leaves of ``leaves.bin``, those that end in each chunk together.

    Raises BundleError where its framing is broken, after the leaves before that place.
    """
    rest = b""
    read = int.from_bytes
    for chunk in chunks:
        data = rest + chunk if rest else chunk
        found: list[bytes] = []
        keep, position, last = found.append, 0, len(data) - 4
        while position <= last:
            start = position + 4
            size = read(data[position:start], "big")
            if not 2 <= size <= MAX_SIZE:
                yield found
                raise BundleError(f"a leaf of {size} bytes; 2 to {MAX_SIZE} are possible")
            stop = start + size
            if stop > last + 4:
                break
            keep(data[start:stop])
            position = stop
        rest = data[position:]
        yield found
    if rest:
        raise BundleError(f"{len(rest)} bytes are left over after the last leaf")


def framed(leaf: bytes) -> bytes:
    """Return a leaf as ``leaves.bin`` holds it."""
    return len(leaf).to_bytes(4, "big") + leaf


class Chains:
    """The latest version of every stream, to which the next must link."""

    def __init__(self) -> None:
        self._heads: dict[bytes, tuple[int, bytes, str]] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def follow(self, seen: Seen, leaf_hash: bytes) -> bool:
        """Take the next leaf of the log if it has its place in its stream; else leave all as it is."""
        form, _, id, prev, ver = seen
        head = self._heads.get(id)
        version = int(ver)
        if head is None:
            if version != 1:
                return False
        elif head[0] + 1 != version or head[2] != form.kind or unhexlify(prev) != head[1]:
            return False
        self._heads[id] = (version, leaf_hash, form.kind)
        return True

    def add(self, one: Line, leaf_hash: bytes) -> Iterator[str]:
        """Take the next leaf of the log and yield what is wrong with its place in its stream."""
        id = one.id.encode()
        version, before, kind = self._heads.get(id, (0, b"", one.kind))
        if one.ver != version + 1:
            yield f"version {one.ver} follows version {version} of the same stream"
        elif one.prev != before.hex():
            yield f"does not follow version {version}: names the leaf {one.prev}, which has {before.hex()}"
        if one.kind != kind:
            yield f"a stream of kind {kind} goes on as {one.kind}"
        self._heads[id] = (one.ver, leaf_hash, kind)

    def version(self, id: str) -> int:
        """Return the latest version of a stream, 0 if the log has none."""
        return self._heads.get(id.encode(), (0, b"", ""))[0]
