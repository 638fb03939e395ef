"""Migrations: applied once, in order, never changed afterwards."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.store import migrate

SOURCE = Path(migrate.__file__).parent / "migrations"
HEADER = "-- why: a\n-- beside: b\n-- locks: c\n-- undo: d\n"


@pytest.fixture
def dsn(postgres: Any) -> Iterator[str]:
    name = "m" + secrets.token_hex(6)
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as conn:
        conn.execute(f"create database {name}")
    yield postgres.dsn(name)
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as conn:
        conn.execute(f"drop database {name} with (force)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SOURCE, tmp_path / "migrations"))


def test_all_published_files_are_numbered_and_say_why() -> None:
    found = migrate.published()
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    assert all(
        set(one.header) == {"why", "beside", "locks", "undo"} and all(one.header.values()) for one in found
    )


def test_migrating_twice_applies_nothing_more(dsn: str) -> None:
    assert len(migrate.migrate(dsn)) == len(migrate.published())
    assert migrate.migrate(dsn) == []


def test_a_new_migration_is_applied_although_the_guard_is_on(dsn: str, folder: Path) -> None:
    migrate.migrate(dsn, folder)
    number = len(migrate.published(folder)) + 1
    (folder / f"{number:04}_more.sql").write_text(
        HEADER + "set local role cs_owner;\ncreate table ops.more(a int);\n"
    )
    assert [one.name for one in migrate.migrate(dsn, folder)] == ["more"]


def test_a_changed_published_file_is_refused(dsn: str, folder: Path) -> None:
    migrate.migrate(dsn, folder)
    first = folder / "0002_ledger_tables.sql"
    first.write_text(first.read_text() + "\n-- improved\n")
    with pytest.raises(EvidenceBroken) as caught:
        migrate.migrate(dsn, folder)
    assert caught.value.code == "EVIDENCE" and "2" in caught.value.message


def test_a_database_ahead_of_the_program_is_refused(dsn: str, folder: Path) -> None:
    migrate.migrate(dsn, folder)
    sorted(folder.glob("*.sql"))[-1].unlink()
    with pytest.raises(EnvironmentFault):
        migrate.migrate(dsn, folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("0099_gap.sql", HEADER),
        ("notes.txt", HEADER),
        ("{next}_bare.sql", "select 1;\n"),
        ("{next}_x.sql", HEADER[:-4] + "\n"),
    ],
)
def test_a_gap_a_foreign_file_or_a_missing_header_is_refused(folder: Path, name: str, text: str) -> None:
    following = f"{len(migrate.published(folder)) + 1:04}"
    (folder / name.format(next=following)).write_text(text)
    with pytest.raises(EnvironmentFault):
        migrate.published(folder)


def test_a_failing_migration_leaves_nothing_of_itself(dsn: str, folder: Path) -> None:
    migrate.migrate(dsn, folder)
    number = len(migrate.published(folder)) + 1
    (folder / f"{number:04}_bad.sql").write_text(HEADER + "create table ops.half(a int);\nselect 1/0;\n")
    with pytest.raises(psycopg.Error):
        migrate.migrate(dsn, folder)
    with psycopg.connect(dsn) as conn:
        assert conn.execute("select to_regclass('ops.half')").fetchone() == (None,)
        assert number not in migrate.applied(conn)


def test_an_installation_is_opened_once(dsn: str) -> None:
    migrate.migrate(dsn)
    values = {
        "origin": "lab.example/log",
        "use": "evaluation",
        "uuid": uuid4(),
        "created_at": datetime.now(UTC),
    }
    migrate.open_installation(dsn, **values)  # type: ignore[arg-type]
    with pytest.raises(EnvironmentFault):
        migrate.open_installation(dsn, **values)  # type: ignore[arg-type]
