"""What stands beside a record: comments, tags, attachments, holds, and how many watch it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from coverslip.kernel.rows import Row
from coverslip.records.collaboration.attachment import TYPE as ATTACHMENT
from coverslip.records.collaboration.comment import TYPE as COMMENT
from coverslip.records.collaboration.tag import TYPE as TAG
from coverslip.records.collaboration.watch import TYPE as WATCH
from coverslip.records.quality.hold import TYPE as HOLD

MOST = 200
"""Shown of each kind where nothing else is asked."""
COUNTED = 1000
"""Counted of each kind; of more it is said that there are more."""
_SHOWN = {ATTACHMENT.name: "attachments", COMMENT.name: "comments", HOLD.name: "holds", TAG.name: "tags"}


class Reading(Protocol):
    """Reading what is about a record."""

    def beside(self, uid: str, types: Sequence[str], limit: int) -> list[tuple[Row, str]]:
        """Return records of types whose subject is this one, ``limit`` of each, newest first, and by whom."""
        ...

    def beside_counts(self, uid: str, types: Sequence[str], most: int) -> dict[str, int]:
        """Return by type how many have this one as their subject; ``most`` stands for that and any more."""
        ...

    def counted(self, uid: str, type: str, state: str) -> int:
        """Return how many of a type in a state have this one as their subject."""
        ...


@dataclass(frozen=True)
class Around:
    """Asks what stands beside a record."""

    reading: Reading

    def of(self, row: Row, most: int = MOST) -> dict[str, Any]:
        """Return ``comments``, ``tags``, ``attachments``, ``holds`` (newest first) and ``watchers``.

        Ended ones are there with their state, but for tags: these are words. At most ``most`` of each are
        there; ``more`` says that there are others, ``counts`` how many of each there are, ended ones too
        (``COUNTED`` and one: more than that).
        """
        value = self._of(row, sorted(_SHOWN), most)
        counts = self.reading.beside_counts(row.uid, sorted(_SHOWN), COUNTED + 1)
        value["counts"] = {name: counts[kind] for kind, name in _SHOWN.items()}
        value["more"] = any(counts[kind] > most for kind in _SHOWN)
        return value

    def brief(self, row: Row) -> dict[str, Any]:
        """Return of ``of`` what stands in short beside a record: ``tags``, ``counts`` and ``watchers``."""
        counts = self.reading.beside_counts(row.uid, sorted(_SHOWN), COUNTED + 1)
        value = self._of(row, [TAG.name] if counts[TAG.name] else [], MOST)
        return value | {"counts": {name: counts[kind] for kind, name in _SHOWN.items()}}

    def _of(self, row: Row, types: Sequence[str], most: int) -> dict[str, Any]:
        value: dict[str, Any] = {name: [] for name in _SHOWN.values()}
        for one, by in self.reading.beside(row.uid, types, most) if types else ():
            if one.type != TAG.name:
                value[_SHOWN[one.type]].append(_item(one, by))
            elif one.state == TAG.create.state:
                value["tags"].append({"number": one.number, "word": one.fields["word"]})
        value["tags"].sort(key=lambda tag: tag["word"])
        value["watchers"] = self.reading.counted(row.uid, WATCH.name, WATCH.create.state)
        return value


def _item(row: Row, by: str) -> dict[str, Any]:
    kept = {k: v for k, v in row.fields.items() if k not in ("subject", "mark")}
    about = row.fields["subject"].get("version", 0)
    return {
        "number": row.number,
        "state": row.state,
        "at": row.created_at,
        "by": by,
        "about_version": about,
    } | kept
