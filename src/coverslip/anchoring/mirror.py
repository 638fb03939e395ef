"""A copy of a log's leaves at the witness: whoever holds it can replay what was cosigned.

Leaves hold no personal data and no free text. Rules kept here:

* The root is recomputed from the leaves themselves; what does not lead to a cosigned root is thrown away.
* What was verified is remembered by size, bytes and root, and recomputed at every start; what came after is
  dropped and asked for again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from coverslip.errors import EvidenceBroken
from coverslip.ledger.leaf import MAX_SIZE, LeafError, parse
from coverslip.ledger.tree import Frontier, leaf_hash
from coverslip.verifier import leaves
from coverslip.verifier.report import BundleError

MAX_BATCH: Final = 1 << 20
_PIECE: Final = 1 << 20


class MirrorRefused(Exception):
    """Leaves that are none, too many, or not those of the tree that was cosigned."""


class Mirror:
    """The leaves of one log in a folder: ``leaves`` (framed) and ``verified``. Not for several threads."""

    def __init__(self, folder: Path) -> None:
        """Take up what was verified. Raises EVIDENCE when the leaves are no longer those."""
        self._leaves, self._state = folder / "leaves", folder / "verified"
        self._leaves.touch(mode=0o600)
        self._frontier = Frontier()
        self.verified, self._bytes, self._root = 0, 0, ""
        if self._state.exists():
            value = json.loads(self._state.read_text("ascii"))
            self.verified, self._bytes = int(value["size"]), int(value["bytes"])
            self._root = str(value["root"])
        self._restart()

    @property
    def size(self) -> int:
        """Number of leaves held, verified or not yet."""
        return self._frontier.size

    def add(self, data: bytes, roots: Mapping[int, bytes], limit: int) -> None:
        """Append framed leaves; ``roots`` are cosigned roots by size, ``limit`` the largest size cosigned.

        Raises MirrorRefused, after dropping everything not verified, for leaves that lead elsewhere.
        """
        try:
            found = list(leaves.split([data]))
            for one in found:
                parse(one)
        except (BundleError, LeafError) as error:
            raise MirrorRefused(f"no leaves: {error}") from error
        if self.size + len(found) > limit:
            raise MirrorRefused(f"leaves beyond the {limit} that were cosigned")
        self._frontier.extend([leaf_hash(one) for one in found])
        with open(self._leaves, "ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        wanted = roots.get(self.size)
        if wanted is not None:
            self._settle(wanted)

    def _settle(self, wanted: bytes) -> None:
        root, size = self._frontier.root(), self.size
        if root != wanted:
            self._restart()
            raise MirrorRefused(f"the leaves do not lead to the root cosigned for {size} entries")
        held = self._leaves.stat().st_size
        value = {"size": size, "bytes": held, "root": root.hex()}
        fresh = self._state.with_name("verified.new")
        with open(fresh, "w", encoding="ascii") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._state)
        self.verified, self._bytes, self._root = size, held, root.hex()

    def _restart(self) -> None:
        if self._leaves.stat().st_size > self._bytes:
            os.truncate(self._leaves, self._bytes)
        self._frontier = Frontier()
        try:
            with open(self._leaves, "rb") as file:
                for one in leaves.split(iter(lambda: file.read(_PIECE), b"")):
                    self._frontier.append(leaf_hash(one))
        except BundleError as error:
            raise self._broken(str(error)) from error
        if self.verified and (self.size, self._frontier.root().hex()) != (self.verified, self._root):
            raise self._broken(f"{self.size} leaves with another root")

    def _broken(self, found: str) -> EvidenceBroken:
        return EvidenceBroken(
            "EVIDENCE", what=str(self._leaves), expected=f"the {self.verified} leaves verified", found=found
        )


__all__ = ["MAX_BATCH", "MAX_SIZE", "Mirror", "MirrorRefused"]
