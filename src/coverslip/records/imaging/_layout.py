"""Where things lie on a slide or plate, and what a layout must hold (DOMAIN 4.9).

Rules kept here: a well is called by row letter and two-digit column (``C05``) and lies on its plate;
a position holds one specimen unless it is pooled; the controls asked for are there.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from coverslip.kernel.rules import Refusal, RuleInput, rule

PLATES = {
    "6": (2, 3),
    "12": (3, 4),
    "24": (4, 6),
    "48": (6, 8),
    "96": (8, 12),
    "384": (16, 24),
    "1536": (32, 48),
}
"""Rows and columns of each plate format."""
_WELL = re.compile(r"([A-Z]{1,2})(\d{2})")
USABLE = ("received", "in_storage", "in_use")


def _row_index(letters: str) -> int:
    """Return 0 for A, 25 for Z, 26 for AA."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1


def on_plate(position: str, plate: str) -> bool:
    """Return whether a well name lies on a plate of this format."""
    rows, columns = PLATES[plate]
    match = _WELL.fullmatch(position)
    return match is not None and _row_index(match[1]) < rows and 1 <= int(match[2]) <= columns


def _layout(inp: RuleInput) -> list[dict[str, Any]]:
    return list(inp.fields.get("layout") or ())


@rule("positions_valid", 1)
def positions_valid(inp: RuleInput) -> str | None:
    """Ask that every position exists on a container of this format; others name positions freely."""
    plate = str(inp.fields.get("format", ""))
    if plate not in PLATES:
        return None
    wrong = [row["position"] for row in _layout(inp) if not on_plate(str(row["position"]), plate)]
    if not wrong:
        return None
    return f"Positions are wells of a {plate}-well plate, such as A01 ({', '.join(wrong[:10])} are not)."


@rule("positions_once", 1)
def positions_once(inp: RuleInput) -> str | None:
    """Ask that a position is given once, or that everything in it is marked as pooled."""
    rows = _layout(inp)
    counted = Counter(row["position"] for row in rows)
    twice = sorted(
        {row["position"] for row in rows if counted[row["position"]] > 1 and row.get("pooled") is not True}
    )
    return f"Position {', '.join(twice[:10])} is given once, unless pooled." if twice else None


@rule("layout_filled", 1)
def layout_filled(inp: RuleInput) -> str | None:
    """Ask that every position that holds a sample names its specimen, and an empty one none."""
    missing = [r["position"] for r in _layout(inp) if r["role"] == "sample" and "specimen" not in r]
    if missing:
        return f"Every sample position names its specimen (missing: {', '.join(missing[:10])})."
    strange = [r["position"] for r in _layout(inp) if r["role"] == "empty" and "specimen" in r]
    return f"An empty position names no specimen ({', '.join(strange[:10])} does)." if strange else None


@rule("controls_present", 1)
def controls_present(inp: RuleInput) -> str | None:
    """Ask for as many controls as the container is to have; a critical plate has one of each or more."""
    least = 1 if inp.fields.get("critical") is True else 0
    found = Counter(row["role"] for row in _layout(inp))
    lacking = []
    for role, field in (("pos_control", "positive_controls"), ("neg_control", "negative_controls")):
        wanted = max(least, int(inp.fields.get(field, 0)))
        if found[role] < wanted:
            lacking.append(f"{wanted} {role.replace('_', ' ')} (there are {found[role]})")
    return f"The layout has {' and '.join(lacking)}." if lacking else None


@rule("specimens_usable", 1)
def specimens_usable(inp: RuleInput) -> Refusal | str | None:
    """Ask that every specimen on the container is at hand, in date and not on hold."""
    for row in inp.reads["specimens"]:
        if row.state not in USABLE:
            return f"Specimen {row.number} is at hand (it is {row.state.replace('_', ' ')})."
        expires = str(row.fields.get("expires", ""))
        if expires and expires < inp.today:
            return Refusal("VAL_RANGE", f"Specimen expired {expires} ({row.number})", {})
        if row.blockers:
            return f"Specimen {row.number} is not on hold ({row.blockers[0].number})."
    return None


@rule("next_layout_version", 1)
def next_layout_version(inp: RuleInput) -> int:
    """Return the number of the layout after this change."""
    return int(inp.fields.get("layout_version", 0)) + 1
