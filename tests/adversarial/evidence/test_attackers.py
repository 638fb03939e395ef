"""Who can try what, on a finished installation: refused through every connection, or found and named."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from coverslip.api.app import create_app
from coverslip.bootstrap.labs import lab
from coverslip.ledger.identity import uuid7
from coverslip.ledger.tree import leaf_hash
from fix_signing import signing
from fix_story import Cast, TestClient, running

OWNER = (
    "update ledger.entry set leaf = leaf",
    "delete from ledger.entry",
    "truncate ledger.entry cascade",
    "alter table ledger.entry disable trigger all",
    "drop table ledger.anchor",
    "alter table ledger.entry rename to entries",
    "create rule vanish as on insert to ledger.entry do instead nothing",
    "create policy hide on ledger.entry using (false)",
    "create trigger t before insert on ledger.entry for each row execute function ledger.refuse_change()",
    "grant insert on ledger.entry to cs_writer",
)
WRITER = (
    "update ledger.entry set leaf = leaf",
    "update ledger.entry set leaf_hash = sha256('x')",
    "delete from ledger.entry",
    "truncate ledger.entry cascade",
    "insert into ledger.leaf values (1, 100000, 1)",
    "update ledger.tree set size = 0",
    "update projection.record set state = 'released'",
    "insert into ledger.checkpoint values (1, 1, sha256('x'), 'x')",
)


def states(copy: Any, role: str, before: str, statements: tuple[str, ...]) -> set[str]:
    found = set()
    for statement in statements:
        with copy.connect(role) as conn:
            conn.execute(before)
            with pytest.raises(psycopg.Error) as caught:
                conn.execute(statement)
            found.add(caught.value.sqlstate or "")
    return found


def test_owner_superuser_in_replica_role_and_writer_are_refused_and_everything_holds(copy: Any) -> None:
    assert states(copy, "cs_superuser", "set role cs_owner", OWNER) <= {"CS010", "CS011"}
    assert states(copy, "cs_superuser", "set session_replication_role = replica", OWNER) <= {
        "CS010",
        "CS011",
    }
    assert states(copy, "cs_writer", "select 1", WRITER) <= {"42501", "428C9"}
    assert copy.verify() == [] and copy.replay() == []


def test_a_chosen_leaf_hash_or_id_is_refused_to_everybody(copy: Any) -> None:
    names = "log_id, record_id, version, kind, actor, command_id, leaf, admit"
    row = f"select {names} from ledger.entry where id = 1"
    for column, value in (("leaf_hash", "sha256('forged')"), ("id", "999999")):
        with copy.connect() as conn, pytest.raises(psycopg.Error) as caught:
            conn.execute(
                f"insert into ledger.entry({names}, {column}) select {names}, {value} from ({row}) x"
            )
        assert caught.value.sqlstate == "428C9"


def test_a_leaf_hash_kept_as_it_was_beside_an_edited_leaf_is_named(copy: Any, named: Any) -> None:
    """The column is made an ordinary one: tree, tiles and heads agree with it, only the bytes do not."""
    entry_id, index, version = copy.entry(copy.n["release"])
    copy.attack(
        "alter table ledger.entry alter column leaf_hash drop expression",
        "update ledger.entry set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"act\":\"release\"',"
        f" '\"act\":\"withhol\"'), 'UTF8') where id = {entry_id}",
    )
    found = named(copy.verify(), kind="row", record=copy.n["release"], version=version, field="leaf_hash")
    assert found and named(copy.verify(), kind="row", index=index)


def test_an_entry_copied_under_a_new_uuid_is_taken_with_an_alarm_and_named(copy: Any, named: Any) -> None:
    """Leaf and tag are true, so the sequencer takes it; the row says another record than the bytes."""
    source, new = copy.entry(copy.n["release"])[0], uuid7()
    copy.attack(
        "insert into ledger.entry(log_id, record_id, version, kind, actor, command_id, leaf, admit)"
        f" select 1, '{new}', 1, kind, actor, command_id, leaf, admit from ledger.entry where id = {source}",
        "insert into ledger.body select (select max(id) from ledger.entry), fixed_salts, fixed,"
        f" erasable_salts, erasable from ledger.body where entry_id = {source}",
    )
    with signing(copy) as step:
        assert {one.kind for one in step().alarms} >= {"form"}
    found = copy.verify()
    index = copy.ask("select max(idx) from ledger.leaf")[0][0]
    assert named(found, kind="row", index=index, field="record_id")
    assert named(found, kind="chain", index=index)


def test_a_new_leaf_under_a_new_uuid_needs_the_admission_key_and_never_enters(copy: Any, named: Any) -> None:
    source, new = copy.entry(copy.n["release"], 1)[0], str(uuid7())
    data = bytes(copy.ask("select leaf from ledger.entry where id = %s", source)[0][0])
    value = json.loads(data)
    forged = data.replace(value["record"]["id"].encode(), new.encode())
    tag = bytes(copy.ask("select admit from ledger.entry where id = %s", source)[0][0])
    copy.attack(
        "insert into ledger.entry(log_id, record_id, version, kind, actor, command_id, leaf, admit)"
        " select 1, %s, 1, kind, actor, command_id, %s, %s from ledger.entry where id = %s",
        values=(new, forged, tag, source),
    )
    with signing(copy) as step:
        done = step()
    assert {one.kind for one in done.alarms} == {"admission"} and done.integrated == 0
    assert any("false admission tag" in one for one in named(copy.verify(), kind="entry"))
    assert leaf_hash(forged) not in {bytes(h) for (h,) in copy.ask(
        "select e.leaf_hash from ledger.leaf l join ledger.entry e on e.id = l.entry_id")}  # fmt: skip


def test_an_entry_waiting_to_be_sequenced_may_be_late_or_in_another_order(copy: Any) -> None:
    """Two changes wait; which comes first in the tree is the sequencer's to say, and both hold."""
    with signing(copy) as step:
        with lab(copy.home) as opened:
            quinn, ada = Cast(TestClient(create_app(opened.services())))("quinn", "ada")
            quinn.must(copy.n["hold"], "lift", sign=True, why="Nothing was wrong with it after all.")
            ada.must(copy.n["alan"], "edit", why="The title was missing.", job_title="Analyst")
        copy.attack("update ledger.entry set at = at - interval '1 second' where id ="
                    " (select max(id) from ledger.entry)")  # fmt: skip
        assert step().integrated
    assert copy.verify() == [] and copy.replay() == []


