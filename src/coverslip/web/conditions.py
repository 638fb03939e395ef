"""Conditions of an act as its form shows them: which fields they ask for, and which of them do not hold.

Rules kept here: the door decides and says; a page only finds the field a sentence of the door is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from coverslip.kernel import words as w


def asked_for(guards: tuple[w.Guard, ...]) -> set[str]:
    """Return the own fields that must be there before the conditions hold."""
    return {one.path[0] for one in _compared(guards) if one.op == "present" and len(one.path) == 1}


def beside(guards: tuple[w.Guard, ...], unmet: list[str]) -> dict[str, str]:
    """Return by own field the sentence of the condition about it that does not hold."""
    said = {sentence.rstrip("."): sentence for sentence in unmet}
    found: dict[str, str] = {}
    for one in _compared(guards):
        sentence = said.get(one.message.rstrip("."))
        if one.message and sentence and len(one.path) == 1:
            found.setdefault(one.path[0], f"Not met yet: {sentence}")
    return found


def _compared(value: Any) -> Iterator[w.Compare]:
    if isinstance(value, w.Compare):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _compared(getattr(value, name))
    elif isinstance(value, tuple):
        for one in value:
            yield from _compared(one)
