"""A backup is one moment, whole or not there, and holds no key."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap import backing, backupset, drilling, packing, wiring
from coverslip.bootstrap.certifying import last_backup
from coverslip.bootstrap.labs import lab
from coverslip.errors import EnvironmentFault
from coverslip.kernel.events import Event
from coverslip.store import backup as database
from coverslip.vault.local import LocalVault
from fix_story import running


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_backup_taken_while_others_write_is_one_moment(ground: Any) -> None:
    stop, written = threading.Event(), list[str]()

    def write() -> None:
        with lab(ground.home) as opened:
            context = opened.service()
            while not stop.is_set():
                event = Event("heartbeat", "heartbeat", {"number": len(written)})
                written.append(opened.core.events.installation(event, context).leaf_hash)

    with running(ground.root):
        threads = [threading.Thread(target=write) for _ in range(2)]
        for one in threads:
            one.start()
        try:
            while len(written) < 20:
                stop.wait(0.01)
            before = len(written)
            made = ground.backup()
            after = len(written)
        finally:
            stop.set()
            for one in threads:
                one.join()
        assert after > before, "people went on writing while the backup was made"
        drilled = drilling.drill(ground.root, ground.target)
    manifest = json.loads((ground.target / made.name / "manifest.json").read_text())
    rows = {one["name"]: one["rows"] for one in manifest["tables"]}
    assert rows["ledger.leaf"] == manifest["tree"]["size"]
    assert rows["ledger.entry"] == rows["ledger.body"] >= rows["ledger.leaf"]
    assert manifest["journal"] <= manifest["tree"]["size"], "the restored signer is not ahead of its database"
    assert drilled.findings == []
    assert drilled.size >= 273


def test_the_backup_is_on_the_ledger_and_found_again(ground: Any) -> None:
    made = ground.backup()
    with wiring.database(ground.home), wiring.core(ground.home, size=1) as core:
        found = last_backup(core)
    assert found is not None
    assert found["detail"]["manifest"] == made.manifest
    assert found["detail"]["size"] == made.size
    assert found["index"] >= made.size, "the certificate comes after what it is about"


def test_no_secret_of_the_home_is_anywhere_in_the_backup(ground: Any) -> None:
    secrets = {
        path: path.read_text("ascii").strip().encode()
        for folder in packing.KEY_FOLDERS
        for path in (ground.root / folder).iterdir()
        if path.name != "journal"
    }
    assert len(secrets) >= 9
    kept = [path for path in ground.target.rglob("*") if path.is_file()]
    for path in kept:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert [one for one, secret in secrets.items() if secret in data] == [], path
    apart = b"".join(path.read_bytes() for path in ground.keys.rglob("*") if path.is_file())
    assert all(secret in apart for secret in secrets.values()), "what is apart is whole"
    assert all(not path.stat().st_mode & 0o077 for path in [*ground.keys.rglob("*"), *kept] if path.is_file()
               and "vault" not in path.parts)  # fmt: skip


def test_settings_are_kept_and_a_key_or_an_old_database_beside_them_is_not(ground: Any) -> None:
    (ground.root / "clock.json").write_text('{"kept": "here"}')
    (ground.root / "web.pem").write_text("a private key of the site")
    (ground.root / "postgres-14").mkdir()
    (ground.root / "postgres-14" / "PG_VERSION").write_text("14")
    made = ground.backup()
    kept = {str(one.relative_to(ground.target / made.name)) for one in (ground.target / made.name).rglob("*")}
    assert "home/clock.json" in kept and "home/coverslip.json" in kept
    assert not [one for one in kept if "pem" in one or "postgres" in one]
    assert len(list(ground.keys.glob("*/web.pem"))) == 1, "it lies with the keys"


@pytest.mark.parametrize(
    ("target", "keys"),
    [
        ("home/backups", "keys"),
        (".", "keys"),
        ("target", "target/keys"),
        ("target", "."),
        ("target", "home/k"),
    ],
)
def test_places_in_or_around_each_other_are_refused(ground: Any, target: str, keys: str) -> None:
    before = contents(ground.target)
    with pytest.raises(EnvironmentFault, match="expected"):
        backing.backup(ground.root, ground.folder / target, ground.folder / keys)
    assert contents(ground.target) == before


@pytest.mark.parametrize("stage", ["dump", "sequences"])
def test_an_interrupted_backup_leaves_no_manifest_and_the_earlier_one_alone(
    ground: Any, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    before, known = contents(ground.newest), backupset.names(ground.target)

    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(database, stage, interrupt)
    with pytest.raises(KeyboardInterrupt):
        ground.backup()
    assert backupset.names(ground.target) == known
    assert contents(ground.newest) == before
    assert list(ground.target.glob(".partial*")) == []


def test_what_a_killed_backup_left_is_no_backup_and_cleared_by_the_next(ground: Any) -> None:
    half = ground.target / ".partial-4711"
    shutil.copytree(ground.newest, half)
    assert backupset.names(ground.target) == [ground.newest.name]
    ground.backup()
    assert not half.exists()
    assert len(backupset.names(ground.target)) == 2


def test_the_next_backup_copies_only_what_is_new_and_changes_nothing(ground: Any) -> None:
    before = contents(ground.target)
    (ground.folder / "new.bin").write_bytes(b"new")
    LocalVault(ground.root / "vault").store(ground.folder / "new.bin", 1 << 20)
    made = ground.backup()
    assert (made.new_objects, made.objects) == (1, 8)
    after = contents(ground.target)
    assert {name: after[name] for name in before} == before


def test_a_folder_with_backups_of_another_installation_is_refused(ground: Any) -> None:
    said = json.loads((ground.target / "backup-set.json").read_text())
    (ground.target / "backup-set.json").write_text(json.dumps(said | {"installation": "another"}))
    with pytest.raises(EnvironmentFault, match="backups of this installation"):
        ground.backup()


def test_a_damaged_object_is_not_copied_and_the_backup_says_what_it_lacks(ground: Any) -> None:
    path = next(ground.root.glob("vault/objects/*/*/" + "?" * 64))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"!")
    made = backing.backup(ground.root, ground.folder / "other", ground.keys)
    assert len(made.lacks) == 1
    assert path.name in made.lacks[0]
    again = ground.backup()
    assert again.lacks == [], "the good copy of the earlier backup stands for it"
    assert LocalVault(ground.target / "vault").verify(path.name).root == path.name


def test_a_target_without_room_is_refused_before_anything_is_written(
    ground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(EnvironmentFault, match="room for"):
        ground.backup()
    assert len(backupset.names(ground.target)) == 1
