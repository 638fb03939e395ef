"""A restored home goes on working; a backup of which anything was changed is refused, and what is named."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap import anchors as anchoring, backing, checking, restoring, wiring
from coverslip.cli import main as coverslip
from coverslip.errors import CoverslipError, EnvironmentFault, EvidenceBroken, NotFound
from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.settings import Home
from coverslip.store.anchors import FileAnchor
from coverslip.store.notes import NoteKey, read_seed
from coverslip.store.signer import read_journal
from coverslip.verifier.cli import main as verify
from fix_story import ORIGIN, Cast, running


def restore(ground: Any, **more: Any) -> restoring.Restored:
    return restoring.restore(ground.target, ground.keys, ground.new, **more)


def test_a_restored_home_holds_and_people_go_on_working_in_it(ground: Any, tmp_path: Path) -> None:
    done = restore(ground)
    assert (done.findings, done.lost, done.recovery) == ([], [], "")
    assert done.entered, "that it was restored is on its ledger"
    with running(ground.new) as client:
        cast = Cast(client)
        (ada, quinn, vera) = cast("ada", "quinn", "vera")
        grant = ada.new(
            "role_grant", person=ground.n["sam"], role="ROLE-REV", start=dt.date.today().isoformat(),
            justification="For the next study.", why="For the next study.",
        )  # fmt: skip
        quinn.must(grant, "approve", sign=True)
        made = vera.ask("POST", f"/records/{ground.n['release']}/export", json={})
        assert made.status_code == 200, made.text
        (tmp_path / "release.zip").write_bytes(made.content)
        cast.leave()
    for check in (checking.ledger_verify, checking.ledger_replay, checking.vault_check):
        assert check(ground.new)[0] == []
    keys = ground.root / "keys.txt"
    assert verify([str(tmp_path / "release.zip"), "--keys", str(keys)]) == 0, "by keys handed out long ago"


def test_nobody_is_signed_in_to_a_restored_home(ground: Any) -> None:
    with running(ground.root) as client:
        (vera,) = Cast(client)("vera")
        assert vera.ask("GET", f"/records/{ground.n['release']}").status_code == 200
        ground.backup()
    restore(ground)
    with running(ground.new) as client:
        assert client.get(
            f"/api/v1/records/{ground.n['release']}", headers=vera._headers
        ).status_code == 401  # fmt: skip


def test_a_backup_is_restored_whose_home_is_gone(ground: Any) -> None:
    shutil.rmtree(ground.root)
    done = restore(ground)
    assert (done.findings, done.recovery) == ([], "")


# --- what was changed is refused -----------------------------------------------------------------------


def flip(path: Path, at: int = -9) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def one_object(ground: Any) -> Path:
    return next(iter(sorted(ground.target.glob("vault/objects/*/*/" + "?" * 64))))


def repack(ground: Any) -> None:
    """Change one word of a table and pack it again: only the hash tells."""
    path = ground.newest / "database" / "projection.record.copy.gz"
    data = gzip.decompress(path.read_bytes())
    assert b"Nuclei in control wells" in data
    path.write_bytes(gzip.compress(data.replace(b"Nuclei in control wells", b"Nuclei in all wells    ")))


def remanifest(ground: Any) -> None:
    """Change a table and the manifest with it: only the signature tells."""
    repack(ground)
    path = ground.newest / "database" / "projection.record.copy.gz"
    from coverslip.ledger import canonical
    from coverslip.store.backup import hash_of

    manifest = canonical.decode((ground.newest / "manifest.json").read_bytes())
    for one in manifest["files"]:
        if one["path"] == "database/projection.record.copy.gz":
            one["sha256"] = hash_of(path)
    (ground.newest / "manifest.json").write_bytes(canonical.encode(manifest))


DAMAGE: dict[str, tuple[Callable[[Any], object], str]] = {
    "one bit of the entries": (
        lambda g: flip(g.newest / "database" / "ledger.entry.copy.gz"), "ledger.entry.copy.gz",
    ),
    "a word of a table": (repack, "projection.record.copy.gz"),
    "a table and the manifest": (remanifest, "manifest of backup"),
    "one bit of the manifest": (lambda g: flip(g.newest / "manifest.json"), "manifest of backup"),
    "another signature": (lambda g: flip(g.newest / "manifest.sig", -3), "manifest of backup"),
    "one bit of the journal": (lambda g: flip(g.newest / "home" / "journal"), "home/journal"),
    "the list of objects": (lambda g: flip(g.newest / "objects.txt"), "objects.txt"),
    "a table gone": (
        lambda g: (g.newest / "database" / "ledger.leaf.copy.gz").unlink(), "ledger.leaf.copy.gz",
    ),
    "a file too many": (lambda g: (g.newest / "home" / "extra.json").write_text("{}"), "home/extra.json"),
    "one bit of an object": (lambda g: flip(one_object(g)), "damaged"),
    "an object gone": (lambda g: one_object(g).unlink(), "missing"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_changed_backup_is_refused_and_named_and_leaves_nothing(ground: Any, damage: str) -> None:
    change, named = DAMAGE[damage]
    change(ground)
    with pytest.raises(EvidenceBroken, match=named):
        restore(ground)
    assert not ground.new.exists() or list(ground.new.iterdir()) == []


def test_a_signature_by_another_key_is_refused(ground: Any) -> None:
    """Somebody makes a backup of his own and signs it with his own key: it is not this installation's."""
    from coverslip.bootstrap import backupset
    from coverslip.store.backup import hash_of

    text = backupset.signed_text(ORIGIN, hash_of(ground.newest / "manifest.json"))
    forged = note.sign(text, [NoteKey(f"{ORIGIN}/export", b"\x01" * 32)]).to_bytes()
    (ground.newest / "manifest.sig").write_bytes(forged)
    with pytest.raises(EvidenceBroken, match="manifest of backup"):
        restore(ground)


