"""Notices: what others did to records that a person watches, made or owns, and to what stands beside them.

Rules kept here: read by place in the tree, where an entry once passed is never followed by one before it, so
that nothing is lost; how far a person has looked moves on only when they say so, and never back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from coverslip.kernel.clock import people_time
from coverslip.kernel.waiting import Happened
from coverslip.records.collaboration.watch import TYPE as WATCH


class Reading(Protocol):
    """Reading what happened."""

    def happened(
        self, person: str, after: int, limit: int, watch: str, watching: str
    ) -> tuple[list[Happened], int, bool]:
        """Return what others did, up to which tree index was looked, and whether that is all."""
        ...


class Markers(Protocol):
    """How far somebody has looked."""

    def position(self, name: str) -> int:
        """Return a kept position, 0 where there is none."""
        ...

    def advance(self, name: str, position: int) -> None:
        """Keep a position; it never goes back."""
        ...


@dataclass(frozen=True)
class Notices:
    """What others did, for whoever asks."""

    reading: Reading
    markers: Markers

    def page(self, person: str, after: int | None, limit: int = 100) -> dict[str, Any]:
        """Return ``events`` after a tree index (left out: after what was seen), and ``next`` to go on from.

        ``more`` says that the end of the log is not reached yet; a page may be empty and still have more.
        """
        seen = self.markers.position(_name(person))
        start = seen if after is None else after
        found, looked, all_of_it = self.reading.happened(person, start, limit, WATCH.name, WATCH.create.state)
        events = [
            {
                "index": e.index,
                "at": e.at,
                "at_text": people_time(e.at, "UTC"),
                "act": e.act,
                "by": e.actor_name or e.actor,
                "version": e.version,
                "type": e.type,
                "number": e.number,
                "label": f"{e.number} v{e.revision}" if e.revision else e.number,
                "state": e.state,
                "title": e.title,
                "why": e.why,
            }
            for e in found
        ]
        return {"events": events, "next": looked, "more": not all_of_it, "seen": seen}

    def seen(self, person: str, index: int) -> int:
        """Keep that a person has looked as far as ``index``; return how far they have."""
        self.markers.advance(_name(person), index)
        return self.markers.position(_name(person))


def _name(person: str) -> str:
    return f"events/{person}"
