"""What each role tries against the ledger, and is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from coverslip_lab import Lab

from coverslip.errors import EnvironmentFault
from coverslip.kernel.ports import Batch
from coverslip.ledger.files import uuid7
from coverslip.store.ledger_sql import PostgresStore, prepare
from coverslip.store.pool import Pool

TABLES = ("entry", "body", "leaf", "tile", "checkpoint", "anchor")
EDITS = {
    "entry": "update ledger.entry set kind = 'x'",
    "body": "update ledger.body set fixed = ''",
    "leaf": "update ledger.leaf set idx = idx + 100",
    "tile": "update ledger.tile set hashes = hashes",
    "checkpoint": "update ledger.checkpoint set note = ''",
    "anchor": "update ledger.anchor set target = ''",
}


@pytest.fixture
def filled(lab: Lab) -> Lab:
    lab.write("study", "STU-0001")
    with lab.connect() as conn:
        conn.execute("insert into ledger.leaf values (1, 0, 1)")
        conn.execute("insert into ledger.tile values (1, 0, 0, %s)", (b"\x00" * 8192,))
        conn.execute("insert into ledger.checkpoint values (1, 1, %s, 'n')", (b"\x00" * 32,))
        conn.execute("insert into ledger.anchor values (1, 1, 'file', 'x', 'e')")
    return lab


def refused(lab: Lab, role: str, *statements: str) -> str:
    """Run statements; return the SQLSTATE that stopped the last one."""
    with lab.connect(role) as conn:
        for statement in statements[:-1]:
            conn.execute(statement)
        with pytest.raises(psycopg.Error) as caught:
            conn.execute(statements[-1])
    return caught.value.sqlstate or ""


@pytest.mark.parametrize("role", ["cs_writer", "cs_reader", "cs_verifier", "cs_sequencer", "cs_eraser"])
@pytest.mark.parametrize("table", TABLES)
def test_no_role_may_edit_delete_or_truncate(filled: Lab, role: str, table: str) -> None:
    not_allowed = {"42501", "25006"}  # insufficient privilege, read-only transaction
    assert refused(filled, role, EDITS[table]) in not_allowed
    assert refused(filled, role, f"delete from ledger.{table}") in not_allowed
    assert refused(filled, role, f"truncate ledger.{table}") in not_allowed


@pytest.mark.parametrize("table", TABLES)
def test_the_owner_is_refused_by_the_triggers(filled: Lab, table: str) -> None:
    owner = "set role cs_owner"
    assert refused(filled, "postgres", owner, EDITS[table]) == "CS010"
    assert refused(filled, "postgres", owner, f"delete from ledger.{table}") == "CS010"
    assert refused(filled, "postgres", owner, f"truncate ledger.{table}") == "CS010"


@pytest.mark.parametrize("table", TABLES)
def test_the_superuser_in_replica_role_is_refused_by_the_triggers(filled: Lab, table: str) -> None:
    replica = "set session_replication_role = replica"
    assert refused(filled, "postgres", replica, EDITS[table]) == "CS010"
    assert refused(filled, "postgres", replica, f"delete from ledger.{table}") == "CS010"
    assert refused(filled, "postgres", replica, f"truncate ledger.{table} cascade") == "CS010"


@pytest.mark.parametrize(
    "statement",
    [
        "insert into ledger.entry(log_id, record_id, version, kind, actor, command_id, leaf, admit)"
        " values (1, gen_random_uuid(), 1, 'x', gen_random_uuid(), gen_random_uuid(), '{}', sha256(''))",
        "insert into ledger.body values (99, '', '')",
        "insert into ledger.leaf values (1, 9, 9)",
        "update projection.record set state = 'released'",
        "insert into projection.authority(person, kind, code, source_type, source)"
        " values (gen_random_uuid(), 'role', 'QA', 'x', gen_random_uuid())",
        "update ops.authority_epoch set epoch = 0",
        "delete from ops.session",
        "delete from ops.command",
        "update ops.installation set use = 'regulated'",
        "select nextval('ledger.entry_id_seq')",
        "select ops.erase_bodies('{1}')",
        "select ops.open_installation('x', 'evaluation', gen_random_uuid(), now())",
        "insert into ops.migration(number, name, sha256) values (99, 'x', repeat('0', 64))",
    ],
)
def test_the_writer_has_no_way_around_the_functions(filled: Lab, statement: str) -> None:
    assert refused(filled, "cs_writer", statement) == "42501"


def test_nobody_can_choose_a_leaf_hash_or_an_id(filled: Lab) -> None:
    row = "(1, gen_random_uuid(), 1, 'x', gen_random_uuid(), gen_random_uuid(), '{}', sha256('')"
    names = "log_id, record_id, version, kind, actor, command_id, leaf, admit"
    forged = f"insert into ledger.entry({names}, leaf_hash) values {row}, sha256('forged'))"
    assert refused(filled, "postgres", forged) == "428C9"
    chosen = f"insert into ledger.entry({names}, id) values {row}, 12345)"
    assert refused(filled, "postgres", chosen) == "428C9"


@pytest.mark.parametrize(
    "statement",
    [
        "alter table ledger.entry disable trigger all",
        "alter table ledger.entry rename to entries",
        "alter table ledger.entry add column x int",
        "create rule vanish as on insert to ledger.entry do instead nothing",
        "create policy hide on ledger.entry using (false)",
        "create trigger t before insert on ledger.entry for each row execute function ledger.refuse_change()",
        "grant insert on ledger.entry to cs_writer",
        "revoke select on ledger.entry from cs_verifier",
        "drop table ledger.anchor",
        "drop trigger append_only on ledger.entry",
        "drop function ops.facts(jsonb)",
        "create or replace function ledger.refuse_change() returns trigger language plpgsql as 'begin return new; end'",  # noqa: E501
        "create table projection.mine(a int)",
        "create schema mine",
        "create index on ledger.entry(kind)",
        "alter function ledger.refuse_change() owner to postgres",
        "comment on table ledger.entry is 'x'",
        "create view ledger.v as select 1",
        "drop owned by cs_writer",
        "alter default privileges in schema ledger grant select on tables to public",
        "create table public.copied as select * from ledger.entry",
        "security label on table ledger.entry is 'x'",
    ],
)
@pytest.mark.parametrize(
    "role", ["set role cs_owner", "reset role", "set session_replication_role = replica"]
)
def test_ddl_outside_a_migration_is_refused_to_owner_and_superuser(
    lab: Lab, role: str, statement: str
) -> None:
    # 22023 is the answer to a security label without a provider; 42501 what an owner may not do at all.
    assert refused(lab, "postgres", role, statement) in {"CS011", "42501", "22023"}


def test_most_ddl_is_refused_by_the_guard_itself(lab: Lab) -> None:
    rule = "create rule vanish as on insert to ledger.entry do instead nothing"
    assert refused(lab, "postgres", rule) == "CS011"
    assert refused(lab, "postgres", "drop table ledger.anchor") == "CS011"
    assert refused(lab, "postgres", "grant insert on ledger.entry to cs_writer") == "CS011"


def test_temporary_objects_are_let_through_by_the_guard(lab: Lab) -> None:
    with lab.connect() as conn:
        conn.execute("create temporary table t(a int primary key)")
        conn.execute("create index on t(a)")
        conn.execute("drop table t")


def test_announcing_a_migration_needs_the_migrator(lab: Lab) -> None:
    """Having the row is not enough: the login must be the migrator or the superuser."""
    announce = "insert into ops.migration(number, name, sha256) values (99, 'x', repeat('0', 64))"
    with lab.connect("cs_migrator", autocommit=False) as conn:
        conn.execute("set role cs_owner")
        with pytest.raises(psycopg.Error) as caught:
            conn.execute("create table projection.mine(a int)")
        assert caught.value.sqlstate == "CS011"
        conn.rollback()
        conn.execute("set role cs_owner")
        conn.execute(announce)
        conn.execute("create table projection.mine(a int)")
        conn.rollback()
    assert refused(lab, "cs_writer", announce) == "42501"


def erasure(lab: Lab, target: object) -> Batch:
    at, command = datetime.now(UTC), uuid7()
    made, _ = lab.stream_entry(
        "installation", lab.installation, 1, None, type="erasure", command=command, at=at,
        detail={"targets": [{"id": str(target), "ver": 1}], "basis": "request"},
    )  # fmt: skip
    return Batch(command, lab.actor, at, (made,))


def test_personal_sections_go_only_with_an_erasure_entry_of_the_same_transaction(lab: Lab) -> None:
    head = lab.write("user", "USR-0001")
    assert refused(lab, "cs_eraser", "select ops.erase_bodies('{1}')") == "CS010"
    with Pool(lab.dsn("cs_eraser"), name="eraser", size=1, prepare=prepare) as pool:
        PostgresStore(pool, lab.key).erase(erasure(lab, head.uid), [1])
    assert lab.one("select erasable is null and fixed is not null from ledger.body where entry_id = 1")


def test_an_erasure_that_names_another_record_erases_nothing_and_leaves_no_entry(lab: Lab) -> None:
    head = lab.write("user", "USR-0001")
    lab.write("user", "USR-0002")
    pool = Pool(lab.dsn("cs_eraser"), name="eraser", size=1, prepare=prepare)
    with pool, pytest.raises(EnvironmentFault):
        PostgresStore(pool, lab.key).erase(erasure(lab, head.uid), [2])
    assert lab.one("select count(*) from ledger.body where erasable is not null") == 2
    assert lab.one("select count(*) from ledger.entry") == 2


def test_an_erasure_of_one_record_does_not_open_another(lab: Lab) -> None:
    head = lab.write("user", "USR-0001")
    lab.write("user", "USR-0002")
    lab.commit(erasure(lab, head.uid))
    assert (
        refused(lab, "postgres", "update ledger.body set erasable = null, erasable_salts = null") == "CS010"
    )


def test_an_entry_needs_its_tag_and_leaf(lab: Lab) -> None:
    at = datetime.now(UTC)
    made, _ = lab.entry("study", "STU-0001", command=uuid7(), at=at)
    with pytest.raises(EnvironmentFault) as caught:
        lab.commit(Batch(uuid7(), lab.actor, at, (replace(made, leaf=b"x" * 20000),)))
    assert caught.value.code == "TRAIL_UNAVAILABLE"
    assert lab.one("select count(*) from ledger.entry") == 0
