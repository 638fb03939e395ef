"""Two texts beside each other: what stayed, what went, what came, by line and then by word.

Rules kept here:

* Old and new are given back whole: what is said to be the same is the same, and nothing is left out.
* The work grows with the length of the texts, whatever they hold: who writes a document does not decide how
  long the comparison keeps the server. So pieces are matched by what stands once on both sides; what has no
  such mark is told as changed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

SAME, GONE, NEW, CHANGED = "same", "gone", "new", "changed"
_DEEPEST = 12
_WORD = re.compile(r"\w+|\s|[^\w\s]")
Part = tuple[str, str, str]
Span = tuple[int, int, int, int]


def compared(old: str, new: str) -> list[Part]:
    """Return (what, old text, new text) in order; ``what``: same, gone, new, changed."""
    return list(_joined(_by_line(old.splitlines(keepends=True), new.splitlines(keepends=True))))


def _by_line(old: Sequence[str], new: Sequence[str]) -> Iterator[Part]:
    for a, b, c, d in _spans(old, new):
        before, after = "".join(old[a:b]), "".join(new[c:d])
        if before == after or not before or not after:
            yield _part(before, after)
        else:
            yield from _by_word(_WORD.findall(before), _WORD.findall(after))


def _by_word(old: Sequence[str], new: Sequence[str]) -> Iterator[Part]:
    for a, b, c, d in _spans(old, new):
        yield _part("".join(old[a:b]), "".join(new[c:d]))


def _part(old: str, new: str) -> Part:
    if old == new:
        return SAME, old, new
    return (CHANGED if old and new else GONE if old else NEW), old, new


def _joined(parts: Iterator[Part]) -> Iterator[Part]:
    """Yield parts without empty ones, neighbours of one kind as one."""
    held: Part | None = None
    for what, old, new in parts:
        if not old and not new:
            continue
        if held is not None and held[0] == what:
            held = what, held[1] + old, held[2] + new
            continue
        if held is not None:
            yield held
        held = what, old, new
    if held is not None:
        yield held


def _spans(old: Sequence[str], new: Sequence[str]) -> Iterator[Span]:
    """Yield spans that cover both sequences in order; those of a match hold the same."""
    waiting: list[tuple[Span, int, bool]] = [((0, len(old), 0, len(new)), 0, False)]
    while waiting:
        (a, b, c, d), depth, matched = waiting.pop()
        if matched or a == b or c == d:
            yield a, b, c, d
            continue
        front, back = _ends(old, new, (a, b, c, d))
        middle = (a + front, b - back, c + front, d - back)
        found = _anchors(old, new, middle) if depth < _DEEPEST else []
        pieces: list[tuple[Span, int, bool]] = [((a, a + front, c, c + front), depth, True)]
        left, right = middle[0], middle[2]
        for x, y in found:
            pieces += [((left, x, right, y), depth + 1, False), ((x, x + 1, y, y + 1), depth, True)]
            left, right = x + 1, y + 1
        last = (left, middle[1], right, middle[3])
        pieces += [(last, depth + 1, not found), ((b - back, b, d - back, d), depth, True)]
        waiting += [one for one in reversed(pieces) if one[0][0] < one[0][1] or one[0][2] < one[0][3]]


def _ends(old: Sequence[str], new: Sequence[str], span: Span) -> tuple[int, int]:
    """Return how many pieces are the same at the beginning, and of the rest at the end."""
    a, b, c, d = span
    most = min(b - a, d - c)
    front = 0
    while front < most and old[a + front] == new[c + front]:
        front += 1
    back = 0
    while back < most - front and old[b - 1 - back] == new[d - 1 - back]:
        back += 1
    return front, back


def _anchors(old: Sequence[str], new: Sequence[str], span: Span) -> list[tuple[int, int]]:
    """Return places of what stands once on both sides, in an order both sides have: the longest such list."""
    a, b, c, d = span
    once = _once(new, c, d)
    pairs = [(x, once[piece]) for piece, x in _once(old, a, b).items() if piece in once]
    ends: list[int] = []
    tails: list[int] = []
    before: list[int] = []
    for n, (_, y) in enumerate(pairs):
        at = bisect_left(ends, y)
        before.append(tails[at - 1] if at else -1)
        ends[at : at + 1], tails[at : at + 1] = [y], [n]
    found, n = [], tails[-1] if tails else -1
    while n >= 0:
        found.append(pairs[n])
        n = before[n]
    return found[::-1]


def _once(pieces: Sequence[str], first: int, last: int) -> dict[str, int]:
    """Return the place of every piece that stands once in a span, in order."""
    seen: dict[str, int] = {}
    for n in range(first, last):
        seen[pieces[n]] = n if pieces[n] not in seen else -1
    return {piece: n for piece, n in sorted(seen.items(), key=lambda one: one[1]) if n >= 0}
