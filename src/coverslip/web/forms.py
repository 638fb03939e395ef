"""Forms: the fields of a declaration as inputs.

Rules kept here:

* A form knows kinds, never types. Names: ``f.FIELD``; of a table ``f.FIELD.ROW.COLUMN``.
* What is shown in an input and read back by ``web/typed.py`` is the same value. An instant is shown in the
  zone of the workstation, and the form says which that is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coverslip.kernel import words as w
from coverslip.web import lines, times

BLANK_ROWS = 2
MAX_ROWS = 200
LINED_BYTES = 200_000
"""Objects of free shape up to this size are typed as lines; larger ones come from programs."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a form. ``kind`` is the name of the declared kind; ``value`` what stands in it as text."""

    name: str
    label: str
    kind: str
    declared: Any
    value: Any = ""
    help: str = ""
    required: bool = False
    many: bool = False
    choices: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    error: str = ""
    rows: tuple[tuple[Input, ...], ...] = field(default=())
    columns: tuple[tuple[str, bool], ...] = ()
    kept: str = ""
    """Root of the file that stands in a table's cell, so that a row keeps it when no other is chosen; of the
    value of a line, what it is."""

    @property
    def id(self) -> str:
        """Id of the control in the page."""
        return self.name.replace(".", "-")


Choices = Callable[[w.Vocab], tuple[str, ...]]


def inputs(
    declared: Mapping[str, w.Field],
    values: Mapping[str, Any],
    *,
    required: Callable[[str, w.Field], bool],
    choices: Choices,
    errors: Mapping[str, str] | None = None,
    blank_rows: int = BLANK_ROWS,
    zone: str = "UTC",
) -> list[Input]:
    """Return the inputs of the fields given, in declared order."""
    found = errors or {}
    return [
        _input(
            name, one, values.get(name), required(name, one), choices, found.get(name, ""), blank_rows, zone
        )
        for name, one in declared.items()
    ]


def carrying(found: list[Input], values: Mapping[str, Any]) -> list[Input]:
    """Return inputs that carry the files ``values`` names: a browser sends no file a second time."""
    return [
        replace(one, kept=json.dumps(value), required=False) if one.kind == "File" and value else one
        for one in found
        for value in [values.get(one.name.removeprefix("f."))]
    ]


@dataclass(frozen=True, slots=True)
class Group:
    """Inputs that are looked at together. ``folded`` ones are opened when wanted, or when one is wrong."""

    title: str
    inputs: tuple[Input, ...]
    folded: bool = False

    @property
    def open(self) -> bool:
        """Whether something in it needs a look."""
        return any(one.error for one in self.inputs)


def grouped(found: list[Input], declared: Mapping[str, w.Field], asked: Collection[str] = ()) -> list[Group]:
    """Return what is needed now first, then what may be given, then what a later state asks for.

    ``asked`` names fields a condition of the act may ask for: they stand with what is needed.
    """
    now = tuple(one for one in found if one.required or one.name.removeprefix("f.") in asked)
    later: dict[str, list[Input]] = {}
    optional = []
    for one in found:
        states = declared[one.name.removeprefix("f.")].required_at
        if one in now:
            continue
        if states:
            later.setdefault(f"Needed before {states[0].replace('_', ' ')}", []).append(one)
        else:
            optional.append(one)
    if not now:
        return [Group("", tuple(found))] if found else []
    groups = [Group("", now)]
    if optional:
        groups.append(Group("More, where it applies", tuple(optional), folded=len(found) > 8))
    return groups + [Group(title, tuple(ones), folded=True) for title, ones in later.items()]


def _input(
    name: str,
    one: w.Field,
    value: Any,
    required: bool,
    choices: Choices,
    error: str,
    blank_rows: int,
    zone: str,
) -> Input:
    if isinstance(one.kind, w.Table):
        return _table(name, one, one.kind, value, required, choices, error, blank_rows, zone)
    said = lines.lines(_given(value)) if _lined(one) else None
    if said is not None:
        return _of_lines(name, one, said, required, error, blank_rows)
    return Input(
        f"f.{name}",
        one.label,
        type(one.kind).__name__,
        one.kind,
        shown(one.kind, value, many=one.many, zone=zone),
        one.help,
        required,
        one.many,
        _choices(one.kind, choices),
        one.kind.types if isinstance(one.kind, w.Link) else (),
        error,
    )


