"""What stands around the entries: guards left off, other logs, unsigned tails, forged admissions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coverslip.api.app import create_app
from coverslip.bootstrap import founding, wiring
from coverslip.bootstrap.labs import lab
from coverslip.store import check_guards
from coverslip.store.signer import Signer
from coverslip.store.signer_socket import SignerServer
from fix_story import Cast, TestClient


def test_guards_left_off_are_named_even_when_nothing_was_changed(copy: Any, named: Any) -> None:
    copy.attack(tidy=False)
    found = copy.verify()
    assert {one["kind"] for one in found} == {"guard"}
    for name in ("entry.append_only", "body.erase_only", "leaf.no_truncate", "coverslip_ddl_guard"):
        assert named(found, field=name), name


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("drop trigger append_only on ledger.entry", "entry.append_only"),
        ("create rule quiet as on delete to ledger.entry do instead nothing", "ledger.entry.quiet"),
        ("create trigger soft before insert on ledger.body for each row execute function"
         " suppress_redundant_updates_trigger()", "body.soft"),
        ("drop event trigger coverslip_drop_guard", "coverslip_drop_guard"),
    ],
)  # fmt: skip
def test_a_guard_dropped_or_a_rule_added_is_named(copy: Any, named: Any, change: str, name: str) -> None:
    copy.attack(change, tidy=False)
    assert named(copy.verify(), kind="guard", field=name)


def test_an_entry_in_a_second_log_is_found_because_pages_would_show_it(copy: Any, named: Any) -> None:
    """A second log has no tree, so that a view or a refusal about a record could be invented in it."""
    copy.attack(
        "insert into ledger.log(log_id, origin) values (2, 'elsewhere')",
        "insert into ledger.entry(log_id, record_id, version, kind, actor, command_id, leaf, admit, about)"
        " select 2, gen_random_uuid(), 1, 'session', actor, command_id, leaf, admit, record_id"
        f" from ledger.entry where id = {copy.entry(copy.n['release'], 2)[0]}",
        "insert into ledger.leaf(log_id, idx, entry_id) select 2, 0, max(id) from ledger.entry",
    )
    found = copy.verify()
    assert named(found, kind="entry", record=copy.n["release"]) and named(found, kind="tree")


def test_a_journal_line_altered_beside_its_note_is_named(copy: Any, named: Any) -> None:
    """Else a rewritten database would hold: lines altered to its roots, checkpoints and anchors removed."""
    path = copy.home.signer / "journal"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    lines[-1]["root"] = "0" * 64
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    assert named(copy.verify(), kind="journal")
    copy.attack("delete from ledger.checkpoint", "delete from ledger.anchor")
    copy.home.anchors.unlink()
    assert any("another root than its line" in one for one in named(copy.verify(), kind="journal"))


def test_entries_no_signature_covers_are_named_once_they_had_time_to_be_signed(
    copy: Any, named: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Journal, checkpoints and anchors cut back together: nothing contradicts, nothing vouches either."""
    path = copy.home.signer / "journal"
    first = path.read_text("utf-8").splitlines()[0]
    size = json.loads(first)["size"]
    path.write_text(first + "\n", "utf-8")
    copy.home.anchors.unlink()
    copy.attack(f"delete from ledger.checkpoint where size > {size}", "delete from ledger.anchor")
    monkeypatch.setattr(check_guards, "PATIENCE", 10**6)
    assert copy.verify() == [], "a crash just now may leave the same"
    monkeypatch.setattr(check_guards, "PATIENCE", 0)
    assert named(copy.verify(), kind="checkpoint", index=size)
    path.unlink()
    copy.attack("delete from ledger.checkpoint")
    assert named(copy.verify(), kind="checkpoint", index=0)


def test_stored_anchor_evidence_of_another_size_is_named(copy: Any, named: Any) -> None:
    copy.attack("update ledger.anchor set size = size + 1 where size = (select max(size) from ledger.anchor)")
    assert named(copy.verify(), kind="anchor")


def test_a_forged_command_with_the_writers_rights_never_enters_the_tree_and_is_named(
    copy: Any, named: Any
) -> None:
    """The writer's password is known, the admission key is not: the interface itself is turned on it."""
    key = copy.home.secret("admission.key")
    true_key = key.read_text("ascii")
    key.write_text("00" * 32 + "\n", "ascii")
    signer = Signer(copy.home.signer, wiring.installation(copy.home).origin)
    server = SignerServer(signer, wiring.signer_socket(copy.home)).start()
    try:
        with lab(copy.home) as opened:
            (quinn,) = Cast(TestClient(create_app(opened.services())))("quinn")
            quinn.must(copy.n["hold"], "lift", sign=True, why="Nothing was wrong with it after all.")
        key.write_text(true_key, "ascii")
        before = copy.ask("select size from ledger.tree")
        sequencer = founding.sequencer_of(copy.home, signer)
        step = sequencer.step()
        sequencer.close()
    finally:
        server.stop()
        signer.close()
    assert step.integrated == 0 and copy.ask("select size from ledger.tree") == before
    assert {one.kind for one in step.alarms} == {"admission"}
    found = copy.verify()
    (one,) = named(found, kind="entry", record=copy.n["hold"], version=2)
    assert "false admission tag" in one
    replayed = copy.replay()
    assert named(replayed, record=copy.n["hold"], field="state"), "the forged state is not the ledger's"
    assert named(replayed, kind="blocker", record=copy.n["hold"])


@pytest.mark.parametrize("at", ["now() - interval '2 minutes'", "now() + interval '1 year'"])
def test_an_entry_inserted_by_sql_is_named_whatever_time_it_is_given(copy: Any, named: Any, at: str) -> None:
    copy.attack(
        "insert into ledger.entry(log_id, record_id, version, kind, actor, command_id, leaf, admit, at)"
        f" select 1, record_id, 9, kind, actor, command_id, leaf, admit, {at} from ledger.entry"
        f" where id = {copy.entry(copy.n['release'], 2)[0]}"
    )
    assert named(copy.verify(), kind="entry", record=copy.n["release"], version=9)
