"""From what stands in brackets to the pixels that are asked for, in whole numbers only.

Rules kept here: the same meaning as numpy's basic indexing (integers, slices with any step, ``...``); what
numpy would do with lists, masks and ``None`` is refused in words, because it reads more than it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index as whole
from typing import Any

from coverslip.client.errors import ApiError, MisuseError, misuse


class OutsideError(MisuseError, IndexError):
    """A place outside the image. It is an ``IndexError`` too, as Python's own loops expect."""


@dataclass(frozen=True, slots=True)
class Picked:
    """What is wanted of one axis: ``places`` in reading order; ``gone`` where an integer drops the axis."""

    places: range
    gone: bool

    @property
    def low(self) -> int:
        """The first place to read."""
        return min(self.places[0], self.places[-1])

    @property
    def high(self) -> int:
        """One behind the last place to read."""
        return max(self.places[0], self.places[-1]) + 1

    def within(self) -> slice:
        """Return the slice that takes the wanted places out of what was read from ``low`` to ``high``."""
        step = self.places.step
        first = self.places[0] - self.low
        behind = self.places[-1] - self.low + (1 if step > 0 else -1)
        return slice(first, None if behind < 0 else behind, step)


def picked(key: Any, shape: Sequence[int], axes: str) -> tuple[Picked, ...]:
    """Return what is wanted of each axis.

    Raises ``OutsideError`` for a place outside, and for more indices than axes; ``MisuseError`` for anything
    but integers, slices and one ``...``.
    """
    given = list(key) if isinstance(key, tuple) else [key]
    dots = [place for place, one in enumerate(given) if one is Ellipsis]
    if len(dots) > 1:
        raise misuse("the index", "at most one '...'", str(len(dots)))
    missing = len(shape) - (len(given) - len(dots))
    if missing < 0:
        raise _outside("the index", f"at most {len(shape)} places, {axes}", str(len(given) - len(dots)))
    place = dots[0] if dots else len(given)
    given[place : place + len(dots)] = [slice(None)] * missing
    return tuple(_one(one, size, axis) for one, size, axis in zip(given, shape, axes, strict=True))


def _one(wanted: Any, size: int, axis: str) -> Picked:
    if isinstance(wanted, slice):
        try:
            return Picked(range(size)[wanted], False)
        except (TypeError, ValueError) as error:
            raise misuse(f"axis {axis}", "a slice of whole numbers", f"{wanted} ({error})") from error
    if wanted is None or isinstance(wanted, bool):
        raise _strange(axis, wanted)
    try:
        place = whole(wanted)
    except TypeError as error:
        raise _strange(axis, wanted) from error
    if not -size <= place < size:
        raise _outside(f"axis {axis}", f"a place from {-size} to {size - 1}", str(place))
    place %= size
    return Picked(range(place, place + 1), True)


def _strange(axis: str, found: Any) -> ApiError:
    return misuse(
        f"axis {axis}",
        "a whole number, a slice or '...'",
        type(found).__name__,
        "Read a region with slices, then index the numpy array it gives.",
    )


def _outside(field: str, expected: str, found: str) -> OutsideError:
    return OutsideError(misuse(field, expected, found).value())
