"""Comparing a restored database with the live one: what was kept must still be what is shown.

Rules kept here:

* Neither side is believed: leaves are hashed here from their bytes, bodies are compared byte by byte.
* A difference names the entry (tree index), the record, its version and, where it can be read, the field.
* The live ledger may have grown; nothing of what the restored one holds may be gone or different. A body that
  was erased meanwhile needs its erasure entry.
* Current state is compared for every stream that has had no entry since; the counter of guards is left out,
  because what others read moves it.
* Both sides stream in one order, so memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import orjson
import psycopg
from psycopg import sql

from coverslip.ledger.commitment import ERASABLE
from coverslip.ledger.failure import TreeError
from coverslip.ledger.tree import leaf_hash
from coverslip.store import rows
from coverslip.store.findings import Report, differing
from coverslip.store.rows import Row, cut
from coverslip.store.tiles import TreeReader

Connection = psycopg.Connection[Any]

OWNERS: Final = {
    "record": "uid",
    "stream": "stream",
    "number": "uid",
    "link": "from_uid",
    "blocker": "holder",
    "authority": "source",
    "unique_value": "record",
}
"""Projection tables and the column that says from which stream a row follows."""

_ORDERED: Final = """
select {owner}, (to_jsonb(t) - 'seq')::text from projection.{table} t
order by 1, (to_jsonb(t) - 'seq')::text collate "C"
"""
_CHANGED: Final = """
select distinct e.record_id from ledger.entry e left join ledger.leaf l on l.entry_id = e.id
where e.log_id = 1 and (l.idx is null or l.idx >= %s)
"""
_WAITING: Final = """
select e.id, e.record_id, e.version, e.leaf from ledger.entry e
where e.log_id = 1 and not exists (select 1 from ledger.leaf l where l.entry_id = e.id)
  and not exists (select 1 from ops.alarm a where a.entry_id = e.id and a.kind = 'admission') order by e.id
"""
_ERASED: Final = """
select 1 from ledger.entry e left join ledger.body b on b.entry_id = e.id
where e.log_id = 1 and position('"type":"erasure"'::bytea in e.leaf) > 0
  and (e.about = %s or position(convert_to('"id":"' || %s || '"', 'UTF8') in b.fixed) > 0) limit 1
