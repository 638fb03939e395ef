"""A damaged original is set aside, put back from a backup that has the right bytes, and people are told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap import backing, checking, keeping, tending, wiring
from coverslip.bootstrap.certifying import last_fixity
from coverslip.bootstrap.labs import lab
from coverslip.errors import EnvironmentFault
from fix_story import Cast, running


def damaged(ground: Any) -> Path:
    (found,) = checking.vault_locate(ground.root, ground.n["image1"])
    path = Path(found["path"])
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    return path


def test_a_damaged_image_is_told_by_an_alert_and_put_back_from_the_backup(ground: Any) -> None:
    keeping.backup_places(ground.root, ground.target, ground.keys, None)
    path = damaged(ground)
    with running(ground.root) as client:
        with lab(ground.home) as opened:
            tending.fixity(opened).do()
            report = last_fixity(opened.core)
        cast = Cast(client)
        (quinn,) = cast("quinn")
        listed = quinn.ask("GET", "/records", params={"type": "alert"}).json()
        (alert,) = [quinn.show(one["number"]) for one in listed["records"]]
        cast.leave()
    assert report is not None
    (finding,) = report["detail"]["findings"]
    assert (finding["object"], finding["put_back_from"]) == (path.name, "the backup")
    assert ground.n["image1"] in finding["records"]
    assert (alert["fields"]["kind"], alert["fields"]["severity"]) == ("fixity", "critical")
    assert [one["number"] for one in alert["fields"]["about"]] == [ground.n["image1"]]
    assert checking.vault_check(ground.root)[0] == []


def test_without_a_replica_reading_it_is_refused_and_the_finding_stays(ground: Any) -> None:
    damaged(ground)
    with running(ground.root) as client:
        with lab(ground.home) as opened:
            tending.fixity(opened).do()
        cast = Cast(client)
        (quinn,) = cast("quinn")
        made = quinn.ask("POST", f"/records/{ground.n['release']}/export", json={})
        cast.leave()
    assert made.status_code == 409 and made.json()["code"] == "HASH", made.text
    (finding,) = checking.vault_check(ground.root)[0]
    assert finding["kind"] == "missing" and "set aside into quarantine" in finding["sentence"]
    assert ground.n["image1"] in finding["record"]


def test_an_operator_mends_from_a_replica_and_it_is_on_the_ledger(ground: Any) -> None:
    path = damaged(ground)
    findings, counts = tending.vault_check(ground.root, None, [ground.target], repair=True)
    assert [one["kind"] for one in findings] == ["damaged"], "mended or not, it was found"
    assert "put back from" in findings[0]["sentence"]
    assert counts["mended"] == 1
    assert tending.vault_check(ground.root)[0] == []
    (said, *_) = keeping.certificates(ground.root, "vault")
    assert (said["act"], said["detail"]["whole"]) == ("mended", 1)
    assert said["detail"]["findings"][0]["object"] == path.name


def test_a_replica_that_is_none_is_refused_before_anything_is_touched(ground: Any, tmp_path: Path) -> None:
    path = damaged(ground)
    with pytest.raises(EnvironmentFault, match="a vault, or a folder of backups"):
        tending.vault_check(ground.root, None, [tmp_path], repair=True)
    assert path.exists()


def test_checking_alone_changes_nothing(ground: Any) -> None:
    path = damaged(ground)
    data = path.read_bytes()
    findings, _ = tending.vault_check(ground.root, None, [ground.target])
    assert [one["kind"] for one in findings] == ["damaged"]
    assert path.read_bytes() == data


# --- what happens by itself at night --------------------------------------------------------------------


def test_the_nightly_backup_is_made_once_and_only_where_a_target_is_named(
    ground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wiring.database(ground.home), lab(ground.home) as opened:
        made: list[str] = []
        duty = keeping.BackupDuty(opened, lambda: made.append("made") or [])  # type: ignore[func-returns-value]
        duty.do()
        assert made == [], "no target is named"
        keeping.backup_places(ground.root, ground.folder / "nightly", ground.keys, None)
        duty.do()
        assert made == [], "the last backup on the ledger is young"
    monkeypatch.setattr(keeping, "last_backup", lambda _: None)
    with wiring.database(ground.home), lab(ground.home) as opened:
        keeping.BackupDuty(opened, lambda: made.append("made") or []).do()  # type: ignore[func-returns-value]
        assert made == ["made"]


def test_a_target_that_is_not_mounted_is_not_made_anew_in_its_place(ground: Any) -> None:
    place = ground.folder / "mounted"
    keeping.backup_places(ground.root, place, ground.keys, None)
    assert backing.backup(ground.root).entered
    shutil.rmtree(place)
    for here in (False, True):  # no folder, then the empty folder under a mount that is gone
        if here:
            place.mkdir()
        with pytest.raises(EnvironmentFault) as refused:
            backing.backup(ground.root)
        assert refused.value.remedy.startswith("Mount it.")
    assert list(place.iterdir()) == []


def test_a_nightly_backup_that_fails_is_told(ground: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[str]:
        raise EnvironmentFault("STORAGE", what="the backup's disk")

    monkeypatch.setattr(keeping, "last_backup", lambda _: None)
    keeping.backup_places(ground.root, ground.target, ground.keys, None)
    with wiring.database(ground.home), lab(ground.home) as opened:
        with pytest.raises(EnvironmentFault):
            keeping.BackupDuty(opened, fail).do()
        (alert,) = opened.core.reading.page("alert", "", "", "", 10)[0]
    assert (alert.fields["kind"], alert.fields["severity"]) == ("backup", "critical")


def test_the_drill_is_run_when_the_last_one_is_too_old_and_its_findings_are_told(ground: Any) -> None:
    keeping.backup_places(ground.root, ground.target, ground.keys, None)
    with wiring.database(ground.home), lab(ground.home) as opened:
        keeping.DrillDuty(opened, lambda: [{"sentence": "entry 7 differs"}]).do()
        (alert,) = opened.core.reading.page("alert", "", "", "", 10)[0]
    assert "entry 7 differs" in alert.fields["what"]
