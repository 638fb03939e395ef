"""Does the tree over the entries lead to every root that was ever stored, signed or anchored?

Rules kept here: the roots are recomputed from the entries' bytes; a note counts only with the signature of
a key given by the caller; the first size that disagrees and the last that agrees bracket what was changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.failure import LedgerError
from coverslip.ledger.tree import HASH_SIZE, Frontier, root_of
from coverslip.store.findings import Report
from coverslip.store.signer import Signed, current
from coverslip.store.tiles import WIDTH


@dataclass(frozen=True, slots=True)
class Promise:
    """A root somebody holds for a size. ``source``: checkpoint, journal, anchor or a file's name."""

    source: str
    size: int
    root: bytes


@dataclass
class TreeCheck:
    """Takes leaf hashes in order and compares at the end."""

    report: Report
    wanted: frozenset[int]
    frontier: Frontier = field(default_factory=Frontier)
    roots: dict[int, bytes] = field(default_factory=dict)

    def add(self, leaf_hash: bytes) -> None:
        """Take the next leaf's hash."""
        self.frontier.append(leaf_hash)
        if self.frontier.size in self.wanted:
            self.roots[self.frontier.size] = self.frontier.root()

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
    live = current(journal)
    standing = {id(one) for one in live}
    gone = {(one.size, one.root) for one in journal if id(one) not in standing}
    gone -= {(one.size, one.root) for one in live}
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

    def expected(self, index: int) -> bytes | None:
        """Return what the tile says of leaf ``index``; None where it is in no full tile."""
        number = index // WIDTH
        if self._leaf_tile[0] != number:
            row = self._conn.execute(
                "select hashes from ledger.tile where log_id = 1 and level = 0 and n = %s", (number,)
            ).fetchone()
            self._leaf_tile = (number, None if row is None else bytes(row[0]))
        data = self._leaf_tile[1]
        at = index % WIDTH * HASH_SIZE
        return None if data is None else data[at : at + HASH_SIZE]

    def add(self, index: int, leaf_hash: bytes) -> None:
        """Take the next leaf's hash; when a tile is full, compare it."""
        self._push(0, leaf_hash)

    def _push(self, level: int, hashed: bytes) -> None:
        if level == len(self._levels):
            self._levels.append([])
            self._done.append(0)
        row = self._levels[level]
        row.append(hashed)
        if len(row) < WIDTH:
            return
        number, self._levels[level] = self._done[level], []
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
        self._push(level + 1, root_of(row))
