"""Content against its declaration: normalise what was given, list everything that is wrong.

Rules kept here:

* Nothing is guessed: a value of another kind is refused, not converted. Decimals stay strings.
* All problems of one change are reported at once, each with field and code.
* Link values are completed from the rows they name; a caller cannot supply hashes of its own.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.errors import CATALOGUE, CoverslipError, Invalid, Refused
from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.rows import Row
from coverslip.ledger import canonical

MAX_ITEMS = 5000
MAX_REASON = 4000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field."""

    code: str
    field: str
    values: dict[str, Any]

    def error(self, record: str) -> CoverslipError:
        """Return the error of this problem alone."""
        family = {"invalid": Invalid, "refused": Refused}[CATALOGUE[self.code].family]
        return family(self.code, record=record, field=self.field, **self.values)


def number_references(
    kinds: Mapping[str, w.Field], fields: Mapping[str, Any], lists: str = ""
) -> set[tuple[str, int]]:
    """Return every (number, revision) that ``fields`` name; revision 0: none given.

    Link values name records; a value of a controlled list names the list, numbered with prefix ``lists``.
    """
    found: set[tuple[str, int]] = set()
    for name, value in fields.items():
        declared = kinds.get(name)
        if declared is not None:
            found |= set(_references(declared.kind, value, lists))
    return found


def _references(kind: w.Kind, value: Any, lists: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, list):
        for item in value[:MAX_ITEMS]:
            yield from _references(kind, item, lists)
    elif isinstance(kind, w.Table) and isinstance(value, dict):
        for column, spec in kind.columns.items():
            if column in value:
                yield from _references(spec.kind, value[column], lists)
    elif isinstance(kind, w.Vocab):
        yield (f"{lists}-{kind.name}", 0)
    elif isinstance(kind, w.Link):
        reference = parse_reference(value)
        if reference:
            yield reference


_REFERENCE = re.compile(r"([A-Z]+(?:-[A-Z0-9.]+)+)(?:[ ]?v([0-9]{1,6}))?")
MAX_REVISION = 999_999


def parse_reference(value: Any) -> tuple[str, int] | None:
    """Read ``SOP-0012 v3``, ``SOP-0012v3``, ``SOP-0012`` or a link value; ``None`` when it is neither."""
    if isinstance(value, dict):
        number, revision = value.get("number"), value.get("revision", 0)
        named = isinstance(number, str) and _REFERENCE.fullmatch(number)
        if named and type(revision) is int and 0 <= revision <= MAX_REVISION:
            return str(number), revision
        return None
    if not isinstance(value, str):
        return None
    match = _REFERENCE.fullmatch(value)
    return (match[1], int(match[2] or 0)) if match else None


