"""Rows of the audit trail: who, what, when, record, field, action, old, new, reason, tree index.

Rules kept here:

* Old and new are computed from two full contents; nothing is taken from a stored difference.
* ``trail.json`` is one array with one row a line; ``trail.csv`` is RFC 4180 with CRLF. A CSV cell that a
  spreadsheet could run as a formula is preceded by an apostrophe, as is one that begins with an
  apostrophe, so that the exact text can be had back. Plain numbers are left alone.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, fields
from typing import Any, Final

_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
ABSENT: Final = "[not in this copy]"
"""Stands where a section was erased, withheld or is not part of the copy."""


@dataclass(frozen=True, slots=True)
class Row:
    """One field changed by one entry; ``field`` is empty where an entry changed none."""

    index: int
    at: str
    record: str
    kind: str
    version: int
    type: str
    action: str
    field: str
    old: str
    new: str
    reason: str
    who: str
    who_name: str
    who_id: str
    on_behalf_of: str
    authentication: str
    signature: str
    workstation: str
    entry: str


COLUMNS: Final = tuple(one.name for one in fields(Row))


def changes(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    absent: Set[str] = frozenset(),
    unseen: Set[str] = frozenset(),
) -> list[tuple[str, str, str]]:
    """Return (field, old, new) for every field that differs between two versions' sections, sorted.

    ``before`` and ``after`` map section names to values; ``absent`` are sections the later version has
    but that cannot be seen, ``unseen`` those of the earlier one. A field that is not there is empty.
    """
    found = [(section, ABSENT if section in unseen else "", ABSENT) for section in absent - unseen]
    for section in (before.keys() | after.keys()) - absent:
        old, new = _flat(section, before), _flat(section, after)
        missing = ABSENT if section in unseen else ""
        for name in old.keys() | new.keys():
            row = (name, old.get(name, missing), new.get(name, ""))
            if row[1] != row[2]:
                found.append(row)
    return sorted(found)


def _flat(section: str, values: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    value = values.get(section)
    if value is None:
        return found
    if section == "content":
        _flatten({k: v for k, v in value.items() if k != "fields"}, "", found)
        for key, item in value.get("fields", {}).items():
            _flatten(item, f"fields.{key}", found)
    elif section in ("personal", "detail", "snapshot"):
        for key, item in value.items():
            _flatten(item, f"{section}.{key}", found)
    elif section == "files":
        found.update({f"files.{item.path}": item.sha256 for item in value})
    return found


def _flatten(value: Any, name: str, found: dict[str, str]) -> None:
    if isinstance(value, dict) and value and not _is_one(value):
        for key, item in value.items():
            _flatten(item, f"{name}.{key}" if name else key, found)
    elif isinstance(value, list) and value:
        for position, item in enumerate(value):
            _flatten(item, f"{name}.{position}", found)
    elif name:
        found[name] = plain(value)


def _is_one(value: Mapping[str, Any]) -> bool:
    """Whether an object is one value to a reader: a link or a file."""
    return "uid" in value or "sha256" in value


def plain(value: Any) -> str:
    """Return a value as it is read in a table."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def row_value(row: Row) -> dict[str, Any]:
    """Return a row as an object."""
    return {name: getattr(row, name) for name in COLUMNS}


def json_pieces(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield ``trail.json`` piece by piece."""
    start = b"[\n"
    for row in rows:
        yield start + json_row(row)
        start = b",\n"
    yield b"[\n]\n" if start == b"[\n" else b"\n]\n"


def json_row(row: Row) -> bytes:
    """Return a row as one line of JSON without its end."""
    return json.dumps(row_value(row), ensure_ascii=False, separators=(",", ":")).encode()


def csv_head() -> bytes:
    """Return the first line of ``trail.csv``."""
    return _csv(COLUMNS)


def csv_row(row: Row) -> bytes:
    """Return a row as a line of CSV."""
    return _csv([getattr(row, name) for name in COLUMNS])


def _csv(cells: Iterable[Any]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([neutral(str(cell)) for cell in cells])
    return out.getvalue().encode()


def neutral(cell: str) -> str:
    """Return a cell that no spreadsheet runs as a formula."""
    if cell.startswith(_RISKY) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell
