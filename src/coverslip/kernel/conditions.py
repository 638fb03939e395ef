"""Guards (DOMAIN 2.3): what must hold before an act.

Rules kept here: a guard is data, frozen, with one canonical JSON form; ``guards`` asks it, ``facts`` plans
what it reads.
"""

from __future__ import annotations

from typing import Literal

from coverslip.kernel.kinds import Path, Word

Code = Literal[
    "", "SEQ_STATE", "VAL_REQ", "VAL_RANGE", "VAL_VOCAB", "REASON", "LOCKED", "DUP", "LINK_VER", "AUTH_SELF",
    "HOLD", "RETENTION",
]  # fmt: skip
"""Under which code of DOMAIN 1.6 a guard refuses with its message; empty: ``SEQ_PRE``."""


class InState(Word, frozen=True):
    """Every record at ``path`` is in one of ``states``. An empty link list passes only if ``empty_ok``."""

    path: Path
    states: tuple[str, ...]
    message: str = ""
    empty_ok: bool = False
    code: Code = ""


class Current(Word, frozen=True):
    """Every record at ``path`` is in a state declared effective."""

    path: Path
    message: str = ""
    code: Code = ""


class Trained(Word, frozen=True):
    """The actor is trained on the version of the document at ``path`` that is linked or effective."""

    path: Path
    message: str = ""


class NotOnHold(Word, frozen=True):
    """Nothing blocks the record at ``path``."""

    path: Path
    message: str = ""


class Compare(Word, frozen=True):
    """Value at ``path`` compared with ``value`` or with the value at ``other``; absent fails."""

    path: Path
    op: Literal["eq", "ne", "lt", "le", "gt", "ge", "present", "absent"]
    value: str | int | bool | None = None
    other: Path = ()
    message: str = ""
    code: Code = ""


class InDate(Word, frozen=True):
    """The date or instant at ``path`` is today or later."""

    path: Path
    message: str = ""
    code: Code = ""


class Reached(Word, frozen=True):
    """The date or instant at ``path`` is today or past."""

    path: Path
    message: str = ""
    code: Code = ""


class Filled(Word, frozen=True):
    """Table ``table`` has ``min_rows`` rows or more, and every row has all of ``columns`` filled.

    With ``where``, a (column, value) pair, only rows whose column has that value are looked at.
    """

    table: str
    columns: tuple[str, ...]
    min_rows: int = 1
    where: tuple[str, str] | None = None
    message: str = ""
    code: Code = ""


class Count(Word, frozen=True):
    """Number of records of ``type`` whose ``field`` links to the record at ``path``, in ``states``
    (empty: any), compared with ``n`` or the integer at ``limit``. Serialised per (guard, scope)."""

    path: Path
    type: str
    field: str
    op: Literal["lt", "le", "eq", "ge", "gt"]
    n: int = 0
    limit: Path = ()
    states: tuple[str, ...] = ()
    message: str = ""
    code: Code = ""


class NoOpen(Word, frozen=True):
    """No record of ``type`` whose ``field`` links to the record at ``path`` is in a non-terminal state
    outside ``closed``."""

    path: Path
    type: str
    field: str
    closed: tuple[str, ...] = ()
    message: str = ""
    code: Code = ""


class Signed(Word, frozen=True):
    """The record at ``path`` carries a signature with ``meaning``, by ``n`` different people or more.

    ``act`` asks instead who did that act (a quorum whose votes are acts of different roles).
    """

    meaning: str
    path: Path = ()
    message: str = ""
    n: int = 1
    act: str = ""
    code: Code = ""


class When(Word, frozen=True):
    """``then`` is asked only where ``condition`` holds."""

    condition: Compare
    then: tuple[Guard, ...]


class Rule(Word, frozen=True):
    """Named rule ``name@version``: a registered Python function; ``reads`` is what it may see.

    Each read is ``name: path`` or, for records that link here, a ``Count``-like ``inbound`` entry
    in ``children``: ``name: (path, type, field)``.
    """

    name: str
    version: int
    reads: dict[str, Path] = {}
    children: dict[str, tuple[Path, str, str]] = {}
    message: str = ""
    code: Code = ""


Guard = (
    InState
    | Current
    | Trained
    | NotOnHold
    | Compare
    | InDate
    | Reached
    | Filled
    | Count
    | NoOpen
    | Signed
    | When
    | Rule
)
