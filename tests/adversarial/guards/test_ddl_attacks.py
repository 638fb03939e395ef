"""Who tries to change the schema, and how: refused by the guard, or named by the next fingerprint."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from coverslip.bootstrap.guarding import refuse
from coverslip.errors import EvidenceBroken
from coverslip.store import fingerprint
from coverslip.store.startup import foreign_roles
from fix_guards import Guarded

NO_OP = "language plpgsql as 'begin return new; end'"
EVENT_NO_OP = "language plpgsql as 'begin return; end'"

REFUSED = [
    "create or replace rule quiet as on insert to ledger.entry do instead nothing",
    "create policy hide on projection.record using (false)",
    "alter table projection.record enable row level security",
    "create trigger soft before insert on ledger.body for each row"
    " execute function suppress_redundant_updates_trigger()",
    "alter table ledger.entry disable trigger append_only",
    "alter table ledger.entry enable trigger append_only",
    "grant update on ledger.entry to cs_writer",
    "grant execute on function ops.erase_bodies(bigint[]) to cs_writer",
    "grant create on schema ledger to public",
    "create extension plpgsql_check",
    "comment on table ledger.entry is 'nothing to see'",
    f"create or replace function ledger.refuse_change() returns trigger {NO_OP}",
    "alter function ledger.refuse_change() set search_path = pg_temp",
    "alter function ops.commit security invoker",
    "create operator ledger.=== (function = int4eq, leftarg = int, rightarg = int)",
    "create cast (text as uuid) with inout as implicit",
    "create domain ops.d as int",
    "create type ops.t as (a int)",
    "create collation ops.c (locale = 'C')",
    "create statistics ops.s on kind, actor from ledger.entry",
    "create text search configuration ops.ts (copy = simple)",
    "create aggregate ops.agg(int) (sfunc = int4pl, stype = int)",
    "create language plother handler plpgsql_call_handler",
    "create foreign data wrapper w",
    "create publication p for all tables",
    "alter table ledger.body alter column fixed drop not null",
    "alter table ledger.entry drop constraint entry_record_id_version_key",
    "alter table ledger.entry set (autovacuum_enabled = off)",
    "alter table ledger.entry set unlogged",
    "alter index ledger.entry_about rename to other",
    "alter sequence ledger.entry_id_seq restart with 1",
    "alter schema ledger rename to ledger_old",
    "alter schema ledger owner to cs_writer",
    "alter table ledger.entry owner to cs_writer",
    "alter table projection.record detach partition projection.record_image",
    "create temporary table child() inherits (ledger.entry)",
    "select * into projection.kept from ledger.entry",
    "drop owned by cs_writer",
    "drop function public.coverslip_migrating() cascade",
    "refresh materialized view nothing",
    "import foreign schema public from server nowhere into ops",
]
UNDONE_ANYWAY = {"42501", "42704", "42883", "42P01", "58P01", "0A000", "42710", "2BP01", "55000"}
"""Refused before any guard: not allowed, no such thing, not supported, still needed."""

REPLICA = "set session_replication_role = replica"


@pytest.mark.parametrize("statement", REFUSED)
@pytest.mark.parametrize("role", ["set role cs_owner", "reset role", REPLICA])
def test_no_definition_changes_outside_a_migration(guarded: Guarded, role: str, statement: str) -> None:
    assert guarded.refused("cs_superuser", role, statement) in {"CS011"} | UNDONE_ANYWAY


@pytest.mark.parametrize("statement", [*REFUSED[:20], "alter table ledger.entry set unlogged"])
def test_the_migrator_changes_nothing_without_announcing_a_migration(
    as_migrator: Callable[..., str], statement: str
) -> None:
    assert as_migrator(statement) in {"CS011"} | UNDONE_ANYWAY


def test_most_of_it_is_refused_by_the_guard_itself(guarded: Guarded) -> None:
    by_guard = [s for s in REFUSED if guarded.refused("cs_superuser", s) == "CS011"]
    assert len(by_guard) > 30, sorted(set(REFUSED) - set(by_guard))


def test_rebuilding_an_index_is_let_through(guarded: Guarded) -> None:
    assert guarded.refused("cs_superuser", "reindex table ledger.leaf") == ""


SHARED = [
    "alter role cs_writer superuser",
    "alter role cs_writer set session_replication_role = replica",
    "alter role cs_migrator login",
    "create role helper login",
    "grant cs_owner to cs_writer",
    "alter database coverslip set session_replication_role = replica",
    "alter database coverslip owner to cs_writer",
    "reassign owned by cs_owner to cs_writer",
    "create event trigger later on ddl_command_end execute function public.coverslip_ddl_guard()",
    "alter event trigger coverslip_ddl_guard disable",
    "drop event trigger coverslip_drop_guard",
    "set session_replication_role = replica",
    "load 'auto_explain'",
]


@pytest.mark.parametrize("statement", SHARED)
def test_what_no_guard_can_see_is_the_superusers_alone(
    guarded: Guarded, as_migrator: Callable[..., str], statement: str
) -> None:
    for role in ("cs_writer", "cs_sequencer", "cs_eraser", "cs_verifier"):
        assert guarded.refused(role, statement) in {"42501", "25006"}, role
    assert as_migrator("set role cs_owner", statement) == "42501"


def test_nobody_else_sets_the_server_up_or_opens_the_database(guarded: Guarded) -> None:
    grant = "grant connect on database coverslip to public"
    for role in ("cs_writer", "cs_sequencer", "cs_eraser"):
        with guarded.connect(role) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("alter system set fsync = off")
        # Refused, or answered with a warning that nothing was granted.
        with guarded.connect(role) as conn, contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            conn.execute(grant)
    with guarded.connect("cs_verifier") as conn:
        assert fingerprint.deviations(fingerprint.read(conn)) == []
    assert guarded.refused("cs_superuser", "set role cs_owner", grant) in {"", "42501"}


def attacked(guarded: Guarded, *statements: str) -> dict[str, tuple[str, str]]:
    """Return what the fingerprint names after a superuser's attack: object -> (expected, found)."""
    with guarded.attacking(*statements) as conn:
        differing = fingerprint.deviations(fingerprint.describe(conn))
    assert differing is not None
    return {one.object: (one.expected, one.found) for one in differing}


