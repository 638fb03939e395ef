"""Telling: one value of a record as the lines a person reads, by the kind its field is declared with.

Rules kept here:

* Two values of one kind that mean different things never give the same lines.
* No line has a line break, and none holds a character that cannot be seen (``sheet.spelled``). What the
  rendering says of a value itself stands in ``‹ ›``.
* A name inside a free value, and an item of a list, stand at their own depth: what an item says in several
  lines is set in below its first one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.sheet import spelled
from coverslip.ledger.canonical import MAX_DEPTH

EMPTY, NONE, NOTHING = "‹empty›", "‹none›", "‹nothing›"
DEEPER = f"‹nested deeper than {MAX_DEPTH}›"
HASH_DIGITS = 16
"""Digits of a linked version's hash that are shown; number and version say the rest."""
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_UNIT = re.compile(r"[^\s:‹]{1,20}")
_MISTAKEN = re.compile(r"- |[a-z0-9 ]*:|[“ ]")
"""How a text begins that reads like a name, an item of a list or a quotation."""
_STEP = 1000
_UNITS = ("kB", "MB", "GB", "TB")
_LINK = frozenset({"type", "uid", "number", "revision", "version", "hash"})


def told(kind: w.Kind, value: Any, *, many: bool = False) -> tuple[str, ...]:
    """Return a value as lines; one that is not of its kind, such as one just typed, is told as it is."""
    if many and isinstance(value, list):
        return tuple(_bullets([_one(kind, item) for item in value])) or (NONE,)
    return tuple(_one(kind, value))


def untyped(value: Any) -> tuple[str, ...]:
    """Return a value of no declared kind as lines, what it is being seen from its own form."""
    if isinstance(value, dict):
        if is_link(value):
            return (link(value),)
        if _is_file(value):
            return _file(value)
    if isinstance(value, list):
        return tuple(_bullets([list(untyped(item)) for item in value])) or (NONE,)
    return tuple(_tree(value))


def is_link(value: Mapping[str, Any]) -> bool:
    """Return whether a value is a link to a record."""
    return {"type", "number"} <= value.keys() <= _LINK


def link(value: Mapping[str, Any]) -> str:
    """Return a link in words: number and revision, and where it is pinned which version and its hash."""
    revision = f" v{value['revision']}" if "revision" in value else ""
    pinned = ""
    if "version" in value:
        pinned = f", entry version {value['version']} (hash {str(value.get('hash', ''))[:HASH_DIGITS]}…)"
    return spelled(f"{value['number']}{revision}{pinned}")


def instant(value: str) -> str:
    """Return an instant as ``2026-11-20 14:32:07 UTC``, with its fraction where it has one."""
    found = _INSTANT.fullmatch(value)
    if found is None:
        return spelled(value)
    fraction = (found[3] or "").rstrip("0")
    return f"{found[1]} {found[2]}{'.' + fraction if fraction else ''} UTC"


def size(count: int) -> str:
    """Return a number of bytes in a unit people read, and exactly."""
    if count < _STEP:
        return f"{count} bytes"
    power = min((len(str(count)) - 1) // 3, len(_UNITS))
    return f"{count / _STEP**power:.1f} {_UNITS[power - 1]} ({count:,} bytes)"


def words(name: str) -> str:
    """Return a name of the vocabulary in words: ``not_applicable`` is ``not applicable``."""
    return name.replace("_", " ")


def _one(kind: w.Kind, value: Any) -> list[str]:
    if isinstance(value, str):
        return _typed_text(kind, value)
    if isinstance(kind, w.Json):
        return list(_tree(value))
    if isinstance(kind, w.Link) and isinstance(value, dict) and is_link(value):
        return [link(value)]
    if isinstance(kind, w.File) and isinstance(value, dict) and _is_file(value):
        return list(_file(value))
    if isinstance(kind, w.Quantity) and isinstance(value, dict) and set(value) == {"value", "unit"}:
        return [spelled(f"{value['value']} {value['unit']}")]
    return list(_tree(value))


def _typed_text(kind: w.Kind, value: str) -> list[str]:
    if isinstance(kind, w.Instant):
        return [instant(value)]
    if isinstance(kind, w.Enum):
        return [spelled(_choice(kind, value))]
    if isinstance(kind, w.Json):
        return list(_tree(value))
    return [spelled(line) for line in value.split("\n")] if value else [EMPTY]


def _choice(kind: w.Enum, value: str) -> str:
    said = words(value)
    # Where two choices read alike in words, each is told as it is declared.
    return said if [words(one) for one in kind.choices].count(said) == 1 else value


def _is_file(value: Mapping[str, Any]) -> bool:
    return {"name", "sha256", "size"} <= value.keys() and isinstance(value["size"], int)


def _file(value: Mapping[str, Any]) -> tuple[str, ...]:
    return spelled(str(value["name"])), size(value["size"]), spelled(f"sha256 {value['sha256']}")


def _bullets(items: Sequence[Sequence[str]]) -> Iterator[str]:
    for first, *rest in items:
        yield f"- {first}"
        yield from (f"  {line}" for line in rest)


def _tree(value: Any, depth: int = 0) -> Iterator[str]:
    """Tell a free value: names and values by line, in order of the names, those inside set in."""
    if isinstance(value, str):
        yield from _free_text(value)
    elif isinstance(value, dict | list) and value and depth > MAX_DEPTH:
        yield DEEPER
    elif isinstance(value, list):
        yield from _bullets([list(_tree(item, depth + 1)) for item in value]) if value else (NONE,)
    elif not isinstance(value, dict):
        yield NOTHING if value is None else spelled(_bare(value))
    elif measured := _measured(value):
        yield measured
    else:
        yield from _named(value, depth) if value else (NOTHING,)


def _bare(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _named(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    for name, item in sorted(value.items()):
        lines = list(_tree(item, depth + 1))
        said = spelled(words(str(name)))
        if isinstance(item, dict | list) and item and not _measured(item):
            yield f"{said}:"
        else:
            yield f"{said}: {lines.pop(0)}"
        yield from (f"  {line}" for line in lines)


def _measured(value: Any) -> str:
    """Return a quantity as one value; empty for what is none."""
    if not isinstance(value, dict) or set(value) != {"value", "unit"}:
        return ""
    amount, unit = value["value"], value["unit"]
    fits = isinstance(amount, str) and isinstance(unit, str) and _NUMBER.fullmatch(amount)
    return spelled(f"{amount} {unit}") if fits and _UNIT.fullmatch(unit) else ""


def _free_text(value: str) -> Iterator[str]:
    """Tell a text inside a free value; in quotes where it could be taken for anything else."""
    if "\n" in value:
        yield "‹text›"
        yield from (f"  {spelled(line)}" for line in value.split("\n"))
    elif not value:
        yield EMPTY
    else:
        value = instant(value) if _INSTANT.fullmatch(value) else value
        yield f"“{spelled(value)}”" if _MISTAKEN.match(value) or value.endswith(" ") else spelled(value)
