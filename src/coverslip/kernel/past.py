"""What stood at a moment, folded from the versions the ledger keeps; never from today's projections.

Rules kept here:

* A version stands from the time of its entry until the next version of the same record.
* What a record conferred is projected under the definition it was made under, by the projector that wrote
  today's projections when they were today's.
* Before an act means: entered earlier. What an act itself brought about did not allow it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.kernel.definition import Catalogue
from coverslip.kernel.ports import Projection
from coverslip.kernel.projecting import project
from coverslip.kernel.rows import Authority, Blocker, Row


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a record: ``position`` orders all entries of the log; content with personal fields."""

    kind: str
    uid: str
    version: int
    position: int
    at: str
    act: str
    actor: str
    definition: str
    leaf_hash: str
    content: Mapping[str, Any]

    def row(self, first: Version, blockers: tuple[Blocker, ...] = ()) -> Row:
        """Return the record as it was at this version; ``first`` is its version 1."""
        site = self.content.get("fields", {}).get("site")
        return Row(
            self.kind,
            self.uid,
            str(self.content["number"]),
            int(self.content.get("revision", 0)),
            self.version,
            self.version,
            str(self.content["state"]),
            str(self.content["title"]),
            str(self.content["gxp"]),
            self.leaf_hash,
            self.definition,
            dict(self.content),
            first.at,
            first.actor,
            self.at,
            self.actor,
            str(site.get("uid", "")) if isinstance(site, dict) else "",
            blockers,
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """A time and, where an act is meant, its place in the log: what stood is what was entered before it."""

    at: str
    before: int = 0

    def holds(self, version: Version) -> bool:
        """Return whether a version had been entered by then."""
        if self.before:
            return version.position < self.before
        return instant(version.at) <= instant(self.at)


def instant(text: str) -> dt.datetime:
    """Return the aware time of an ISO 8601 text with zone. Raises ``ValueError``."""
    found = dt.datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without a zone names no moment")
    return found


class Past:
    """Versions of many records, asked what stood when; projecting is remembered."""

    def __init__(self, catalogue: Catalogue, versions: Iterable[Version]) -> None:
        self._catalogue = catalogue
        self._streams: dict[str, list[Version]] = {}
        self._projected: dict[tuple[str, int], Projection] = {}
        for version in versions:
            self._streams.setdefault(version.uid, []).append(version)
        for found in self._streams.values():
            found.sort(key=lambda v: v.version)

    def standing(self, moment: Moment) -> Iterator[tuple[Version, Projection]]:
        """Yield the version of every record that stood then, and what it left behind."""
        for found in self._streams.values():
            version = in_force(found, moment)
            if version is not None:
                yield version, self._left(version)

    def authority(self, moment: Moment) -> tuple[Authority, ...]:
        """Return everything records conferred then, periods of validity applied."""
        now = instant(moment.at)
        return tuple(
            found
            for version, left in self.standing(moment)
            for found in (_authority(version.uid, row) for row in left.authority)
            if (not found.valid_from or instant(found.valid_from) <= now)
            and (not found.valid_to or now < instant(found.valid_to))
        )

    def blockers(self, uid: str, moment: Moment) -> tuple[Blocker, ...]:
        """Return the holds on a record then."""
        return tuple(
            Blocker(left.number, str(row["reason"]), version.uid)
            for version, left in self.standing(moment)
            for row in left.blocks
            if str(row["target_uid"]) == uid
        )

    def named(self, found: Authority, moment: Moment) -> str:
        """Return the subject of what was conferred, as its source named it: ``SOP-0012 v2``."""
        version = in_force(self._streams.get(found.source, ()), moment)
        links = _links(version.content["fields"]) if version is not None else ()
        for link in links:
            if link.get("uid") == found.subject:
                return f"{link['number']} v{link['revision']}" if "revision" in link else str(link["number"])
        return found.code

    def number(self, uid: str) -> str:
        """Return the number of a record, which never changes; empty for one that confers nothing."""
        found = self._streams.get(uid)
        return str(found[0].content["number"]) if found else ""

    def _left(self, version: Version) -> Projection:
        key = (version.uid, version.version)
        if key not in self._projected:
            definition = self._catalogue.under(version.kind, version.definition)
            self._projected[key] = project(definition, version.uid, dict(version.content))
        return self._projected[key]


def in_force(versions: Iterable[Version], moment: Moment) -> Version | None:
    """Return the version that stood then; None where the record did not exist yet."""
    found = [version for version in versions if moment.holds(version)]
    return max(found, key=lambda version: version.version, default=None)


def _links(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if {"type", "uid", "number"} <= value.keys():
            yield value
        else:
            for item in value.values():
                yield from _links(item)
    elif isinstance(value, list):
        for item in value:
            yield from _links(item)


def _authority(source: str, row: Mapping[str, Any]) -> Authority:
    return Authority(
        str(row["person"]),
        str(row["kind"]),
        str(row.get("code") or ""),
        str(row.get("subject") or ""),
        str(row.get("valid_from") or ""),
        str(row.get("valid_to") or ""),
        source,
        row.get("data") or {},
    )
