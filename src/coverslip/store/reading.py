"""Reading for pages and the interface: lists, one record, its history, where the ledger stands.

Rules kept here: reads only; the order of a history is the entry order, its index the tree's; sections
are returned as they were stored, parsed, and an erased one is absent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import orjson
from psycopg.rows import dict_row

from coverslip.errors import EvidenceBroken, Invalid
from coverslip.kernel.rows import Row, row_from
from coverslip.kernel.waiting import EVERYTHING, Narrowed
from coverslip.ledger import canonical, leaf
from coverslip.ledger.failure import LedgerError
from coverslip.store.certificates import Certificates
from coverslip.store.event_feed import EventFeed
from coverslip.store.narrowing import narrowing, narrowing_values
from coverslip.store.pool import Pool
from coverslip.store.scope_reading import ScopeReading
from coverslip.store.sections import sections_of
from coverslip.store.standing import standing
from coverslip.store.training_rows import BriefReading

ENTRIES = (
    "select e.id, e.record_id, e.version, e.kind, e.leaf, e.leaf_hash, l.idx, b.fixed_salts, b.fixed,"
    " b.erasable_salts, b.erasable, coalesce(r.title, '') as actor_name from ledger.entry e"
    " left join ledger.leaf l on l.log_id = e.log_id and l.entry_id = e.id"
    " left join ledger.body b on b.entry_id = e.id"
    " left join projection.number n on n.uid = e.actor"
    " left join projection.record r on r.type = n.type and r.uid = n.uid"
)

_FINGERPRINT = """
select line from (
  select 'trigger ' || c.relname || ' ' || t.tgname || ' ' || t.tgenabled::text || ' '
    || md5(pg_get_triggerdef(t.oid)) as line
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('ledger', 'projection', 'ops') and not t.tgisinternal
  union all select 'event trigger ' || evtname || ' ' || evtevent || ' ' || evtenabled::text
    from pg_event_trigger
  union all select 'function ' || n.nspname || '.' || p.proname || ' ' || md5(pg_get_functiondef(p.oid))
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where (n.nspname in ('ledger', 'projection', 'ops') or p.proname like 'coverslip%%') and p.prokind = 'f'
  union all select 'rule ' || schemaname || '.' || tablename || ' ' || rulename from pg_rules
    where schemaname in ('ledger', 'projection', 'ops')
  union all select 'policy ' || schemaname || '.' || tablename || ' ' || policyname from pg_policies
  union all select 'grant ' || c.relnamespace::regnamespace || '.' || c.relname || ' '
    || coalesce(c.relacl::text, '')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('ledger', 'ops') and c.relkind in ('r', 'p')
) found order by line
"""


_PAGE = (
    "select ops.row_of(type, uid) as row, ops.iso(changed_at) as changed, uid::text as uid from ("
    " select type, uid, changed_at from projection.record where (%(k)s = '' or type = %(k)s)"
    " and (%(s)s = '' or state = %(s)s)"
    " and (%(q)s = '' or strpos(lower(number || ' ' || title), lower(%(q)s)) > 0)"
    " and (%(c)s = '' or (changed_at, uid) < (nullif(%(c)s, '')::timestamptz, nullif(%(u)s, '')::uuid))"
    "{} order by changed_at desc, uid desc limit %(l)s) found order by changed_at desc, uid desc"
)
_CURSOR = re.compile(r"\d{4}-\d\d-\d\dT[0-9:]{8}\.\d{6}Z/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class PostgresReading(ScopeReading, BriefReading):
    """Reads on a pool that may select from ``ledger``, ``projection`` and execute the row functions."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def pool(self) -> Pool:
        """The pool it reads on, for what reads beside it."""
        return self._pool

    def _all(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql, values).fetchall()

    def find(self, number: str, revision: int = 0) -> Row | None:
        """Return a record: the revision named, else the one in force, else the latest."""
        rows = self._all(
            "select ops.find_number(%(n)s, nullif(%(r)s, 0)) as row", {"n": number, "r": revision}
        )
        return row_from(rows[0]["row"]) if rows and rows[0]["row"] else None

    def by_uid(self, kind: str, uid: str) -> Row | None:
        """Return a record by type and uid."""
        rows = self._all("select ops.row_of(%(k)s, %(u)s) as row", {"k": kind, "u": uid})
        return row_from(rows[0]["row"]) if rows and rows[0]["row"] else None

    def page(
        self, kind: str, state: str, text: str, cursor: str, limit: int, narrowed: Narrowed = EVERYTHING
    ) -> tuple[list[Row], str]:
        """Return records, newest change first, and the cursor of the next page (empty: none).

        Raises ``VAL_FORM`` for a cursor that no page gave.
        """
        if cursor and not _CURSOR.fullmatch(cursor):
            raise Invalid(
                "VAL_FORM", field="cursor", expected="what the page before gave", found="another text"
            )
        changed, _, uid = cursor.partition("/")
        values = {"k": kind, "s": state, "q": text, "c": changed, "u": uid, "l": limit + 1}
        rows = self._all(_PAGE.format(narrowing(narrowed)), values | narrowing_values(narrowed))
        found = [row_from(r["row"]) for r in rows[:limit]]
        following = f"{rows[limit - 1]['changed']}/{rows[limit - 1]['uid']}" if len(rows) > limit else ""
        return found, following

    def about(self, uids: Collection[str], types: Collection[str]) -> list[Row]:
        """Return the records of types whose ``subject`` is one of these."""
        rows = self._all(
            "select ops.row_of(from_type, from_uid) as row from (select distinct from_type, from_uid"
            " from projection.link where to_uid = any(%(u)s::uuid[]) and field = 'subject'"
            " and from_type = any(%(t)s) order by 1, 2) found",
            {"u": list(uids), "t": list(types)},
        )
        return [row_from(r["row"]) for r in rows]

    def concerning(self, person: str, grants: Sequence[tuple[str, str]]) -> list[Row]:
        """Return what tells a person something, newest first.

        That is the records whose ``concerns`` names the person and that nobody has closed, and the grants of
        roles to the person, in force or ended; ``grants``: (type, field of the person) of what grants roles.
        """
        rows = self._all(
            "select ops.row_of(r.type, r.uid) as row from projection.link l join projection.record r"
            " on r.type = l.from_type and r.uid = l.from_uid where l.to_uid = %(u)s and (l.field = 'concerns'"
            " and r.state <> 'closed' or l.from_type || '.' || l.field = any(%(g)s)"
            " and r.state not in ('requested', 'rejected')) order by r.changed_at desc, r.uid limit 200",
            {"u": person, "g": [f"{kind}.{field}" for kind, field in grants]},
        )
        return [row_from(r["row"]) for r in rows]

    def access_facts(self, person: str = "") -> dict[str, dict[str, Any]]:
        """Return by person (uid) what an access review looks at and no record says; under "": ``now``.

        Of everybody, or of one ``person``.
        ``last_use`` of any session; ``credential`` (key id in force), ``since`` when, ``screened`` how;
        ``passkey_used``, ``passkey_tested``: when the one used last, and the one unused longest, answered or
        was made; ``untrained``: numbers of documents that a role asks training on and the person lacks.
        """
        found: dict[str, dict[str, Any]] = {"": self._all("select ops.iso(clock_timestamp()) as now", {})[0]}
        for row in self._all(
            "select person::text as person, ops.iso(max(seen_at)) as last_use from ops.session"
            " where %(p)s = '' or person = nullif(%(p)s, '')::uuid group by person",
            {"p": person},
        ):
            found.setdefault(row["person"], {})["last_use"] = row["last_use"]
        for row in self._all(
            "select distinct on (person) person::text as person, key_id as credential,"
            " ops.iso(created_at) as since, coalesce(data ->> 'screened', '') as screened from ops.credential"
            " where kind = 'signing' and revoked_at is null"
            " and (%(p)s = '' or person = nullif(%(p)s, '')::uuid) order by person, created_at desc",
            {"p": person},
        ):
            found.setdefault(row.pop("person"), {}).update(row)
        for row in self._all(
            "select person::text as person, ops.iso(max(last)) as passkey_used,"
            " ops.iso(min(last)) as passkey_tested from (select person,"
            " coalesce((data ->> 'used_at')::timestamptz, created_at) as last"
            " from ops.credential where kind = 'passkey' and revoked_at is null) found group by person",
            {},
        ):
            found.setdefault(row.pop("person"), {}).update(row)
        for row in self._all(
            "with wanted as (select distinct a.person, doc from projection.authority a"
            " join projection.authority d on d.kind = 'role_document' and d.code = a.code"
            " cross join jsonb_array_elements_text(d.data -> 'documents') doc"
            " where a.kind = 'role' and (%(p)s = '' or a.person = nullif(%(p)s, '')::uuid)),"
            " effective as (select doc, ops.find_number(doc, null) as row from"
            " (select distinct doc from wanted) x)"
            " select w.person::text as person, array_agg(w.doc order by w.doc) as untrained from wanted w"
            " join effective e on e.doc = w.doc and e.row ->> 'state' = 'effective' where not exists ("
            " select 1 from projection.authority t where t.kind = 'trained' and t.person = w.person"
            " and t.subject = (e.row ->> 'uid')::uuid"
            " and (t.valid_to is null or t.valid_to > clock_timestamp())) group by w.person",
            {"p": person},
        ):
            found.setdefault(row["person"], {})["untrained"] = list(row["untrained"])
        return found

    def in_state(self, kind: str, state: str, limit: int = 100) -> list[Row]:
        """Return records of a type in a state, oldest change first: a queue is a state."""
        rows = self._all(
            "select ops.row_of(type, uid) as row from (select type, uid from projection.record"
            " where type = %(k)s and state = %(s)s order by changed_at, uid limit %(l)s) found",
            {"k": kind, "s": state, "l": limit},
        )
        return [row_from(r["row"]) for r in rows]

    def due(
        self, timers: Sequence[tuple[str, str, str, str]], today: str, limit: int = 100
    ) -> list[tuple[Row, str]]:
        """Return (record, act) of every timer (type, state, date field, act) whose day has come.

        Of each timer the ``limit`` records that wait longest. One statement for all of them.
        """
        rows = self._all(
            "select t.act, ops.row_of(r.type, r.uid) as row from unnest(%(t)s::text[], %(s)s::text[],"
            " %(f)s::text[], %(a)s::text[]) with ordinality as t(type, state, field, act, place)"
            " cross join lateral (select type, uid from projection.record where type = t.type"
            " and state = t.state and left(content -> 'fields' ->> t.field, 10) <= %(d)s"
            " order by changed_at, uid limit %(l)s) r order by t.place",
            {n: [timer[i] for timer in timers] for i, n in enumerate("tsfa")} | {"d": today, "l": limit},
        )
        return [(row_from(row["row"]), str(row["act"])) for row in rows]

    def history(self, uid: str) -> list[dict[str, Any]]:
        """Return the entries of a record and those about it, oldest first, with their sections."""
        return self._entries_where(" where e.record_id = %(u)s or e.about = %(u)s order by e.id", {"u": uid})

    def _entries_where(self, where: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        return [entry_of(row) for row in self._all(ENTRIES + where, values)]

    def entries(self, first: int, last: int) -> Iterator[dict[str, Any]]:
        """Yield integrated entries by tree index, ``first`` to before ``last``, in blocks of 1 000."""
        for start in range(first, last, 1000):
            rows = self._all(
                f"{ENTRIES} where l.idx >= %(a)s and l.idx < %(b)s order by l.idx",
                {"a": start, "b": min(start + 1000, last)},
            )
            yield from (entry_of(row) for row in rows)

    def stored(self, first: int, last: int) -> Iterator[tuple[int, bytes, dict[str, tuple[bytes, bytes]]]]:
        """Yield (tree index, leaf, section -> (salt, content)) of integrated entries, in blocks of 1 000."""
        for start in range(first, last, 1000):
            rows = self._all(
                "select l.idx, e.leaf, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable"
                " from ledger.leaf l join ledger.entry e on e.id = l.entry_id and e.log_id = l.log_id"
                " left join ledger.body b on b.entry_id = e.id"
                " where l.log_id = 1 and l.idx >= %(a)s and l.idx < %(b)s order by l.idx",
                {"a": start, "b": min(start + 1000, last)},
            )
            for row in rows:
                data = bytes(row["leaf"])
                yield int(row["idx"]), data, sections_of(leaf.parse(data), row)

    def schema_fingerprint(self) -> bytes:
        """Return triggers, functions, rules, policies and grants of the ledger, one a line."""
        rows = self._all(_FINGERPRINT, {})
        return "".join(f"{row['line']}\n" for row in rows).encode()

    def root_holder(self, root: str) -> str:
        """Return the number of the record whose unique root this is, empty when there is none."""
        rows = self._all(
            "select n.number from projection.unique_value u join projection.number n on n.uid = u.record"
            " where u.value = %(v)s and u.scope like '%%root'",
            {"v": root},
        )
        return str(rows[0]["number"]) if rows else ""

    def named_roots(self) -> dict[str, list[str]]:
        """Return every vault root that a current record names, with the records' numbers."""
        rows = self._all(
            "select number, jsonb_path_query(content -> 'fields', 'lax $.**{1 to 3} ? (exists (@.sha256) &&"
            " exists (@.media_type)).root') #>> '{}' as root from projection.record",
            {},
        )
        found: dict[str, list[str]] = {}
        for row in rows:
            holders = found.setdefault(str(row["root"]), [])
            if row["number"] not in holders:
                holders.append(str(row["number"]))
        return found

    def kept_roots(self) -> dict[str, list[str]]:
        """Return every vault root that any version of a record names on the ledger, with their numbers.

        An entry whose stored bytes do not fit is left out: verification of the ledger names it.
        """
        rows = self._all(
            "select e.leaf, coalesce(n.number, e.record_id::text) as number, b.fixed_salts, b.fixed,"
            " b.erasable_salts, b.erasable from ledger.entry e join ledger.body b on b.entry_id = e.id"
            " left join projection.number n on n.uid = e.record_id"
            ' where e.log_id = 1 and position(\'"s":"files"\'::bytea in e.leaf) > 0 order by e.id',
            {},
        )
        found: dict[str, list[str]] = {}
        for row in rows:
            try:
                sections = sections_of(leaf.parse(bytes(row["leaf"])), row)
                items = canonical.decode(sections["files"][1]) if "files" in sections else []
                roots = [str(item["root"]) for item in items]
            except (LedgerError, EvidenceBroken, KeyError, TypeError):
                continue
            for root in roots:
                holders = found.setdefault(root, [])
                if row["number"] not in holders:
                    holders.append(str(row["number"]))
        return found

    def leaf_hashes(self, size: int) -> list[bytes]:
        """Return the leaf hashes of the first ``size`` entries, by tree index."""
        rows = self._all(
            "select e.leaf_hash from ledger.leaf l"
            " join ledger.entry e on e.id = l.entry_id and e.log_id = l.log_id"
            " where l.log_id = 1 and l.idx < %(s)s order by l.idx",
            {"s": size},
        )
        return [bytes(row["leaf_hash"]) for row in rows]

    def status(self) -> dict[str, Any]:
        """Return size and root of the tree, the last checkpoint, and entries not yet integrated."""
        status = standing(self._pool)
        checkpoint = self.checkpoint()
        if checkpoint is not None:
            status["checkpoint"] = {k: checkpoint[k] for k in ("size", "root", "note")}
        return status

    def checkpoint(self) -> dict[str, Any] | None:
        """Return the newest signed checkpoint: size, root (hex), note text."""
        rows = self._all(
            "select size, encode(root, 'hex') as root, convert_from(note, 'UTF8') as note"
            " from ledger.checkpoint where log_id = 1 order by size desc limit 1",
            {},
        )
        return dict(rows[0]) if rows else None

    def certificates(self, kind: str) -> list[dict[str, Any]]:
        """Return certificates of a kind (``backup``, ``vault``), newest first; see ``Certificates``."""
        return Certificates(self._pool, str(self.installation()["uuid"])).newest(kind)

    def feed(self, after: int, kind: str, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Return events in tree order behind index ``after``, and the cursor to go on from."""
        return EventFeed(self._pool).page(after, kind, limit)

    def roles(self, person: str) -> list[str]:
        """Return the codes of the roles a person holds now, delegated ones left out."""
        return EventFeed(self._pool).roles(person)

    def receipt(self, entry: str) -> dict[str, Any] | None:
        """Return where an entry of the last million stands: leaf hash and, once integrated, its index."""
        rows = self._all(
            "select encode(e.leaf_hash, 'hex') as leaf_hash, l.idx as index from ledger.entry e"
            " left join ledger.leaf l on l.entry_id = e.id where e.log_id = 1"
            " and e.id > (select max(id) - 1000000 from ledger.entry)"
            " and convert_from(e.leaf, 'UTF8')::jsonb ->> 'entry' = %(e)s order by e.id desc limit 1",
            {"e": entry},
        )
        if not rows:
            return None
        found: dict[str, Any] = {
            "entry": entry,
            "leaf_hash": rows[0]["leaf_hash"],
            "pending": rows[0]["index"] is None,
        }
        return found if found["pending"] else found | {"index": rows[0]["index"]}

    def installation(self) -> dict[str, Any]:
        """Return origin, use and id of the installation."""
        rows = self._all("select origin, use, uuid::text as uuid from ops.installation where log_id = 1", {})
        return dict(rows[0]) if rows else {}


def entry_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with its sections, and which sections an earlier version stored (``taken``: which)."""
    parsed = leaf.parse(bytes(row["leaf"]))
    sections = {}
    for name, (_, content) in sections_of(parsed, row).items():
        sections[name] = content.decode() if name == "reason" else orjson.loads(content)
    return {
        "index": row["idx"],
        "entry": parsed.entry,
        "at": parsed.at,
        "type": parsed.type,
        "act": parsed.act,
        "version": parsed.record.ver,
        "kind": parsed.record.kind,
        "uid": parsed.record.id,
        "about": parsed.about is not None or not parsed.is_record_version,
        "subject": parsed.about.id if parsed.about else "",
        "taken": {b.section: b.from_version for b in parsed.bodies if b.from_version is not None},
        "actor": parsed.actor.id,
        "actor_name": row["actor_name"],
        "auth": parsed.actor.auth,
        "behalf": parsed.actor.behalf or "",
        "meaning": parsed.meaning,
        "sections": sections,
        "leaf_hash": bytes(row["leaf_hash"]).hex(),
    }