class Normaliser:
    """Turns given fields into canonical ones; collects problems instead of stopping at the first."""

    def __init__(
        self,
        catalogue: Catalogue,
        definition: Definition,
        found: Mapping[tuple[str, int], Row],
        *,
        today: str,
        sandbox: bool,
    ) -> None:
        self._catalogue = catalogue
        self._definition = definition
        self._found = found
        self._today = today
        self._sandbox = sandbox
        self.problems: list[Problem] = []

    def field(self, name: str, value: Any) -> Any:
        """Return the canonical value of field ``name``; problems are kept in ``problems``."""
        declared = self._definition.type.fields.get(name)
        if declared is None:
            self._problem("VAL_FORM", name, expected="a declared field", found="an unknown name")
            return None
        if declared.many:
            if not isinstance(value, list) or len(value) > MAX_ITEMS:
                self._problem(
                    "VAL_FORM", name, expected=f"a list of at most {MAX_ITEMS}", found=_kind_of(value)
                )
                return None
            return [self._value(name, declared.kind, item) for item in value]
        return self._value(name, declared.kind, value)

    def _problem(self, code: str, name: str, **values: Any) -> None:
        self.problems.append(Problem(code, name, values))

    def _form(self, name: str, expected: str, value: Any) -> None:
        self._problem("VAL_FORM", name, expected=expected, found=_kind_of(value))

    def _value(self, name: str, kind: w.Kind, value: Any) -> Any:
        method = getattr(self, f"_{type(kind).__name__.lower()}")
        return method(name, kind, value)

    def _text(self, name: str, kind: w.Text, value: Any) -> Any:
        if not isinstance(value, str) or has_control(value):
            return self._form(name, "one line of text", value)
        text = unicodedata.normalize("NFC", value).strip()
        if not kind.min_length <= len(text) <= kind.max_length:
            limits = f"{kind.min_length}–{kind.max_length} characters"
            return self._problem("VAL_RANGE", name, value=f"{len(text)} characters", limits=limits)
        if kind.pattern and not re.fullmatch(kind.pattern, text):
            return self._problem(
                "VAL_FORM", name, expected=f"text of the form {kind.pattern}", found=_short(text)
            )
        return text

    def _rich(self, name: str, kind: w.Rich, value: Any) -> Any:
        if not isinstance(value, str) or has_control(value, allow="\n\t"):
            return self._form(name, "text", value)
        text = unicodedata.normalize("NFC", value).strip()
        if not 1 <= len(text) <= kind.max_length:
            return self._problem(
                "VAL_RANGE", name, value=f"{len(text)} characters", limits=f"1–{kind.max_length} characters"
            )
        return text

    def _bool(self, name: str, kind: w.Bool, value: Any) -> Any:
        return value if isinstance(value, bool) else self._form(name, "true or false", value)

    def _int(self, name: str, kind: w.Int, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            return self._form(name, "a whole number", value)
        if not kind.low <= value <= kind.high:
            return self._problem("VAL_RANGE", name, value=str(value)[:40], limits=f"{kind.low}–{kind.high}")
        return value

    def _decimal(self, name: str, kind: w.Decimal, value: Any) -> Any:
        number = _as_decimal(value)
        if number is None or -number.as_tuple().exponent > kind.places:  # type: ignore[operator]
            return self._form(name, f"a decimal number as text with at most {kind.places} places", value)
        return value if self._within(name, number, kind.low, kind.high, "") else None

    def _quantity(self, name: str, kind: w.Quantity, value: Any) -> Any:
        if not isinstance(value, dict) or set(value) - {"value", "unit"}:
            return self._form(name, f'{{"value": "…", "unit": "{kind.unit}"}}', value)
        if value.get("unit") != kind.unit:
            return self._problem("VAL_UNIT", name, dimension=kind.unit, unit=_short(value.get("unit")))
        number = _as_decimal(value.get("value"))
        if number is None:
            return self._form(name, "a decimal number as text", value.get("value"))
        return dict(value) if self._within(name, number, kind.low, kind.high, kind.unit) else None

    def _within(self, name: str, number: decimal.Decimal, low: str, high: str, unit: str) -> bool:
        bad = (low and number < decimal.Decimal(low)) or (high and number > decimal.Decimal(high))
        if bad:
            self._problem(
                "VAL_RANGE", name, value=str(number), limits=f"{low or '…'}–{high or '…'} {unit}".strip()
            )
        return not bad

    def _date(self, name: str, kind: w.Date, value: Any) -> Any:
        try:
            parsed = dt.date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
        except ValueError:
            parsed = None
        if parsed is None:
            return self._form(name, "a date YYYY-MM-DD", value)
        if kind.not_past and value < self._today:
            return self._problem("VAL_RANGE", name, value=value, limits=f"{self._today} or later")
        return value

    def _instant(self, name: str, kind: w.Instant, value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", value
        ):
            return self._form(name, "an instant YYYY-MM-DDTHH:MM:SSZ", value)
        try:
            dt.datetime.fromisoformat(value)
        except ValueError:
            return self._form(name, "an instant YYYY-MM-DDTHH:MM:SSZ", value)
        return value

    def _enum(self, name: str, kind: w.Enum, value: Any) -> Any:
        if value not in kind.choices:
            return self._problem("VAL_VOCAB", name, value=_short(value), choices=", ".join(kind.choices))
        return value

    def _vocab(self, name: str, kind: w.Vocab, value: Any) -> Any:
        listed = self._found.get((f"{self._catalogue.list_prefix}-{kind.name}", 0))
        word = self._catalogue.list_word(listed.type) if listed is not None else None
        if listed is None or word is None or listed.state not in word.states:
            return self._problem(
                "VAL_FORM", name, expected=f"a value of the list {kind.name}, in force", found="no such list"
            )
        rows = listed.fields.get(word.table, ())
        choices = [str(r[word.value]) for r in rows if r.get(word.retired) is not True]
        if value not in choices:
            return self._problem(
                "VAL_VOCAB", name, value=_short(value), choices=_short(", ".join(choices[:50]))
            )
        return value

    def _link(self, name: str, kind: w.Link, value: Any) -> Any:
        reference = parse_reference(value)
        if reference is None:
            return self._form(name, "the number of a record", value)
        row = self._found.get(reference)
        if row is None or (kind.types and row.type not in kind.types):
            wanted = " or ".join(kind.types).replace("_", " ") or "record"
            return self._problem(
                "VAL_FORM", name, expected=f"an existing {wanted}", found=_short(reference[0])
            )
        if row.content.get("sandbox") and not self._sandbox:
            allowed = "regulated"
            return self._problem(
                "LINK_VER",
                name,
                target=row.number,
                v=row.revision or row.version,
                state="a sandbox record",
                allowed=allowed,
            )
        if kind.allowed and row.state not in kind.allowed:
            return self._problem(
                "LINK_VER",
                name,
                target=row.number,
                v=row.revision or row.version,
                state=row.state,
                allowed=" or ".join(kind.allowed),
            )
        link = row.link(pinned=kind.pin == "version")
        if kind.pin == "none" and self._revisioned(row.type):
            del link["uid"]
        return link

    def _revisioned(self, name: str) -> bool:
        definition = self._catalogue.get(name)
        return definition is not None and definition.type.revisions

    def _file(self, name: str, kind: w.File, value: Any) -> Any:
        keys = {"name", "size", "sha256", "root", "media_type"}
        if not isinstance(value, dict) or set(value) != keys or type(value["size"]) is not int:
            return self._form(name, "a file of the vault", value)
        if not 0 <= value["size"] < 2**53 or not is_file_name(value["name"]):
            return self._form(name, "a file of the vault, its name without folders", value)
        hexes = all(
            isinstance(value[k], str) and re.fullmatch("[0-9a-f]{64}", value[k]) for k in ("sha256", "root")
        )
        texts = all(isinstance(value[k], str) and 0 < len(value[k]) <= 500 for k in ("name", "media_type"))
        return dict(value) if hexes and texts else self._form(name, "a file of the vault", value)

    def _json(self, name: str, kind: w.Json, value: Any) -> Any:
        try:
            encoded = canonical.encode(value)
        except (canonical.CanonicalError, RecursionError):
            return self._form(name, "JSON with lower-case keys and no floats or nulls", value)
        if len(encoded) > kind.max_bytes:
            return self._problem("TOO_LARGE", name, what=name, size=len(encoded), limit=kind.max_bytes)
        return value

    def _table(self, name: str, kind: w.Table, value: Any) -> Any:
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            return self._form(name, "rows", value)
        if not kind.min_rows <= len(value) <= kind.max_rows:
            limits = f"{kind.min_rows}–{kind.max_rows} rows"
            return self._problem("VAL_RANGE", name, value=f"{len(value)} rows", limits=limits)
        return [self._row(f"{name}[{i}]", kind, row) for i, row in enumerate(value)]

    def _row(self, name: str, kind: w.Table, row: dict[str, Any]) -> dict[str, Any]:
        for unknown in sorted(set(map(str, row)) - set(kind.columns))[:5]:
            self._problem(
                "VAL_FORM", f"{name}.{_short(unknown)}", expected="a declared column", found="an unknown name"
            )
        result: dict[str, Any] = {}
        for column, spec in kind.columns.items():
            if row.get(column) is not None:
                result[column] = self._value(f"{name}.{column}", spec.kind, row[column])
            elif spec.required:
                self._problem("VAL_REQ", f"{name}.{column}", state="it can be saved")
        return result


def _as_decimal(value: Any) -> decimal.Decimal | None:
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", value):
        return None
    return decimal.Decimal(value)


_UNSEEN = frozenset("\u200b\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Zero width, and marks that turn the direction of what follows: text would not be what it looks like."""


def has_control(text: str, allow: str = "") -> bool:
    """Return whether text holds characters nobody sees, other than those in ``allow``."""
    return not text.isprintable() and any(
        (unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") or c in _UNSEEN) and c not in allow for c in text
    )


def is_file_name(name: Any) -> bool:
    """Return whether ``name`` can name a file: visible text without folders, at most 500 characters."""
    if not isinstance(name, str) or not 0 < len(name.strip()) <= len(name) <= 500:
        return False
    return name not in (".", "..") and "/" not in name and "\\" not in name and not has_control(name)


def clean_reason(text: str, record: str) -> str:
    """Return a reason in NFC without space around it; refuse characters nobody sees and excess length."""
    if has_control(text, allow="\n\r\t"):
        raise Invalid("VAL_FORM", record=record, field="reason", expected="text", found="unseen characters")
    reason = unicodedata.normalize("NFC", text).strip()
    if len(reason) > MAX_REASON:
        raise Invalid("TOO_LARGE", record=record, what="The reason", size=len(reason), limit=MAX_REASON)
    return reason


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _kind_of(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        bool: "true or false",
        int: "a whole number",
        float: "a float",
        type(None): "nothing",
    }
    return names.get(type(value), f"'{_short(value)}'" if isinstance(value, str) else "something else")


def raise_problems(problems: list[Problem], record: str) -> None:
    """Raise the first problem as an error that lists all of them; nothing when there is none."""
    if not problems:
        return
    error = problems[0].error(record)
    others = [p.error(record) for p in problems[1:50]]
    if others:
        error.message = " ".join([error.message, *(o.message for o in others)])
    error.values["problems"] = [
        {"code": p.code, "field": p.field, "message": p.error(record).message} for p in problems[:50]
    ]
    raise error
