"""Days that pass at once: the clock of a test database, which can be put forward.

Rules kept here: only the database of a laboratory made for it has such a clock; it moves forward only, as the
ledger refuses a clock that went back. Everything of the installation takes its time from the database, so
what is due, expired or reached becomes so as it would by waiting.
"""

from __future__ import annotations

from typing import Any

import psycopg

from coverslip.store.server import Cluster

_MOVABLE = """
set allow_system_table_mods = on;
alter event trigger coverslip_ddl_guard disable;
alter function pg_catalog.clock_timestamp() rename to real_clock_timestamp;
create schema test_days;
create table test_days.passed(days int not null);
insert into test_days.passed values (0);
create function pg_catalog.clock_timestamp() returns timestamptz language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
begin
  return pg_catalog.real_clock_timestamp() + (select days * interval '1 day' from test_days.passed);
end $$;
alter event trigger coverslip_ddl_guard enable always;
"""


def make_movable(admin: psycopg.Connection[Any]) -> None:
    """Give the database of this superuser's connection a clock that can be put forward."""
    admin.execute(_MOVABLE)  # type: ignore[arg-type]


def put_forward(cluster: Cluster, days: int) -> None:
    """Let so many days pass, 1 or more."""
    assert days > 0, "the clock goes forward only"
    with psycopg.connect(**cluster.dsn("cs_superuser"), autocommit=True) as conn:
        conn.execute("update test_days.passed set days = days + %s", [days])
