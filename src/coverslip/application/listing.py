"""Lists: what was asked in plain words becomes a list, the same from pages and from the interface.

Rules kept here:

* What cannot be asked is refused, never left out: an unknown type, state, field or order, an unknown person.
* Voided records are left out unless they, a state or a text are asked for; a list says its filter in words.
* Only what a type shows in lists (``summary`` and its due date) is filtered and sorted by; a personal or
  sensitive field never is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from coverslip.application.finding import find
from coverslip.application.services import Services
from coverslip.errors import Invalid, NotFound
from coverslip.kernel import words as w
from coverslip.kernel.definition import Definition
from coverslip.kernel.queries import FieldAt, FieldFilter, FieldKind, Listed

SORTS = ("changed_at", "created_at", "number", "title", "state")
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_OPS = ("is", "has", "from", "to")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks of a list, as they wrote it.

    People are named by number or uid. A day means the whole of it, UTC; ``changed_to`` includes it.
    ``fields`` are ``name:op:value`` with ``is``, ``has``, ``from`` or ``to``; they and a sort by a field need
    one type.
    ``sort`` names a column, ``-`` before it: falling.
    """

    types: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    text: str = ""
    person: str = ""
    created_by: str = ""
    changed_by: str = ""
    changed_from: str = ""
    changed_to: str = ""
    tag: str = ""
    overdue: bool = False
    voided: bool = False
    fields: tuple[str, ...] = ()
    sort: str = "-changed_at"


def listed(services: Services, asked: Asked) -> Listed:
    """Return the list asked for. Raises ``NOT_FOUND`` and ``VAL_FORM`` for what there is not."""
    one = _one_type(services, asked)
    _insist_states(services, asked)
    name, falls = asked.sort.removeprefix("-"), asked.sort.startswith("-")
    field = None
    if name not in SORTS:
        field = _field(one, name, "sort")
    everything = asked.voided or bool(asked.states or asked.text)
    return Listed(
        types=asked.types or tuple(sorted(d.name for d in services.catalogue)),
        states=asked.states,
        text=asked.text,
        created_by=person(services, asked.created_by),
        changed_by=person(services, asked.changed_by),
        person=person(services, asked.person),
        changed_from=instant(asked.changed_from, "changed_from"),
        changed_before=instant(asked.changed_to, "changed_to", end=True),
        fields=tuple(_filter(one, text) for text in asked.fields),
        narrowed=services.working.narrowed(asked.tag, overdue=asked.overdue, everything=everything),
        sort="field" if field is not None else name,  # type: ignore[arg-type]  # insisted on above
        descending=falls,
        field=field,
    )


def columns(definition: Definition | None) -> tuple[str, ...]:
    """Return the fields of a type that its lists show, in their order; none for several types."""
    if definition is None:
        return ()
    declared = definition.type
    shown = [n for n in declared.summary if n != declared.title_field]
    if declared.due and declared.due not in shown:
        shown.append(declared.due)
    return tuple(n for n in shown if _open(declared.fields.get(n)))


def sortable(definition: Definition) -> dict[str, FieldKind]:
    """Return the fields a list of this type is sorted and filtered by, and how each compares."""
    found: dict[str, FieldKind] = {}
    for name in columns(definition):
        field = definition.type.fields[name]
        kind = _kind(field)
        if kind is not None:
            found[name] = kind
    return found


def described(asked: Asked) -> str:
    """Return the filter and the order in words, as they are printed above a list."""
    return "; ".join(_parts(asked))


def person(services: Services, named: str) -> str:
    """Return the uid of a person named by number or uid, empty for nobody. Raises ``NOT_FOUND``."""
    if not named or _UID.fullmatch(named):
        return named
    row = find(services, named)
    if services.accounts.account(row.uid) is None:
        raise NotFound("NOT_FOUND", what="person", record=named[:60])
    return row.uid


