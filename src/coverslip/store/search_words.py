"""Words: how text is cut for the search index, and what is looked for in it.

Rules kept here: what is kept and what is asked is cut by the same function; a word is letters and digits,
case-folded, without accents; nothing of what somebody typed reaches a query but such words.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from coverslip.kernel.queries import Segment

_WORD: Final = re.compile(r"[^\W_]+")
_LONGEST: Final = 60
MOST_WORDS: Final = 20_000
"""Different words of one record that are kept."""
MOST_ASKED: Final = 8
_AROUND: Final = 70


def folded(text: str) -> str:
    """Return text case-folded and without accents, character for character where that is possible."""
    return "".join(_plain(c) for c in text)


def _plain(character: str) -> str:
    if character.isascii():
        return character.lower()
    base = unicodedata.normalize("NFKD", character)[0].casefold()
    return base if len(base) == 1 else character


def words(text: str) -> list[str]:
    """Return the different words of a text, in order of appearance."""
    return list(dict.fromkeys(w[:_LONGEST] for w in _WORD.findall(folded(text))))[:MOST_WORDS]


def pieces(text: str) -> list[str]:
    """Return every different run of three characters of a text, lower case: what a substring is found by."""
    low = text.lower()
    return list(dict.fromkeys(low[n : n + 3] for n in range(len(low) - 2)))


def prefixes(asked: list[str]) -> str:
    """Return the tsquery that finds every one of these words by its beginning."""
    return " & ".join(f"'{word}':*" for word in asked)


def snippet(body: str, asked: list[str]) -> tuple[Segment, ...]:
    """Return the stretch of a text around the longest word asked for, hits marked; empty for none."""
    low = folded(body)
    spots = [m for m in _WORD.finditer(low) if any(m[0].startswith(word) for word in asked)]
    if not spots or len(low) != len(body):
        return ()
    best = max(spots, key=lambda m: max(len(word) for word in asked if m[0].startswith(word)))
    start, end = max(0, best.start() - _AROUND), min(len(body), best.end() + _AROUND)
    found, at = list[Segment](), start
    for spot in spots:
        if spot.start() < start or spot.end() > end:
            continue
        if spot.start() > at:
            found.append(Segment(body[at : spot.start()], False))
        found.append(Segment(body[spot.start() : spot.end()], True))
        at = spot.end()
    found.append(Segment(body[at:end], False))
    edge = (Segment("…", False),)
    return (*(edge if start else ()), *(s for s in found if s.text), *(edge if end < len(body) else ()))
