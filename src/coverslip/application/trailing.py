"""The audit trail of the whole installation: who may read it, and what was asked in plain words.

Rules kept here: the trail of a named record is open to whoever may see the record; the trail of everything
to those whose work it is. What cannot be asked is refused, never left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from coverslip.application.finding import reference
from coverslip.application.listing import instant, person
from coverslip.application.services import Services
from coverslip.errors import Invalid, NotFound, Refused
from coverslip.kernel import roles
from coverslip.kernel.change import Context
from coverslip.kernel.queries import TrailAsked
from coverslip.ledger.leaf import TYPES

READERS = ("INS", "QA", "SEC", "QAL", "ADM", "REV")
STREAMS = ("session", "installation")
_ENTRY = re.compile(r"\d{1,15}|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks of the trail, as they wrote it; empty: any. A person by number or uid.

    ``kind`` is a record type, ``session`` or ``installation``; ``type`` the kind of entry; days are UTC.
    """

    person: str = ""
    record: str = ""
    kind: str = ""
    type: str = ""
    act: str = ""
    since: str = ""
    until: str = ""
    field: str = ""
    reason: str = ""


def trail(services: Services, asked: Asked, context: Context) -> TrailAsked:
    """Return the trail asked for. Raises ``AUTH_ROLE``, ``NOT_FOUND``, ``VAL_FORM``."""
    if not asked.record:
        _insist_reader(services, context)
    if asked.kind and asked.kind not in STREAMS and services.catalogue.get(asked.kind) is None:
        raise NotFound("NOT_FOUND", what="record type", record=asked.kind[:60])
    if asked.type and asked.type not in TYPES:
        expected = f"one of {', '.join(sorted(TYPES))}"
        raise Invalid("VAL_FORM", field="type", expected=expected, found=asked.type[:40])
    return TrailAsked(
        actor=person(services, asked.person),
        records=_records(services, asked.record),
        kind=asked.kind,
        type=asked.type,
        act=asked.act,
        since=instant(asked.since, "since"),
        before=instant(asked.until, "until", end=True),
        field=asked.field,
        reason=asked.reason,
    )


def entry(services: Services, which: str, context: Context) -> dict[str, Any]:
    """Return one entry by its tree index or its id, as ``Trails.one`` tells it.

    An entry of a record is open to whoever sees the record, one of a session to its person; every other to
    readers of the trail. Raises ``NOT_FOUND``, ``AUTH_ROLE``.
    """
    found = services.trails.one(which) if _ENTRY.fullmatch(which) else None
    if found is None:
        raise NotFound("NOT_FOUND", what="entry", record=which[:60])
    if not found["record"]["number"] and found.get("actor") != context.person:
        _insist_reader(services, context)
    return found


def may_read_everything(services: Services, context: Context) -> bool:
    """Return whether the trail of everything is open to a person."""
    return bool(set(services.reading.roles(context.person)) & set(READERS))


def searched(asked: Asked) -> bool:
    """Return whether a stretch has to be read through, because no index holds what is asked."""
    return bool(asked.type or asked.act or asked.field or asked.reason or asked.since or asked.until)


def described(asked: Asked) -> str:
    """Return the filter in words, as it is printed above a trail."""
    return "; ".join(_parts(asked)) or "everything"


def _parts(asked: Asked) -> Iterator[str]:
    said = {
        "by": asked.person, "record": asked.record, "record type": asked.kind, "entry type": asked.type,
        "act": asked.act, "from": asked.since, "to": asked.until, "field changed": asked.field,
        "reason contains": asked.reason,
    }  # fmt: skip
    yield from (f"{words} {value}" for words, value in said.items() if value)


def _records(services: Services, number: str) -> tuple[str, ...]:
    if not number:
        return ()
    name, revision = reference(number)
    row = services.reading.find(name, revision)
    if row is None:
        raise NotFound("NOT_FOUND", what="record", record=number[:60])
    if revision or not row.revision:
        return (row.uid,)
    found, version = [row.uid], 1
    while (one := services.reading.find(name, version)) is not None:
        found.append(one.uid)
        version += 1
    return tuple(dict.fromkeys(found))


def _insist_reader(services: Services, context: Context) -> None:
    held = services.reading.roles(context.person)
    if not set(held) & set(READERS):
        raise Refused(
            "AUTH_ROLE",
            record="the audit trail of everything",
            role=roles.any_of(READERS),
            action="read",
            roles=roles.all_of(held),
        )
