"""Replay: fold the ledger's bodies into the projections they must have left, and compare.

Rules kept here:

* Guards and effects are never run again: each entry carries its own resulting content (SPIKE 4).
* What a version leaves behind is the caller's pure function of its content; the store adds only what it
  wrote itself (versions, hashes, times, persons).
* One snapshot; entries that wait for their place in the tree count, because they are projected already.
  Those the sequencer refused for a false admission tag do not: what they left in a projection is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg

from coverslip.kernel.ports import Projection
from coverslip.ledger.leaf import parse_time
from coverslip.store.findings import Report, differing
from coverslip.store.rows import Row, cut

Content = dict[str, Any]
Projector = Callable[[str, str, str, Content], Projection]
"""(kind, definition hash, uid, content with its personal fields) -> what the version leaves behind."""

_BATCH: Final = 500
_SELECT: Final = """
select 0::bigint, e.id, e.id, e.record_id, e.version, e.kind, e.actor, e.command_id, e.about,
       e.leaf, e.leaf_hash, b.entry_id is not null, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable
from ledger.entry e left join ledger.body b on b.entry_id = e.id
where e.log_id = 1 and (exists (select 1 from ledger.leaf l where l.entry_id = e.id)
  or not exists (select 1 from ops.alarm a where a.entry_id = e.id and a.kind = 'admission'))
order by e.record_id, e.version
"""
_ADMITTED: Final = """
with admitted as (select distinct e.record_id from ledger.entry e where e.log_id = 1
  and (exists (select 1 from ledger.leaf l where l.entry_id = e.id)
    or not exists (select 1 from ops.alarm a where a.entry_id = e.id and a.kind = 'admission')))
"""


@dataclass
class _Folded:
    """One stream after its newest version."""

    kind: str
    uid: UUID
    created_at: datetime
    created_by: UUID
    row: Row
    leaf: dict[str, Any]
    sections: dict[str, bytes] = field(default_factory=dict)
    forever: set[tuple[str, str]] = field(default_factory=set)
    content: Content | None = None


def replay(conn: psycopg.Connection[Any], project: Projector) -> Report:
    """Compare every projection with what the ledger gives. ``conn`` is an idle connection of cs_verifier.

    Findings name record and field. ``seq`` is only required to be no less than the version: where it
    started is of no consequence.
    """
    report = Report()
    conn.autocommit = False
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    conn.read_only = True
    with conn.transaction():
        batch: list[_Folded] = []
        for folded in _fold(conn, project, report):
            batch.append(folded)
            if len(batch) >= _BATCH:
                _compare(conn, batch, project, report)
                batch = []
        if batch:
            _compare(conn, batch, project, report)
        _extra(conn, report)
    return report


def _fold(conn: psycopg.Connection[Any], project: Projector, report: Report) -> Iterator[_Folded]:
    current: _Folded | None = None
    with conn.cursor(name="coverslip_replay", binary=True) as cursor:
        cursor.itersize = 2000
        cursor.execute(_SELECT)
        for raw in cursor:
            row = Row(*raw)
            report.counts["entries"] += 1
            value = orjson.loads(row.leaf)
            if current is None or current.uid != row.stream:
                if current is not None:
                    yield current
                current = _Folded(row.kind, row.stream, parse_time(value["at"]), row.actor, row, value)
            else:
                _chained(current, row, value, report)
            _take(current, row, value, project)
    if current is not None:
        yield current


def _chained(before: _Folded, row: Row, value: dict[str, Any], report: Report) -> None:
    """Name a version that was built on one the ledger does not have: its content may be the forger's."""
    if row.version != before.row.version + 1 or value["record"].get("prev") != before.row.leaf_hash.hex():
        number = str((before.content or {}).get("number", row.stream))
        report.add(
            "chain", f"follows version {before.row.version}, and was not made from it", record=number,
            version=row.version, entry_id=row.entry_id, field="prev",
        )  # fmt: skip


def _take(folded: _Folded, row: Row, value: dict[str, Any], project: Projector) -> None:
    folded.row, folded.leaf = row, value
    fresh = {name: content for name, (_, content) in cut(row, value["bodies"]).sections.items()}
    named = {ref["s"]: ref for ref in value["bodies"]}
    folded.sections = {
        name: fresh.get(name, folded.sections.get(name, b""))
        for name in named
        if name in fresh or "from" in named[name]
    }
    if not folded.sections.get("content"):
        return
    folded.content = merged(folded.sections)
    if "def" in value:
        left = project(row.kind, value["def"], str(row.stream), folded.content)
        folded.forever |= {(str(u["scope"]), str(u["value"])) for u in left.unique if u.get("forever")}


