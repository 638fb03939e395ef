"""Were the heads entered those of the entries? Recomputed from the entries' bytes as the walk passes them.

Rules kept here: the newest ``KEPT`` heads entries are recomputed, each at the tree size it describes; older
ones are entries like any other, under the same roots. One that cannot be read is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import psycopg

from coverslip.errors import EvidenceBroken
from coverslip.ledger import canonical, heads, leaf
from coverslip.ledger.failure import LedgerError
from coverslip.ledger.heads import Head, Heads
from coverslip.ledger.leaf import OTHER_STREAMS
from coverslip.store.findings import Report
from coverslip.store.sections import sections_of

KEPT: Final = 32
_SELECT: Final = (
    "select l.idx, e.leaf, b.fixed, b.fixed_salts, b.erasable, b.erasable_salts from ledger.entry e"
    " join ledger.leaf l on l.log_id = 1 and l.entry_id = e.id"
    " left join ledger.body b on b.entry_id = e.id where e.log_id = 1 and e.kind = 'installation'"
    ' and position(\'"type":"heads"\'::bytea in e.leaf) > 0 order by l.idx desc limit %s'
)


class Known(Protocol):
    """A stream as the walk knows it."""

    kind: str
    version: int
    leaf_hash: bytes


class HeadsCheck:
    """Compares heads entries with the streams at the sizes they describe."""

    def __init__(self, conn: psycopg.Connection[Any], report: Report) -> None:
        self._report = report
        self._wanted: dict[int, list[tuple[int, Heads]]] = {}
        names = ("fixed", "fixed_salts", "erasable", "erasable_salts")
        for index, data, *body in conn.execute(_SELECT, (KEPT,)):
            try:
                opened = sections_of(leaf.parse(bytes(data)), dict(zip(names, body, strict=True)))
                found = Heads.parse(canonical.decode(opened["detail"][1]))
            except (LedgerError, EvidenceBroken, KeyError, AttributeError) as error:
                report.add("heads", f"heads that cannot be read: {error}", index=index, field="detail")
                continue
            if found.tree_size > index:
                report.add("heads", "heads of a tree larger than the one before them", index=index)
            else:
                self._wanted.setdefault(found.tree_size, []).append((index, found))

    def at(self, size: int, streams: Mapping[str, Known]) -> None:
        """Compare the heads entries that describe ``size`` with what is known after so many leaves."""
        for index, said in self._wanted.pop(size, ()):
            found = heads.root_over(size, _heads(streams))
            self._report.counts["heads_entries"] += 1
            if found != said:
                self._report.add(
                    "heads",
                    f"heads of {said.count} records at size {size}, the entries have {found.count} with"
                    " another root: a version was left out, changed or added",
                    index=index, field="detail.root",
                )  # fmt: skip


def _heads(streams: Mapping[str, Known]) -> list[Head]:
    return [
        Head(id, one.version, one.leaf_hash)
        for id, one in sorted(streams.items())
        if one.kind not in OTHER_STREAMS and one.version
    ]
