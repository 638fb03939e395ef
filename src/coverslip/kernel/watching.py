"""What a watch looks at: failed attempts on an account, and entries worth a look. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tried:
    """Failed attempts on one account: scope ``sign_in`` or ``signing``, count, addresses, the last time."""

    person: str
    number: str
    state: str
    scope: str
    failures: int
    places: tuple[str, ...]
    last: str


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry worth a look: where it stands, what it is, its sections as far as they are kept."""

    index: int
    entry: str
    at: str
    kind: str
    act: str
    uid: str
    version: int
    actor: str
    type: str
    sections: dict[str, Any]
