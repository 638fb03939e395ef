"""Subtree roots out of stored tiles: proofs for any two sizes without reading the whole log.

Rules kept here: a stored tile is full (256 hashes of level L, each over 256**L leaves); what is not yet
in a full tile is read from the leaves themselves; nothing here decides whether a root is the right one.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

from coverslip.ledger.failure import TreeError
from coverslip.ledger.tree import (
    EMPTY_ROOT,
    HASH_SIZE,
    Frontier,
    consistency_path,
    inclusion_path,
    node_hash,
    root_of,
)

WIDTH: Final = 256
_KEPT: Final = 512


class TreeReader:
    """Reads one log's tree in the state of one connection's snapshot. Keeps at most 512 tiles."""

    def __init__(self, conn: psycopg.Connection[Any], log_id: int = 1) -> None:
        self._conn = conn
        self._log = log_id
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the audit path of leaf ``index`` in the first ``size``. Raises TreeError."""
        return inclusion_path(index, size, self.subtree)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that ``new`` leaves extend the first ``old`` (>= 1). Raises TreeError."""
        return consistency_path(old, new, self.subtree)

    def root(self, size: int) -> bytes:
        """Return the root over the first ``size`` leaves. Raises TreeError when they are not all there."""
        return self.subtree(0, size) if size else EMPTY_ROOT

    def subtree(self, start: int, stop: int) -> bytes:
        """Return the root of leaves ``start`` to ``stop`` (exclusive). Raises TreeError."""
        count = stop - start
        level = (count.bit_length() - 1) // 8
        if count & (count - 1) == 0 and start % count == 0:
            first, nodes = start >> 8 * level, count >> 8 * level
            tile = self.tile(level, first // WIDTH)
            if tile is not None:
                within = tile[first % WIDTH : first % WIDTH + nodes]
                if len(within) != nodes:
                    raise TreeError(f"leaves {start} to {stop} are not all there")
                return root_of(within)
        middle = start + (1 << ((count - 1).bit_length() - 1))
        return node_hash(self.subtree(start, middle), self.subtree(middle, stop))

    def tile(self, level: int, number: int) -> list[bytes] | None:
        """Return the hashes of a tile; of level 0 also those of the last, unfinished one.

        None for a tile above level 0 that is not stored.
        """
        key = (level, number)
        if key not in self._tiles:
            found = self._read(level, number)
            if found is None:
                return None
            if len(self._tiles) >= _KEPT:
                self._tiles.clear()
            self._tiles[key] = found
        return self._tiles[key]

    def _read(self, level: int, number: int) -> list[bytes] | None:
        row = self._conn.execute(
            "select hashes from ledger.tile where log_id = %s and level = %s and n = %s",
            (self._log, level, number),
        ).fetchone()
        if row is not None:
            data = bytes(row[0])
            return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
        if level:
            return None
        rows = self._conn.execute(
            "select e.leaf_hash from ledger.leaf l"
            " join ledger.entry e on e.log_id = l.log_id and e.id = l.entry_id"
            " where l.log_id = %s and l.idx >= %s and l.idx < %s order by l.idx",
            (self._log, number * WIDTH, (number + 1) * WIDTH),
        ).fetchall()
        return [bytes(one) for (one,) in rows]


def full_tiles(reader: TreeReader, frontier: Frontier, added: list[bytes]) -> list[tuple[int, int, bytes]]:
    """Return the tiles that become full when ``added`` leaf hashes follow the leaves of ``frontier``.

    As (level, number, 8192 bytes), lowest level first. ``reader`` sees the tree before the addition.
    """
    size = frontier.size
    found: list[tuple[int, int, bytes]] = []
    level, before, fresh = 0, size, added
    known: dict[tuple[int, int], list[bytes]] = {}
    while fresh:
        number, offset = divmod(before, WIDTH)
        pending = _pending(reader, known, level, number, offset) + fresh
        full = len(pending) // WIDTH
        above = []
        for position in range(full):
            hashes = pending[position * WIDTH : (position + 1) * WIDTH]
            found.append((level, number + position, b"".join(hashes)))
            known[level, number + position] = hashes
            above.append(root_of(hashes))
        level, before, fresh = level + 1, number, above
    return found


def _pending(
    reader: TreeReader, known: dict[tuple[int, int], list[bytes]], level: int, number: int, count: int
) -> list[bytes]:
    """Return the ``count`` hashes of the unfinished tile ``number`` of ``level``."""
    if level == 0:
        tile = (reader.tile(0, number) or []) if count else []
        if len(tile) != count:
            raise TreeError(f"tile {number} holds {len(tile)} leaves instead of {count}")
        return list(tile)
    hashes = []
    for child in range(number * WIDTH, number * WIDTH + count):
        tile_below = known.get((level - 1, child)) or reader.tile(level - 1, child)
        if tile_below is None:
            raise TreeError(f"tile {child} of level {level - 1} is missing")
        hashes.append(root_of(tile_below))
    return hashes