def merged(sections: Mapping[str, bytes]) -> Content:
    """Return the content of a version with its personal fields put back."""
    content: Content = orjson.loads(sections["content"])
    if sections.get("personal"):
        content = {**content, "fields": {**content["fields"], **orjson.loads(sections["personal"])}}
    return content


def _compare(conn: psycopg.Connection[Any], batch: list[_Folded], project: Projector, report: Report) -> None:
    uids = [one.uid for one in batch]
    stored = _Stored(conn, uids)
    for one in batch:
        if one.content is None or "def" not in one.leaf:
            _compare_stream(one, stored, report)
            continue
        report.counts["records"] += 1
        left = project(one.kind, one.leaf["def"], str(one.uid), one.content)
        _compare_record(one, left, stored, report)


def _compare_stream(one: _Folded, stored: _Stored, report: Report) -> None:
    report.counts["streams"] += 1
    row = stored.streams.get(one.uid)
    if row is None:
        report.add("stream", "the head of this stream is missing", record=one.kind, version=one.row.version)
    elif row != (one.kind, one.row.version, one.row.leaf_hash):
        report.add(
            "stream", "the head of this stream is another", record=str(one.uid), version=one.row.version
        )


def _compare_record(one: _Folded, left: Projection, stored: _Stored, report: Report) -> None:
    row = stored.records.get(one.uid)
    if row is None:
        report.add("record", "the record has no row", record=left.number, version=one.row.version)
        return
    wanted = {
        "type": one.kind, "number": left.number, "revision": left.revision, "version": one.row.version,
        "state": left.state, "title": left.title, "site": left.site, "gxp": left.gxp,
        "def": bytes.fromhex(left.definition), "leaf_hash": one.row.leaf_hash, "entry_id": one.row.entry_id,
        "created_at": one.created_at, "created_by": one.created_by,
        "changed_at": parse_time(one.leaf["at"]), "changed_by": one.row.actor,
    }  # fmt: skip
    for name, value in wanted.items():
        if row[name] != value:
            _differs(report, left, one, "record", name, row[name], value)
    for name in differing(row["content"], left.content):
        _differs(report, left, one, "record", f"content.{name}", "another value", "what the entry says")
    if row["seq"] < one.row.version:
        _differs(report, left, one, "record", "seq", row["seq"], f"at least {one.row.version}")
    for kind, found, expected in (
        ("number", stored.numbers.get(one.uid), {(left.number, left.revision, one.kind)}),
        ("link", stored.links.get(one.uid), _links(left)),
        ("authority", stored.authority.get(one.uid), _authority(left)),
        ("blocker", stored.blockers.get(one.uid), _blockers(left)),
        ("unique", stored.unique.get(one.uid), _unique(left) | {(s, v, True) for s, v in one.forever}),
    ):
        for extra in sorted(map(str, (found or set()) - expected)):
            report.add(
                kind, f"a row the ledger does not give: {extra}", record=left.number, version=one.row.version
            )
        for lost in sorted(map(str, expected - (found or set()))):
            report.add(kind, f"a row is missing: {lost}", record=left.number, version=one.row.version)


def _differs(
    report: Report, left: Projection, one: _Folded, kind: str, name: str, found: Any, wanted: Any
) -> None:
    report.add(
        kind, f"stored {found!s}, the ledger gives {wanted!s}", record=left.number, version=one.row.version,
        entry_id=one.row.entry_id, field=name,
    )  # fmt: skip


def _links(left: Projection) -> set[tuple[Any, ...]]:
    found: dict[tuple[str, str], tuple[Any, ...]] = {}
    for link in left.links:
        key = (str(link["field"]), str(link["uid"]))
        found.setdefault(key, (*key, str(link["type"]), link.get("version")))
    return set(found.values())


