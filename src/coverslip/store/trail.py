"""The trail of the whole installation: entries newest first, filtered, with what each changed.

Rules kept here:

* Nothing is left out by itself: without a filter every entry is told, sessions, refusals and views included,
  those not yet in the tree too.
* The order is that of the entries, newest first; the cursor is an entry, so that pages partition the trail.
* Person, record and type are found by an index. Entry type, act, reason and field are looked for in a bounded
  stretch, and the answer says from where to where it looked and how to go on.
* An entry whose stored bytes do not fit is told as unreadable: verification names it.
* A period is found by the database's clock, an hour to spare on either side, then by the entry's own time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg.rows import dict_row

from coverslip.errors import EvidenceBroken
from coverslip.kernel import history
from coverslip.kernel.queries import MOST_COUNTED, Counted, TrailAsked, TrailPage
from coverslip.ledger import canonical
from coverslip.ledger.failure import CanonicalError, LedgerError
from coverslip.store import cursors
from coverslip.store.pool import Pool
from coverslip.store.reading import ENTRIES, entry_of
from coverslip.store.standing import standing

STRETCH: Final = 20_000
"""Entries looked through at most by one call, for what no index holds."""
REASON_STRETCH: Final = 5_000
"""The same where the reason is read."""
FIELD_STRETCH: Final = 400
"""The same where each entry must be compared with the version before it."""
_LOG: Final = "e.log_id = 1"
_SPARE: Final = timedelta(hours=1)
_SUBJECTS = (
    "select n.uid::text as uid, n.type, n.number, n.revision, coalesce(r.title, '') as title"
    " from projection.number n left join projection.record r on r.type = n.type and r.uid = n.uid"
    " where n.uid = any(%(u)s::uuid[])"
)
_VERSIONS = (
    f"{ENTRIES} where (e.record_id, e.version) in"
    " (select * from unnest(%(u)s::uuid[], %(v)s::int[])) and e.log_id = 1"
)


class PostgresTrail:
    """Reads on a pool that may select from ``ledger`` and ``projection``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _all(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql.encode(), values).fetchall()

    def page(self, asked: TrailAsked, cursor: str, limit: int) -> TrailPage:
        """Return entries behind a cursor (empty: the newest); another trail's is refused, ``VAL_FORM``."""
        values, driver = _values(asked), _driver(asked)
        first, last = self._period(asked)
        before = int(cursors.read(asked, cursor, 1)[0]) if cursor else last + 1
        before = min(before, last + 1)
        values |= {"before": before, "first": first}
        top, low, ended = self._stretch(asked, driver, values)
        rows = self._matching(asked, driver, values | {"low": low}, limit)
        shown, more = rows[:limit], len(rows) > limit
        following, bottom = "", low
        if more:
            bottom = shown[-1][0]
            following = cursors.written(asked, [bottom])
        elif not ended:
            following = cursors.written(asked, [low])
        places = self._places([top, bottom])
        total = self._total(asked, driver, values) if not cursor else None
        return TrailPage(
            tuple(self._with_subjects(shown)), following, places.get(top, -1), places.get(bottom, -1), total
        )

    def one(self, entry: str) -> dict[str, Any] | None:
        """Return an entry by tree index or id, with what it changed and its ``leaf``; None: not there."""
        rows = self._indexed(int(entry)) if entry.isdigit() else self._named(entry)
        if not rows:
            return None
        told = self._told(rows)[0]
        found = next(iter(self._with_subjects([(int(rows[0]["id"]), told, told.pop("subject"))])))
        return found | {"leaf": _leaf(rows[0])}

    def _indexed(self, index: int) -> list[dict[str, Any]]:
        return self._all(f"{ENTRIES} where l.log_id = 1 and l.idx = %(i)s", {"i": index})

    def _named(self, entry: str) -> list[dict[str, Any]]:
        """Return the entry of an id: first about when the id says it was made, then anywhere."""
        last = int(
            self._all("select coalesce(max(id), 0) as n from ledger.entry where log_id = 1", {})[0]["n"]
        )
        made = datetime.fromtimestamp(int(entry.replace("-", "")[:12], 16) / 1000, UTC)
        near = (self._at(made - _SPARE, last), self._at(made + _SPARE, last))
        for first, end in (near, (0, last)):
            rows = self._all(
                f"{ENTRIES} where e.log_id = 1 and e.id between %(a)s and %(b)s"
                " and position(%(e)s::text::bytea in e.leaf) > 0 limit 1",
                {"a": first, "b": end, "e": f'"entry":"{entry}"'},
            )
            if rows:
                return rows
        return []

    # --- where to look -------------------------------------------------------------------------

    def _stretch(self, asked: TrailAsked, driver: str, values: dict[str, Any]) -> tuple[int, int, bool]:
        """Return the newest and the oldest entry id to look at, and whether nothing lies before it."""
        most = FIELD_STRETCH if asked.field else REASON_STRETCH if asked.reason else STRETCH
        row = self._all(
            "select coalesce(max(id), 0) as top, coalesce(min(id), 0) as low, count(*) as n from ("
            f"select e.id from ledger.entry e where {driver} and e.id < %(before)s and e.id >= %(first)s"
            " order by e.id desc limit %(most)s) found",
            values | {"most": most if _searched(asked) else 1},
        )[0]
        if not _searched(asked):
            return int(row["top"]), int(values["first"]), True
        return int(row["top"]), int(row["low"]), int(row["n"]) < most

    def _period(self, asked: TrailAsked) -> tuple[int, int]:
        """Return the entry ids between which a period lies, an hour of the database's clock to spare."""
        row = self._all("select coalesce(max(id), 0) as last from ledger.entry where log_id = 1", {})[0]
        first, last = 0, int(row["last"])
        if asked.since:
            first = self._at(_moment(asked.since) - _SPARE, last)
        if asked.before:
            last = min(last, self._at(_moment(asked.before) + _SPARE, last))
        return first, last

    def _at(self, moment: datetime, last: int) -> int:
        """Return the id of the first entry written at or after a moment, by halving."""
        low, high = 0, last + 1
        while low < high:
            middle = (low + high) // 2
            rows = self._all(
                "select id, at from ledger.entry where log_id = 1 and id >= %(m)s order by id limit 1",
                {"m": middle},
            )
            if rows and rows[0]["at"] < moment:
                low = int(rows[0]["id"]) + 1
            else:
                high = middle
        return low

    def _places(self, ids: Sequence[int]) -> dict[int, int]:
        """Return the tree index of entries, or of the nearest older one that has its place."""
        rows = self._all(
            "select wanted, (select l.idx from ledger.leaf l join ledger.entry e on e.id = l.entry_id"
            " where e.log_id = 1 and l.log_id = 1 and e.id <= wanted order by e.id desc limit 1) as idx"
            " from unnest(%(i)s::bigint[]) wanted",
            {"i": list(ids)},
        )
        return {int(row["wanted"]): int(row["idx"]) for row in rows if row["idx"] is not None}

    # --- what fits -----------------------------------------------------------------------------

    def _matching(
        self, asked: TrailAsked, driver: str, values: dict[str, Any], limit: int
    ) -> list[tuple[int, dict[str, Any], str]]:
        """Return up to one more than ``limit`` of (id, told entry, uid of its subject), newest first."""
        found: list[tuple[int, dict[str, Any], str]] = []
        block = 100 if asked.field or asked.reason else limit + 1
        before = int(values["before"])
        while len(found) <= limit:
            rows = self._all(
                f"{ENTRIES} where {driver} and e.id < %(b)s and e.id >= %(low)s and e.id >= %(first)s"
                f"{_residual(asked)} order by e.id desc limit %(l)s",
                values | {"b": before, "l": block},
            )
            for row, one in zip(rows, self._told(rows), strict=True):
                if _fits(asked, one):
                    found.append((int(row["id"]), one, one.pop("subject")))
            if len(rows) < block:
                break
            before = int(rows[-1]["id"])
        return found[: limit + 1]

    def _told(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return each row as people read it, with what changed since the version before."""
        read = [_read(row) for row in rows]
        known = {(e["uid"], e["version"]): e for e in read if e is not None and not e["about"]}
        self._fetch(known, {(uid, version - 1) for uid, version in known if version > 1})
        self._fetch(known, {origin for e in known.values() for origin in _origins(e)})
        told = []
        for row, entry in zip(rows, read, strict=True):
            if entry is None:
                told.append(_unreadable(row))
                continue
            own, version = not entry["about"], entry["version"]
            now = _content(known, entry["uid"], version) if own else None
            before = _content(known, entry["uid"], version - 1) if own else None
            one = history.told(entry, before or {}, now)
            told.append(one | {"subject": entry["subject"] or entry["uid"], "kind": entry["kind"]})
        return told

    def _fetch(self, known: dict[tuple[str, int], dict[str, Any]], wanted: Iterable[tuple[str, int]]) -> None:
        missing = [pair for pair in wanted if pair not in known]
        if not missing:
            return
        values = {"u": [uid for uid, _ in missing], "v": [version for _, version in missing]}
        for row in self._all(_VERSIONS, values):
            entry = _read(row)
            if entry is not None:
                known[entry["uid"], entry["version"]] = entry

    def _with_subjects(self, found: Sequence[tuple[int, dict[str, Any], str]]) -> Iterable[dict[str, Any]]:
        rows = self._all(_SUBJECTS, {"u": sorted({uid for _, _, uid in found})})
        subjects = {row["uid"]: row for row in rows}
        for _, one, uid in found:
            subject = subjects.get(uid, {})
            yield one | {
                "record": {
                    "uid": uid, "type": subject.get("type") or one["kind"],
                    "number": subject.get("number", ""), "revision": int(subject.get("revision", 0)),
                    "title": subject.get("title", ""),
                }
            }  # fmt: skip

    # --- how many ------------------------------------------------------------------------------

    def _total(self, asked: TrailAsked, driver: str, values: dict[str, Any]) -> Counted | None:
        if _searched(asked):
            return None
        if asked == TrailAsked():
            now = standing(self._pool)
            return Counted(int(now["size"]) + int(now["pending"]), True)
        which = f"select 1 from ledger.entry e where {driver}"
        row = self._all(
            f"select count(*) as n from ({which} limit %(most)s) found", values | {"most": MOST_COUNTED + 1}
        )
        number = int(row[0]["n"])
        if number <= MOST_COUNTED:
            return Counted(number, True)
        plan = self._all(f"explain (format json) {which}", values)[0]["QUERY PLAN"]
        return Counted(max(number, int(plan[0]["Plan"]["Plan Rows"])), False)


def _searched(asked: TrailAsked) -> bool:
    """Whether something is asked that no index holds."""
    return bool(asked.type or asked.act or asked.field or asked.reason or asked.since or asked.before)


def _driver(asked: TrailAsked) -> str:
    # There is one log. Asked without it, person and type are read by their own index and by nothing else.
    found = "true" if (asked.actor or asked.kind) and not asked.records else _LOG
    if asked.records:
        found += (
            " and e.id = any(array(select id from ledger.entry where record_id = any(%(records)s::uuid[])"
            " union select id from ledger.entry where about = any(%(records)s::uuid[])))"
        )
    if asked.actor:
        found += " and e.actor = %(actor)s::text::uuid"
    if asked.kind:
        found += " and e.kind = %(kind)s"
    return found


def _residual(asked: TrailAsked) -> str:
    """Return conditions on the leaf. Its strings escape every quote, so that no key can be counterfeited."""
    found = ""
    if asked.type:
        found += " and position(%(type)s::text::bytea in e.leaf) > 0"
    if asked.act:
        found += " and position(%(act)s::text::bytea in e.leaf) > 0"
    own = """substring(convert_from(e.leaf, 'UTF8') from '"at":"([^"]+)"')"""
    if asked.since:
        sure = "e.at >= %(since)s::text::timestamptz + interval '1 hour'"
        found += f" and ({sure} or {own} >= %(since)s::text)"
    if asked.before:
        sure = "e.at < %(until)s::text::timestamptz - interval '1 hour'"
        found += f" and ({sure} or {own} < %(until)s::text)"
    if asked.reason:
        found += (
            " and b.erasable is not null"
            " and strpos(lower(convert_from(b.erasable, 'UTF8')), lower(%(reason)s)) > 0"
        )
    return found


def _values(asked: TrailAsked) -> dict[str, Any]:
    return {
        "records": list(asked.records), "actor": asked.actor, "kind": asked.kind,
        "type": f'"type":"{_plain(asked.type)}"', "act": f'"act":"{_plain(asked.act)}"',
        "since": asked.since and _instant(asked.since), "until": asked.before and _instant(asked.before),
        "reason": asked.reason,
    }  # fmt: skip


def _plain(word: str) -> str:
    """Return a word as a leaf may hold it; what no leaf can hold finds nothing."""
    return word if word.replace("_", "").isalnum() and word.isascii() else "-"


def _fits(asked: TrailAsked, one: dict[str, Any]) -> bool:
    if asked.reason and asked.reason.casefold() not in str(one.get("reason", "")).casefold():
        return False
    if not asked.field:
        return True
    names = (str(c["field"]) for c in one["changes"])
    return any(n == asked.field or n.startswith((f"{asked.field}[", f"{asked.field}.")) for n in names)


def _read(row: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return entry_of(row)
    except (LedgerError, EvidenceBroken, ValueError):
        return None


def _unreadable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "index": row["idx"], "unreadable": True, "at": "", "type": "", "act": "",
        "actor_name": row["actor_name"], "reason": "", "changes": [],
        "leaf_hash": bytes(row["leaf_hash"]).hex(),
        "subject": str(row["record_id"]), "kind": row["kind"],
    }  # fmt: skip


def _leaf(row: dict[str, Any]) -> dict[str, Any]:
    """Return the leaf of an entry as it was written; empty where its bytes cannot be read."""
    try:
        found: dict[str, Any] = canonical.decode(bytes(row["leaf"]))
    except CanonicalError:
        return {}
    return found


def _origins(entry: dict[str, Any]) -> Iterable[tuple[str, int]]:
    return ((entry["uid"], version) for version in entry["taken"].values())


def _content(known: dict[tuple[str, int], dict[str, Any]], uid: str, version: int) -> dict[str, Any] | None:
    """Return the content of a version with its personal fields, as it or an earlier version stored them."""
    entry = known.get((uid, version))
    if entry is None:
        return None
    found = {}
    for name in ("content", "personal"):
        holder = known.get((uid, entry["taken"].get(name, version)))
        found[name] = (holder or entry)["sections"].get(name)
    if found["content"] is None:
        return None
    content: dict[str, Any] = found["content"]
    return {**content, "fields": {**content["fields"], **(found["personal"] or {})}}


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _instant(text: str) -> str:
    """Return an instant in the one form that leaves have, so that text compares as time does."""
    return _moment(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
