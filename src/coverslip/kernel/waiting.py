"""What a list of work is made from: which records wait for whom, and what happened to them. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coverslip.kernel.rows import Row

How = Literal["role", "self", "people", "link", "linked_people", "linked_link"]


@dataclass(frozen=True, slots=True)
class Want:
    """Records of ``type`` in ``state`` that wait for a person, and the field ``due`` that says until when.

    ``how``: ``role`` all of them; ``self`` the one that is the person; ``people`` those whose list ``key``
    of people (an act, ``signed_`` a meaning, ``touched``) names the person; ``link`` those whose ``field``
    links to the person; ``linked_people`` and ``linked_link`` the same asked of the records that ``field``
    leads to (links, parted by ``/``), there by ``key``.
    """

    type: str
    state: str
    due: str = ""
    how: How = "role"
    field: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Waits:
    """A record that waits: until when (a date, empty where it has none) and its place in the order."""

    row: Row
    due: str
    cursor: str


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What a list is narrowed to.

    ``word``: only records whose label, a space and this word are a unique value of ``scope``. ``late``:
    only records in these states whose date has passed on ``today``. ``hidden``: (type, state) left out.
    """

    scope: str = ""
    word: str = ""
    late: tuple[Want, ...] | None = None
    today: str = ""
    hidden: tuple[tuple[str, str], ...] = ()


EVERYTHING = Narrowed()


@dataclass(frozen=True, slots=True)
class Happened:
    """One entry of somebody else: its place in the tree, who did what, on which record and its state now.

    ``why``: ``watched``, ``yours`` (made by you), ``owned``, ``you`` or ``beside`` (about one of these).
    """

    index: int
    at: str
    act: str
    actor: str
    actor_name: str
    version: int
    type: str
    number: str
    revision: int
    state: str
    title: str
    why: str
