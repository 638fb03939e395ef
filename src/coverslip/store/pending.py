"""Pending entries: which are next, and what is wrong with them.

Rules kept here:

* One statement finds them by anti-join in one snapshot, in order of their ids. A cursor of the last id
  would lose entries that commit late; a fence at the oldest transaction would stall (LEDGER D2).
* A bad admission tag keeps an entry out; everything else wrong lets it in, named in an alarm.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg

from coverslip.ledger import leaf
from coverslip.ledger.failure import LeafError
from coverslip.ledger.tree import leaf_hash

LIMIT: Final = 10_000
MAX_AGE: Final = 60.0
"""Seconds an entry's own time may be away from the time of its integration."""

_SELECT: Final = """
select e.id, e.record_id, e.version, e.kind, e.actor, e.command_id, e.about, e.leaf, e.leaf_hash, e.admit,
       p.leaf_hash, clock_timestamp()
from ledger.entry e
left join ledger.entry p on p.record_id = e.record_id and p.version = e.version - 1
where e.log_id = 1 and e.id > %s
  and not exists (select 1 from ledger.leaf l where l.entry_id = e.id)
  and not exists (select 1 from ops.alarm a where a.kind = 'admission' and a.entry_id = e.id)
order by e.id limit %s
"""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person must look at. ``kind``: admission, form, chain, time."""

    kind: str
    entry_id: int
    detail: str


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that is not in the tree yet; hashes are 32 bytes."""

    id: int
    record_id: UUID
    version: int
    kind: str
    actor: UUID
    command: UUID
    about: UUID | None
    leaf: bytes
    stored_hash: bytes
    admit: bytes
    previous: bytes | None
    now: datetime


def fetch(conn: psycopg.Connection[Any], low_water: int, limit: int = LIMIT) -> list[Pending]:
    """Return the next entries above ``low_water``, at most ``limit``, ordered by id."""
    with conn.cursor(binary=True) as cursor:
        cursor.execute(_SELECT, (low_water, limit))
        return [Pending(*row) for row in cursor.fetchall()]


def admitted(entry: Pending, key: bytes) -> bool:
    """Return whether the entry came through the application: its tag and its stored hash are right."""
    hashed = leaf_hash(entry.leaf)
    return hashed == entry.stored_hash and hmac.compare_digest(
        hmac.digest(key, hashed, "sha256"), entry.admit
    )


def alarms(entry: Pending) -> Iterator[Alarm]:
    """Yield what is wrong with an admitted entry."""
    value = _fast(entry.leaf)
    if value is None:
        try:
            value = leaf.parse(entry.leaf).value()
        except LeafError as error:
            yield Alarm("form", entry.id, str(error))
            return
    record = value["record"]
    for name, said, stored in (
        ("record id", record["id"], str(entry.record_id)),
        ("version", record["ver"], entry.version),
        ("kind", record["kind"], entry.kind),
        ("actor", value["actor"]["id"], str(entry.actor)),
        ("command", value["cmd"], str(entry.command)),
        ("about", value.get("about", {}).get("id"), None if entry.about is None else str(entry.about)),
    ):
        if said != stored:
            yield Alarm("form", entry.id, f"{name}: the leaf says {said}, the row {stored}")
    previous = None if entry.previous is None else entry.previous.hex()
    if record.get("prev") != previous or (previous is None) != (entry.version == 1):
        yield Alarm(
            "chain", entry.id, f"prev is {record.get('prev')}, version {entry.version - 1} has {previous}"
        )
    try:
        away = abs((entry.now - leaf.parse_time(value["at"])).total_seconds())
    except LeafError as error:
        yield Alarm("form", entry.id, str(error))
        return
    if away > MAX_AGE:
        yield Alarm("time", entry.id, f"the entry's time is {away:.0f} s away from its integration")


def _fast(data: bytes) -> dict[str, Any] | None:
    """Return the leaf's value when it is plainly canonical and has its parts, else None."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict) or orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != data:
        return None
    record, actor = value.get("record"), value.get("actor")
    if value.get("v") != 1 or not isinstance(record, dict) or not isinstance(actor, dict):
        return None
    if (
        not {"id", "ver", "kind"} <= record.keys()
        or "id" not in actor
        or not {"cmd", "at", "entry"} <= value.keys()
    ):
        return None
    return value if isinstance(value["at"], str) and isinstance(value.get("about", {}), dict) else None
