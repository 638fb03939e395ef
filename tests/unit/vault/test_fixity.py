"""A check finds every kind of damage, names it, and finds nothing where nothing is wrong."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest

from coverslip.vault import LocalVault

MIB = 1 << 20


def content(size: int, seed: int) -> bytes:
    return hashlib.shake_128(str(seed).encode()).digest(size)


@pytest.fixture
def vault(tmp_path: Path) -> LocalVault:
    return LocalVault(tmp_path / "vault")


@pytest.fixture
def roots(vault: LocalVault) -> list[str]:
    return [vault.store(io.BytesIO(content(3 * MIB + 5, seed)), 64 * MIB).root for seed in range(2)]


def edit(path: Path) -> Path:
    path.chmod(0o644)
    return path


def test_an_undamaged_vault_has_no_findings(vault: LocalVault, roots: list[str]) -> None:
    seen: list[tuple[int, int]] = []
    report = vault.check(roots, lambda done, total: seen.append((done, total)))
    assert report.ok
    assert (report.objects, report.size) == (2, 2 * (3 * MIB + 5))
    assert seen == [(1, 2), (2, 2)]


def test_one_flipped_bit_names_object_and_byte_range(vault: LocalVault, roots: list[str]) -> None:
    with edit(vault.path(roots[1])).open("r+b") as stream:
        stream.seek(MIB + 3)
        byte = stream.read(1)[0]
        stream.seek(MIB + 3)
        stream.write(bytes([byte ^ 0x10]))
    (finding,) = vault.check().findings
    assert (finding.kind, finding.name, finding.first, finding.stop) == ("damaged", roots[1], MIB, 2 * MIB)


def test_a_shortened_and_a_lengthened_object_are_damaged(vault: LocalVault, roots: list[str]) -> None:
    os.truncate(edit(vault.path(roots[0])), 2 * MIB)
    with edit(vault.path(roots[1])).open("ab") as stream:
        stream.write(b"tail")
    found = {item.name: (item.kind, item.first, item.stop) for item in vault.check().findings}
    assert found[roots[0]] == ("damaged", 2 * MIB, 3 * MIB)
    assert found[roots[1]] == ("damaged", 3 * MIB, 3 * MIB + 9)


def test_a_lost_object_is_missing_and_its_sidecar_tells_even_without_a_list(
    vault: LocalVault, roots: list[str]
) -> None:
    vault.path(roots[0]).unlink()
    kinds = {(item.kind, item.name) for item in vault.check(roots).findings}
    assert ("missing", roots[0]) in kinds
    (alone,) = vault.check().findings
    assert alone.kind == "extra"
    assert roots[0] in alone.name


def test_a_stranger_is_extra_and_an_object_nobody_refers_to_is_unnamed(
    vault: LocalVault, roots: list[str], tmp_path: Path
) -> None:
    (tmp_path / "vault" / "objects" / "notes.txt").write_text("x")
    misplaced = tmp_path / "vault" / "objects" / "zz" / roots[0]
    misplaced.parent.mkdir()
    misplaced.write_bytes(vault.path(roots[0]).read_bytes())
    found = vault.check(roots[:1]).findings
    names = {item.name for item in found if item.kind == "extra"}
    assert names == {"objects/notes.txt", f"objects/zz/{roots[0]}"}
    (unnamed,) = [item for item in found if item.kind == "unnamed"]
    assert unnamed.name == roots[1]
    assert unnamed.modified == vault.path(roots[1]).stat().st_mtime


def test_a_sidecar_lost_broken_or_lying_is_told_apart(vault: LocalVault, roots: list[str]) -> None:
    sidecars = [vault.path(root).with_name(f"{root}.json") for root in roots]
    sidecars[0].unlink()
    text = edit(sidecars[1]).read_text()
    true_hash = vault.verify(roots[1]).sha256
    sidecars[1].write_text(text.replace(true_hash, "0" * 64))
    kinds = {(item.kind, item.name) for item in vault.check().findings}
    assert kinds == {("sidecar_missing", roots[0]), ("sidecar_damaged", roots[1])}
    sidecars[1].write_text("{")
    assert {item.kind for item in vault.check([roots[1]]).findings} == {"sidecar_damaged", "unnamed"}


def test_an_object_replaced_by_a_link_is_unreadable_not_fine(vault: LocalVault, roots: list[str]) -> None:
    path = vault.path(roots[0])
    copy = path.parents[3] / "copy"
    copy.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(copy)
    assert [item.kind for item in vault.check().findings] == ["unreadable"]
