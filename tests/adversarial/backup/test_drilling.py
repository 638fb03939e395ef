"""A drill brings a backup to life, names every difference from the live trail, and leaves a certificate."""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap import backupset, drilling, wiring
from coverslip.bootstrap.certifying import last_drill
from coverslip.errors import EnvironmentFault
from fix_story import Cast, running


def drill(ground: Any) -> drilling.Drilled:
    return drilling.drill(ground.root, ground.target)


def certificate(ground: Any) -> dict[str, Any]:
    with wiring.database(ground.home), wiring.core(ground.home, size=1) as core:
        found = last_drill(core)
    assert found is not None
    detail: dict[str, Any] = found["detail"]
    return detail


def sentences(done: drilling.Drilled) -> str:
    return "\n".join(str(one["sentence"]) for one in done.findings)


def test_a_drill_holds_and_its_certificate_says_how_much_was_compared(ground: Any) -> None:
    done = drill(ground)
    assert (done.result, done.findings, done.certificate) == ("holds", [], "")
    said = certificate(ground)
    assert (said["result"], said["found"], said["differences"]) == ("holds", 0, [])
    assert said["manifest"] == backupset.opened(ground.target, "", wiring.trusted(ground.home)).hash
    counts = said["counts"]
    assert counts["compared_entries"] == counts["entries"] == done.size
    assert counts["signatures"] > 50 and counts["objects"] == 7 and counts["compared_projected"] > 300


def test_a_drill_is_reviewed_and_accepted_by_two_people(ground: Any) -> None:
    done = drill(ground)
    with running(ground.root) as client:
        cast = Cast(client)
        (aurel, quinn, vera) = cast("aurel", "quinn", "vera")
        test = quinn.show(done.record)
        assert (test["state"], test["fields"]["result"], test["fields"]["manifest"]) == (
            "executed", "holds", done.manifest,
        )  # fmt: skip
        (newest, *_) = quinn.ask("GET", "/ledger/certificates/backup").json()
        assert (newest["act"], newest["detail"]["result"]) == ("restore_drill", "holds")
        assert quinn.ask("GET", "/ledger/certificates/other").status_code == 422
        aurel.must(done.record, "review", sign=True, conclusion="Everything compared equals what is live.")
        vera.must(done.record, "accept", sign=True)
        assert quinn.show(done.record)["state"] == "accepted"
        cast.leave()


def test_a_drill_with_a_difference_is_never_accepted_and_nobody_reviews_and_accepts(ground: Any) -> None:
    next(ground.root.glob("vault/objects/*/*/" + "?" * 64)).unlink()
    done = drill(ground)
    with running(ground.root) as client:
        cast = Cast(client)
        (quinn, vera) = cast("quinn", "vera")
        quinn.must(done.record, "review", sign=True, conclusion="One stored file is missing.")
        refused = vera.do(done.record, "accept", sign=True)
        assert refused.status_code == 409, refused.text
        assert "Restored audit trail differs from live" in refused.text
        itself = quinn.do(done.record, "fail", sign=True, why="A stored file is missing from the vault.")
        assert itself.status_code == 403, itself.text
        vera.must(done.record, "fail", sign=True, why="A stored file is missing from the vault.")
        cast.leave()


def test_a_live_trail_that_was_changed_is_named_entry_by_entry(ground: Any) -> None:
    n = ground.n
    changed, gone = ground.index(n["release"]), ground.index(n["review"])
    ground.attack(
        # the bytes of an entry
        "update ledger.entry set leaf = convert_to(replace(convert_from(leaf, 'UTF8'),"
        ' \'"auth":"password"\', \'"auth":"service"\'), \'UTF8\')'
        f" where id = (select entry_id from ledger.leaf where idx = {changed})",
        # an entry gone, its leaf left
        f"delete from ledger.entry where id = (select entry_id from ledger.leaf where idx = {gone})",
        # the content of a version
        "update ledger.body set fixed = convert_to(replace(convert_from(fixed, 'UTF8'), 'Nuclei in control',"
        " 'Nuclei in another'), 'UTF8') where entry_id = (select max(e.id) from ledger.entry e join"
        f" projection.number r on r.uid = e.record_id where r.number = '{n['study']}')",
        # the current state, behind the ledger's back
        f"update projection.record set state = 'retired' where number = '{n['sop']}'",
        "delete from projection.link where from_uid = (select uid from projection.number where number ="
        f" '{n['run']}')",
    )
    done = drill(ground)
    assert done.result == "differs"
    by = {(one.get("record"), one.get("index"), one.get("field", "")) for one in done.findings}
    assert (n["release"], changed, "leaf") in by
    assert (n["review"], gone, "") in by
    assert any(record == n["study"] and field == "content" for record, _, field in by)
    assert any(record == n["sop"] and field == "record" for record, _, field in by)
    assert any(record == n["run"] and field == "link" for record, _, field in by)
    said = sentences(done)
    assert "actor.auth" in said and "title" in said and "state" in said
    assert done.certificate, "a ledger that contradicts its signer is not written to"


