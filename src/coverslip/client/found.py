"""Records as typed values and as tables: what a list or a search found.

Rules kept here: nothing of what the server said is lost, it stands in ``raw``; a table carries its units, and
where it was read; voided records are left out unless they are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coverslip.client.extra import need
from coverslip.client.results import reference
from coverslip.client.values import Json

if TYPE_CHECKING:
    import pandas as pd

_BASE = ("number", "title", "state", "version", "created_at", "changed_at")
_MOMENTS = ("created_at", "changed_at")
_TIMES = ("Date", "Instant")


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it was when it was read. Times are UTC, ISO 8601; ``on_hold`` numbers the holds.

    ``record["name"]`` is a field: text, decimals as text, links as values with ``number``.
    """

    number: str
    label: str
    type: str
    type_title: str
    title: str
    state: str
    version: int
    revision: int
    created_at: str
    changed_at: str
    leaf_hash: str
    on_hold: tuple[str, ...]
    fields: Mapping[str, Any] = field(repr=False, compare=False)
    raw: Json = field(repr=False, compare=False)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


@dataclass(frozen=True, slots=True)
class Hit:
    """One record a search found, best first.

    ``found_in`` is ``number``, ``prefix`` (of a number), ``title``, ``people`` or ``text``; ``words`` the
    place in its text, empty where it was found by something else.
    """

    number: str
    label: str
    type: str
    title: str
    state: str
    changed_at: str
    found_in: str
    words: str = ""


def hit(value: Json) -> Hit:
    """Read one hit of a search."""
    number, revision = str(value["number"]), int(value.get("revision", 0))
    told = {name: str(value[name]) for name in ("type", "title", "state", "changed_at")}
    words = "".join(str(one["text"]) for one in value.get("snippet", ()))
    label = f"{number} v{revision}" if revision else number
    return Hit(number, label, **told, found_in=str(value["tier"]), words=words)


def record(value: Json) -> Record:
    """Read one record of a list."""
    told = {n: str(value[n]) for n in ("number", "label", "type", "type_title", "title", "state")}
    times = {n: str(value[n]) for n in ("created_at", "changed_at", "leaf_hash")}
    holds = tuple(str(one["number"]) for one in value.get("on_hold", ()))
    return Record(
        **told,
        **times,
        version=int(value["version"]),
        revision=int(value.get("revision", 0)),
        on_hold=holds,
        fields=value["fields"],
        raw=value,
    )


def matches(found: Record, where: Mapping[str, Any]) -> bool:
    """Whether every field named has the value named; a link is compared by how people say it."""
    return all(name in found.fields and shown(found.fields[name]) == shown(v) for name, v in where.items())


def shown(value: Any) -> Any:
    """Return a link as people say it, in lists too, and everything else as it is."""
    if isinstance(value, dict) and {"type", "uid", "number"} <= value.keys():
        return reference(value)
    return [shown(one) for one in value] if isinstance(value, list) else value


def frame(records: Iterable[Record], definition: Json, server: str) -> pd.DataFrame:
    """Return records of one type as a table: number, title, state, times, then the fields in declared order.

    Instants are UTC timestamps, dates timestamps without zone, decimals and quantities float64, whole
    numbers Int64, links text; tables, files and fields with several values stay Python values. ``attrs`` has
    ``type``, ``definition`` (hash), ``server`` and ``units`` of the fields that declare one.
    """
    pandas = need("pandas", "records as a table")
    declared = json.loads(definition["canonical"])["type"]["fields"]
    names = [*_BASE, *(name for name in declared if name not in _BASE)]
    rows = [[_of(one, name) for name in names] for one in records]
    table: pd.DataFrame = pandas.DataFrame(rows, columns=names, dtype="object")
    kinds = {name: _kind(field) for name, field in declared.items()} | dict.fromkeys(_MOMENTS, "Instant")
    for name in names:
        table[name] = _typed(pandas, table[name], kinds.get(name, ""))
    table.attrs.update(
        {
            "type": definition["name"],
            "definition": definition["definition"],
            "server": server,
            "units": {n: f["kind"]["unit"] for n, f in declared.items() if "unit" in f["kind"]},
        }
    )
    return table


def _of(one: Record, name: str) -> Any:
    return getattr(one, name) if name in _BASE else shown(one.fields.get(name))


def _kind(declared: Mapping[str, Any]) -> str:
    return "" if declared.get("many") else str(declared.get("kind", {}).get("word", ""))


def _typed(pandas: Any, column: Any, kind: str) -> Any:
    if kind in _TIMES:
        return pandas.to_datetime(column, utc=kind == "Instant", format="ISO8601")
    if kind == "Quantity":
        column = column.map(lambda one: one["value"] if isinstance(one, dict) else None)
    if kind in ("Decimal", "Quantity"):
        return pandas.to_numeric(column).astype("float64")
    if kind == "Int":
        return column.astype("Int64")
    return column