def _authority(left: Projection) -> set[tuple[Any, ...]]:
    return {
        (
            str(row["person"]), str(row["kind"]), str(row["code"]), str(row.get("subject") or ""),
            _time(row.get("valid_from")), _time(row.get("valid_to")),
            orjson.dumps(row.get("data") or {}, option=orjson.OPT_SORT_KEYS),
        )
        for row in left.authority
    }  # fmt: skip


def _time(value: Any) -> datetime | None:
    if not value:
        return None
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def _blockers(left: Projection) -> set[tuple[Any, ...]]:
    return {
        (str(row["target_type"]), str(row["target_uid"]), left.number, str(row["reason"]))
        for row in left.blocks
    }


def _unique(left: Projection) -> set[tuple[Any, ...]]:
    return {(str(row["scope"]), str(row["value"]), bool(row.get("forever"))) for row in left.unique}


class _Stored:
    """Projected rows of a batch of streams, by uid."""

    def __init__(self, conn: psycopg.Connection[Any], uids: list[UUID]) -> None:
        names = (
            "type", "number", "revision", "version", "state", "title", "site", "gxp", "def", "leaf_hash",
            "entry_id", "created_at", "created_by", "changed_at", "changed_by", "content", "seq",
        )  # fmt: skip
        self.records: dict[UUID, dict[str, Any]] = {
            uid: dict(zip(names, rest, strict=True))
            for uid, *rest in conn.execute(
                f"select uid, {', '.join(names)} from projection.record where uid = any(%s)",  # noqa: S608  fixed names
                (uids,),
            )
        }
        self.streams: dict[UUID, tuple[Any, ...]] = {
            uid: tuple(rest)
            for uid, *rest in conn.execute(
                "select stream, kind, version, leaf_hash from projection.stream where stream = any(%s)",
                (uids,),
            )
        }
        self.numbers = _grouped(
            conn, "select uid, number, revision, type from projection.number where uid = any(%s)", uids
        )
        self.links = _grouped(
            conn,
            "select from_uid, field, to_uid::text, to_type, to_version from projection.link"
            " where from_uid = any(%s)",
            uids,
        )
        self.blockers = _grouped(
            conn,
            "select holder, target_type, target::text, number, reason from projection.blocker"
            " where holder = any(%s)",
            uids,
        )
        self.unique = _grouped(
            conn,
            "select record, scope, value, forever from projection.unique_value where record = any(%s)",
            uids,
        )
        self.authority: dict[UUID, set[tuple[Any, ...]]] = {}
        for uid, *rest, data in conn.execute(
            "select source, person::text, kind, code, coalesce(subject::text, ''), valid_from, valid_to, data"
            " from projection.authority where source = any(%s)", (uids,)
        ):  # fmt: skip
            row = (*rest, orjson.dumps(data, option=orjson.OPT_SORT_KEYS))
            self.authority.setdefault(uid, set()).add(row)


def _grouped(conn: psycopg.Connection[Any], sql: str, uids: list[UUID]) -> dict[UUID, set[tuple[Any, ...]]]:
    found: dict[UUID, set[tuple[Any, ...]]] = {}
    for uid, *rest in conn.execute(sql.encode(), (uids,)):
        found.setdefault(uid, set()).add(tuple(rest))
    return found


def _extra(conn: psycopg.Connection[Any], report: Report) -> None:
    """Rows that belong to no entry at all."""
    for kind, sql in (
        ("record", "select r.number from projection.record r where not exists"
                   " (select 1 from admitted e where e.record_id = r.uid)"),
        ("stream", "select s.kind from projection.stream s where not exists"
                   " (select 1 from admitted e where e.record_id = s.stream)"),
        ("number", "select n.number from projection.number n where not exists"
                   " (select 1 from admitted e where e.record_id = n.uid)"),
        ("link", "select l.field from projection.link l where not exists"
                 " (select 1 from admitted e where e.record_id = l.from_uid)"),
        ("authority", "select a.kind from projection.authority a where not exists"
                      " (select 1 from admitted e where e.record_id = a.source)"),
        ("blocker", "select b.number from projection.blocker b where not exists"
                    " (select 1 from admitted e where e.record_id = b.holder)"),
        ("unique", "select u.value from projection.unique_value u where not exists"
                   " (select 1 from admitted e where e.record_id = u.record)"),
    ):  # fmt: skip
        for (name,) in conn.execute((_ADMITTED + sql).encode()):
            report.add(kind, "a row without any entry", record=str(name))
