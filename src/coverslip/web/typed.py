"""What was typed into a form, as the values the door takes.

Rules kept here:

* An empty input is a field left out; in an edit, one to be taken away. A file input that was left alone says
  nothing about the file that is there.
* Nothing is converted beyond what a text means: ``12`` in a whole-number field is 12; anything else goes to
  the door as it was typed, and the door says what is wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile

from coverslip.kernel import words as w
from coverslip.web import lines, times
from coverslip.web.forms import MAX_ROWS, shown

Keep = Callable[[UploadFile], dict[str, Any]]
"""Puts an uploaded file into the vault and returns its file value."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_ABSENT = object()


@dataclass(frozen=True)
class Typed:
    """A form that was sent, read by declarations. ``zone`` is the workstation's."""

    form: FormData
    keep: Keep
    zone: str = "UTC"

    def fields(
        self, declared: Mapping[str, w.Field], base: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the fields a form gives.

        With ``base``, the fields of the version that was read: only those that differ from it, an emptied
        one as ``None``. Without, empty ones are left out.
        """
        found: dict[str, Any] = {}
        for name, one in declared.items():
            value = self._field(f"f.{name}", one, (base or {}).get(name))
            if value is _ABSENT:
                continue
            if base is None:
                if value is not None:
                    found[name] = value
            elif _differs(one, value, base.get(name)):
                found[name] = value
        return found

    def _field(self, name: str, one: w.Field, base: Any) -> Any:
        if isinstance(one.kind, w.Table):
            return self._table(name, one.kind, base)
        if isinstance(one.kind, w.File):
            return self._file(name, many=one.many)
        if isinstance(one.kind, w.Json) and f"{name}.there" in self.form:
            return lines.value(self._lines(name)) or None
        if name not in self.form:
            return _ABSENT
        text = str(self.form[name])
        if one.many:
            given = [line.strip() for line in text.splitlines() if line.strip()]
            return [self._value(one.kind, line) for line in given] or None
        return self._value(one.kind, text)

    def _file(self, name: str, *, many: bool) -> Any:
        uploads = [u for u in self.form.getlist(name) if isinstance(u, UploadFile) and u.filename]
        given = [self.keep(upload) for upload in uploads]
        return (given if many else given[0]) if given else self._carried(name)

    def _carried(self, name: str) -> Any:
        """Return the files a form carries from the time before; the door checks them as all that is typed."""
        value = _json(str(self.form.get(f"{name}.kept", "")))
        return value if value and isinstance(value, (dict, list)) else _ABSENT

    def _lines(self, name: str) -> Iterator[lines.Line]:
        for number in self._numbers(name):
            cells = (self.form.get(f"{name}.{number}.{part}", "") for part in ("name", "value", "value.was"))
            yield lines.Line(*(str(cell).strip() for cell in cells))

    def _numbers(self, name: str) -> list[int]:
        cell = re.compile(rf"{re.escape(name)}\.(\d{{1,5}})\..+")
        return sorted({int(found[1]) for found in map(cell.fullmatch, self.form) if found})[:MAX_ROWS]

    def _table(self, name: str, table: w.Table, base: Any) -> Any:
        numbers = self._numbers(name)
        if not numbers and f"{name}.there" not in self.form:
            return _ABSENT
        files = dict(_files(base))
        rows = [dict(self._row(f"{name}.{number}", table, files)) for number in numbers]
        return [row for row in rows if row] or None

    def _row(
        self, name: str, table: w.Table, files: Mapping[str, dict[str, Any]]
    ) -> Iterator[tuple[str, Any]]:
        for column, spec in table.columns.items():
            value = self._field(f"{name}.{column}", w.Field(spec.kind, column), None)
            if value is _ABSENT and isinstance(spec.kind, w.File):
                value = files.get(str(self.form.get(f"{name}.{column}.kept", "")))
            if value is not None and value is not _ABSENT:
                yield column, value

    def _value(self, kind: w.Kind, text: str) -> Any:
        given = text.replace("\r\n", "\n").strip()
        if not given:
            return None
        if isinstance(kind, w.Bool):
            return {"yes": True, "no": False}.get(given, given)
        if isinstance(kind, w.Int):
            return int(given) if _WHOLE.fullmatch(given) else given
        if isinstance(kind, w.Quantity):
            return {"value": given, "unit": kind.unit}
        if isinstance(kind, w.Instant):
            return times.in_utc(given, self.zone)
        return _json(given) if isinstance(kind, w.Json) else given


def _files(rows: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield by root the files that stand in the rows of a table."""
    for row in rows if isinstance(rows, list) else ():
        for value in row.values() if isinstance(row, dict) else ():
            if isinstance(value, dict) and {"root", "sha256"} <= value.keys():
                yield str(value["root"]), value


def _json(given: str) -> Any:
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return given


def _differs(one: w.Field, value: Any, base: Any) -> bool:
    """Whether what was typed is another value than the one that stands there."""
    return isinstance(one.kind, w.File) or bool(_said(one, value) != _said(one, base))


def _said(one: w.Field, value: Any) -> Any:
    """Return a value as an input would hold it, so that what was typed compares with what stands there."""
    if isinstance(one.kind, w.Table):
        columns = one.kind.columns.items()
        return [
            {name: _cell(spec.kind, row[name]) for name, spec in columns if row.get(name) is not None}
            for row in value or ()
        ]
    return str(shown(one.kind, value, many=one.many)).strip()


def _cell(kind: w.Kind, value: Any) -> str:
    return str(value.get("root", "")) if isinstance(kind, w.File) else str(shown(kind, value))
