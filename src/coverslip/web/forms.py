"""Forms: the fields of a declaration as inputs, and what was typed as the values the door takes.

Rules kept here:

* A form knows kinds, never types. An empty input is a field left out; in an edit, one to be taken away.
* Nothing is converted beyond what a text means: ``12`` in a whole-number field is 12; anything else goes to
  the door as it was typed, and the door says what is wrong with it.
* Names: ``f.FIELD``; of a table ``f.FIELD.ROW.COLUMN``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData, UploadFile

from coverslip.kernel import words as w

BLANK_ROWS = 2
MAX_ROWS = 200
_WHOLE = re.compile(r"[+-]?\d{1,15}")
Keep = Callable[[UploadFile], dict[str, Any]]
"""Puts an uploaded file into the vault and returns its file value."""


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
) -> list[Input]:
    """Return the inputs of the fields given, in declared order."""
    found = errors or {}
    return [
        _input(name, one, values.get(name), required(name, one), choices, found.get(name, ""), blank_rows)
        for name, one in declared.items()
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


def grouped(found: list[Input], declared: Mapping[str, w.Field]) -> list[Group]:
    """Return what is needed now first, then what may be given, then what a later state asks for."""
    now = tuple(one for one in found if one.required)
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
    name: str, one: w.Field, value: Any, required: bool, choices: Choices, error: str, blank_rows: int
) -> Input:
    if isinstance(one.kind, w.Table):
        return _table(name, one, one.kind, value, required, choices, error, blank_rows)
    return Input(
        f"f.{name}",
        one.label,
        type(one.kind).__name__,
        one.kind,
        shown(one.kind, value, many=one.many),
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
                shown(spec.kind, (given[index] if index < len(given) else {}).get(column)),
                choices=_choices(spec.kind, choices),
                types=spec.kind.types if isinstance(spec.kind, w.Link) else (),
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


def _choices(kind: w.Kind, choices: Choices) -> tuple[str, ...]:
    if isinstance(kind, w.Enum):
        return kind.choices
    return choices(kind) if isinstance(kind, w.Vocab) else ()


def shown(kind: w.Kind, value: Any, *, many: bool = False) -> Any:
    """Return a value as the text an input holds; of ``many``, one a line."""
    if value is None:
        return ""
    if many and isinstance(value, list):
        return "\n".join(str(shown(kind, one)) for one in value)
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


def read(
    form: FormData, declared: Mapping[str, w.Field], keep: Keep, base: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the fields a form gives.

    With ``base``, the fields of the version that was read: only those that differ from it, an emptied one as
    ``None``. Without, empty ones are left out.
    """
    found: dict[str, Any] = {}
    for name, one in declared.items():
        value = _read_field(form, f"f.{name}", one, keep)
        if value is _ABSENT:
            continue
        if base is None:
            if value is not None:
                found[name] = value
        elif _differs(one, value, base.get(name)):
            found[name] = value
    return found


_ABSENT = object()


def _read_field(form: FormData, name: str, one: w.Field, keep: Keep) -> Any:
    if isinstance(one.kind, w.Table):
        return _read_table(form, name, one.kind, keep)
    if name not in form:
        return _ABSENT
    if isinstance(one.kind, w.File):
        given = [keep(u) for u in form.getlist(name) if isinstance(u, UploadFile) and u.filename]
        # A file input that was left alone says nothing about the file that is there.
        return (given if one.many else given[0]) if given else _ABSENT
    text = str(form[name])
    if one.many:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return [_read_value(one.kind, line) for line in lines] or None
    return _read_value(one.kind, text)


def _read_table(form: FormData, name: str, table: w.Table, keep: Keep) -> Any:
    numbers = sorted(
        {int(m[1]) for m in map(re.compile(rf"{re.escape(name)}\.(\d{{1,5}})\..+").fullmatch, form) if m}
    )
    if not numbers and f"{name}.there" not in form:
        return _ABSENT
    rows = []
    for number in numbers[:MAX_ROWS]:
        row = dict(_read_row(form, f"{name}.{number}", table, keep))
        if row:
            rows.append(row)
    return rows or None


def _read_row(form: FormData, name: str, table: w.Table, keep: Keep) -> Iterator[tuple[str, Any]]:
    for column, spec in table.columns.items():
        value = _read_field(form, f"{name}.{column}", w.Field(spec.kind, column), keep)
        if value is not None and value is not _ABSENT:
            yield column, value


def _read_value(kind: w.Kind, text: str) -> Any:
    given = text.replace("\r\n", "\n").strip()
    if not given:
        return None
    if isinstance(kind, w.Bool):
        return {"yes": True, "no": False}.get(given, given)
    if isinstance(kind, w.Int):
        return int(given) if _WHOLE.fullmatch(given) else given
    if isinstance(kind, w.Quantity):
        return {"value": given, "unit": kind.unit}
    if isinstance(kind, w.Json):
        return _read_json(given)
    return given


def _read_json(given: str) -> Any:
    try:
        return json.loads(given)
    except ValueError:
        return given


def _differs(one: w.Field, value: Any, base: Any) -> bool:
    """Whether what was typed is another value than the one that stands there."""
    if isinstance(one.kind, w.File):
        return True
    return bool(_typed(one, value) != _typed(one, base))


def _typed(one: w.Field, value: Any) -> Any:
    if isinstance(one.kind, w.Table):
        return [
            {
                c: str(shown(spec.kind, row[c]))
                for c, spec in one.kind.columns.items()
                if row.get(c) is not None
            }
            for row in value or ()
        ]
    return str(shown(one.kind, value, many=one.many)).strip()
