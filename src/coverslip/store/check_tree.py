"""Does the tree over the entries lead to every root that was ever stored, signed or anchored?

Rules kept here: the roots are recomputed from the entries' bytes; a note counts only with the signature of
a key given by the caller; the first size that disagrees and the last that agrees bracket what was changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.failure import LedgerError
from coverslip.ledger.tree import HASH_SIZE, Frontier, root_of
from coverslip.store.findings import Report
from coverslip.store.signer import Signed, current, lost
from coverslip.store.tiles import WIDTH

_AHEAD: Final = 64
"""Tiles of leaf hashes read at once; 8 KiB each."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A root somebody holds for a size. ``source``: checkpoint, journal, anchor or a file's name."""

    source: str
    size: int
    root: bytes


class TreeCheck:
    """Takes leaf hashes in order, a tile's at a time, and compares at the end.

    ``wanted`` are the sizes whose roots are compared; ``frontier`` is the tree over all taken so far.
    """

    def __init__(self, report: Report, wanted: frozenset[int]) -> None:
        self.report = report
        self.roots: dict[int, bytes] = {}
        self._wanted = sorted(wanted, reverse=True)
        self._tiles = Frontier()
        self._part: list[bytes] = []

    @property
    def frontier(self) -> Frontier:
        """Return the tree so far; hashes of whole tiles make up its left, single leaves its right."""
        return self._with(self._part)

    def add(self, hashes: Sequence[bytes], root: bytes | None) -> None:
        """Take the next tile's hashes with the root over them; the last ones may be fewer, with None."""
        start = self._tiles.size * WIDTH
        while self._wanted and self._wanted[-1] <= start + len(hashes):
            size = self._wanted.pop()
            if size > start:
                self.roots[size] = self._with(hashes[: size - start]).root()
        if root is None:
            self._part = list(hashes)
        else:
            self._tiles.append(root)

    def _with(self, leaves: Sequence[bytes]) -> Frontier:
        found = Frontier(self._tiles.size * WIDTH, self._tiles.hashes)
        found.extend(leaves)
        return found

    def compare(self, promises: Iterable[Promise], names: Sequence[tuple[int, str]]) -> None:
        """Compare with everything promised; ``names`` are records by index already found faulty."""
        agreed, size = 0, self.frontier.size
        for promise in sorted(promises, key=lambda one: (one.size, one.source)):
            if promise.size > size:
                lost = promise.size - size
                self.report.add(
                    promise.source,
                    f"cut off: {promise.size} entries were signed, the ledger has {size}; the last {lost},"
                    f" index {size} to {promise.size - 1}, are missing",
                    index=size,
                )
            elif self.roots.get(promise.size) == promise.root:
                # Rows of the database may have been rewritten too: only what is kept elsewhere brackets.
                agreed = agreed if promise.source == "checkpoint" else max(agreed, promise.size)
                self.report.counts["roots"] += 1
            else:
                named = ", ".join(sorted({name for index, name in names if index < promise.size and name}))
                self.report.add(
                    promise.source,
                    f"another root at size {promise.size}: what was signed is not what is stored; changed"
                    f" between index {agreed} and {promise.size - 1}" + (f" (see {named})" if named else ""),
                    index=agreed,
                )


def promises(
    conn: psycopg.Connection[Any],
    journal: Sequence[Signed],
    anchors: Sequence[bytes],
    verifiers: Sequence[note.Verifier],
    origin: str,
    report: Report,
) -> tuple[list[Promise], set[int]]:
    """Return all promised roots, and the sizes for which a signature holds.

    A note without a good signature is a finding and promises nothing.
    """
    sizes: set[int] = set()
    live, gone = current(journal), lost(journal)
    standing = {id(one) for one in live}
    found = [Promise("journal", one.size, one.root) for one in live]
    stored: dict[int, bytes] = {}
    for size, root, data in conn.execute(
        "select size, root, note from ledger.checkpoint where log_id = 1 order by size"
    ):
        stored[size] = bytes(root)
        found.append(Promise("checkpoint", size, bytes(root)))
        checkpoint = opened(bytes(data), verifiers, origin, "checkpoint", f"of size {size}", report)
        if checkpoint is None:
            continue
        sizes.add(checkpoint.size)
        if (checkpoint.size, checkpoint.root) != (size, bytes(root)):
            report.add(
                "checkpoint",
                f"the note says size {checkpoint.size} or another root than the row of size {size}",
            )
    for one in journal:
        checkpoint = opened(one.note, verifiers, origin, "journal", f"of size {one.size}", report)
        if checkpoint is not None:
            sizes |= {checkpoint.size} if id(one) in standing else set()
            if (checkpoint.size, checkpoint.root) != (one.size, one.root):
                report.add(
                    "journal",
                    f"the note of size {one.size} says size {checkpoint.size} or another root than its line",
                )
        if id(one) in standing and stored.get(one.size, one.root) != one.root:
            report.add(
                "checkpoint", f"the stored checkpoint of size {one.size} is not the one the signer signed"
            )
    for number, data in enumerate(anchors, 1):
        checkpoint = opened(data, verifiers, origin, "anchor", f"number {number}", report)
        # A checkpoint of a history that two people declared lost is accounted for; of a third one, not.
        if checkpoint is not None and (checkpoint.size, checkpoint.root) not in gone:
            found.append(Promise("anchor", checkpoint.size, checkpoint.root))
            sizes.add(checkpoint.size)
    if gone:
        report.counts["superseded"] = len(gone)
    report.counts["checkpoints"] = len(stored)
    report.counts["anchors"] = len(anchors)
    return found, sizes


