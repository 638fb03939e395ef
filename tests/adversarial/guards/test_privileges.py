"""Least privilege: the exact list of what each role may do, and everything else tried and refused."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import psycopg
import pytest

from coverslip.settings import DATABASE_ROLES
from coverslip.store import privileges
from coverslip.store.privileges import ROLES
from fix_guards import Guarded

NOT_ALLOWED = {"42501", "25006"}
"""Insufficient privilege; a read-only transaction, which stands before it."""
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")


@pytest.fixture(scope="module")
def matrix(guarded: Guarded) -> dict[tuple[str, str], list[str]]:
    with guarded.connect("cs_verifier") as conn:
        return privileges.matrix(conn)


@pytest.fixture(scope="module")
def tables(guarded: Guarded) -> dict[str, list[str]]:
    """Every table with its columns that can be written."""
    with guarded.connect("cs_superuser") as conn:
        rows = conn.execute(
            "select n.nspname || '.' || c.relname, array_agg(a.attname::text order by a.attnum)"
            " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " and n.nspname in ('ledger', 'projection', 'ops')"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and a.attgenerated = ''"
            " and a.attidentity = '' and not a.attisdropped where c.relkind in ('r', 'p') group by 1"
        ).fetchall()
    return {str(name): [str(c) for c in columns] for name, columns in rows}


def test_each_role_may_do_exactly_what_the_list_says(matrix: dict[tuple[str, str], list[str]]) -> None:
    committed = (files("coverslip.store") / "privileges.txt").read_text("utf-8")
    assert privileges.text(matrix).splitlines() == committed.splitlines(), "run python scripts/schema.py"


def test_no_role_can_do_what_no_role_should(matrix: dict[tuple[str, str], list[str]]) -> None:
    """Read as sentences, so that a list regenerated without thinking is caught."""
    for (role, name), rights in matrix.items():
        words = {right.split("(")[0] for right in rights}
        assert not words & {"DELETE", "TRUNCATE", "TRIGGER", "REFERENCES", "CREATE", "TEMPORARY"}, (
            role,
            name,
        )
        if name in ("ledger.entry", "ledger.body") or name.startswith("projection."):
            assert words <= {"SELECT"}, (role, name)
        if name == "ops.migration" or name == "ops.installation":
            assert words <= {"SELECT"}, (role, name)
        if name == "ops.credential":
            assert role == "cs_writer"
        if name.startswith("sequence "):
            assert rights == ["SELECT"], (role, name)
    erasing = [role for role, name in matrix if name.startswith("function ops.erase_bodies")]
    assert erasing == ["cs_eraser"]
    assert not [name for role, name in matrix if "open_installation" in name or "next_number" in name]
    assert {role for role, _ in matrix} == set(ROLES)


def statement(right: str, table: str, columns: list[str]) -> str:
    first, names = columns[0], ", ".join(columns)
    return {
        "SELECT": f"select {first} from {table} limit 0",
        "INSERT": f"insert into {table}({names}) select {names} from {table} limit 0",
        "UPDATE": f"update {table} set {first} = {first} where false",
        "DELETE": f"delete from {table} where false",
        "TRUNCATE": f"truncate {table}",
    }[right]


@pytest.mark.parametrize("role", ROLES)
def test_everything_else_is_tried_and_refused(
    guarded: Guarded, matrix: dict[tuple[str, str], list[str]], tables: dict[str, list[str]], role: str
) -> None:
    tried = 0
    with guarded.connect(role) as conn:
        for table, columns in tables.items():
            held = matrix.get((role, table), [])
            for right in RIGHTS:
                if right in held:
                    continue
                partly = [one[len(right) + 1 : -1].split(", ") for one in held if one.startswith(f"{right}(")]
                others = [c for c in columns if not partly or c not in partly[0]]
                with pytest.raises(psycopg.Error) as caught:
                    conn.execute(statement(right, table, others))
                assert caught.value.sqlstate in NOT_ALLOWED, (table, right)
                tried += 1
    assert tried > 100


@pytest.mark.parametrize("role", ROLES)
def test_what_is_granted_works(
    guarded: Guarded, matrix: dict[tuple[str, str], list[str]], tables: dict[str, list[str]], role: str
) -> None:
    with guarded.connect(role) as conn:
        conn.execute("set default_transaction_read_only = off")
        for table, columns in tables.items():
            for right in matrix.get((role, table), []):
                word, _, some = right.partition("(")
                conn.execute(statement(word, table, some.rstrip(")").split(", ") if some else columns))


@pytest.mark.parametrize("role", ROLES)
def test_no_other_function_can_be_called(
    guarded: Guarded, matrix: dict[tuple[str, str], list[str]], role: str
) -> None:
    with guarded.connect("cs_superuser") as conn:
        functions = conn.execute(
            "select 'function ' || n.nspname || '.' || p.proname || '('"
            " || pg_get_function_identity_arguments(p.oid) || ')', n.nspname || '.' || p.proname, "
            " array(select format_type(t, null) from unnest(p.proargtypes) t)"
            " from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
            " and n.nspname in ('ledger', 'projection', 'ops', 'public')"
            " where p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)"
        ).fetchall()
    refused = 0
    with guarded.connect(role) as conn:
        for name, called, types in functions:
            if (role, name) in matrix:
                continue
            arguments = ", ".join(f"null::{one}" for one in types)
            with pytest.raises(psycopg.Error) as caught:
                conn.execute(f"select {called}({arguments})")
            assert caught.value.sqlstate in NOT_ALLOWED, name
            refused += 1
    assert refused > 15


@pytest.mark.parametrize("role", ROLES)
def test_no_role_becomes_another_reads_passwords_or_leaves_the_database(guarded: Guarded, role: str) -> None:
    others = [f"set role {other}" for other in (*DATABASE_ROLES, "cs_owner") if other != role]
    for attempt in (
        *others,
        f"set session authorization cs_superuser; set role {role}",
        "select rolpassword from pg_authid",
        "copy (select 1) to program 'true'",
        "copy (select 1) to '/tmp/out'",
        "select pg_read_file('PG_VERSION')",
        "select pg_ls_dir('.')",
        "select lo_import('/etc/hostname')",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'cs_superuser'",
        "create table public.mine(a int)",
        "create temporary table mine(a int)",
        "create function public.f() returns int language sql as 'select 1'",
        "set session_replication_role = replica",
        "set zero_damaged_pages = on",
        "alter role current_user superuser",
        "vacuum full ledger.entry",
    ):
        with guarded.connect(role) as conn:
            if attempt.startswith("vacuum") and role != "cs_eraser":
                notices: list[Any] = []
                conn.add_notice_handler(notices.append)
                conn.execute(attempt)
                assert notices, "PostgreSQL warns and skips"
                continue
            if "pg_terminate_backend" in attempt:
                with guarded.connect("cs_superuser"), pytest.raises(psycopg.Error) as caught:
                    conn.execute(attempt)
            else:
                with pytest.raises(psycopg.Error) as caught:
                    conn.execute(attempt)
            assert caught.value.sqlstate in NOT_ALLOWED, attempt
        with guarded.cluster_connection(role, "postgres") as refused:
            assert "permission denied" in refused


def test_the_migrator_logs_in_only_while_migrating(guarded: Guarded) -> None:
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        guarded.connect("cs_migrator")
    with guarded.cluster.migrating(), guarded.connect("cs_migrator") as conn:
        assert conn.execute("select current_user::text").fetchone() is not None
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        guarded.connect("cs_migrator")


def test_the_owner_cannot_log_in_at_all(guarded: Guarded) -> None:
    dsn = {**guarded.cluster.dsn("cs_superuser"), "user": "cs_owner"}
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**dsn)


def test_whose_session_or_key_it_is_cannot_be_rewritten(guarded: Guarded) -> None:
    """Else whoever holds the writer's password could hand a session or a wrapped key to somebody else."""
    for attempt in (
        "update ops.session set person = gen_random_uuid()",
        "update ops.session set token_hash = sha256('mine')",
        "update ops.session set kind = 'password'",
        "update ops.credential set person = gen_random_uuid()",
        "update ops.enrolment set person = gen_random_uuid()",
        "update ops.enrolment set expires_at = 'infinity'",
    ):
        assert guarded.refused("cs_writer", attempt) == "42501", attempt