def test_a_shortened_live_trail_is_named(ground: Any) -> None:
    """The tail is cut, tree and heads are made to agree: the backup remembers."""
    size = int(ground.ask("select size from ledger.tree")[0][0])
    number = ground.n["release"]
    cut = ground.index(number)
    ground.attack(
        f"delete from ledger.entry where id in (select entry_id from ledger.leaf where idx >= {cut})",
        f"delete from ledger.leaf where idx >= {cut}",
        f"update ledger.tree set size = {cut}",
    )
    done = drill(ground)
    named = {one.get("index") for one in done.findings if "gone from the live ledger" in one["sentence"]}
    assert named >= set(range(cut, min(size, done.size)))
    assert f"record {number}" in sentences(done)
    assert "does not reach the backup's" in sentences(done) or "has root" in sentences(done)
    assert done.certificate, "a ledger that contradicts its signer is not written to"


def test_a_row_that_came_from_nowhere_is_named(ground: Any) -> None:
    ground.attack(
        "insert into projection.blocker select 'study', uid, 'hold', '0198a0a0-0000-7000-8000-000000000001',"
        " 'HLD-99', 'made up' from projection.number limit 1"
    )
    done = drill(ground)
    assert "the live table blocker has rows of a record without any entry" in sentences(done)
    said = certificate(ground)
    assert (said["result"], said["found"]) == ("differs", 1)
    assert said["differences"] == [sentences(done)]


def test_personal_words_taken_out_without_an_erasure_entry_are_named(ground: Any) -> None:
    ground.attack(
        "update ledger.body set erasable = null, erasable_salts = null where entry_id ="
        " (select entry_id from ledger.leaf where idx = 100)"
    )
    done = drill(ground)
    assert {one.get("index") for one in done.findings} == {100}
    assert "no erasure entry names the record" in sentences(done)


def test_a_backup_that_is_refused_leaves_a_certificate_that_says_so(ground: Any) -> None:
    path = ground.newest / "database" / "ledger.body.copy.gz"
    path.write_bytes(path.read_bytes() + b"!")
    done = drill(ground)
    assert done.result == "refused"
    assert "ledger.body.copy.gz" in sentences(done)
    said = certificate(ground)
    assert said["result"] == "refused" and "ledger.body.copy.gz" in said["differences"][0]


def test_an_object_the_live_vault_has_lost_is_named(ground: Any) -> None:
    path = next(ground.root.glob("vault/objects/*/*/" + "?" * 64))
    path.unlink()
    done = drill(ground)
    assert done.result == "differs" and path.name in sentences(done)


def test_scratch_space_is_emptied_and_never_held_a_key(
    ground: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    real = drilling._compare

    def look(*given: Any) -> None:
        (home,) = scratch.glob("*/home")
        seen.append({str(one.relative_to(home)) for one in home.rglob("*.key")})
        real(*given)

    scratch = Path(tempfile.mkdtemp(dir=ground.folder))
    scratch.chmod(0o711)
    monkeypatch.setattr(drilling, "_compare", look)
    done = drilling.drill(ground.root, ground.target, scratch=scratch)
    assert done.result == "holds"
    assert seen == [set()]
    assert list(scratch.iterdir()) == []


def test_what_a_killed_drill_left_is_cleared_and_another_folder_is_not(ground: Any) -> None:
    scratch = Path(tempfile.mkdtemp(dir=ground.folder))
    scratch.chmod(0o711)
    uuid = wiring.installation(ground.home).uuid
    left, busy = (scratch / f"coverslip-drill-{uuid[-12:]}-{name}" for name in ("left", "busy"))
    other = scratch / "coverslip-drill-000000000000-other"
    for folder in (left, busy, other):
        (folder / "home" / "secrets").mkdir(parents=True)
    with open(busy / "lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert drilling.drill(ground.root, ground.target, scratch=scratch).result == "holds"
    assert {one.name for one in scratch.iterdir()} == {busy.name, other.name}


def test_no_value_of_a_record_is_written_into_the_certificate(ground: Any) -> None:
    """Somebody edits a name behind the ledger's back before the backup: the finding names the place only."""
    with wiring.database(ground.home):
        ground.attack("update projection.record set title = 'Mallory Mask' where type = 'user'")
        ground.backup()
    done = drill(ground)
    assert "Mallory Mask" in sentences(done), "who runs the drill sees it"
    said = str(certificate(ground)["differences"])
    assert "field title" in said and "Mallory" not in said


def test_a_drill_that_cannot_be_done_says_undetermined_and_not_fine(
    ground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise EnvironmentFault("STORAGE", what="scratch space")

    monkeypatch.setattr(drilling, "_compare", fail)
    with pytest.raises(EnvironmentFault):
        drill(ground)
    assert certificate(ground)["result"] == "undetermined"


def test_a_drill_of_nothing_is_not_a_drill(ground: Any, tmp_path: Path) -> None:
    done = drilling.drill(ground.root, tmp_path)
    assert done.result == "refused" and "complete backup" in sentences(done)