"""


def compare(restored: Connection, live: Connection, report: Report) -> int:
    """Compare everything the restored database holds with the live one; return the restored tree's size.

    Both connections hold a snapshot and may read ``ledger`` and ``projection``. Findings go to ``report``.
    """
    for conn in (restored, live):  # rows are compared as text
        conn.execute("set local timezone = 'UTC'")
        conn.execute("set local bytea_output = 'hex'")
    row = restored.execute("select size, root from ledger.tree where log_id = 1").fetchone()
    if row is None:
        report.add("tree", "the backup holds no log")
        return 0
    size = int(row[0])
    _root(live, size, bytes(row[1]), report)
    _entries(restored, live, size, report)
    _waiting(restored, live, report)
    _projections(restored, live, size, report)
    return size


def _root(live: Connection, size: int, root: bytes, report: Report) -> None:
    try:
        found = TreeReader(live).root(size)
    except TreeError as error:
        report.add("checkpoint", f"the live ledger does not reach the backup's {size} entries ({error})")
        return
    report.counts["roots"] += 1
    if found != root:
        report.add(
            "checkpoint",
            f"at size {size} the backup has root {root.hex()[:16]}…, the live ledger {found.hex()[:16]}…",
        )


# --- entries -------------------------------------------------------------------------------------------


def _entries(restored: Connection, live: Connection, size: int, report: Report) -> None:
    theirs = _upto(live, size)
    other = next(theirs, None)
    for row in _upto(restored, size):
        report.counts["entries"] += 1
        while other is not None and other.index < row.index:
            report.add("entry", "the live ledger has a leaf the backup has not", index=other.index)
            other = next(theirs, None)
        if other is None or other.index > row.index:
            _say(restored, row, report, "its leaf is gone from the live ledger")
            continue
        _entry(restored, live, row, other, report)
        other = next(theirs, None)


def _upto(conn: Connection, size: int) -> Iterator[Row]:
    for row in rows.stream(conn):
        if row.index >= size:
            return
        yield row


def _waiting(restored: Connection, live: Connection, report: Report) -> None:
    """Look for what had no place yet at the moment of the backup: the live ledger has it."""
    for entry_id, stream, version, data in restored.execute(_WAITING).fetchall():
        report.counts["waiting"] += 1
        row = live.execute(
            "select e.leaf from ledger.entry e where e.log_id = 1 and e.id = %s", (entry_id,)
        ).fetchone()  # fmt: skip
        if row is None or bytes(row[0]) != bytes(data):
            report.add(
                "entry", "it waited for its place when the backup was made and the live ledger lacks it",
                entry_id=entry_id, record=_number(restored, str(stream)), version=version,
            )  # fmt: skip


def _entry(restored: Connection, live: Connection, row: Row, other: Row, report: Report) -> None:
    if row.id is None:
        report.add("entry", "the backup lacks the entry of this leaf", index=row.index)
        return
    if other.id is None:
        _say(restored, row, report, "the entry is gone from the live ledger")
        return
    if leaf_hash(row.leaf) != leaf_hash(other.leaf):
        one, two = _json(row.leaf), _json(other.leaf)
        fields = ", ".join(differing(one, two)) if one and two else "its bytes"
        _say(restored, row, report, f"the live ledger has other bytes: {fields}", "leaf")
        return
    _columns(restored, row, other, report)
    _body(restored, live, row, other, report)


def _columns(restored: Connection, row: Row, other: Row, report: Report) -> None:
    for name in ("entry_id", "stream", "version", "kind", "actor", "command", "about"):
        if getattr(row, name) != getattr(other, name):
            said = f"the live row says {name} {getattr(other, name)}, the backup {getattr(row, name)}"
            _say(restored, row, report, said, name)


def _body(restored: Connection, live: Connection, row: Row, other: Row, report: Report) -> None:
    names = ("fixed_salts", "fixed", "erasable_salts", "erasable")
    if all(getattr(row, name) == getattr(other, name) for name in names):
        report.counts["bodies"] += row.has_body
        return
    if not other.has_body:
        _say(restored, row, report, "its body is gone from the live ledger")
        return
    value = _json(row.leaf)
    if not value:
        _say(restored, row, report, "its body differs and its leaf cannot be read")
        return
    ours, theirs = cut(row, value["bodies"]).sections, cut(other, value["bodies"]).sections
    for section in sorted(ours.keys() | theirs.keys()):
        if ours.get(section) == theirs.get(section):
            continue
        if section in ERASABLE and section not in theirs and _erased(live, str(row.stream)):
            report.counts["erased_since"] += 1
            continue
        _say(restored, row, report, _differs(section, ours, theirs), section)


def _differs(
    section: str, ours: dict[str, tuple[bytes, bytes]], theirs: dict[str, tuple[bytes, bytes]]
) -> str:
    if section not in theirs:
        return f"the section {section} is gone from the live ledger, and no erasure entry names the record"
    if section not in ours:
        return f"the live ledger has a section {section} that the backup lacks"
    if ours[section][1] == theirs[section][1]:
        return f"the salt of the section {section} is another"
    one, two = _json(ours[section][1]), _json(theirs[section][1])
    fields = ", ".join(differing(one, two)) if one and two else "its text"
    return f"the section {section} differs in {fields}"


def _erased(live: Connection, stream: str) -> bool:
    return live.execute(_ERASED, (stream, stream)).fetchone() is not None


def _say(conn: Connection, row: Row, report: Report, message: str, field: str = "") -> None:
    report.add(
        "entry", message, index=row.index, entry_id=row.entry_id, record=_number(conn, str(row.stream)),
        version=row.version, field=field,
    )  # fmt: skip


def _number(conn: Connection, stream: str) -> str:
    row = conn.execute("select number from projection.number where uid = %s", (stream,)).fetchone()
    return stream if row is None else str(row[0])


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


# --- current state --------------------------------------------------------------------------------------


def uncompared(conn: Connection) -> list[str]:
    """Return projection tables this module knows no owner of; a certificate names them."""
    found = conn.execute(
        "select c.relname from pg_class c where c.relnamespace = 'projection'::regnamespace"
        " and c.relkind in ('r', 'p') and not c.relispartition order by 1"
    ).fetchall()
    return [str(name) for (name,) in found if name not in OWNERS]


def _projections(restored: Connection, live: Connection, size: int, report: Report) -> None:
    changed = {row[0] for conn in (restored, live) for row in conn.execute(_CHANGED, (size,))}
    report.counts["changed_since"] = len(changed)
    for table, owner in OWNERS.items():
        theirs = _grouped(live, "live", table, owner)
        other = next(theirs, None)
        for uid, ours in _grouped(restored, "restored", table, owner):
            while other is not None and other[0] < uid:
                _unknown(live, table, other, changed, report)
                other = next(theirs, None)
            found = other[1] if other is not None and other[0] == uid else []
            if uid not in changed:
                report.counts["projected"] += len(ours)
                _state(restored, table, uid, ours, found, report)
            if other is not None and other[0] == uid:
                other = next(theirs, None)
        while other is not None:
            _unknown(live, table, other, changed, report)
            other = next(theirs, None)


def _grouped(conn: Connection, side: str, table: str, owner: str) -> Iterator[tuple[Any, list[str]]]:
    query = sql.SQL(_ORDERED).format(owner=sql.Identifier(owner), table=sql.Identifier(table))
    with conn.cursor(name=f"coverslip_{side}_{table}") as cursor:
        cursor.itersize = 2000
        cursor.execute(query)
        for uid, group in groupby(cursor, key=lambda row: row[0]):
            yield uid, [str(text) for _, text in group]


def _unknown(
    live: Connection, table: str, other: tuple[Any, list[str]], changed: set[Any], report: Report
) -> None:
    if other[0] not in changed:
        report.add(
            "projection", f"the live table {table} has rows of a record without any entry since the backup",
            record=_number(live, str(other[0])), field=table,
        )  # fmt: skip


def _state(
    conn: Connection, table: str, uid: Any, ours: list[str], theirs: list[str], report: Report
) -> None:
    if ours == theirs:
        return
    if len(ours) == len(theirs) == 1:
        fields = differing(_json(ours[0].encode()), _json(theirs[0].encode()))
        message = f"the live table {table} differs though no entry was made since: {', '.join(fields)}"
    else:
        gone = len([row for row in ours if row not in theirs])
        message = f"the live table {table} lacks {gone} of {len(ours)} rows, and has {len(theirs)}"
    report.add("projection", message, record=_number(conn, str(uid)), field=table)
