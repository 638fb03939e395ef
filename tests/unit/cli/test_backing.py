"""Backup, restore and drill as an operator runs them: what is said, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from coverslip.bootstrap.backing import Made
from coverslip.bootstrap.drilling import Drilled
from coverslip.bootstrap.restoring import Restored
from coverslip.cli import backing


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The composition root as the commands see it."""
    found = MagicMock()
    monkeypatch.setattr(backing, "bootstrap", lambda: found)
    return found


def made(**more: Any) -> Made:
    return Made("2026-11-21T020000.000Z-7", "ab" * 32, 7, "cd" * 32, **more)


def test_a_backup_says_its_name_and_hash(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.backup.return_value = made(notes=["no keys were kept"])
    ran = run("backup", "--home", tmp_path, "--to", tmp_path / "t")
    assert ran.code == 0
    assert "2026-11-21T020000.000Z-7" in ran.out and "ab" * 32 in ran.out
    assert "Note: no keys were kept." in ran.err


def test_a_backup_that_lacks_an_object_is_a_finding(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.backup.return_value = made(lacks=["object 12 of IMG-1: damaged"])
    ran = run("backup", "--home", tmp_path, "--to", tmp_path / "t")
    assert ran.code == 1 and "FINDING object 12 of IMG-1" in ran.out
    assert json.loads(run("backup", "--home", tmp_path, "--json").out)["lacks"]


@pytest.mark.parametrize(
    ("findings", "code", "word"), [([], 0, "holds"), ([{"sentence": "entry 7"}], 1, "1 findings")]
)
def test_a_drill_says_what_it_compared_and_that_it_is_on_the_ledger(
    run: Any, parts: Any, tmp_path: Path, findings: list[dict[str, Any]], code: int, word: str
) -> None:
    parts.restore_drill.return_value = Drilled(
        "b", "ab" * 32, 7, "holds", findings, {"entries": 7, "signatures": 3}
    )
    ran = run("restore", "--drill", "--home", tmp_path, "--from", tmp_path)
    assert ran.code == code and word in ran.out
    assert "certificate: on the ledger" in ran.out and "3 signatures" in ran.out


def test_a_drill_that_compared_nothing_is_undetermined(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.restore_drill.return_value = Drilled()
    assert run("restore", "--drill", "--home", tmp_path).code == 3


def test_a_restore_tells_what_is_lost_and_that_two_people_must_sign(
    run: Any, parts: Any, tmp_path: Path
) -> None:
    parts.restore.return_value = Restored(
        "b", "ab" * 32, 7, "cd" * 32, counts={"entries": 7}, recovery="The database is smaller.",
        lost=["3 entries, index 7 to 9, are lost"],
    )  # fmt: skip
    ran = run("restore", "--from", tmp_path, "--keys", tmp_path, "--home", tmp_path / "new")
    assert ran.code == 1
    assert "LOST 3 entries" in ran.out and "RECOVERY_REQUIRED The database is smaller." in ran.out


def test_a_restore_that_holds_ends_well(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.restore.return_value = Restored("b", "ab" * 32, 7, "cd" * 32, counts={"entries": 7})
    ran = run("restore", "--from", tmp_path, "--keys", tmp_path, "--home", tmp_path / "new")
    assert ran.code == 0 and "everybody signs in anew" in ran.err


def test_a_restore_without_keys_is_wrong_usage(run: Any, parts: Any, tmp_path: Path) -> None:
    ran = run("restore", "--from", tmp_path, "--home", tmp_path / "new")
    assert ran.code == 2 and "--keys" in ran.err
    parts.restore.assert_not_called()


def test_certificates_are_listed_newest_first_and_an_unknown_kind_is_wrong_usage(
    run: Any, parts: Any, tmp_path: Path
) -> None:
    one = {"index": 9, "at": "2026-11-21T02:00:00Z", "act": "restore_drill", "detail": {"result": "holds"}}
    parts.certificates.return_value = [one, one]
    assert run("ledger", "certificates", "--home", tmp_path, "--limit", 1).out.count("result holds") == 1
    assert json.loads(run("ledger", "certificates", "--home", tmp_path, "--json").out)[0]["index"] == 9
    assert run("ledger", "certificates", "--home", tmp_path, "--kind", "other").code == 2


def test_places_are_kept_by_name(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.backup_places.return_value = {"target": "/mnt/b", "keys": "/mnt/k"}
    ran = run("backup", "--set-target", "--home", tmp_path, "--to", "/mnt/b", "--keys-to", "/mnt/k")
    assert ran.code == 0 and "/mnt/b" in ran.out
    parts.backup.assert_not_called()


def test_kept_backups_are_listed(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.backups_kept.return_value = [{"name": "b1", "at": "2026", "size": 7}]
    assert "name b1" in run("backup", "--list", "--home", tmp_path).out
