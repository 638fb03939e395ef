"""Histories cut, rewritten or rolled back: found by whoever remembers more than the database does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap import checking, quarantine, wiring
from coverslip.cli import main as coverslip
from coverslip.errors import EvidenceBroken
from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.tree import Frontier
from coverslip.settings import Home
from coverslip.store.anchors import FileAnchor
from coverslip.store.notes import NoteKey
from coverslip.store.signer import read_journal

WIDTH = 256


def set_tree(copy: Any, hashes: list[bytes]) -> None:
    """Make tree state, tiles and checkpoint rows agree with these leaf hashes."""
    frontier = Frontier()
    with copy.connect() as conn:
        conn.execute("set session_replication_role = replica")
        for position, hashed in enumerate(hashes, 1):
            frontier.append(hashed)
            conn.execute(
                "update ledger.checkpoint set root = %s where size = %s", (frontier.root(), position)
            )
        for number in range(len(hashes) // WIDTH):
            tile = b"".join(hashes[number * WIDTH : (number + 1) * WIDTH])
            conn.execute("update ledger.tile set hashes = %s where level = 0 and n = %s", (tile, number))
        conn.execute(
            "update ledger.tree set size = %s, frontier = %s, root = %s",
            (frontier.size, frontier.hashes, frontier.root()),
        )


def leaf_hashes(copy: Any) -> list[bytes]:
    query = "select e.leaf_hash from ledger.leaf l join ledger.entry e on e.id = l.entry_id order by l.idx"
    return [bytes(hashed) for (hashed,) in copy.ask(query)]


def test_the_last_entries_cut_off_consistently_are_counted_and_their_records_named(
    copy: Any, named: Any
) -> None:
    _, index, _ = copy.entry(copy.n["release"], 1)
    size = read_journal(copy.home.signer / "journal")[-1].size
    later = f"select entry_id from ledger.leaf where idx >= {index}"
    copy.attack(
        f"delete from ledger.body where entry_id in ({later})",
        f"delete from ledger.entry where id in ({later})",
        f"delete from ledger.leaf where idx >= {index}",
        f"delete from ledger.checkpoint where size > {index}",
        f"delete from ledger.anchor where size > {index}",
        f"delete from ledger.tile where (n + 1) * 256 > {index}",
        tidy=False,
    )
    set_tree(copy, leaf_hashes(copy))
    found = copy.verify()
    (journal,) = {s for s in named(found, kind="journal") if f"{size} entries were signed" in s}
    assert f"the last {size - index}" in journal
    assert named(found, kind="head", record=copy.n["release"])
    assert str(size) in copy.start_up() and str(index) in copy.start_up()
    assert named(copy.replay(), kind="record", record=copy.n["release"])


def test_everything_in_the_database_rewritten_consistently_is_found_by_the_journal(
    copy: Any, named: Any
) -> None:
    """The newest version of the release, its hash, heads, tiles, tree and roots: only the notes are old."""
    entry_id, index, version = copy.entry(copy.n["release"])
    copy.attack(
        "update ledger.entry set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"act\":\"release\"',"
        f" '\"act\":\"withhol\"'), 'UTF8') where id = {entry_id}",
        "update projection.record r set leaf_hash = e.leaf_hash from ledger.entry e"
        f" where e.id = {entry_id} and r.uid = e.record_id",
        tidy=False,
    )
    set_tree(copy, leaf_hashes(copy))
    found = copy.verify()
    journal = [s for s in named(found, kind="journal") if "another root" in s]
    spans = [re.search(r"changed between index (\d+) and (\d+)", s) for s in journal]
    assert journal and all(one and int(one[1]) <= index <= int(one[2]) for one in spans), (index, journal)
    assert named(found, kind="signature", record=copy.n["release"], version=version)
    assert named(found, kind="checkpoint"), "the notes of its checkpoints still say the old roots"
    assert "differs from what was signed" in copy.start_up()


def serve_reason(root: Path) -> EvidenceBroken:
    """Return why a home is served in quarantine (tests/adversarial/evidence/test_recovery.py serves it)."""
    with wiring.database(Home(root)):
        found = quarantine.contradiction(Home(root))
    assert found is not None, "it would be served as if nothing had happened"
    return found


def test_an_older_backup_of_the_database_alone_is_refused_and_both_sizes_named(
    story: Any, story_home: Path, named: Any
) -> None:
    shutil.rmtree(story_home / "postgres")
    subprocess.run(["cp", "-a", str(story.older / "postgres"), str(story_home)], check=True)
    signed = read_journal(story_home / "signer" / "journal")[-1].size
    held = read_journal(story.older / "signer" / "journal")[-1].size
    refused = serve_reason(story_home)
    assert refused.code == "RECOVERY_REQUIRED"
    assert str(signed) in refused.message and str(held) in refused.message
    found, _ = checking.ledger_verify(story_home)
    assert any(f"the last {signed - held}" in s for s in named(found, kind="journal", index=held))


def test_a_whole_home_rolled_back_is_found_only_with_anchors_kept_elsewhere(
    story: Any, tmp_path: Path, named: Any
) -> None:
    kept = tmp_path / "elsewhere"
    shutil.copy2(story.home / "anchors" / "checkpoints", kept)
    rolled = story.home.parent / f"rolled-{tmp_path.parent.name}-{tmp_path.name}"
    subprocess.run(["cp", "-a", str(story.older), str(rolled)], check=True)
    try:
        assert checking.ledger_verify(rolled)[0] == []
        assert checking.ledger_replay(rolled)[0] == []
        found, _ = checking.ledger_verify(rolled, kept)
        size = read_journal(story.older / "signer" / "journal")[-1].size
        assert any("cut off" in s for s in named(found, kind="anchor", index=size))
    finally:
        shutil.rmtree(rolled)


@pytest.mark.parametrize("what", ["gone", "empty folder", "empty file", "garbage", "another log"])
def test_a_place_without_a_checkpoint_of_this_log_never_agrees(
    copy: Any, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "elsewhere"
    if what == "empty folder":
        place.mkdir()
    elif what == "another log":
        text = Checkpoint("another.example/log", 7, b"\x07" * 32).text()
        FileAnchor(place).put(note.sign(text, [NoteKey("another.example/log", b"\x01" * 32)]).to_bytes())
    elif what != "gone":
        place.write_bytes(b"no note at all\n" if what == "garbage" else b"")
    code = coverslip(["ledger", "verify", "--home", str(copy.root), "--anchors", str(place)])
    said = capsys.readouterr()
    assert code == (2 if what == "gone" else 3)
    assert str(place) in said.err and "UNFORESEEN" not in said.err and "holds" not in said.out


def patch_heap(home: Path, old: bytes, new: bytes) -> int:
    """Replace bytes in the files of the stopped database; return how many places."""
    assert len(old) == len(new)
    places = 0
    for path in (home / "postgres" / "data" / "base").rglob("*"):
        if path.is_file() and old in (data := path.read_bytes()):
            places += data.count(old)
            path.write_bytes(data.replace(old, new))
    return places


def test_bytes_patched_on_the_disk_are_found_with_checksums_on_and_off(story_home: Path, named: Any) -> None:
    old, new = b"The interpretation was missing.", b"The interpretation was pending."
    kept = story_home.with_name("kept")
    subprocess.run(["cp", "-a", str(story_home), str(kept)], check=True)
    assert patch_heap(story_home, old, new) > 0
    found, counts = checking.ledger_verify(story_home)
    assert counts["damaged_pages"] == 1
    (page,) = [one for one in found if one["kind"] == "page" and one["field"].startswith("body:")]
    inside = named(found, kind="page", field="body")
    (body,) = [one for one in found if one["kind"] == "body"]
    assert "cannot be read" in page["sentence"] and inside
    assert any(body["record"] in one and f"entry {body['entry_id']}" in one for one in inside)
    wiring.cluster_of(Home(story_home)).stop("immediate")
    cluster = wiring.cluster_of(Home(kept))
    programs = cluster.binaries()
    owner = (kept / "postgres" / "data").stat()
    subprocess.run(
        [programs.program("pg_checksums"), "--disable", "-D", str(kept / "postgres" / "data")],
        check=True, capture_output=True, user=owner.st_uid, group=owner.st_gid, cwd="/",
    )  # fmt: skip
    assert patch_heap(kept, old, new) > 0
    found, _ = checking.ledger_verify(kept)
    cluster.stop("immediate")
    (one,) = found
    assert one == body, "the same entry, record and field, whether or not PostgreSQL noticed"
    assert (one["kind"], one["field"]) == ("body", "reason") and one["record"].startswith("RUN-")


def test_a_damaged_page_under_a_running_server_names_the_entries_and_leaves_its_memory_alone(
    story_home: Path, named: Any
) -> None:
    assert patch_heap(story_home, b"The interpretation was missing.", b"The interpretation was pending.") > 0
    with wiring.cluster_of(Home(story_home)).running():
        found, _ = checking.ledger_verify(story_home)
        again, _ = checking.ledger_verify(story_home)
    assert found == again and {one["kind"] for one in found} == {"page"}
    assert any(one.get("record", "").startswith("RUN-") for one in found)
    assert any("stop the server" in one["sentence"] for one in found)


def test_a_damaged_page_of_entries_names_records_and_versions(
    story: Any, story_home: Path, named: Any
) -> None:
    uid = f'"id":"{_uid(story_home, story.numbers["release"])}"'.encode()
    assert patch_heap(story_home, uid, uid.replace(b'"id"', b'"ie"')) > 0
    found, counts = checking.ledger_verify(story_home)
    assert counts["damaged_pages"] >= 1
    assert any(one["kind"] == "page" and one["field"].startswith("entry:") for one in found)
    assert any(one.get("record") == story.numbers["release"] for one in found)


def _uid(root: Path, number: str) -> str:
    home = Home(root)
    with wiring.database(home), wiring.connection(home, "cs_verifier") as conn:
        row = conn.execute("select uid from projection.number where number = %s", (number,)).fetchone()
    assert row is not None
    return str(row[0])


def test_a_database_rolled_back_alone_is_found_by_the_journal_with_and_without_anchors(
    story: Any, story_home: Path, tmp_path: Path, named: Any
) -> None:
    kept = _elsewhere(story, tmp_path)
    shutil.rmtree(story_home / "postgres")
    subprocess.run(["cp", "-a", str(story.older / "postgres"), str(story_home)], check=True)
    without, _ = checking.ledger_verify(story_home)
    assert any("cut off" in one for one in named(without, kind="journal"))
    with_anchors, _ = checking.ledger_verify(story_home, kept)
    assert any("cut off" in one for one in named(with_anchors, kind="journal"))
    assert any("cut off" in one for one in named(with_anchors, kind="anchor"))


def test_database_and_journal_rolled_back_together_are_found_only_with_anchors_kept_elsewhere(
    story: Any, story_home: Path, tmp_path: Path, named: Any
) -> None:
    kept = _elsewhere(story, tmp_path)
    for name in ("postgres", "signer", "anchors"):
        shutil.rmtree(story_home / name)
        subprocess.run(["cp", "-a", str(story.older / name), str(story_home)], check=True)
    without, _ = checking.ledger_verify(story_home)
    assert without == [], "nothing that is left remembers more"
    found, _ = checking.ledger_verify(story_home, kept)
    assert {one["kind"] for one in found} == {"anchor"} and any("cut off" in one["sentence"] for one in found)


def test_two_histories_out_of_one_copied_home_are_told_apart_by_either_ones_anchors(
    story: Any, story_home: Path, tmp_path: Path, named: Any
) -> None:
    """The whole home is copied, key and all, and both copies go on: each holds, and neither is the other."""
    from fix_story import Cast, running

    fork = story_home.with_name("fork")
    subprocess.run(["cp", "-a", str(story_home), str(fork)], check=True)
    kept = {}
    for name, root, why in (("one", story_home, "Nothing was wrong."), ("other", fork, "It was looked at.")):
        with running(root) as client:
            (quinn,) = Cast(client)("quinn")
            quinn.must(story.numbers["hold"], "lift", sign=True, why=why)
        kept[name] = shutil.copy2(root / "anchors" / "checkpoints", tmp_path / name)
        assert checking.ledger_verify(root)[0] == [], "alone, each history holds"
        assert checking.ledger_verify(root, Path(kept[name]))[0] == []
    for root, foreign in ((story_home, "other"), (fork, "one")):
        found, _ = checking.ledger_verify(root, Path(kept[foreign]))
        assert any("another root" in one or "cut off" in one for one in named(found, kind="anchor"))


def test_a_fork_after_a_point_in_time_recovery_is_refused_by_the_signers_memory(
    story: Any, story_home: Path, named: Any
) -> None:
    """An older database goes on under a signer that was put back with it; then the real signer returns."""
    from fix_story import Cast, running

    real = (story_home / "signer" / "journal").read_bytes()
    for name in ("postgres", "signer", "anchors"):
        shutil.rmtree(story_home / name)
        subprocess.run(["cp", "-a", str(story.older / name), str(story_home)], check=True)
    with running(story_home) as client:
        (quinn,) = Cast(client)("quinn")
        for n in range(30):
            assert quinn.ask("GET", "/records/SITE-01").status_code == 200, n
        quinn.new("hold", subject="SITE-01", reason="Another history begins here.")
    (story_home / "signer" / "journal").write_bytes(real)
    assert serve_reason(story_home).code == "RECOVERY_REQUIRED"
    assert named(checking.ledger_verify(story_home)[0], kind="journal")


def _elsewhere(story: Any, tmp_path: Path) -> Path:
    kept = tmp_path / "elsewhere"
    shutil.copy2(story.home / "anchors" / "checkpoints", kept)
    return kept
