"""Sheets: a record as labelled values, and the one text of it that is signed.

Rules kept here:

* ``text`` is a pure function of a sheet and ``read`` undoes it, so that two different sheets never give the
  same text (P11-50-b, P11-70).
* A line begins with a letter only where the rendering itself speaks: heading, name, label. What came from
  content stands behind the margin: ``│`` begins one of its lines, ``┆`` goes on where a line was too long.
* What cannot be seen, or would turn or cover what stands beside it, is spelled out: ``‹U+202E›``. The marks
  ``‹ ›`` are the rendering's own: in content they are spelled out as well.
* The tables of characters are part of this module: another Python gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

GUTTER = 26
"""Columns of a label, before the margin."""
WIDTH = 72
"""Characters of a value on one line; a SHA-256 with its name fits."""
LINE, MORE = "│", "┆"
RULE = "─"
_LEAD = 7
"""Columns before a column's label in a row of a table: the row's number and two spaces."""

_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff"
)
_OVER = (
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
"""Marks that stand over or under the character before them; more than three in a row cover other lines."""
_SPELLED = re.compile(f"[{_UNSEEN}‹]|^{_OVER}|(?<={_OVER}{{3}}){_OVER}")
_MARGIN = re.compile(f"[{LINE}{MORE}]")
_ROWS = re.compile("‹(\\d+) rows?›")


@dataclass(frozen=True, slots=True)
class Entry:
    """A label and the lines of its value, one or more, each without a line break and spelled out."""

    label: str
    lines: tuple[str, ...]


_NOTHING = Entry("", ("‹nothing stated›",))


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: rows of entries, the label of each naming its column; what is not stated is not there."""

    label: str
    rows: tuple[tuple[Entry, ...], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Labels of the columns that are stated anywhere, each behind the one it follows in its row."""
        found: list[str] = []
        for row in self.rows:
            at = 0
            for cell in row:
                if cell.label not in found:
                    found.insert(at, cell.label)
                at = found.index(cell.label) + 1
        return tuple(found)

    @property
    def cells(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """Lines of every cell by row and column; none for what is not stated."""
        stated = [{cell.label: cell.lines for cell in row} for row in self.rows]
        return tuple(tuple(row.get(name, ()) for name in self.columns) for row in stated)


@dataclass(frozen=True, slots=True)
class Part:
    """Entries and tables under one heading."""

    heading: str
    items: tuple[Entry | Grid, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A record as it prints: its name, what it is, and its parts in order."""

    name: str
    what: str
    parts: tuple[Part, ...]


def spelled(text: str) -> str:
    """Return one line of content as it may stand in a sheet; two different texts stay different."""
    return _SPELLED.sub(lambda found: f"‹U+{ord(found[0]):04X}›", text)


def unspelled(text: str) -> str:
    """Return what ``spelled`` was given."""
    return re.sub("‹U\\+([0-9A-F]{4,6})›", lambda found: chr(int(found[1], 16)), text)


def label(text: str) -> str:
    """Return a text as a label or heading: one line, and never anything like the margin."""
    said = _MARGIN.sub(lambda found: f"‹U+{ord(found[0]):04X}›", spelled(text.strip()))
    return said or "‹no label›"


def text(sheet: Sheet) -> str:
    """Return the text of a sheet, ending in a line break."""
    lines = [sheet.name, sheet.what]
    for part in sheet.parts:
        lines += ["", part.heading, RULE * len(part.heading)]
        for item in part.items:
            lines += _item(item)
    return "\n".join(lines) + "\n"


def _item(item: Entry | Grid) -> Iterator[str]:
    if isinstance(item, Entry):
        yield from _labelled(item.label, item.lines)
        return
    count = len(item.rows)
    yield from _labelled(item.label, (f"‹{count} row{'s' if count != 1 else ''}›",))
    for number, row in enumerate(item.rows, 1):
        lead = f"{number:>{_LEAD - 2}}  "
        for cell in row or (_NOTHING,):
            yield from _labelled(lead + cell.label, cell.lines)
            lead = " " * _LEAD


def _labelled(head: str, lines: Iterable[str]) -> Iterator[str]:
    if len(head) >= GUTTER:
        yield head
        head = ""
    for line in lines:
        for margin, piece in zip(_margins(), _pieces(line), strict=False):
            yield f"{head:<{GUTTER}}{margin} {piece}" if piece else f"{head:<{GUTTER}}{margin}"
            head = ""


def _margins() -> Iterator[str]:
    yield LINE
    while True:
        yield MORE


def _pieces(line: str) -> Iterator[str]:
    """Cut a line behind a space where there is one in its last half, so that joined pieces are the line."""
    while len(line) > WIDTH:
        cut = line.rfind(" ", WIDTH // 2, WIDTH) + 1 or WIDTH
        yield line[:cut]
        line = line[cut:]
    yield line


# --- the way back ------------------------------------------------------------------------------


def read(shown: str) -> Sheet | None:
    """Return the sheet whose text this is; None for what is not the text of a sheet."""
    lines = shown.split("\n")
    if len(lines) < 3 or lines[-1]:
        return None
    found: list[Part] = []
    for block in _blocks(lines[2:-1]):
        if len(block) < 2 or block[1] != RULE * len(block[0]):
            return None
        found.append(Part(block[0], tuple(_items(_entries(block[2:])))))
    made = Sheet(lines[0], lines[1], tuple(found))
    return made if text(made) == shown else None


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    block: list[str] | None = None
    for line in lines:
        if not line:
            if block is not None:
                yield block
            block = []
        elif block is not None:
            block.append(line)
    if block is not None:
        yield block


def _entries(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield (label with what leads it, lines of the value)."""
    head, values = "", list[str]()
    for line in lines:
        at = line[GUTTER : GUTTER + 1]
        before = line[:GUTTER].rstrip() if at in (LINE, MORE) and at else line
        if before:
            if head:
                yield head, values
            head, values = before, []
        if at == LINE:
            values.append(line[GUTTER + 2 :])
        elif at == MORE and values:
            values[-1] += line[GUTTER + 2 :]
    if head:
        yield head, values


def _items(entries: Iterator[tuple[str, list[str]]]) -> Iterator[Entry | Grid]:
    grid, rows = "", list[list[Entry]]()
    for head, values in entries:
        if head[:1] != " ":
            if grid:
                yield Grid(grid, tuple(map(tuple, rows)))
            grid, rows = (head, []) if _ROWS.fullmatch(values[0] if len(values) == 1 else "") else ("", [])
            if not grid:
                yield Entry(head, tuple(values))
            continue
        if head[: _LEAD - 2].strip():
            rows.append([])
        if rows and head[_LEAD:]:
            rows[-1].append(Entry(head[_LEAD:], tuple(values)))
    if grid:
        yield Grid(grid, tuple(map(tuple, rows)))
