"""Every table of the current state, each edited behind the ledger's back: table and record are named."""

from __future__ import annotations

from typing import Any

import pytest

OF = "(select uid from projection.number where number = '{%s}')"
CHANGES = {
    "record": (
        "record", "release",
        "update projection.record set title = title || '!' where number = '{release}'",
    ),
    "number": (
        "number", "release",
        "update projection.number set number = 'REL-2026-9999' where number = '{release}'",
    ),
    "link": (
        "link", "release",
        f"update projection.link set to_version = 1 where from_uid = {OF % 'release'}",
    ),
    "authority": (
        "authority", "grant_QA",
        f"update projection.authority set code = 'ADM' where source = {OF % 'grant_QA'}",
    ),
    "blocker": (
        "blocker", "hold",
        f"update projection.blocker set reason = 'none' where holder = {OF % 'hold'}",
    ),
    "unique_value": (
        "unique", "alan",
        "update projection.unique_value set value = 'eve' where value = 'alan'",
    ),
    "stream": (
        "stream", "",
        "update projection.stream set leaf_hash = sha256('x') where kind = 'installation'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("table", sorted(CHANGES))
def test_a_row_edited_is_named_with_its_table_and_record(copy: Any, named: Any, table: str) -> None:
    kind, record, change = CHANGES[table]
    copy.attack(change.format(**copy.n))
    found = copy.replay()
    wanted = {"kind": kind} | ({"record": copy.n[record]} if record else {})
    assert named(found, **wanted), found
    assert {one["kind"] for one in found} <= {kind, "record", "number"}


@pytest.mark.parametrize("table", sorted(CHANGES))
def test_a_row_deleted_is_named_with_its_table(copy: Any, named: Any, table: str) -> None:
    kind, record, change = CHANGES[table]
    where = change[change.index(" where ") :] if " where " in change else ""
    copy.attack(f"delete from projection.{table}{where}".format(**copy.n))
    wanted = {"kind": kind} | ({"record": copy.n[record]} if record else {})
    assert named(copy.replay(), **wanted)


def test_these_are_all_tables_there_are(copy: Any) -> None:
    found = copy.ask(
        "select relname from pg_class where relnamespace = 'projection'::regnamespace"
        " and relkind in ('r', 'p') and not relispartition"
    )
    assert {name for (name,) in found} == set(CHANGES)


def test_without_an_edit_nothing_is_named(copy: Any) -> None:
    assert copy.replay() == []
