"""What is asked of lists, search and the trail, and what is answered. Values only.

Rules kept here: a question that is asked again gives the same order; what was not counted or not looked at
is said, never guessed without a mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from coverslip.kernel.rows import Row
from coverslip.kernel.waiting import EVERYTHING, Narrowed

SortBy = Literal["changed_at", "created_at", "number", "title", "state", "field"]
FieldKind = Literal["text", "number", "link", "truth"]
Tier = Literal["number", "prefix", "title", "people", "text"]
MOST_COUNTED = 10_000
"""Up to so many are counted one by one; above, the planner's estimate is given and marked."""


@dataclass(frozen=True, slots=True)
class FieldAt:
    """A field of one type as a list compares it: ``number`` by value, ``link`` by the number it names."""

    name: str
    kind: FieldKind


@dataclass(frozen=True, slots=True)
class FieldFilter:
    """A condition on a field: ``is`` equal, ``has`` contains (case-folded), ``from``, ``to`` inclusive."""

    field: FieldAt
    op: Literal["is", "has", "from", "to"]
    value: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A list: which records, in which order.

    ``types`` names every type to look at. ``person`` changed or created it; uids. ``changed_from`` and
    ``changed_before`` are instants, the second exclusive. ``field`` is what ``sort`` ``field`` sorts by.
    """

    types: tuple[str, ...]
    states: tuple[str, ...] = ()
    text: str = ""
    created_by: str = ""
    changed_by: str = ""
    person: str = ""
    changed_from: str = ""
    changed_before: str = ""
    fields: tuple[FieldFilter, ...] = ()
    narrowed: Narrowed = EVERYTHING
    sort: SortBy = "changed_at"
    descending: bool = True
    field: FieldAt | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many there are; not ``exact``: about so many, as the planner of the database estimates."""

    number: int
    exact: bool


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list, and the cursor of the next (empty: none)."""

    rows: tuple[Row, ...]
    next: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a snippet; ``hit`` where it is what was looked for."""

    text: str
    hit: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """One record found: in which tier, and where in its text."""

    tier: Tier
    type: str
    uid: str
    number: str
    revision: int
    title: str
    state: str
    changed_at: str
    snippet: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, best first.

    ``more``: there are others. ``indexed`` entries of ``size`` have been read into the index; numbers are
    found whether indexed or not.
    """

    hits: tuple[Hit, ...]
    more: bool
    indexed: int
    size: int


@dataclass(frozen=True, slots=True)
class TrailAsked:
    """Entries of the whole installation. uids and plain words; empty: any.

    ``records`` are the uids a number names. ``kind`` is a record type, ``session`` or ``installation``:
    the entries of such records. ``since`` and ``before`` are instants by the clock of the entry. ``field``
    is a field that changed, ``reason`` text within the reason.
    """

    actor: str = ""
    records: tuple[str, ...] = ()
    kind: str = ""
    type: str = ""
    act: str = ""
    since: str = ""
    before: str = ""
    field: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TrailPage:
    """Entries, newest first, as ``kernel.history.trail`` tells them, each with its record.

    ``next`` goes on from here (empty: at the end). ``looked_from`` and ``looked_to`` are the tree indices of
    the newest and the oldest entry looked at; -1 where there was none in the tree. ``total`` is absent where
    it would take reading them all.
    """

    entries: tuple[dict[str, Any], ...]
    next: str
    looked_from: int
    looked_to: int
    total: Counted | None