def _table(
    name: str,
    one: w.Field,
    table: w.Table,
    value: Any,
    required: bool,
    choices: Choices,
    error: str,
    blank: int,
    zone: str,
) -> Input:
    given = list(value) if isinstance(value, list) else []
    count = min(MAX_ROWS, table.max_rows, len(given) + blank)
    rows = tuple(
        tuple(
            Input(
                f"f.{name}.{index}.{column}",
                f"{column.replace('_', ' ').capitalize()}, row {index + 1}",
                type(spec.kind).__name__,
                spec.kind,
                shown(spec.kind, _cell(given, index, column), zone=zone),
                choices=_choices(spec.kind, choices),
                types=spec.kind.types if isinstance(spec.kind, w.Link) else (),
                kept=_kept(spec.kind, _cell(given, index, column)),
            )
            for column, spec in table.columns.items()
        )
        for index in range(max(count, len(given)))
    )
    columns = tuple((c.replace("_", " ").capitalize(), spec.required) for c, spec in table.columns.items())
    return Input(
        f"f.{name}",
        one.label,
        "Table",
        table,
        "",
        one.help,
        required,
        error=error,
        rows=rows,
        columns=columns,
    )


def _lined(one: w.Field) -> bool:
    return isinstance(one.kind, w.Json) and one.kind.max_bytes <= LINED_BYTES and not one.many


def _given(value: Any) -> Any:
    """Return an object an address gives as text (settings read off a file) as the object it is."""
    try:
        return json.loads(value) if isinstance(value, str) and value.startswith("{") else value
    except (ValueError, RecursionError):
        return value


def _of_lines(
    name: str, one: w.Field, said: list[lines.Line], required: bool, error: str, blank: int
) -> Input:
    """Return an object of free shape as lines of a name and a value."""
    filled = [*said, *[lines.Line("", "", "")] * min(blank, lines.MOST - len(said))]
    text = w.Text(100_000)
    rows = tuple(
        (
            Input(f"f.{name}.{n}.name", f"Name, line {n + 1}", "Text", w.Text(200), line.name),
            Input(f"f.{name}.{n}.value", f"Value, line {n + 1}", "Text", text, line.value, kept=line.was),
        )
        for n, line in enumerate(filled)
    )
    columns = (("Name", True), ("Value", True))
    return Input(
        f"f.{name}",
        one.label,
        "Lines",
        one.kind,
        "",
        one.help,
        required,
        error=error,
        rows=rows,
        columns=columns,
    )


def _cell(rows: list[Any], index: int, column: str) -> Any:
    return rows[index].get(column) if index < len(rows) and isinstance(rows[index], dict) else None


def _kept(kind: w.Kind, value: Any) -> str:
    return str(value.get("root", "")) if isinstance(kind, w.File) and isinstance(value, dict) else ""


def _choices(kind: w.Kind, choices: Choices) -> tuple[str, ...]:
    if isinstance(kind, w.Enum):
        return kind.choices
    return choices(kind) if isinstance(kind, w.Vocab) else ()


def shown(kind: w.Kind, value: Any, *, many: bool = False, zone: str = "UTC") -> Any:
    """Return a value as the text an input holds; of ``many``, one a line; an instant in ``zone``."""
    if value is None:
        return ""
    if many and isinstance(value, list):
        return "\n".join(str(shown(kind, one, zone=zone)) for one in value)
    if isinstance(kind, w.Instant):
        return times.at_workstation(str(value), zone)
    if isinstance(value, dict):
        return _shown_object(kind, value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _shown_object(kind: w.Kind, value: dict[str, Any]) -> Any:
    if isinstance(kind, w.Link) and "number" in value:
        return f"{value['number']}v{value['revision']}" if value.get("revision") else value["number"]
    if isinstance(kind, w.Quantity) and "value" in value:
        return value["value"]
    if isinstance(kind, w.File):
        return value.get("name", "")
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