def off(guard: str = "coverslip_ddl_guard") -> str:
    return f"alter event trigger {guard} disable"


def test_an_untouched_database_has_nothing_to_name(guarded: Guarded) -> None:
    assert attacked(guarded, "select 1") == {}


MODS = "set allow_system_table_mods = on"
PG_LOGIN = (
    "insert into pg_authid(oid, rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,"
    " rolreplication, rolbypassrls, rolconnlimit) values ({oid}, 'pg_helper', false, true, false, false,"
    " true, false, false, -1)"
)


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        ([off()], "event trigger coverslip_ddl_guard"),
        ([MODS, "update pg_class set relhastriggers = false where oid = 'ledger.entry'::regclass"],
         "table ledger.entry"),
        ([MODS, "update pg_class set relchecks = 0 where oid = 'ledger.entry'::regclass"],
         "table ledger.entry"),
        ([MODS, "update pg_class set relhasindex = false where oid = 'ledger.entry'::regclass"],
         "table ledger.entry"),
        ([MODS, "update pg_class set relhassubclass = false where oid = 'projection.record'::regclass"],
         "table projection.record"),
        ([MODS, "update pg_attribute set atthasdef = false where attrelid = 'ledger.entry'::regclass"
                " and attname = 'at'"], "column ledger.entry.at"),
        ([MODS, "update pg_index set indislive = false where indexrelid ="
                " 'ledger.entry_record_id_version_key'::regclass"],
         "index ledger.entry_record_id_version_key"),
        ([MODS, "update pg_index set indimmediate = false where indexrelid ="
                " 'ledger.entry_record_id_version_key'::regclass"],
         "index ledger.entry_record_id_version_key"),
        ([MODS, "delete from pg_trigger where tgisinternal and tgrelid = 'ops.installation'::regclass"],
         "constraint ops.installation.installation_log_id_fkey"),
        ([PG_LOGIN.format(oid=99999)], "role pg_helper"),
        ([PG_LOGIN.format(oid=9999)], "role pg_helper"),
        (["update pg_authid set rolcanlogin = true where rolname = 'pg_monitor'"], "role pg_monitor"),
        (["grant cs_owner to pg_monitor"], "member pg_monitor of cs_owner"),
        (["grant pg_write_all_data to pg_monitor"], "member pg_monitor of pg_write_all_data"),
        (["drop event trigger coverslip_drop_guard"], "event trigger coverslip_drop_guard"),
        (["update pg_event_trigger set evtenabled = 'D' where evtname = 'coverslip_ddl_guard'"],
         "event trigger coverslip_ddl_guard"),
        ([off(), f"create or replace function ledger.refuse_change() returns trigger {NO_OP}"],
         "function ledger.refuse_change()"),
        (["update pg_proc set prosrc = 'begin return new; end' where proname = 'erase_only'"],
         "function ledger.erase_only()"),
        ([off(),
          f"create or replace function public.coverslip_ddl_guard() returns event_trigger {EVENT_NO_OP}"],
         "function public.coverslip_ddl_guard()"),
        ([off(), "alter table ledger.entry disable trigger append_only"], "trigger ledger.entry.append_only"),
        ([off(), "alter table ledger.entry enable trigger append_only"], "trigger ledger.entry.append_only"),
        (["update pg_trigger set tgenabled = 'D' where tgname = 'no_truncate'"],
         "trigger ledger.leaf.no_truncate"),
        ([off(), off("coverslip_drop_guard"), "drop trigger append_only on ledger.leaf"],
         "trigger ledger.leaf.append_only"),
        ([off(), "alter table ops.installation disable trigger all"],
         "foreign key trigger ops.installation RI_FKey_check_ins"),
        ([off(), "create rule quiet as on insert to ledger.entry do instead nothing"],
         "rule ledger.entry.quiet"),
        ([off(), "create policy hide on ledger.entry using (false)"], "policy ledger.entry.hide"),
        ([off(), "alter table projection.record enable row level security"], "table projection.record"),
        ([off(), "grant update on ledger.entry to cs_writer"], "grant on ledger.entry to cs_writer"),
        ([off(), "grant update (leaf) on ledger.entry to cs_writer"],
         "grant on column ledger.entry.leaf to cs_writer"),
        ([off(), "grant usage on schema ledger to public"], "grant on schema ledger to PUBLIC"),
        ([off(), "grant execute on function ops.erase_bodies(bigint[]) to public"],
         "grant on function ops.erase_bodies(p_entries bigint[]) to PUBLIC"),
        ([off(), "alter default privileges in schema ledger grant select on tables to public"],
         "default privileges of cs_superuser on r in ledger"),
        (["create role helper login"], "role helper"),
        (["reassign owned by cs_owner to cs_writer"], "function ops.facts(p jsonb)"),
        (["alter role cs_reader superuser"], "role cs_reader"),
        (["alter role cs_migrator login"], "role cs_migrator"),
        (["grant pg_read_all_data to cs_sequencer"], "member cs_sequencer of pg_read_all_data"),
        (["alter role cs_writer set session_replication_role = replica"],
         "setting of cs_writer in every database: session_replication_role"),
        (["alter database coverslip set session_replication_role = replica"],
         "setting of everybody in the database: session_replication_role"),
        (["set session_replication_role = replica"], "setting session_replication_role"),
        (["grant connect on database coverslip to public"], "grant on the database to PUBLIC"),
        ([off(), "alter table ledger.entry owner to cs_writer"], "table ledger.entry"),
        ([off(), "create schema mine"], "schema mine"),
        ([off(), "create cast (text as uuid) with inout as implicit"], "cast text to uuid"),
        ([off(), "create operator public.=== (function = int4eq, leftarg = int, rightarg = int)"],
         "operator public.===(integer,integer)"),
        ([off(), "create function public.sha256(bytea) returns bytea language sql as 'select $1'"],
         "function public.sha256(bytea)"),
        ([off(), off("coverslip_drop_guard"),
          "alter table ledger.entry drop constraint entry_record_id_version_key"],
         "constraint ledger.entry.entry_record_id_version_key"),
        ([off(), "alter table ledger.body alter column fixed drop not null"], "column ledger.body.fixed"),
        ([off(), "create publication p for all tables"], "publication p"),
        (["create event trigger late on ddl_command_end execute function public.coverslip_ddl_guard()"],
         "event trigger late"),
        (["insert into ops.migration(number, name, sha256) values (9999, 'quiet', repeat('0', 64))",
          "grant update on ledger.entry to cs_writer"], "migration 9999 quiet"),
        ([off(), "grant select on pg_catalog.pg_authid to cs_reader"],
         "grant on system pg_authid to cs_reader"),
    ],
)  # fmt: skip
def test_what_a_superuser_does_is_named(guarded: Guarded, attack: list[str], named: str) -> None:
    """Object by object; some attacks need the guard switched off first, which is named as well."""
    found = attacked(guarded, *attack)
    assert named in found
    if off() in attack:
        assert "event trigger coverslip_ddl_guard" in found


