"""Field kinds (DOMAIN 2.1): what a field of a record can hold.

Rules kept here: a kind is data, frozen, with one canonical JSON form; ``content`` gives it meaning.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Path = tuple[str, ...]
Role = str


class Word(msgspec.Struct, frozen=True, tag_field="word", forbid_unknown_fields=True, omit_defaults=True):
    """Base of all words: frozen, tagged with its name, unknown keys refused."""


# --- field kinds (DOMAIN 2.1) --------------------------------------------------------------------


class Text(Word, frozen=True):
    """One line of NFC text, ``min_length`` to ``max_length`` characters; ``pattern`` must match whole."""

    max_length: int = 500
    min_length: int = 1
    pattern: str = ""


class Rich(Word, frozen=True):
    """Longer text, kept as source (Markdown), at most ``max_length`` characters."""

    max_length: int = 200_000


class Bool(Word, frozen=True):
    """``true`` or ``false``."""


class Int(Word, frozen=True):
    """Whole number within ``low`` and ``high``, both included."""

    low: int = -(2**53) + 1
    high: int = 2**53 - 1


class Decimal(Word, frozen=True):
    """Decimal number as a string, never a float; bounds are decimal strings or empty."""

    low: str = ""
    high: str = ""
    places: int = 9


class Quantity(Word, frozen=True):
    """Decimal with a unit: ``{"value": "0.325", "unit": "um"}``; the unit is fixed by the type (UCUM)."""

    unit: str
    low: str = ""
    high: str = ""


class Date(Word, frozen=True):
    """Calendar date ``YYYY-MM-DD``; ``not_past`` refuses a date before the day of entry."""

    not_past: bool = False


class Instant(Word, frozen=True):
    """UTC instant ``YYYY-MM-DDTHH:MM:SS[.ffffff]Z``."""


class Enum(Word, frozen=True):
    """One of a frozen list."""

    choices: tuple[str, ...]


class Vocab(Word, frozen=True):
    """One value of the controlled list ``name``: an entry, not retired, of its version in force.

    The list is the record numbered with its type's prefix and ``name``; what is kept is the value chosen.
    """

    name: str


class Link(Word, frozen=True):
    """Reference to a record of one of ``types`` (empty: any type).

    ``pin`` ``version`` keeps number, version and leaf hash; ``none`` follows the latest.
    ``allowed`` names the states the target may be in when the link is entered (``LINK_VER``).
    """

    types: tuple[str, ...]
    pin: Literal["none", "version"] = "version"
    allowed: tuple[str, ...] = ()


class File(Word, frozen=True):
    """File kept in the vault: name, size, sha256, root, media type."""


class Json(Word, frozen=True):
    """Canonical JSON object of free shape (no floats, no nulls), at most ``max_bytes``."""

    max_bytes: int = 1_000_000


class Table(Word, frozen=True):
    """Rows of named columns; at most ``max_rows``."""

    columns: dict[str, Column]
    max_rows: int = 10_000
    min_rows: int = 0


Scalar = Text | Rich | Bool | Int | Decimal | Quantity | Date | Instant | Enum | Vocab | Link | File | Json


class Column(Word, frozen=True):
    """One column of a table."""

    kind: Scalar
    required: bool = True


Kind = Scalar | Table


class Field(Word, frozen=True):
    """One field of a type.

    ``required`` at creation; ``required_at`` before entering the named states; ``immutable_at``
    once in one of them. ``many`` makes a list. ``unique`` ``type`` holds among living values,
    ``forever`` never frees a value (case-folded, look-alikes refused). ``source`` says who may
    fill it: ``typed`` people, ``device`` and ``import`` what is delivered, ``computed`` a rule or effect.
    """

    kind: Kind
    label: str
    help: str = ""
    required: bool = False
    required_at: tuple[str, ...] = ()
    immutable_at: tuple[str, ...] = ()
    many: bool = False
    personal: bool = False
    critical: bool = False
    sensitive: bool = False
    unique: Literal["", "type", "forever"] = ""
    source: Literal["typed", "device", "import", "computed"] = "typed"
    default: str | int | bool | None = None
