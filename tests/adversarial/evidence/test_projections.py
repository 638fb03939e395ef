"""Projections edited behind the ledger's back: what pages and guards read is found to be another thing."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_state_edited_is_named_by_record_and_column(copy: Any, named: Any) -> None:
    copy.attack("update projection.record set state = 'rejected' where number = %s", values=(copy.n["run"],))
    (one,) = copy.replay()
    assert (one["record"], one["field"]) == (copy.n["run"], "state")
    assert "rejected" in one["sentence"] and "accepted" in one["sentence"]
    assert copy.verify() == []  # the ledger itself is untouched: two questions, two answers


def test_a_value_edited_is_named_by_its_path(copy: Any, named: Any) -> None:
    copy.attack(
        "update projection.record set content = jsonb_set(content, '{fields,rows,0,value}', '\"999\"')"
        " where number = %s", values=(copy.n["results"],),
    )  # fmt: skip
    assert [one["field"] for one in copy.replay()] == ["content.fields.rows[0].value"]


def test_a_role_granted_behind_the_ledgers_back_is_found(copy: Any, named: Any) -> None:
    copy.attack(
        "insert into projection.authority(person, kind, code, valid_from, source_type, source)"
        " select (select uid from projection.number where number = %s), 'role', 'QA', '2026-01-01',"
        " 'role_grant', uid from projection.number where number = %s",
        values=(copy.n["alan"], copy.n["grant_ANL"]),
    )
    (one,) = named(copy.replay(), kind="authority", record=copy.n["grant_ANL"])
    assert "'QA'" in one and copy.uid(copy.n["alan"]) in one


def test_a_role_granted_by_a_record_that_is_not_there_is_found(copy: Any, named: Any) -> None:
    copy.attack(
        "insert into projection.authority(person, kind, code, source_type, source)"
        " select uid, 'role', 'QA', 'role_grant', gen_random_uuid() from projection.number where number = %s",
        values=(copy.n["alan"],),
    )
    assert named(copy.replay(), kind="authority")


def test_an_expiry_taken_off_a_role_is_found(copy: Any, named: Any) -> None:
    copy.attack(
        "update projection.authority set valid_from = '2020-01-01' where source ="
        " (select uid from projection.number where number = %s)", values=(copy.n["grant_QA"],),
    )  # fmt: skip
    assert named(copy.replay(), kind="authority", record=copy.n["grant_QA"])


def test_a_hold_lifted_behind_the_ledgers_back_is_found(copy: Any, named: Any) -> None:
    copy.attack("delete from projection.blocker")
    (one,) = named(copy.replay(), kind="blocker", record=copy.n["hold"])
    assert "missing" in one


def test_a_hold_invented_is_found(copy: Any, named: Any) -> None:
    copy.attack(
        "insert into projection.blocker(target_type, target, holder_type, holder, number, reason)"
        " select 'image', uid, 'hold', gen_random_uuid(), 'HLD-9', 'x' from projection.number"
        " where number = %s",
        values=(copy.n["image1"],),
    )
    assert named(copy.replay(), kind="blocker", record="HLD-9")


def test_a_link_removed_is_found(copy: Any, named: Any) -> None:
    copy.attack(
        "delete from projection.link where from_uid = (select uid from projection.number where number = %s)"
        " and field = 'subject'", values=(copy.n["release"],),
    )  # fmt: skip
    assert named(copy.replay(), kind="link", record=copy.n["release"])


def test_a_signing_key_added_to_a_user_by_sql_is_found(copy: Any, named: Any) -> None:
    copy.attack(
        "update projection.record set content = jsonb_set(content, '{fields,signing_keys}',"
        " content #> '{fields,signing_keys}' || '[{\"kid\":\"00\",\"scheme\":\"ed25519-wrapped\"}]')"
        " where number = %s", values=(copy.n["vera"],),
    )  # fmt: skip
    assert named(copy.replay(), record=copy.n["vera"], field="content.fields.signing_keys")


@pytest.mark.parametrize(
    "change",
    [
        "delete from projection.record where number = '{release}'",
        "update projection.record set number = 'REL-2026-9999' where number = '{release}'",
        "update projection.number set number = 'REL-2026-9999' where number = '{release}'",
        "update projection.record set leaf_hash = sha256('x') where number = '{release}'",
        "update projection.record set changed_by = created_by, created_by = gen_random_uuid()"
        " where number = '{release}'",
        "delete from projection.unique_value where value = 'alan'",
        "update projection.stream set version = version + 1 where kind = 'installation'",
        "insert into projection.unique_value(scope, value, record) select 'x', 'y', uid"
        " from projection.number where number = '{release}'",
        "insert into projection.unique_value(scope, value, record) values ('user.username', 'eve',"
        " gen_random_uuid())",
        "insert into projection.number(number, revision, type, uid) values ('REL-2026-9998', 0,"
        " 'release_decision', gen_random_uuid())",
    ],
)
def test_every_other_projection_is_compared_too(copy: Any, change: str) -> None:
    copy.attack(change.format(**copy.n))
    assert copy.replay(), change