@pytest.mark.parametrize(
    "attack",
    [
        "update pg_proc set prosrc = 'textout' where proname = 'byteaeq'",
        "update pg_operator set oprcode = 'byteane'::regproc where oprcode = 'byteaeq'::regproc",
        "update pg_cast set castcontext = 'i' where castcontext = 'e'",
        "update pg_amproc set amproc = 'bttextcmp'::regproc where amproc = 'byteacmp'::regproc",
        "update pg_type set typoutput = 'unknownout'::regproc where typname = 'uuid'",
        "update pg_rewrite set ev_enabled = 'D' where ev_class = 'pg_roles'::regclass",
        "grant execute on function pg_catalog.pg_read_file(text) to public",
        "grant select on pg_authid to pg_monitor",
    ],
)
def test_a_part_of_postgresql_itself_that_was_replaced_changes_the_system_hash(
    guarded: Guarded, attack: str
) -> None:
    with guarded.attacking("select 1") as conn:
        before = fingerprint.describe(conn).system
    with guarded.attacking(MODS) as conn:
        assert fingerprint.describe(conn).system == before
    with guarded.attacking(off(), MODS, attack) as conn:
        assert fingerprint.describe(conn).system != before


@pytest.mark.parametrize("oid", [9999, 99999])
def test_a_role_named_like_postgresqls_own_is_foreign_all_the_same(guarded: Guarded, oid: int) -> None:
    with guarded.attacking("select 1") as conn:
        assert foreign_roles(conn) == []
    with guarded.attacking(PG_LOGIN.format(oid=oid)) as conn:
        assert foreign_roles(conn) == ["pg_helper"]


