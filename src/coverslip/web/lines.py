"""Objects of free shape as lines of a name and a value: what people read and type in place of JSON.

Rules kept here:

* ``camera.gain`` is ``gain`` within ``camera``; ``channels.1.dye`` is ``dye`` of the first of ``channels``.
* What is shown and read back is the same value: a line carries what its value was (text, whole number, yes or
  no). What no line can say (nothing inside, text of many lines) is not shown so.
* A name that was typed twice, or is a part of another one, goes to the door as a name it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

MOST = 200
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,14})")


class Line(NamedTuple):
    """One value with its name. ``was`` says what it is: ``text``, ``whole`` or ``bool``."""

    name: str
    value: str
    was: str


def lines(value: Any) -> list[Line] | None:
    """Return an object as lines, or None where lines cannot say it."""
    if value in (None, "", {}):
        return []
    found = list(_lines(value, "")) if isinstance(value, dict) else [None]
    kept = [one for one in found if one is not None]
    return kept if len(kept) == len(found) <= MOST else None


def _lines(value: Any, name: str) -> Iterator[Line | None]:
    if isinstance(value, dict) and value and not any(str(key).isdigit() for key in value):
        for key, one in sorted(value.items()):
            yield from _lines(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and value:
        for place, one in enumerate(value, 1):
            yield from _lines(one, f"{name}.{place}")
    elif isinstance(value, bool):
        yield Line(name, "yes" if value else "no", "bool")
    elif isinstance(value, int):
        yield Line(name, str(value), "whole")
    elif isinstance(value, str) and value == value.strip() and value and "\n" not in value:
        yield Line(name, value, "text")
    else:
        yield None


def told(value: Any) -> list[tuple[str, str]] | None:
    """Return an object as people read it: names in words, values that belong together in one line."""
    return list(_told(value, "")) if lines(value) else None


def _told(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in sorted(value.items()):
            words = str(key).replace("_", " ")
            yield from _told(one, f"{name}, {words}" if name else words)
    elif isinstance(value, list) and all(_flat(one) for one in value):
        yield name, "; ".join(_joined(one) for one in value) if _nested(value) else _joined(value)
    elif isinstance(value, list):
        for place, one in enumerate(value, 1):
            yield from _told(one, f"{name} {place}")
    else:
        yield name, _joined(value)


def _nested(value: list[Any]) -> bool:
    return any(isinstance(one, list) for one in value)


def _flat(value: Any) -> bool:
    parts = value if isinstance(value, list) else [value]
    return not any(isinstance(one, dict | list) for one in parts)


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_joined(one) for one in value)
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def value(typed: Iterable[Line]) -> dict[str, Any]:
    """Return the object lines say; of a name nobody could mean, one the door refuses."""
    found: dict[str, Any] = {}
    for one in typed:
        if one.name or one.value:
            _put(found, _name(one.name), _value(one))
    return {key: _settled(item) for key, item in found.items()}


def _name(typed: str) -> str:
    return re.sub(r"[\s-]+", "_", typed.strip().lower())


def _value(one: Line) -> Any:
    if one.was == "bool" and one.value in ("yes", "no"):
        return one.value == "yes"
    return int(one.value) if one.was != "text" and _WHOLE.fullmatch(one.value) else one.value


def _put(found: dict[str, Any], name: str, value: Any) -> None:
    *way, last = name.split(".")
    place = found
    for key in way:
        inside = place.setdefault(key, {})
        if not isinstance(inside, dict):
            found[f"{name} (again)"] = value
            return
        place = inside
    if last in place:
        found[f"{name} (again)"] = value
    else:
        place[last] = value


def _settled(value: Any) -> Any:
    """Return a value with what is numbered from 1 as a list."""
    if not isinstance(value, dict):
        return value
    inside = {key: _settled(one) for key, one in value.items()}
    places = [str(n) for n in range(1, len(inside) + 1)]
    return [inside[n] for n in places] if set(inside) == set(places) else inside
