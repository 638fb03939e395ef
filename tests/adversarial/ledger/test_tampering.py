"""A superuser with every guard off changes what is stored: verification finds it and says where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from coverslip_lab import Head, Lab

from coverslip.errors import EvidenceBroken
from coverslip.kernel.ports import Batch
from coverslip.ledger import checkpoint, note
from coverslip.ledger.files import uuid7
from coverslip.ledger.tree import Frontier
from coverslip.store import startup
from coverslip.store.findings import Report
from coverslip.store.notes import NoteKey


@pytest.fixture
def log(lab: Lab, tmp_path: Path) -> Lab:
    """A signed log: three studies of three versions and 260 images, so that there is a full tile."""
    sequencer = lab.start_signing(tmp_path)
    for number in ("STU-0001", "STU-0002", "STU-0003"):
        head: Head | None = None
        for version in (1, 2, 3):
            head = lab.write("study", number, after=head, fields={"name": f"v{version}", "n": number})
        sequencer.step()
    at, command = datetime.now(UTC), uuid7()
    images = [
        lab.entry("image", f"IMG-{number:04}", reason=None, command=command, at=at)[0]
        for number in range(251)
    ]
    lab.commit(Batch(command, lab.actor, at, tuple(images)))
    sequencer.step()
    return lab


def kinds(report: Report) -> set[str]:
    return {one.kind for one in report.findings}


def sentences(report: Report) -> str:
    return "\n".join(one.sentence() for one in report.findings)


def test_an_untouched_ledger_holds_and_says_what_was_counted(log: Lab) -> None:
    report = log.verify()
    assert report.holds, sentences(report)
    assert report.counts["entries"] == 260 and report.counts["tiles"] == 1 and report.counts["heads"] == 254
    assert (
        report.counts["checkpoints"] == 4 and report.counts["anchors"] == 4 and report.counts["roots"] == 12
    )


def test_a_row_edited_is_named_by_record_and_version(log: Lab) -> None:
    log.tamper(
        "update ledger.entry set leaf = replace(leaf::text, encode('edit', 'hex'), encode('exit', 'hex'))::bytea where id = 5"  # noqa: E501
    )
    report = log.verify()
    named = [one for one in report.findings if one.kind == "entry"]
    assert [(one.index, one.record, one.version) for one in named] == [(4, "STU-0002", 2)]
    assert {"chain", "journal", "anchor", "checkpoint", "tile"} <= kinds(report)


def test_a_column_edited_is_named(log: Lab) -> None:
    log.tamper("update ledger.entry set actor = gen_random_uuid() where id = 5")
    (found,) = log.verify().findings
    assert (found.kind, found.record, found.version, found.field) == ("row", "STU-0002", 2, "actor")


def test_an_entry_removed_is_named(log: Lab) -> None:
    log.tamper("delete from ledger.entry where id = 5")
    report = log.verify()
    gone = [one for one in report.findings if one.kind == "entry"]
    assert [(one.index, one.entry_id) for one in gone] == [(4, 5)]
    assert any(
        one.kind == "chain" and one.record == "STU-0002" and one.version == 3 for one in report.findings
    )
    assert any(one.kind == "body" and "without an entry" in one.message for one in report.findings)


def test_a_leaf_and_its_entry_removed_are_named(log: Lab) -> None:
    log.tamper("delete from ledger.leaf where idx = 4", "delete from ledger.entry where id = 5")
    report = log.verify()
    assert any(one.kind == "leaf" and one.index == 4 for one in report.findings)


def test_a_body_moved_to_another_entry_is_named(log: Lab) -> None:
    log.tamper(
        "update ledger.body b set fixed = o.fixed, fixed_salts = o.fixed_salts from ledger.body o"
        " where b.entry_id = 4 and o.entry_id = 7"
    )
    found = log.verify().findings
    assert {(one.kind, one.record, one.version) for one in found} == {("body", "STU-0002", 1)}


def test_a_field_edited_in_the_newest_body_is_named_as_that_field(log: Lab) -> None:
    log.tamper(
        "update ledger.body set fixed = replace(fixed::text, encode('v3', 'hex'), encode('v9', 'hex'))::bytea where entry_id = 6"  # noqa: E501
    )
    (found,) = log.verify().findings
    assert (found.kind, found.record, found.version, found.field) == (
        "body",
        "STU-0002",
        3,
        "content.fields.name",
    )
    assert found.index == 5 and found.entry_id == 6


def test_a_reason_edited_is_named(log: Lab) -> None:
    log.tamper("update ledger.body set erasable = 'becauze' where entry_id = 6")
    (found,) = log.verify().findings
    assert (found.record, found.version, found.field) == ("STU-0002", 3, "reason")


def test_a_body_resalted_is_named(log: Lab) -> None:
    log.tamper("update ledger.body set fixed_salts = sha256('x') where entry_id = 6")
    (found,) = log.verify().findings
    assert (found.record, found.field) == ("STU-0002", "content") and "salt" in found.message


def test_a_body_removed_is_named(log: Lab) -> None:
    log.tamper("delete from ledger.body where entry_id = 6")
    (found,) = log.verify().findings
    assert (found.record, found.version, found.field) == ("STU-0002", 3, "content, reason")


def test_a_personal_section_removed_without_an_erasure_entry_is_named(log: Lab) -> None:
    log.tamper("update ledger.body set erasable = null, erasable_salts = null where entry_id = 6")
    (found,) = log.verify().findings
    assert (found.record, found.version, found.field) == (
        "STU-0002",
        3,
        "reason",
    ) and "no erasure" in found.message


def test_two_entries_swapped_are_found(log: Lab) -> None:
    log.tamper(
        "update ledger.leaf set entry_id = -1 where idx = 4", "update ledger.leaf set entry_id = 5 where idx = 3",  # noqa: E501
        "update ledger.leaf set entry_id = 4 where idx = 4",
    )  # fmt: skip
    report = log.verify()
    assert {one.index for one in report.findings if one.kind == "entry"} == {3, 4}


def cut_off(lab: Lab, size: int) -> None:
    """Cut the log to ``size`` leaves and make the tree state agree."""
    with lab.connect() as conn:
        hashes = [
            bytes(h)
            for (h,) in conn.execute(
                "select e.leaf_hash from ledger.leaf l join ledger.entry e on e.id = l.entry_id order by l.idx"  # noqa: E501
            )
        ]
    frontier = Frontier()
    frontier.extend(hashes[:size])
    lab.tamper(
        f"delete from ledger.entry where id in (select entry_id from ledger.leaf where idx >= {size})",
        f"delete from ledger.body where entry_id in (select entry_id from ledger.leaf where idx >= {size})",
        f"delete from ledger.leaf where idx >= {size}",
        f"delete from ledger.checkpoint where size > {size}",
        f"delete from ledger.anchor where size > {size}",
        f"delete from ledger.tile where (n + 1) * 256 > {size}",
    )
    with lab.connect() as conn:
        conn.execute(
            "update ledger.tree set size = %s, frontier = %s, root = %s, low_water = %s",
            (size, frontier.hashes, frontier.root(), size),
        )


def test_the_last_entries_cut_off_are_counted_and_their_records_named(log: Lab) -> None:
    cut_off(log, 250)
    report = log.verify()
    assert {"journal", "anchor"} <= kinds(report)
    assert "the last 10, index 250 to 259" in sentences(report)
    assert sorted(one.record for one in report.findings if one.kind == "head") == [
        f"IMG-{n:04}" for n in range(241, 251)
    ]


def test_start_up_refuses_a_database_that_lost_entries_and_names_both_sizes(log: Lab) -> None:
    cut_off(log, 250)
    with log.connect("cs_sequencer") as conn, pytest.raises(EvidenceBroken) as caught:
        startup.compare(conn, log.signer.last())
    assert caught.value.code == "RECOVERY_REQUIRED"
    assert "260" in caught.value.message and "250" in caught.value.message
    with pytest.raises(EvidenceBroken):
        log.sequencer.close()
        log.sequencer.step()


def rewrite(lab: Lab) -> None:
    """Change an entry and make tiles, tree, heads and checkpoint rows agree with the change."""
    lab.tamper(
        "update ledger.entry set leaf = replace(leaf::text, encode('edit', 'hex'), encode('exit', 'hex'))::bytea where id = 6",  # noqa: E501
        "update projection.record r set leaf_hash = e.leaf_hash from ledger.entry e where e.id = 6 and r.uid = e.record_id",  # noqa: E501
    )
    with lab.connect() as conn:
        rows = conn.execute(
            "select e.leaf_hash from ledger.leaf l join ledger.entry e on e.id = l.entry_id order by l.idx"
        ).fetchall()
        hashes = [bytes(h) for (h,) in rows]
        frontier = Frontier()
        for position, hashed in enumerate(hashes, 1):
            frontier.append(hashed)
            conn.execute(
                "update ledger.checkpoint set root = %s where size = %s", (frontier.root(), position)
            )
        conn.execute("update ledger.tile set hashes = %s", (b"".join(hashes[:256]),))
        conn.execute("update ledger.tree set frontier = %s, root = %s", (frontier.hashes, frontier.root()))


def test_a_tree_rewritten_consistently_is_contradicted_by_the_journal_and_the_anchors(log: Lab) -> None:
    rewrite(log)
    report = log.verify()
    assert {"journal", "anchor", "checkpoint"} <= kinds(report)
    bracket = next(one for one in report.findings if one.kind == "journal")
    assert "between index 3 and 5" in bracket.message


def test_a_tree_rewritten_and_signed_with_another_key_is_refused(log: Lab) -> None:
    rewrite(log)
    forger = NoteKey("lab.example/coverslip", b"\x07" * 32)
    with log.connect() as conn:
        for size, root in conn.execute("select size, root from ledger.checkpoint").fetchall():
            text = checkpoint.Checkpoint("lab.example/coverslip", size, bytes(root)).text()
            conn.execute(
                "update ledger.checkpoint set note = %s where size = %s",
                (note.sign(text, [forger]).to_bytes(), size),
            )
    found = [one for one in log.verify().findings if one.kind == "checkpoint"]
    assert any("no signature by a known key" in one.message for one in found)


def test_start_up_refuses_a_rewritten_tree(log: Lab) -> None:
    rewrite(log)
    with log.connect("cs_sequencer") as conn, pytest.raises(EvidenceBroken) as caught:
        startup.compare(conn, log.signer.last())
    assert "differs" in caught.value.message


def test_start_up_accepts_a_database_ahead_of_the_signer(log: Lab) -> None:
    log.write("image", "IMG-9999")
    log.sequencer.step(sign=False)
    with log.connect("cs_sequencer") as conn:
        found = startup.compare(conn, log.signer.last())
    assert (found.size, found.signed) == (261, 260)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("update ledger.tile set hashes = overlay(hashes placing '\\x00' from 1) where level = 0", "tile"),
        ("delete from ledger.tile", "tile"),
        ("update ledger.tree set root = sha256('x')", "tree"),
        ("update ledger.tree set size = size + 1", "tree"),
        ("update ledger.checkpoint set root = sha256('x') where size = 3", "checkpoint"),
        (
            "update ledger.checkpoint set note = overlay(note placing 'X' from 30) where size = 3",
            "checkpoint",
        ),
        ("update projection.record set leaf_hash = sha256('x') where number = 'STU-0002'", "head"),
        ("update projection.record set version = 9 where number = 'STU-0002'", "head"),
        ("insert into ledger.body values (9999, '', '')", "body"),
    ],
)
def test_each_stored_structure_is_compared(log: Lab, change: str, kind: str) -> None:
    log.tamper(change)
    assert kind in kinds(log.verify())


def test_a_duplicate_entry_under_a_new_stream_never_enters_the_tree(log: Lab) -> None:
    log.tamper(
        "insert into ledger.entry(log_id, record_id, version, kind, actor, command_id, leaf, admit, at)"
        " select 1, gen_random_uuid(), 1, kind, actor, command_id, leaf, sha256('guess'), now() - interval '2 min'"  # noqa: E501
        " from ledger.entry where id = 6"
    )
    step = log.sequencer.step()
    assert step.integrated == 0 and [alarm.kind for alarm in step.alarms] == ["admission"]
    (found,) = log.verify().findings
    assert found.kind == "entry" and "never came into the tree" in found.message


@pytest.mark.parametrize("garbage", ["''", "'\\xff00'", "'{}'", "'{\"v\":1}'", "'[[[[[[['", "'null'"])
def test_garbage_in_a_leaf_never_breaks_the_verifier(log: Lab, garbage: str) -> None:
    change: Callable[[str], str] = "update ledger.entry set leaf = {} where id = 5".format
    log.tamper("alter table ledger.entry drop constraint entry_leaf_check", change(garbage))
    report = log.verify()
    assert any(one.kind == "leaf" and one.index == 4 for one in report.findings)


@pytest.mark.parametrize("column", ["fixed", "fixed_salts", "erasable", "erasable_salts"])
def test_garbage_in_a_body_never_breaks_the_verifier(log: Lab, column: str) -> None:
    log.tamper(
        "alter table ledger.body drop constraint body_check",
        f"update ledger.body set {column} = '\\xff00ff' where entry_id = 5",
    )
    report = log.verify()
    assert {one.record for one in report.findings} == {"STU-0002"}