def test_keys_that_do_not_fit_the_keys_handed_over_are_refused(ground: Any, tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text(NoteKey(f"{ORIGIN}/export", b"\x01" * 32).verifier_key.format() + "\n")
    with pytest.raises(EnvironmentFault, match="the export key named in"):
        restore(ground, public_keys=tmp_path / "keys.txt")
    assert restore(ground, public_keys=ground.root / "keys.txt").findings == []


def test_a_backup_without_its_keys_is_not_continued(ground: Any, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="keys that 'coverslip backup --keys-to' kept"):
        restoring.restore(ground.target, tmp_path, ground.new)
    made = backing.backup(ground.root, ground.folder / "bare")
    assert made.keys == ""
    with pytest.raises(NotFound):
        restoring.restore(ground.folder / "bare", ground.keys, ground.new)


def test_one_changed_key_is_named(ground: Any) -> None:
    flip(next(ground.keys.glob("*/secrets/admission.key")), 3)
    with pytest.raises(EvidenceBroken, match=r"secrets/admission\.key"):
        restore(ground)


def test_nothing_is_restored_over_anything(ground: Any) -> None:
    ground.new.mkdir()
    (ground.new / "letter.txt").write_text("mine")
    with pytest.raises(EnvironmentFault, match="an empty folder"):
        restore(ground)
    assert [one.name for one in ground.new.iterdir()] == ["letter.txt"]


def test_a_restore_that_fails_half_way_leaves_an_empty_folder(
    ground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise EnvironmentFault("ENVIRONMENT", what="a test", expected="success", found="failure")

    monkeypatch.setattr(restoring, "_objects", fail)
    with pytest.raises(CoverslipError, match="a test"):
        restore(ground)
    assert list(ground.new.iterdir()) == []


# --- what was signed later ------------------------------------------------------------------------------


def test_what_was_signed_after_the_backup_is_told_and_never_signed_a_second_time(ground: Any) -> None:
    with running(ground.root) as client:
        cast = Cast(client)
        cast("vera")
        cast.leave()
    anchors = ground.folder / "kept-elsewhere"
    shutil.copyfile(ground.root / "anchors" / "checkpoints", anchors)
    done = restore(ground, anchors=anchors)
    assert len(done.lost) == 1 and "were signed after this backup and are lost" in done.lost[0]
    assert "read-only until two people sign a recovery" in done.recovery
    assert not done.entered
    assert done.findings == [], "what was restored holds by itself"
    line = {one["check"]: one for one in checking.doctor(ground.new)}["ledger and signer agree"]
    assert line["ok"] is False


def test_the_journal_that_survived_tells_it_as_well(ground: Any) -> None:
    with running(ground.root) as client:
        cast = Cast(client)
        cast("vera")
        cast.leave()
    done = restore(ground, journal=ground.root / "signer" / "journal")
    assert done.lost and done.recovery


def test_without_anchors_nothing_is_known_to_be_lost(ground: Any) -> None:
    """The other answer: whole homes restored from a backup are told apart only by what was kept elsewhere."""
    with running(ground.root) as client:
        cast = Cast(client)
        cast("vera")
        cast.leave()
    done = restore(ground)
    assert (done.lost, done.recovery) == ([], "")


def forged(ground: Any) -> Path:
    """Return a file with a checkpoint of this log that none of its keys signed."""
    text = Checkpoint(ORIGIN, 10_000, b"\x07" * 32).text()
    anchors: Path = ground.folder / "forged"
    FileAnchor(anchors).put(note.sign(text, [NoteKey(ORIGIN, b"\x01" * 32)]).to_bytes())
    return anchors


def test_a_checkpoint_that_no_known_key_signed_lets_nothing_be_signed(ground: Any) -> None:
    """It may be of a newer key of this log: whether a second history would begin cannot be determined."""
    with pytest.raises(EnvironmentFault, match="one signed by a key the backup knows"):
        restore(ground, anchors=forged(ground))
    assert list(ground.new.iterdir()) == []


@pytest.mark.parametrize(
    "option", ["from", "public-keys", "anchors", "journal", "anchors empty", "anchors of nothing"]
)
def test_what_is_named_and_not_there_is_wrong_usage_and_nothing_is_restored(
    ground: Any, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "typo"
    if option == "anchors empty":
        place.mkdir()
    elif option == "anchors of nothing":
        place.write_text("no checkpoint\n")
    name = option.split()[0]
    given = {"--from": str(ground.target), "--keys": str(ground.keys), "--home": str(ground.new)}
    given[f"--{name}"] = str(place)
    code = coverslip(["restore", *(one for pair in given.items() for one in pair)])
    said = capsys.readouterr().err
    assert code == 2 and f"--{name}" in said and str(place) in said and "UNFORESEEN" not in said
    assert not ground.new.exists() or list(ground.new.iterdir()) == []


def test_a_backup_to_a_place_that_cannot_be_made_is_wrong_usage(
    ground: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code = coverslip(["backup", "--home", str(ground.root), "--to", "/proc/x"])
    said = capsys.readouterr().err
    assert code == 2 and "/proc/x" in said and "UNFORESEEN" not in said


def test_a_receipt_that_is_not_there_is_wrong_usage(ground: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code = coverslip(["ledger", "receipt", "--home", str(ground.root), "/nofile"])
    said = capsys.readouterr().err
    assert code == 2 and "/nofile" in said and "Stop work" not in said


@pytest.mark.parametrize("seen", ["more", "another root", "silent", "nothing"])
def test_witnesses_are_asked_before_anything_is_signed(
    ground: Any, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they answer is a checkpoint the log's own key signed, larger or another than the backup's."""
    signer = NoteKey(ORIGIN, read_seed(ground.root / "signer" / "signing.key"))
    last = read_journal(ground.newest / "home" / "journal")[-1]
    size = last.size + (7 if seen == "more" else 0)
    answer = note.sign(Checkpoint(ORIGIN, size, b"\x07" * 32).text(), [signer]).to_bytes()
    answers = {"more": ([answer], []), "another root": ([answer], []), "silent": ([], ["w1: no answer"])}
    monkeypatch.setattr(anchoring, "witnessed", lambda _: answers.get(seen, ([], [])))
    if seen == "another root":
        with pytest.raises(EvidenceBroken, match="two roots, both signed"):
            restore(ground)
        assert list(ground.new.iterdir()) == []
        return
    done = restore(ground)
    assert bool(done.recovery) is (seen == "more") and done.entered is (seen != "more")
    assert any("WITNESS SILENT w1" in one for one in done.notes) is (seen == "silent")
    assert restoring.NOTHING_NAMED in done.notes
    if seen == "more":
        assert read_journal(ground.new / "signer" / "journal")[-1].note == answer, "remembered, not signed"


def test_the_major_of_the_database_is_that_of_the_new_home(ground: Any) -> None:
    restore(ground)
    said = json.loads((ground.new / "coverslip.json").read_text())
    assert said["postgres_major"] == wiring.cluster_of(Home(ground.new)).major()


def test_a_backup_of_the_first_release_is_restored_and_brought_to_this_one(old_home: Any) -> None:
    folder = old_home.root.parent
    made = backing.backup(old_home.root, folder / "target", folder / "keys")
    assert any("migrations are to be applied first" in note for note in made.notes), (
        "nothing is written to it"
    )
    try:
        done = restoring.restore(folder / "target", folder / "keys", folder / "new")
        assert (done.findings, done.recovery, done.entered) == ([], "", True)
        assert done.migrated[0].startswith("0011")
        assert checking.ledger_verify(folder / "new")[0] == []
    finally:
        wiring.cluster_of(Home(folder / "new")).stop("immediate")
