"""Fields of a record as a page shows them: in groups, with labels, and titles of what they link to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.application.services import Services
from coverslip.kernel import telling, words as w
from coverslip.kernel.definition import Definition
from coverslip.kernel.rows import Row
from coverslip.kernel.view import column_label, is_link, plain
from coverslip.web.navigation import href


@dataclass(frozen=True, slots=True)
class Shown:
    """One field: its name, label, kind as declared, and its value."""

    name: str
    label: str
    kind: str
    value: Any
    help: str = ""
    critical: bool = False
    columns: tuple[tuple[str, str, str], ...] = ()
    """Of a table: name, label and kind of each column."""


def shown(definition: Definition, row: Row) -> list[Shown]:
    """Return the fields a record holds, in declared order; those of an earlier definition last."""
    declared = definition.type.fields
    found = [_field(name, one, row.fields[name]) for name, one in declared.items() if name in row.fields]
    earlier = sorted(row.fields.keys() - declared.keys())
    return found + [Shown(n, f"{n} (of an earlier definition)", "Json", row.fields[n]) for n in earlier]


def _field(name: str, one: w.Field, value: Any) -> Shown:
    columns: tuple[tuple[str, str, str], ...] = ()
    if isinstance(one.kind, w.Table):
        columns = tuple(
            (c, column_label(c), type(spec.kind).__name__) for c, spec in one.kind.columns.items()
        )
    return Shown(name, one.label, type(one.kind).__name__, value, one.help, one.critical, columns)


def facts_and_texts(found: list[Shown]) -> tuple[list[Shown], list[Shown], list[Shown]]:
    """Part fields into short facts, long texts and tables: each has its place on a page."""
    tables = [one for one in found if one.kind == "Table"]
    texts = [one for one in found if one.kind in ("Rich", "Json") and one not in tables]
    return [one for one in found if one not in texts and one not in tables], texts, tables


def links(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every link in a value."""
    if isinstance(value, dict):
        if is_link(value):
            yield value
        else:
            for one in value.values():
                yield from links(one)
    elif isinstance(value, list):
        for one in value:
            yield from links(one)


def titles(services: Services, value: Any, most: int = 100) -> dict[str, str]:
    """Return by uid the titles of the records a value links to; of the first ``most``."""
    # A link that follows a number names no record, and so has no uid.
    wanted = {str(link["uid"]): str(link["number"]) for link in links(value) if "uid" in link}
    asked = dict(list(wanted.items())[:most])
    found = services.reading.titles(set(asked.values()))
    return {uid: found[number] for uid, number in asked.items() if number in found}


def beside(services: Services, row: Row) -> dict[str, tuple[str, str]]:
    """Return, by a link as the record's print words it, title and address of the record it names.

    A page sets them beside the print: they are no part of what is signed.
    """
    found = titles(services, row.fields)
    return {
        telling.link(one): (found[str(one["uid"])], href(one))
        for one in links(row.fields)
        if str(one.get("uid", "")) in found
    }


def summary(row: Row, name: str) -> str:
    """Return one field of a record as a cell of a list."""
    value = row.fields.get(name)
    return "" if value is None else plain(value)[:120]
