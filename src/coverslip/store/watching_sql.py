"""What a watch reads: counters of attempts, new entries, alarms, and how far it has looked.

Rules kept here: reads, but for the position of a duty; a position is a convenience, and a duty that starts
before it comes to the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from psycopg.rows import dict_row

from coverslip.errors import EvidenceBroken
from coverslip.kernel.watching import Seen, Tried
from coverslip.ledger import leaf
from coverslip.ledger.failure import LedgerError
from coverslip.store.pool import Pool
from coverslip.store.sections import sections_of


class PostgresWatch:
    """Watching on a pool of role cs_writer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _all(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    # --- how far -------------------------------------------------------------------------------

    def position(self, name: str) -> int:
        """Return how far a duty has looked; 0 where it never has."""
        rows = self._all("select position from ops.position where name = %(n)s", n=name)
        return int(rows[0]["position"]) if rows else 0

    def advance(self, name: str, position: int) -> None:
        """Keep how far a duty has looked; it never goes back."""
        self._all(
            "insert into ops.position as p (name, position) values (%(n)s, %(p)s) on conflict (name)"
            " do update set position = greatest(p.position, excluded.position), at = clock_timestamp()",
            n=name,
            p=position,
        )

    def ages(self) -> dict[str, float]:
        """Return how many seconds ago each duty kept its position; ``clock``: since the last measurement.

        ``sequencer``: how long the oldest entry after the newest one in the tree has waited; 0 for none.
        """
        rows = self._all(
            "select name, extract(epoch from clock_timestamp() - at)::float8 as age from ops.position"
            " union all select 'clock', extract(epoch from clock_timestamp() - measured_at)::float8"
            " from ops.clock"
            " union all select 'sequencer', coalesce((select extract(epoch from clock_timestamp() - e.at)"
            " from ledger.entry e where e.log_id = 1 and e.id > coalesce((select max(entry_id)"
            " from ledger.leaf), 0) order by e.id limit 1), 0)::float8"
        )
        return {str(row["name"]): float(row["age"]) for row in rows}

    # --- attempts ------------------------------------------------------------------------------

    def overdrawn(self, limit: int, settled_s: int) -> list[Tried]:
        """Return accounts in force with ``limit`` or more failures.

        Exactly ``limit`` counts only when the last attempt lies ``settled_s`` back: an attempt is counted
        before it is looked at, and the one under way may be right.
        """
        rows = self._all(
            "select a.person, n.number, 'active' as state, t.scope, t.failures, t.places,"
            " ops.iso(t.since) as last"
            " from ops.throttle t join projection.authority a on a.kind = 'account' and"
            " (a.data ->> 'verified')::boolean and (t.scope = 'sign_in' and t.key = ops.name_key(a.code)"
            " or t.scope = 'signing' and t.key = a.person::text)"
            " join projection.number n on n.uid = a.person where t.failures > %(n)s or t.failures = %(n)s"
            " and t.since < clock_timestamp() - %(s)s * interval '1 second' order by n.number, t.scope",
            n=limit,
            s=settled_s,
        )
        return [_attempts(row) for row in rows]

    def on_ended(self, terminal: Sequence[tuple[str, str]], field: str, minutes: int) -> list[Tried]:
        """Return attempts of the last minutes on names of records in an ending (type, state)."""
        found: list[Tried] = []
        for kind, state in terminal:
            rows = self._all(
                "select r.uid as person, r.number, r.state, t.scope, t.failures, t.places,"
                " ops.iso(t.since) as last from ops.throttle t join projection.record r"
                " on r.type = %(k)s and r.state = %(s)s"
                " and t.key = ops.name_key(r.content -> 'fields' ->> %(f)s)"
                " where t.scope = 'sign_in' and t.failures > 0"
                " and t.since > clock_timestamp() - %(m)s * interval '1 minute' order by r.number",
                k=kind,
                s=state,
                f=field,
                m=minutes,
            )
            found += [_attempts(row) for row in rows]
        return found

    def destroy_keys(self, terminal: Sequence[tuple[str, str]]) -> int:
        """Destroy what is left of the keys of records in an ending (type, state); return how many."""
        done = 0
        for kind, state in terminal:
            rows = self._all(
                "update ops.credential c set secret = null, data = c.data - 'sealed' - 'salt' - 'nonce',"
                " revoked_at = coalesce(c.revoked_at, clock_timestamp()), changed_at = clock_timestamp()"
                " from projection.record r where r.type = %(k)s and r.state = %(s)s and r.uid = c.person"
                " and (c.revoked_at is null or c.data ? 'sealed') returning c.person",
                k=kind,
                s=state,
            )
            done += len(rows)
        return done

    def holders(self, roles: Sequence[str]) -> set[str]:
        """Return the people in force who hold one of these roles now."""
        rows = self._all(
            "select distinct a.person::text as person from projection.authority a where a.kind = 'role'"
            " and a.code = any(%(r)s) and (a.valid_from is null or a.valid_from <= clock_timestamp())"
            " and (a.valid_to is null or a.valid_to > clock_timestamp()) and exists ("
            " select 1 from projection.authority x where x.person = a.person and x.kind = 'account'"
            " and (x.data ->> 'verified')::boolean)",
            r=list(roles),
        )
        return {str(row["person"]) for row in rows}

    def counted(self, after: int) -> tuple[int, list[tuple[str, str, str, int]]]:
        """Return the last minute that is over and (minute, who, rule, count) of refusals since ``after``.

        Minutes are counted from 1970.
        """
        rows = self._all(
            "select floor(extract(epoch from clock_timestamp()) / 60)::bigint - 1 as last",
        )
        last = int(rows[0]["last"])
        rows = self._all(
            "select ops.iso(minute) as minute, who, rule, count from ops.refusal_slot"
            " where minute > to_timestamp(%(a)s * 60) and minute <= to_timestamp(%(b)s * 60)"
            " order by minute, who, rule",
            a=after,
            b=last,
        )
        return last, [(str(r["minute"]), str(r["who"]), str(r["rule"]), int(r["count"])) for r in rows]

    # --- entries, alarms -----------------------------------------------------------------------

    def size(self) -> int:
        """Return how many entries have their place in the tree."""
        rows = self._all("select size from ledger.tree where log_id = 1")
        return int(rows[0]["size"]) if rows else 0

    def seen(self, first: int, last: int, acts: Sequence[str]) -> Iterator[Seen]:
        """Yield refusals, and entries of the acts named, by tree index from ``first`` to before ``last``."""
        wanted = ['"type":"refusal"', *(f'"act":"{act}"' for act in acts)]
        for start in range(first, last, 1000):
            rows = self._all(
                "select l.idx, e.leaf, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable"
                " from ledger.leaf l join ledger.entry e on e.id = l.entry_id and e.log_id = l.log_id"
                " left join ledger.body b on b.entry_id = e.id"
                " where l.log_id = 1 and l.idx >= %(a)s and l.idx < %(b)s and exists ("
                " select 1 from unnest(%(w)s::bytea[]) w where position(w in e.leaf) > 0) order by l.idx",
                a=start,
                b=min(start + 1000, last),
                w=[text.encode() for text in wanted],
            )
            for row in rows:
                found = _seen(row)
                if found is not None:
                    yield found

    def number(self, uid: str) -> str:
        """Return the number of a record, empty when there is none."""
        rows = self._all("select number from projection.number where uid = %(u)s", u=uid)
        return str(rows[0]["number"]) if rows else ""

    def alarms(self, after: int) -> list[tuple[int, str, str]]:
        """Return (id, kind, what) of the ledger's alarms after an id."""
        rows = self._all("select id, kind, detail from ops.alarm where id > %(a)s order by id", a=after)
        return [(int(r["id"]), str(r["kind"]), str(r["detail"])) for r in rows]


def _attempts(row: dict[str, Any]) -> Tried:
    return Tried(
        str(row["person"]),
        str(row["number"]),
        str(row["state"]),
        str(row["scope"]),
        int(row["failures"]),
        tuple(row["places"]),
        str(row["last"]),
    )


def _seen(row: dict[str, Any]) -> Seen | None:
    """Return the entry; none where its stored bytes do not fit, which verification names."""
    try:
        parsed = leaf.parse(bytes(row["leaf"]))
        stored = sections_of(parsed, row)
        sections = {k: orjson.loads(v[1]) for k, v in stored.items() if k in ("detail", "content", "context")}
    except (LedgerError, EvidenceBroken, orjson.JSONDecodeError):
        return None
    return Seen(
        int(row["idx"]),
        parsed.entry,
        parsed.at,
        parsed.record.kind,
        parsed.act,
        parsed.record.id,
        parsed.record.ver,
        parsed.actor.id,
        parsed.type,
        sections,
    )