def instant(text: str, field: str, *, end: bool = False) -> str:
    """Return the instant a day or a time with its zone names; the ``end`` of a day is the next one's begin.

    Raises ``VAL_FORM``.
    """
    if not text:
        return ""
    try:
        if _DAY.fullmatch(text):
            day = dt.date.fromisoformat(text) + dt.timedelta(days=1 if end else 0)
            return f"{day.isoformat()}T00:00:00.000000Z"
        found = dt.datetime.fromisoformat(text.replace(" ", "+"))
        if found.tzinfo is None:
            raise ValueError
        moment = found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        expected = "a day (2026-11-20) or a time with its zone (2026-11-20T12:00:00Z)"
        raise Invalid("VAL_FORM", field=field, expected=expected, found=text[:40]) from None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _parts(asked: Asked) -> Iterator[str]:
    yield f"type {', '.join(asked.types)}" if asked.types else "every type"
    if asked.states:
        yield f"state {', '.join(asked.states)}"
    said = {
        "number or title contains": asked.text, "created or changed by": asked.person,
        "created by": asked.created_by, "changed by": asked.changed_by, "changed from": asked.changed_from,
        "changed to": asked.changed_to, "tag": asked.tag,
    }  # fmt: skip
    yield from (f"{words} {value}" for words, value in said.items() if value)
    if asked.overdue:
        yield "overdue"
    for text in asked.fields:
        name, op, value = (*text.split(":", 2), "", "")[:3]
        yield f"{name} {op} {value}"
    everything = asked.voided or asked.states or asked.text
    yield "voided ones included" if everything else "without voided ones"
    falls = asked.sort.startswith("-")
    yield f"sorted by {asked.sort.removeprefix('-')}, {'falling' if falls else 'rising'}"


def _one_type(services: Services, asked: Asked) -> Definition | None:
    found = []
    for name in asked.types:
        definition = services.catalogue.get(name)
        if definition is None:
            raise NotFound("NOT_FOUND", what="record type", record=name[:60])
        found.append(definition)
    return found[0] if len(found) == 1 else None


def _insist_states(services: Services, asked: Asked) -> None:
    names = asked.types or tuple(d.name for d in services.catalogue)
    known = {s.name for n in names for s in services.catalogue[n].type.states}
    for state in asked.states:
        if state not in known:
            raise Invalid(
                "VAL_FORM", field="state", expected="a state of what is listed", found=state[:40] or "nothing"
            )


def _open(field: w.Field | None) -> bool:
    return field is not None and not field.personal and not field.sensitive


def _kind(field: w.Field) -> FieldKind | None:
    if field.many or isinstance(field.kind, w.Table | w.File | w.Json):
        return None
    if isinstance(field.kind, w.Int | w.Decimal | w.Quantity):
        return "number"
    if isinstance(field.kind, w.Link):
        return "link"
    return "truth" if isinstance(field.kind, w.Bool) else "text"


def _field(definition: Definition | None, name: str, what: str) -> FieldAt:
    if definition is None:
        expected = f"one of {', '.join(SORTS)}; a field needs one type" if what == "sort" else "with one type"
        raise Invalid("VAL_FORM", field=what, expected=expected, found=name[:40] or "nothing")
    known = sortable(definition)
    if name not in known:
        expected = f"one of {', '.join([*(SORTS if what == 'sort' else ()), *known])}"
        raise Invalid("VAL_FORM", field=what, expected=expected, found=name[:40] or "nothing")
    return FieldAt(name, known[name])


def _filter(definition: Definition | None, text: str) -> FieldFilter:
    name, op, value = (*text.split(":", 2), "", "")[:3]
    if op not in _OPS or not value:
        expected = "name:op:value, op one of is, has, from, to"
        raise Invalid("VAL_FORM", field="field", expected=expected, found=text[:60] or "nothing")
    return FieldFilter(_field(definition, name, "field"), op, value[:200])  # type: ignore[arg-type]
