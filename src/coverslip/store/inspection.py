"""What the doctor asks the database: catalogs, settings, alarms, growth.

Rules kept here: reads only, as cs_verifier; answers are plain rows, what they mean is the doctor's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]
SAMPLE = 10_000
"""Entries that growth is reckoned from."""


def now_s(conn: Connection) -> float:
    """Return the database's time, seconds since 1970."""
    row = conn.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
    return float(row[0]) if row else 0.0


def own_prefix_roles(conn: Connection) -> list[str]:
    """Return the roles whose names begin like Coverslip's own, sorted."""
    return [str(n) for (n,) in conn.execute("select rolname from pg_roles where rolname ~ '^cs_' order by 1")]


def superusers(conn: Connection) -> tuple[list[str], list[str]]:
    """Return superusers, and members of a superuser."""
    names = conn.execute("select rolname from pg_roles where rolsuper order by 1").fetchall()
    members = conn.execute(
        "select m.rolname from pg_auth_members a join pg_roles r on r.oid = a.roleid"
        " join pg_roles m on m.oid = a.member where r.rolsuper order by 1"
    ).fetchall()
    return [str(n) for (n,) in names], [str(n) for (n,) in members]


def hba_rules(conn: Connection) -> list[tuple[Any, ...]]:
    """Return the rules in the server's file: type, databases, users, method, error; in order."""
    return conn.execute(
        "select type, array_to_string(database, ','), array_to_string(user_name, ','), auth_method, error"
        " from pg_hba_file_rules order by line_number"
    ).fetchall()


def settings(conn: Connection, names: Sequence[str]) -> dict[str, str]:
    """Return the settings named, as they act in this session."""
    rows = conn.execute("select name, setting from pg_settings where name = any(%s)", (list(names),))
    return {str(name): str(value) for name, value in rows}


def file_settings(conn: Connection) -> list[tuple[str, str, str]]:
    """Return what ALTER SYSTEM left and what is malformed in the files: name, value, error."""
    return conn.execute(
        "select coalesce(name, ''), coalesce(setting, ''), coalesce(error, '') from pg_file_settings"
        " where sourcefile like '%auto.conf' or error is not null order by 1"
    ).fetchall()


def alarms(conn: Connection) -> list[tuple[Any, ...]]:
    """Return alarms, newest first: time, kind, detail, entry id."""
    return conn.execute("select at::text, kind, detail, entry_id from ops.alarm order by id desc").fetchall()


def in_states(conn: Connection, kind: str, states: Sequence[str]) -> list[tuple[str, str]]:
    """Return number and title of the records of a type in these states, newest change first."""
    return conn.execute(
        "select number, title from projection.record where type = %s and state = any(%s)"
        " order by changed_at desc", (kind, list(states)),
    ).fetchall()  # fmt: skip


def clock(conn: Connection) -> tuple[Any, ...] | None:
    """Return what was measured last: offset in us, source, server, why, ok, fresh, time; None for never."""
    return conn.execute(
        "select offset_us, source, server, why, ok, ops.clock_is_fresh(measured_at), measured_at::text"
        " from ops.clock"
    ).fetchone()


def database_per_day(conn: Connection) -> float | None:
    """Return bytes a day by the newest entries; ``None`` where there is less than a day of them."""
    row = conn.execute(
        "select max(id), (select at from ledger.entry where log_id = 1 order by id desc limit 1)"
        " from ledger.entry where log_id = 1"
    ).fetchone()
    if row is None or row[0] is None:
        return None
    newest, at = int(row[0]), row[1]
    first = conn.execute(
        "select id, at from ledger.entry where log_id = 1 and id >= %s order by id limit 1",
        (newest - SAMPLE,),
    ).fetchone()
    size = conn.execute("select pg_database_size(current_database())").fetchone()
    seconds = (at - first[1]).total_seconds() if first else 0.0
    if not first or not size or seconds < 86_400:
        return None
    return (newest - int(first[0])) / seconds * 86_400 * (int(size[0]) / newest)


def vault_per_day(conn: Connection) -> float:
    """Return bytes a day by the files of records made in the last 30 days."""
    row = conn.execute(
        "select coalesce(sum((f #>> '{}')::numeric), 0) from projection.record r cross join lateral"
        " jsonb_path_query(r.content -> 'fields', 'lax $.**{1 to 3} ? (exists (@.sha256)"
        " && exists (@.media_type)).size') f where r.created_at > now() - interval '30 days'"
    ).fetchone()
    return float(row[0]) / 30 if row else 0.0
