"""Narrowing: a field kind with tighter limits, and which kinds a site's own field may have.

Rules kept here: every limit moves one way; what a kind does not have cannot be narrowed; a limit that
leaves no value at all is refused.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from coverslip.kernel import words as w
from coverslip.kernel.patches import Narrow

_LIMITS: dict[type, tuple[str, ...]] = {
    w.Text: ("min_length", "max_length", "pattern"),
    w.Rich: ("max_length",),
    w.Int: ("low", "high"),
    w.Decimal: ("low", "high", "places"),
    w.Quantity: ("low", "high"),
    w.Date: ("not_past",),
    w.Enum: ("choices",),
    w.Link: ("types", "allowed"),
    w.Json: ("max_bytes",),
    w.Table: ("min_rows", "max_rows"),
}
_UP = ("min_length", "low", "min_rows")
_DOWN = ("max_length", "high", "places", "max_bytes", "max_rows")
_PAIRS = (("min_length", "max_length"), ("low", "high"), ("min_rows", "max_rows"))
MAX_PATTERN = 200
_SLOW = re.compile(r"\\[1-9]|\(\?")
_PART = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


def narrowed(kind: w.Kind, step: Narrow, literals: tuple[Any, ...] = ()) -> tuple[Any, list[str]]:
    """Return the kind with the step's limits, and what is wrong with them.

    ``literals`` are values the declaration gives the field itself, which must stay possible.
    """
    given = {
        name: value
        for name in step.__struct_fields__
        if name not in ("field", "required") and (value := getattr(step, name)) is not None
    }
    if not given and step.required is None:
        return kind, ["nothing is narrowed"]
    problems: list[str] = []
    for name, value in given.items():
        if name not in _LIMITS.get(type(kind), ()):
            problems.append(f"{type(kind).__name__} has no {name}")
        else:
            problems += _tighter(kind, name, value, literals)
    if problems:
        return kind, problems
    made = replace(kind, **given)
    return made, list(kind_problems(made))


def _tighter(kind: w.Kind, name: str, value: Any, literals: tuple[Any, ...]) -> Iterator[str]:
    before = getattr(kind, name)
    if name in _UP + _DOWN:
        new, old = _number(value, kind), _number(before, kind)
        if new is None or isinstance(value, str) != isinstance(before, str):
            yield f"{name} must be written as '{before}' is"
        elif old is not None and (new <= old if name in _UP else new >= old):
            yield f"{name} {value} is no tighter than {before}"
    elif name == "choices":
        if not value or len(set(value)) != len(value) or not set(value) < set(before):
            yield f"choices are fewer of {', '.join(before)}, at least one"
        lost = [v for v in literals if v not in value]
        if lost:
            yield f"the type itself sets {', '.join(map(str, lost))}"
    elif name in ("types", "allowed"):
        if not value or len(set(value)) != len(value) or (before and not set(value) < set(before)):
            yield f"{name} are fewer of {', '.join(before) or 'all'}, at least one"
    elif name == "pattern":
        if before:
            yield f"the pattern {before} stays; a guard can ask for more"
    elif value is not True or before:  # not_past
        yield "not_past can only be set, where it is not yet"


def _number(value: Any, kind: w.Kind) -> decimal.Decimal | None:
    if isinstance(value, bool) or value in ("", None):
        return None
    try:
        found = decimal.Decimal(value)
    except (decimal.InvalidOperation, ValueError):
        return None
    return found if found.is_finite() else None


def kind_problems(kind: w.Kind) -> Iterator[str]:
    """Yield what makes a kind impossible to fill or to check."""
    for low, high in _PAIRS:
        ends = [_number(getattr(kind, name, ""), kind) for name in (low, high)]
        if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
            yield f"{low} is above {high}"
        for name, end in zip((low, high), ends, strict=True):
            if end is None and getattr(kind, name, "") != "":
                yield f"{name} is no number"
    for name in ("min_length", "max_length", "min_rows", "max_rows", "max_bytes", "places"):
        if getattr(kind, name, 1) < 0:
            yield f"{name} is below zero"
    if isinstance(kind, w.Text) and kind.pattern:
        yield from _pattern(kind.pattern)
    if isinstance(kind, w.Enum) and (not kind.choices or len(set(kind.choices)) != len(kind.choices)):
        yield "choices are named once each, at least one"
    if isinstance(kind, w.Table):
        if not kind.columns:
            yield "a table has columns"
        for column, spec in kind.columns.items():
            if not re.fullmatch("[a-z][a-z0-9_]{0,40}", column):
                yield f"'{column[:40]}' is no name of a column"
            yield from (f"{column}: {problem}" for problem in kind_problems(spec.kind))


def _pattern(text: str) -> Iterator[str]:
    """A pattern must be one, short, and without a repetition of a repetition, which could take for ever."""
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        yield "the pattern is no regular expression"
        return
    if len(text) > MAX_PATTERN or _SLOW.search(text) or _repeats(text):
        yield "the pattern is too long, refers back, or repeats what repeats"


def _repeats(text: str) -> bool:
    """Whether a group that repeats, or has alternatives, anywhere within, is itself repeated."""
    varying, inside = [False], False
    for part in _PART.findall(text):
        if inside and part in "*+{":
            return True
        inside = False
        if part == "(":
            varying.append(False)
        elif part == ")":
            inside = varying.pop()
            varying[-1] = varying[-1] or inside
        elif part in "*+{?|":
            varying[-1] = True
    return False