def test_switching_a_guard_off_and_on_again_leaves_the_fingerprint_as_it_was(guarded: Guarded) -> None:
    """The honest limit: what is undone before the next look is not seen by it."""
    assert attacked(guarded, off(), "alter event trigger coverslip_ddl_guard enable always") == {}


def test_an_installation_whose_guards_are_off_is_not_served(guarded: Guarded) -> None:
    with guarded.connect("cs_verifier") as conn:
        refuse(conn)
    with guarded.connect("cs_superuser") as admin:
        admin.execute(off())
        try:
            with guarded.connect("cs_verifier") as conn, pytest.raises(EvidenceBroken) as caught:
                refuse(conn)
            assert "coverslip_ddl_guard" in caught.value.message
        finally:
            admin.execute("alter event trigger coverslip_ddl_guard enable always")


@pytest.mark.parametrize(
    ("off", "on", "named"),
    [
        ("update pg_class set relhastriggers = false where oid = 'ledger.entry'::regclass",
         "update pg_class set relhastriggers = true where oid = 'ledger.entry'::regclass",
         "table ledger.entry"),
        ("update pg_attribute set atthasdef = false where attname = 'at'"
         " and attrelid = 'ledger.entry'::regclass",
         "update pg_attribute set atthasdef = true where attname = 'at'"
         " and attrelid = 'ledger.entry'::regclass",
         "column ledger.entry.at"),
        ("update pg_index set indimmediate = false where indexrelid = 'ledger.entry_pkey'::regclass",
         "update pg_index set indimmediate = true where indexrelid = 'ledger.entry_pkey'::regclass",
         "index ledger.entry_pkey"),
    ],
)  # fmt: skip
def test_an_installation_whose_guards_a_flag_switches_off_is_not_served(
    guarded: Guarded, off: str, on: str, named: str
) -> None:
    with guarded.connect("cs_superuser") as admin:
        admin.execute(MODS)
        admin.execute(off)
        try:
            with guarded.connect("cs_verifier") as conn, pytest.raises(EvidenceBroken) as caught:
                refuse(conn)
            assert named in caught.value.message
        finally:
            admin.execute(on)
    with guarded.connect("cs_verifier") as conn:
        refuse(conn)


