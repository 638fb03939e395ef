"""Family: what a record belongs to, what is built on it, and who preserves any of it.

Rules kept here:

* A record belongs to what its type says (``longest_of``), and to what that belongs to.
* What is built on a record is everything that links to it, directly or through others (RET-E3).
* Who preserves a record preserves what it stands on, and everything below it. A legal hold, a hold and a
  disposal are about records and not built on them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.rows import Row
from coverslip.records.quality.disposal import TYPE as DISPOSAL


class Reading(Protocol):
    """What retention reads."""

    def rows(self, uids: Collection[str]) -> list[Row]:
        """Return the records with these uids."""
        ...

    def of_type(self, kind: str) -> list[Row]:
        """Return every record of a type."""
        ...

    def inbound(
        self, uids: Collection[str], types: Sequence[str] = (), most: int = 0
    ) -> list[tuple[str, str, str, str]]:
        """Return the links to these records: (to uid, from type, from uid, field); ``types`` empty: any.

        ``most`` of them, where it is not 0.
        """
        ...

    def outbound(self, uids: Collection[str], field: str) -> list[tuple[str, str, str]]:
        """Return where a link field of these records leads: (from uid, to type, to uid)."""
        ...

    def page(self, types: Sequence[str], after: str, limit: int) -> list[Row]:
        """Return records of these types in the order of their uids, after one of them."""
        ...

    def size(self) -> int:
        """Return the size of the tree."""
        ...


class Family:
    """The records around some; read once, then asked record by record."""

    def __init__(self, catalogue: Catalogue, reading: Reading, rows: Iterable[Row], most: int = 0) -> None:
        """Read it; with more than ``most`` records or links (0: any number) it is ``wide`` and of no use."""
        self._catalogue, self._reading, self._most = catalogue, reading, most
        self.wide = False
        self.types: dict[str, str] = {row.uid: row.type for row in rows}
        self.children: dict[str, set[str]] = defaultdict(set)
        self.parents: dict[str, set[str]] = defaultdict(set)
        self._preservers = _preservers(catalogue)
        self._blocks = {(d.name, d.type.blocks) for d in catalogue if d.type.blocks}
        self._held: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.disposals: dict[str, set[str]] = defaultdict(set)
        self._climbed: set[str] = set()
        self._read()

    def lineage(self, uids: Iterable[str]) -> set[str]:
        """Return what these records belong to, at every remove; themselves not, unless in a circle."""
        return _closure(uids, self.parents)

    def built_on(self, uids: Iterable[str]) -> set[str]:
        """Return everything built on these records, at every remove."""
        return _closure(uids, self.children)

    def preservers(self, uids: Iterable[str]) -> set[tuple[str, str]]:
        """Return (uid, field) of the records that may preserve one of these; their state is not asked."""
        return {found for uid in uids for found in self._held.get(uid, ())}

    def _read(self) -> None:
        # What lasts as long as the system is open whatever is built on it, so that need not be read.
        frontier = {uid for uid in self.types if self._class(uid) not in ("PERS", "SYS")}
        # Of what they belong to, what else is built on it is asked of documents alone.
        found = self._climb(set(self.types))
        frontier |= {uid for uid in found if self._class(uid) == "DOC"}
        expanded: set[str] = set()
        while frontier:
            found |= self._climb(frontier)
            expanded |= frontier
            fresh: set[str] = set()
            links = self._reading.inbound(frontier, most=self._most and self._most + 1)
            self.wide = bool(self._most) and len(links) + len(self.types) > self._most
            if self.wide:
                return
            for to_uid, kind, uid, field in links:
                if field in self._preservers.get(kind, ()):
                    self._held[to_uid].add((uid, field))
                elif kind == DISPOSAL.name:
                    self.disposals[to_uid].add(uid)
                elif kind not in self._preservers and (kind, field) not in self._blocks:
                    self.types[uid] = kind
                    self.children[to_uid].add(uid)
                    fresh.add(uid)
            fresh |= {uid for uid in found if self._class(uid) == "DOC"}
            frontier = fresh - expanded
        self._above(set(self.types) - expanded)

    def _above(self, uids: set[str]) -> None:
        """Read who preserves what the others belong to; what else is built on it concerns them not."""
        if uids and self._preservers:
            for to_uid, kind, uid, field in self._reading.inbound(uids, sorted(self._preservers)):
                if field in self._preservers[kind]:
                    self._held[to_uid].add((uid, field))

    def _climb(self, uids: set[str]) -> set[str]:
        """Read what these records belong to, and what that belongs to; return what was found."""
        found: set[str] = set()
        frontier = uids - self._climbed
        while frontier:
            self._climbed |= frontier
            fresh: set[str] = set()
            for kind, members in _grouped(frontier, self.types).items():
                for start, target, target_kind in self._walk(members, self._path(kind)):
                    self.types[target] = target_kind
                    self.parents[start].add(target)
                    fresh.add(target)
            found |= fresh
            frontier = fresh - self._climbed
        return found

    def _path(self, kind: str) -> w.Path:
        definition = self._catalogue.get(kind)
        return definition.type.retention.longest_of if definition else ()

    def _walk(self, uids: set[str], path: w.Path) -> list[tuple[str, str, str]]:
        """Follow a path from many records: (start, target, type of target)."""
        if not path:
            return []
        at = {uid: {uid} for uid in uids}  # where the walk stands -> who started it
        kinds: dict[str, str] = {}
        for step in path:
            following: dict[str, set[str]] = defaultdict(set)
            for uid, kind, target in self._reading.outbound(sorted(at), step):
                following[target] |= at[uid]
                kinds[target] = kind
            at = following
        return [(start, target, kinds[target]) for target, starts in at.items() for start in starts]

    def _class(self, uid: str) -> str:
        definition = self._catalogue.get(self.types[uid])
        return definition.type.retention.class_ if definition is not None else ""


def _preservers(catalogue: Catalogue) -> dict[str, set[str]]:
    """Return the link fields through which records of a type preserve others, by type."""
    found: dict[str, set[str]] = defaultdict(set)
    for definition in catalogue:
        for word in definition.type.provides:
            if isinstance(word, w.Preserves):
                found[definition.name].add(word.field)
    return dict(found)


def _grouped(uids: Iterable[str], types: Mapping[str, str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for uid in uids:
        found[types[uid]].add(uid)
    return found


def _closure(starts: Iterable[str], edges: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    frontier = {n for uid in starts for n in edges.get(uid, ())}
    while frontier:
        found |= frontier
        frontier = {n for uid in frontier for n in edges.get(uid, ())} - found
    return found