def opened(
    data: bytes, verifiers: Sequence[note.Verifier], origin: str, kind: str, which: str, report: Report
) -> Checkpoint | None:
    """Return the checkpoint of a note that a key given signed for this log; else None, and a finding."""
    try:
        parsed = note.parse(data)
        note.verify(parsed, verifiers)
        checkpoint = Checkpoint.parse(parsed.text)
    except LedgerError as error:
        report.add(kind, f"the note {which} does not hold: {error}")
        return None
    if checkpoint.origin != origin:
        report.add(kind, f"the note {which} is of the log {checkpoint.origin}")
        return None
    return checkpoint


def check_state(conn: psycopg.Connection[Any], check: TreeCheck, report: Report) -> None:
    """Compare the stored tree state with the recomputed one."""
    row = conn.execute("select size, frontier, root from ledger.tree where log_id = 1").fetchone()
    if row is None:
        report.add("tree", "no tree state is stored")
        return
    size, frontier, root = int(row[0]), [bytes(one) for one in row[1]], bytes(row[2])
    if size != check.frontier.size:
        report.add("tree", f"the tree state says {size} leaves, {check.frontier.size} are stored")
    elif root != check.frontier.root() or frontier != check.frontier.hashes:
        report.add("tree", f"the stored root of {size} leaves is not that of the entries")


class TileCheck:
    """Compares leaf hashes with the stored tiles as they go by; keeps one root per 256 leaves."""

    def __init__(self, conn: psycopg.Connection[Any], report: Report) -> None:
        self._report = report
        self._stored = {
            (level, n): bytes(data)
            for level, n, data in conn.execute(
                "select level, n, hashes from ledger.tile where log_id = 1 and level > 0"
            )
        }
        self._conn = conn
        self._levels: list[list[bytes]] = [[]]
        self._done: list[int] = [0]
        self._leaf_tile: tuple[int, bytes | None] = (-1, None)
        self._ahead: dict[int, bytes] = {}
        self._read_to = 0

    def expected(self, index: int) -> bytes | None:
        """Return what the tile says of leaf ``index``; None where it is in no full tile."""
        number = index // WIDTH
        if self._leaf_tile[0] != number:
            self._leaf_tile = (number, self._leaves(number))
        data = self._leaf_tile[1]
        at = index % WIDTH * HASH_SIZE
        return None if data is None else data[at : at + HASH_SIZE]

    def _leaves(self, number: int) -> bytes | None:
        """Return a stored tile of level 0; those after it are read with it."""
        if number >= self._read_to or number not in self._ahead:
            self._read_to = number + _AHEAD
            with self._conn.cursor(binary=True) as cursor:
                cursor.execute(
                    "select n, hashes from ledger.tile where log_id = 1 and level = 0 and n >= %s and n < %s",
                    (number, self._read_to),
                )
                self._ahead = dict(cursor.fetchall())
        return self._ahead.get(number)

    def add(self, hashes: list[bytes]) -> bytes:
        """Compare the next full tile of leaf hashes, and those above that it fills; return its root."""
        root = root_of(hashes)
        self._full(0, hashes, root)
        return root

    def _full(self, level: int, row: list[bytes], root: bytes) -> None:
        number = self._done[level]
        self._done[level] += 1
        if level == 0:
            known = self.expected(number * WIDTH)
            stored = None if known is None else self._leaf_tile[1]
        else:
            stored = self._stored.get((level, number))
        self._report.counts["tiles"] += 1
        if stored is None:
            self._report.add(
                "tile", f"tile {number} of level {level} is missing", index=number * WIDTH ** (level + 1)
            )
        elif stored != b"".join(row):
            self._report.add(
                "tile",
                f"tile {number} of level {level} is not that of the entries",
                index=number * WIDTH ** (level + 1),
            )
        if level + 1 == len(self._done):
            self._levels.append([])
            self._done.append(0)
        above = self._levels[level + 1]
        above.append(root)
        if len(above) == WIDTH:
            self._levels[level + 1] = []
            self._full(level + 1, above, root_of(above))