def test_a_role_too_many_is_recorded_and_does_not_stop_the_work(guarded: Guarded) -> None:
    with guarded.connect("cs_superuser") as admin:
        admin.execute("create role helper")
        try:
            with guarded.connect("cs_verifier") as conn:
                refuse(conn)
                differing = fingerprint.deviations(fingerprint.read(conn))
            assert [one.object for one in differing or ()] == ["role helper"]
        finally:
            admin.execute("drop role helper")


def test_a_setting_written_by_alter_system_is_seen_where_it_acts_and_where_it_only_waits(
    guarded: Guarded,
) -> None:
    """What stands on the server's command line wins: durability cannot be taken away by ALTER SYSTEM."""
    with guarded.connect("cs_superuser") as admin:
        admin.execute("alter system set fsync = off")
        admin.execute("alter system set zero_damaged_pages = on")
        try:
            admin.execute("select pg_reload_conf()")
            for _ in range(100):
                with guarded.connect("cs_verifier") as conn:
                    row = conn.execute("select current_setting('zero_damaged_pages')").fetchone()
                    if row == ("on",):
                        break
            with guarded.connect("cs_verifier") as conn:
                differing = fingerprint.deviations(fingerprint.read(conn))
                waiting = conn.execute(
                    "select name from pg_file_settings where sourcefile like '%auto.conf' order by 1"
                ).fetchall()
            assert [one.object for one in differing or ()] == ["setting zero_damaged_pages"]
            assert waiting == [("fsync",), ("zero_damaged_pages",)]
        finally:
            admin.execute("alter system reset all")
            admin.execute("select pg_reload_conf()")


def test_a_temporary_table_stands_before_nothing(guarded: Guarded) -> None:
    """Names in functions and in the fingerprint are found in our schemas, whatever a session made."""
    with guarded.attacking(
        "create temporary table pg_trigger(tgname text)", "create temporary table migration(number int)"
    ) as conn:
        assert fingerprint.deviations(fingerprint.describe(conn)) == []
    with guarded.connect("cs_superuser") as conn:
        loose = conn.execute(
            "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
            " where n.nspname in ('ledger', 'projection', 'ops', 'public') and p.prosecdef"
            " and not coalesce(p.proconfig, '{}') @> '{\"search_path=pg_catalog, pg_temp\"}'"
        ).fetchall()
    assert loose == [], "a function with its owner's rights must say where it looks"


def test_connection_strings_are_the_homes(guarded: Guarded) -> None:
    """The control for all of the above: these connections are those that production uses."""
    with psycopg.connect(make_conninfo(**guarded.cluster.dsn("cs_writer"))) as conn:
        assert conn.execute("select current_user, current_database()").fetchone() == (
            "cs_writer",
            "coverslip",
        )
