"""Every operation of the vault's disk lost, failed or cut off: an object is whole or is not there."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from coverslip.vault import LocalVault
from fix_faults import HOWS, Ended, Faults

DATA = bytes(range(256)) * 4096 * 2 + b"end"


@pytest.fixture
def ground(tmp_path: Path) -> dict[str, Any]:
    """The vault's folders exist; each run brings bytes nobody has seen."""
    LocalVault(tmp_path / "vault")
    return {"vault": str(tmp_path / "vault"), "data": str(tmp_path / "data")}


def fresh(ground: dict[str, Any], at: int) -> dict[str, Any]:
    Path(ground["data"]).write_bytes(DATA + str(at).encode())
    return ground


def whole(ground: dict[str, Any], at: int, where: str) -> LocalVault:
    vault = LocalVault(Path(ground["vault"]))
    report = vault.check()
    assert report.ok, (where, report.findings)
    assert report.objects == at + 1, where
    return vault


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("how", HOWS)
def test_whatever_is_struck_while_a_file_is_stored_it_is_there_whole_when_sent_again(
    ground: dict[str, Any], faults: Faults, how: str, number: int
) -> None:
    def check(at: int, where: str, ended: Ended) -> None:
        vault = whole(ground, at, where)
        assert vault.verify(ended.answer).size == len(DATA) + len(str(at)), where

    struck = faults.sweep("store", how, lambda at: fresh(ground, at) | {"errno": number}, check)
    assert {
        "disk create",
        "disk write",
        "disk fsync",
        "disk seal",
        "disk rename",
        "disk fsync_directory",
    } <= set(struck)


@pytest.mark.parametrize("how", HOWS[:2])
def test_before_it_is_sent_again_nothing_half_done_is_visible(
    ground: dict[str, Any], faults: Faults, how: str
) -> None:
    at = 0
    while True:
        before = {root for _, root, _ in LocalVault(Path(ground["vault"])).objects()}
        given = fresh(ground, at)
        ended = faults.run("store", given, at, how)
        vault = LocalVault(Path(ground["vault"]))
        now = {root for _, root, _ in vault.objects()}
        report = vault.check(now)
        assert report.ok and before <= now and len(now - before) <= 1, (
            how,
            ended.calls[-1:],
            report.findings,
        )
        if ended.status == 0:
            break
        at += 1
    assert at > 10
    assert all(not one.busy for one in vault.leftovers())
    assert vault.sweep(4e9) and vault.leftovers() == []


@pytest.mark.parametrize("how", HOWS)
def test_a_quarantined_file_is_listed_whole_or_not_at_all(
    ground: dict[str, Any], faults: Faults, how: str
) -> None:
    def check(at: int, where: str, ended: Ended) -> None:
        vault = LocalVault(Path(ground["vault"]))
        kept = {one.id: one for one in vault.quarantined()}
        assert kept[ended.answer].size == len(DATA) + len(str(at)), where
        for one in kept.values():
            assert vault.quarantined_content(one.id).stat().st_size == one.size, where
        assert vault.check().ok, where

    assert "disk rename" in faults.sweep("set_apart", how, lambda at: fresh(ground, at), check)
