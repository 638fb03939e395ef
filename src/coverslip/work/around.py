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

MOST = 500
_SHOWN = {ATTACHMENT.name: "attachments", COMMENT.name: "comments", HOLD.name: "holds", TAG.name: "tags"}


class Reading(Protocol):
    """Reading what is about a record."""

    def beside(self, uid: str, types: Sequence[str], limit: int) -> list[tuple[Row, str]]:
        """Return records of types whose subject is this one, newest first, with who made each."""
        ...

    def counted(self, uid: str, type: str, state: str) -> int:
        """Return how many of a type in a state have this one as their subject."""
        ...


@dataclass(frozen=True)
class Around:
    """Asks what stands beside a record."""

    reading: Reading

    def of(self, row: Row) -> dict[str, Any]:
        """Return ``comments``, ``tags``, ``attachments``, ``holds`` (newest first) and ``watchers``.

        Ended ones are there with their state, but for tags: these are words. At most 500 in all; ``more``
        says that there are others.
        """
        found = self.reading.beside(row.uid, sorted(_SHOWN), MOST + 1)
        value: dict[str, Any] = {name: [] for name in _SHOWN.values()}
        for one, by in found[:MOST]:
            if one.type != TAG.name:
                value[_SHOWN[one.type]].append(_item(one, by))
            elif one.state == TAG.create.state:
                value["tags"].append({"number": one.number, "word": one.fields["word"]})
        value["tags"].sort(key=lambda tag: tag["word"])
        value["watchers"] = self.reading.counted(row.uid, WATCH.name, WATCH.create.state)
        value["more"] = len(found) > MOST
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