@pytest.mark.parametrize("who", ["alan", "ada"])
def test_user_and_administrator_have_no_way_to_edit_delete_reorder_or_back_date(copy: Any, who: str) -> None:
    n = copy.n
    with running(copy.root) as client:
        (one,) = Cast(client)(who)
        version = one.show(n["run"])["version"]
        for method, path, body in (
            ("DELETE", f"/records/{n['run']}", {}),
            ("PUT", f"/records/{n['run']}", {"state": "draft"}),
            ("PATCH", f"/records/{n['run']}", {"state": "draft"}),
            ("DELETE", "/ledger", {}),
            ("POST", "/ledger/entries", {}),
            ("PUT", "/ledger/checkpoint", {"size": 1}),
            ("POST", "/records", {"type": "hold", "fields": {"subject": n["image1"]}, "at": "2020-01-01"}),
            ("POST", "/records", {"type": "hold", "fields": {"created_at": "2020-01-01T00:00:00Z"}}),
            ("POST", f"/records/{n['run']}/edit",
             {"expected_version": version, "fields": {}, "reason": "Back dating it.", "at": "2020-01-01"}),
            ("POST", f"/records/{n['run']}/edit", {"expected_version": 1, "fields": {"title": "x"},
                                                   "reason": "On an older version."}),
        ):  # fmt: skip
            answer = one.ask(method, path, json=body)
            assert answer.status_code >= 400, (method, path, answer.text)
        assert one.show(n["run"])["version"] == version
        paths = client.get("/api/v1/openapi.json").json()["paths"]
        ways = [set(methods) for path, methods in paths.items() if "/ledger" in path]
        assert ways and all(one == {"get"} for one in ways), "the ledger can only be looked at"
    assert copy.verify() == [] and copy.replay() == []


def test_an_administrators_own_change_is_a_new_version_in_their_own_name(copy: Any) -> None:
    with running(copy.root) as client:
        (ada,) = Cast(client)("ada")
        before = ada.show(copy.n["alan"])["version"]
        ada.must(copy.n["alan"], "edit", why="The title was missing.", job_title="Analyst")
        assert ada.show(copy.n["alan"])["version"] == before + 1
    rows = copy.ask(
        "select e.version, n.number from ledger.entry e join projection.number n on n.uid = e.actor"
        " where e.record_id = %s order by e.version desc limit 2", copy.uid(copy.n["alan"]),
    )  # fmt: skip
    ada_number = copy.ask("select n.number from projection.number n join projection.record r on r.uid = n.uid"
                          " where r.content #>> '{fields,username}' = 'ada'")[0][0]  # fmt: skip
    assert rows[0] == (before + 1, ada_number) and rows[1][0] == before, "the earlier version is still there"
    assert copy.verify() == []
