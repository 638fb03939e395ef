"""Forms: what leaves of one kind have in common, learnt from a leaf that was judged in full.

A log has millions of leaves and few forms: most differ only in hashes, identifiers, times and numbers, which
stand at the same places. Rules kept here:

* Only :func:`coverslip.ledger.leaf.parse` says what a leaf is. A form is learnt from a leaf it accepted, and
  another leaf is recognised only if it is that one with other values of the same shape in its slots.
* Two leaves of one form have the same length, the same bytes outside the slots, and every byte that is no
  lower-case hex digit at the same place; what a slot holds is then hex, and where it must be a decimal
  number or a time this is looked at.
* What crosses slots (``prev`` from version 2 on, ``from`` an earlier version) is looked at too.
* What is not recognised is not refused: the caller parses it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from struct import Struct
from typing import Final

from coverslip.ledger.leaf import Leaf

__all__ = ["MAX_FORMS", "Form", "Forms", "Seen"]

MAX_FORMS: Final = 4096
"""Forms kept; a log with more of them (an attacker's) is parsed, never held in memory."""
_DIGITS: Final = 15
"""Decimal numbers of at most so many digits lie within 2**53."""

# Every hex digit becomes the one byte that nothing else becomes.
_LIKE: Final = bytes(0 if chr(code) in "0123456789abcdef" else max(code, 1) for code in range(256))
_SLOTS: Final = re.compile(
    rb'"(?:(?P<hash>c|def|prev|root)":"(?P<hex>[0-9a-f]{64})"'
    rb'|(?P<name>behalf|cmd|entry|id|sess)":"(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"'
    rb'|(?P<time>at)":"(?P<at>[0-9T:.Z-]{27})"'
    rb'|(?P<number>count|from|n|off_us|ver)":(?P<sign>-?)(?P<int>[0-9]+))'
)


class Form:
    """The places of one form. ``log``, ``type``, ``kind`` and ``sections`` are the same in all its leaves.

    ``sections`` lists the names in the order of ``bodies``; ``meaning`` is empty where there is none.
    """

    __slots__ = (
        "_about", "_constants", "_expected", "_froms", "_leads", "_numbers", "_prev", "_rest", "_variant",
        "_wanted", "actor", "kind", "log", "meaning", "names", "sections", "type",
    )  # fmt: skip

    def __init__(self, leaf: Leaf, data: bytes) -> None:
        """Learn the form of ``data``, which ``leaf.parse`` gave ``leaf`` for. Raises ValueError if odd."""
        if '"' in leaf.log or "\\" in leaf.log:
            raise ValueError("the name of the log is spelled with escapes")
        slots = _slots(leaf, data)
        self.log, self.type, self.kind = leaf.log, leaf.type, leaf.record.kind
        self.sections = tuple(body.section for body in leaf.bodies)
        self.meaning = leaf.meaning or ""
        self.names = tuple(name for name, _, _ in slots)
        length = len(data)
        self._rest = _struct(slots, length)
        self._constants = _struct(_between(slots, length), length)
        self._expected = self._constants.unpack(data)
        self._wanted = _struct([one for one in slots if one[0] in _CHAIN], length)
        self._prev = leaf.record.prev is not None
        numbers = [one for one in slots if one[0].rpartition(".")[2] in _NUMBERS]
        self._numbers = _struct(numbers, length)
        self._leads = tuple(start for name, start, stop in numbers if _no_zero(name, start, stop, data))
        self._froms = tuple(n for n, (name, _, _) in enumerate(numbers) if name.endswith(".from"))
        entry = next(start for name, start, _ in slots if name == "entry")
        # The version digit and the variant of a version 7 UUID; the first never differs, the second may.
        self._variant = entry + 14, entry + 19
        about = [one for one in slots if one[0] == "about.id"]
        self._about = (about[0][1], about[0][2]) if about else None

    def read(self, data: bytes) -> Seen | None:
        """Return what the chain needs, or None where this is not surely a leaf of the form.

        ``data`` must be alike, as :meth:`Forms.see` finds out.
        """
        if self._constants.unpack(data) != self._expected:
            return None
        numbers = self._numbers.unpack(data)
        if not b"".join(numbers).isdigit():
            return None
        for lead in self._leads:
            if data[lead] == 48:
                return None
        version, variant = self._variant
        if data[version] != 55 or data[variant] not in b"89ab":
            return None
        if self._prev:
            at, id, prev, ver = self._wanted.unpack(data)
            if ver == b"1":
                return None
        else:
            at, id, ver = self._wanted.unpack(data)
            prev = b""
            if ver != b"1":
                return None
        for place in self._froms:
            if int(numbers[place]) >= int(ver):
                return None
        try:
            datetime.fromisoformat(at.decode())
        except ValueError:
            return None
        return self, at, id, prev, ver

    def values(self, data: bytes) -> tuple[bytes, ...]:
        """Return the slots of a leaf that was read, in the order of ``names``, in ASCII."""
        return self._rest.unpack(data)

    def about(self, data: bytes) -> str:
        """Return the id of the subject, empty where there is none."""
        return "" if self._about is None else data[self._about[0] : self._about[1]].decode()


Seen = tuple[Form, bytes, bytes, bytes, bytes]
"""A recognised leaf: its form, and ``at``, record id, ``prev`` (empty for version 1) and ``ver`` in ASCII."""


class Forms:
    """The forms met so far."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, Form] = {}

    def __len__(self) -> int:
        return len(self._known)

    def see(self, data: bytes) -> Seen | None:
        """Return a leaf that is surely one, or None where it must be parsed to know."""
        form = self._known.get(data.translate(_LIKE))
        return None if form is None else form.read(data)

    def learn(self, leaf: Leaf, data: bytes) -> None:
        """Remember the form of a leaf that was parsed."""
        if len(self._known) >= MAX_FORMS:
            self._known.clear()
        try:
            self._known[data.translate(_LIKE)] = Form(leaf, data)
        except ValueError:
            return


Slot = tuple[str, int, int]
"""Name, first byte, byte after the last."""

_CHAIN: Final = frozenset({"at", "record.id", "record.prev", "record.ver"})
_NUMBERS: Final = frozenset({"count", "from", "n", "off_us", "ver"})


def _slots(leaf: Leaf, data: bytes) -> list[Slot]:
    """Return every slot in order, named by its place. Raises ValueError if there are others than expected."""
    found: list[Slot] = []
    owners = iter((["about"] if leaf.about else []) + ["actor", "record"])
    versions = iter((["about"] if leaf.about else []) + ["record"])
    section = -1
    for match in _SLOTS.finditer(data):
        kind = match.lastgroup
        start, stop = match.span(str(kind))
        name = (match["hash"] or match["name"] or match["time"] or match["number"]).decode()
        section += name == "c"
        if name in ("c", "n", "from"):
            name = f"bodies.{section}.{name}"
        elif name in ("id", "ver"):
            name = f"{next(owners if name == 'id' else versions)}.{name}"
        elif name == "prev":
            name = "record.prev"
        if kind == "int" and stop - start > _DIGITS:
            raise ValueError("a number of many digits")
        found.append((name, start, stop))
    if section + 1 != len(leaf.bodies) or next(owners, None) or next(versions, None):
        raise ValueError("other slots than the leaf has")
    return found


def _no_zero(name: str, start: int, stop: int, data: bytes) -> bool:
    """Whether the number may not begin with 0: it has more digits, counts from 1, or is negative."""
    return stop - start > 1 or name == "record.ver" or name.endswith(".from") or data[start - 1] == 45


def _between(slots: Sequence[Slot], length: int) -> list[Slot]:
    edges = [0, *(edge for _, start, stop in slots for edge in (start, stop)), length]
    return [("", edges[n], edges[n + 1]) for n in range(0, len(edges), 2)]


def _struct(parts: Sequence[Slot], length: int) -> Struct:
    """Return what cuts the parts out of ``length`` bytes."""
    text, at = "=", 0
    for _, start, stop in parts:
        text += f"{start - at}x{stop - start}s"
        at = stop
    return Struct(f"{text}{length - at}x")
