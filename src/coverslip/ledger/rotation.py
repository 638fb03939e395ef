"""Change of the log's key: a statement signed by the old key and by the new one.

A signed note whose text names the log, the size and root last signed with the old key, and both keys.
Rules kept here:

* Without both signatures there is no rotation: the old key says who follows, the new key that it exists.
* The old key signs nothing larger than the size named; the new key nothing smaller.
* Who trusts a key trusts its successor, one step after another, and nobody else.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.failure import CheckpointError, LeafError, LedgerError, NoteError
from coverslip.ledger.moment import parse_time

__all__ = ["Epoch", "Rotation", "allowed", "epochs", "opened", "succeed"]

HEADER: Final = "coverslip keys v1"
_LINES: Final = 7

Maker = Callable[[note.VerifierKey], note.Verifier]
"""Makes a verifier of a key; signatures are checked by whoever has a library for it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """A change of key: the last tree signed by ``old`` and the time (ledger form) it was stated."""

    last: Checkpoint
    old: note.VerifierKey
    new: note.VerifierKey
    at: str

    def text(self) -> str:
        """Return the note text that both keys sign."""
        root = base64.b64encode(self.last.root).decode()
        return (
            f"{HEADER}\n{self.last.origin}\n{self.last.size}\n{root}\n"
            f"{self.at}\n{self.old.format()}\n{self.new.format()}\n"
        )

    @classmethod
    def parse(cls, text: str) -> Rotation:
        """Read a note text. Raises NoteError unless it is exactly of this form."""
        lines = text.split("\n")
        if len(lines) != _LINES + 1 or lines[0] != HEADER or lines[_LINES]:
            raise NoteError("not a statement about a change of key")
        try:
            last = Checkpoint.parse("\n".join(lines[1:4]) + "\n")
            parse_time(lines[4])
        except (CheckpointError, LeafError) as error:
            raise NoteError(f"statement about a change of key: {error}") from None
        made = cls(last, note.VerifierKey.parse(lines[5]), note.VerifierKey.parse(lines[6]), lines[4])
        if {made.old.name, made.new.name} != {last.origin} or made.old == made.new:
            raise NoteError("a change of key goes from one key of the log to another of the same name")
        return made


def opened(data: bytes, make: Maker) -> Rotation:
    """Return the rotation of a note that both its keys signed, and nobody else. Raises NoteError."""
    parsed = note.parse(data)
    made = Rotation.parse(parsed.text)
    signers = [(one.name, one.key_id) for one in parsed.signatures]
    keys = [made.old, made.new]
    if sorted(signers) != sorted((key.name, key.key_id) for key in keys):
        raise NoteError("a change of key is signed by the old key and by the new one, and by no other")
    for key in keys:
        note.verify(parsed, [make(key)])
    return made


def succeed(trusted: Sequence[note.VerifierKey], statements: Iterable[bytes], make: Maker) -> list[Rotation]:
    """Return the rotations that lead on from keys trusted already, in order.

    A statement that does not hold is passed over: it changes nothing. Of two successors of one key
    only the first given counts.
    """
    found: list[Rotation] = []
    known = {key.format() for key in trusted}
    used: set[str] = set()
    for data in statements:
        try:
            made = opened(data, make)
        except LedgerError:
            continue
        old, new = made.old.format(), made.new.format()
        if old in known and old not in used:
            used.add(old)
            known.add(new)
            found.append(made)
    return found


@dataclass(frozen=True, slots=True)
class Epoch:
    """The sizes a key may sign: larger than ``after``, at most ``last`` (None: no end)."""

    key: note.VerifierKey
    after: int
    last: int | None


def epochs(rotations: Sequence[Rotation]) -> list[Epoch]:
    """Return the sizes each key of a chain of rotations may sign, oldest key first."""
    found: list[Epoch] = []
    after = 0
    for one in rotations:
        found.append(Epoch(one.old, after, one.last.size))
        after = one.last.size
    if rotations:
        found.append(Epoch(rotations[-1].new, after, None))
    return found


def allowed(rotations: Sequence[Rotation], key_id: int, size: int) -> bool:
    """Whether the rotations let the key with this id sign a tree of ``size``.

    A key that no rotation names is not judged here.
    """
    mine = [one for one in epochs(rotations) if one.key.key_id == key_id]
    return not mine or any(one.after < size and (one.last is None or size <= one.last) for one in mine)
