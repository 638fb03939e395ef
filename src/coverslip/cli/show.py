"""What people and machines are shown: sentences and tables on stdout, problems on stderr.

Rules kept here: text that came from elsewhere cannot steer a terminal (control and direction characters
are spelled out); a pipe gets whole lines with tabs, never a table cut to a width.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Return text without anything that could steer a terminal; tab and newline stay."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _write(stream: TextIO, text: str) -> None:
    shown = clean(text)
    try:
        print(shown, file=stream)
    except UnicodeEncodeError:
        print(shown.encode("ascii", "backslashreplace").decode(), file=stream)


def say(text: str) -> None:
    """Print a line for people on stdout."""
    _write(sys.stdout, text)


def warn(text: str) -> None:
    """Print a line about a problem on stderr."""
    _write(sys.stderr, text)


def as_json(value: Any) -> None:
    """Print a value for machines: one JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=True))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], none: str = "none") -> None:
    """Print rows under their columns; ``none`` is the sentence for no rows at all."""
    lines = [[_cell(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in lines:
            say("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in line))
        return
    if not lines:
        say(none)
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        drawn.add_column(name, overflow="fold")
    for line in lines:
        drawn.add_row(*(Text(cell) for cell in line))
    Console(highlight=False).print(drawn)


def _cell(value: Any) -> str:
    return clean("" if value is None else str(value))


def plain(value: Any) -> str:
    """Return one field value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        if "number" in value and "type" in value:
            return str(value["number"]) + (f" v{value['revision']}" if "revision" in value else "")
        if set(value) == {"value", "unit"}:
            return f"{value['value']} {value['unit']}"
        if "sha256" in value and "name" in value:
            return f"{value['name']} ({value.get('size', '?')} bytes, sha256 {value['sha256']})"
        return ", ".join(f"{key}: {plain(item)}" for key, item in sorted(value.items()))
    return "; ".join(plain(item) for item in value) if isinstance(value, list) else str(value)


def pairs(values: Iterable[tuple[str, Any]]) -> None:
    """Print names beside values; empty values are left out."""
    found = [(name, plain(value)) for name, value in values if value not in ("", None, [], {})]
    width = max((len(name) for name, _ in found), default=0)
    for name, text in found:
        say(f"{name:<{width}}  {text}")
