"""What is not there: receipts of entries never integrated, numbers nobody has, leaves that are gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coverslip.api.app import create_app
from coverslip.bootstrap import checking, completing
from coverslip.bootstrap.labs import lab
from coverslip.errors import CoverslipError
from fix_signing import signing
from fix_story import Cast, TestClient

WHY = "The title was missing."


def accepted(copy: Any, path: Path) -> Path:
    """Change a record through the interface and keep the receipt it answers; nothing is integrated."""
    with lab(copy.home) as opened:
        (ada,) = Cast(TestClient(create_app(opened.services())))("ada")
        answer = ada.do(copy.n["alan"], "edit", why=WHY, job_title="Senior analyst")
    assert answer.status_code == 200, answer.text
    path.write_text(answer.json()["receipt"], "utf-8")
    return path


def newest(copy: Any) -> int:
    """Return the id of the newest entry of the record changed above."""
    query = "select max(id) from ledger.entry where record_id = %s"
    return int(copy.ask(query, copy.uid(copy.n["alan"]))[0][0])


def test_a_receipt_holds_while_its_entry_waits_and_once_it_is_integrated(copy: Any, tmp_path: Path) -> None:
    with signing(copy) as step:
        kept = accepted(copy, tmp_path / "receipt")
        findings, counts = completing.receipt_check(copy.root, kept)
        assert findings == [] and counts == {"receipts": 1, "integrated": 0, "pending": 1}
        step()
    findings, counts = completing.receipt_check(copy.root, kept)
    assert findings == [] and counts["integrated"] == 1


def test_an_accepted_entry_deleted_before_it_was_sequenced_is_shown_by_its_receipt_alone(
    copy: Any, tmp_path: Path
) -> None:
    """Entry, body, heads and current state taken out together: only who holds the receipt can show it."""
    uid = copy.uid(copy.n["alan"])
    before = copy.ask("select to_jsonb(r) - 'seq' from projection.record r where uid = %s", uid)[0][0]
    with signing(copy) as step:
        kept = accepted(copy, tmp_path / "receipt")
        entry = newest(copy)
        copy.attack(
            f"delete from ledger.body where entry_id = {entry}",
            f"delete from ledger.entry where id = {entry}",
            f"delete from ops.command where answer -> 'entries' @> '[{{\"id\": {entry}}}]'",
        )
        copy.attack(
            "update projection.record set version = %s, leaf_hash = %s, entry_id = %s, content = %s::jsonb,"
            " changed_at = %s, changed_by = %s where uid = %s",
            values=(
                before["version"], bytes.fromhex(before["leaf_hash"][2:]), before["entry_id"],
                json.dumps(before["content"]), before["changed_at"], before["changed_by"], uid,
            ),
        )  # fmt: skip
        with lab(copy.home) as opened:
            Cast(TestClient(create_app(opened.services())))("quinn")  # life goes on
        step()
    assert copy.verify() == [] and copy.replay() == [], "the ledger itself has nothing left to show"
    (one,), counts = completing.receipt_check(copy.root, kept)
    assert "was accepted and is not on the ledger" in one["sentence"] and one["field"] == "entry"
    assert counts["integrated"] == counts["pending"] == 0
    assert {"first": entry, "last": entry} in completing.ledger_gaps(copy.root)["entry_ids"]


def test_an_accepted_entry_changed_before_it_was_sequenced_is_shown_by_its_receipt(
    copy: Any, tmp_path: Path
) -> None:
    with signing(copy) as step:
        kept = accepted(copy, tmp_path / "receipt")
        copy.attack(
            "update ledger.entry set leaf = convert_to(replace(convert_from(leaf, 'UTF8'),"
            " '\"act\":\"edit\"', '\"act\":\"void\"'), 'UTF8') where id = %s", values=(newest(copy),),
        )  # fmt: skip
        assert {one.kind for one in step().alarms} == {"admission"}, "and it stays out of the tree"
    (one,), _ = completing.receipt_check(copy.root, kept)
    assert (one["field"], one["record"]) == ("leaf", copy.n["alan"]) and "another hash" in one["sentence"]


def test_a_receipt_nobody_here_signed_proves_nothing(copy: Any, tmp_path: Path) -> None:
    kept = accepted_text = None
    with signing(copy):
        kept = accepted(copy, tmp_path / "receipt")
        accepted_text = kept.read_text("utf-8")
    for forged in (
        accepted_text.replace("coverslip receipt v1", "coverslip receipt v2"),
        accepted_text.replace("2026-", "2025-", 1),
        "",
    ):
        kept.write_text(forged, "utf-8")
        with pytest.raises(CoverslipError) as caught:
            completing.receipt_check(copy.root, kept)
        assert caught.value.code == "EVIDENCE"


def test_numbers_nobody_has_are_listed_with_the_refusal_that_drew_them(copy: Any) -> None:
    before = completing.ledger_gaps(copy.root)
    assert before["leaves"] == [] and before["missing_leaves"] == 0
    with signing(copy) as step:
        with lab(copy.home) as opened:
            quinn, alan = Cast(TestClient(create_app(opened.services())))("quinn", "alan")
            refused = alan.ask(
                "POST",
                "/records",
                json={"type": "hold", "fields": {"subject": copy.n["image1"], "reason": WHY}},
            )
            assert refused.status_code == 403
            quinn.new("hold", subject=copy.n["image1"], reason="A second look is needed.")
        step()
    found = completing.ledger_gaps(copy.root)
    new = [one for one in found["numbers"] if one not in before["numbers"] and one["prefix"] == "HLD"]
    assert new and any("refused creation" in why and "AUTH_ROLE" in why for one in new for why in one["why"])
    assert checking.ledger_verify(copy.root)[1]["unissued_numbers"] == found["unissued_numbers"]


def test_numbers_drawn_by_what_was_rolled_back_are_said_to_be_unexplained(copy: Any) -> None:
    with copy.connect() as conn:
        conn.execute("select nextval('ops.number_stu') from generate_series(1, 3)")
    found = completing.ledger_gaps(copy.root)
    (one,) = [gap for gap in found["numbers"] if gap["prefix"] == "STU"]
    with lab(copy.home) as opened:
        (quinn,) = Cast(TestClient(create_app(opened.services())))("quinn")
        shown = quinn.ask("GET", "/ledger/gaps")
    assert shown.status_code == 200 and one in shown.json()["numbers"]
    assert one["last"] - one["first"] == 2 and "no entry tells" in one["why"][0]


def test_a_missing_leaf_is_a_gap_that_is_a_finding_and_an_unused_id_is_none(copy: Any, named: Any) -> None:
    with copy.connect() as conn:
        conn.execute("select nextval('ledger.entry_id_seq')")
    assert copy.verify() == []
    index = copy.entry(copy.n["run"], 3)[1]
    copy.attack(f"delete from ledger.leaf where idx = {index}")
    found = completing.ledger_gaps(copy.root)
    assert found["leaves"] == [{"first": index, "last": index}] and found["missing_leaves"] == 1
    assert named(copy.verify(), kind="leaf", index=index)
