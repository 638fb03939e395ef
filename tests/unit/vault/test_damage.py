"""A damaged object is set aside with its bytes kept; a replica puts it back only if its hash is right."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from coverslip.errors import EvidenceBroken, NotFound
from coverslip.vault import LocalVault

MIB = 1 << 20
CONTENT = hashlib.shake_128(b"one").digest(2 * MIB + 5)


@pytest.fixture
def vault(tmp_path: Path) -> LocalVault:
    return LocalVault(tmp_path / "vault")


@pytest.fixture
def root(vault: LocalVault) -> str:
    return vault.store(io.BytesIO(CONTENT), 64 * MIB).root


@pytest.fixture
def replica(tmp_path: Path) -> LocalVault:
    return LocalVault(tmp_path / "replica")


def damage(vault: LocalVault, root: str) -> bytes:
    path = vault.path(root)
    path.chmod(0o644)
    changed = CONTENT[:MIB] + b"!" + CONTENT[MIB + 1 :]
    path.write_bytes(changed)
    return changed


def test_damaged_bytes_are_kept_and_never_read_as_the_object(vault: LocalVault, root: str) -> None:
    changed = damage(vault, root)
    kept = vault.set_aside(root, {"why": "fixity"})
    assert kept is not None
    assert vault.quarantined_content(kept.id).read_bytes() == changed
    assert [one.about for one in vault.quarantined()] == [{"why": "fixity", "object": root}]
    assert not vault.has(root)
    for read in (vault.path, vault.verify, vault.sidecar, vault.open):
        with pytest.raises(EvidenceBroken, match=kept.id) as refused:
            read(root)
        assert refused.value.code == "HASH"


def test_a_sound_object_is_never_set_aside(vault: LocalVault, root: str) -> None:
    assert vault.set_aside(root, {"why": "a mistake"}) is None
    assert vault.verify(root).size == len(CONTENT)
    assert vault.quarantined() == []


def test_an_object_that_is_gone_has_nothing_to_set_aside(vault: LocalVault) -> None:
    assert vault.set_aside("0" * 64, {"why": "gone"}) is None


def test_a_replica_puts_the_object_back_and_the_vault_holds_again(
    vault: LocalVault, replica: LocalVault, root: str
) -> None:
    replica.store(io.BytesIO(CONTENT), 64 * MIB)
    damage(vault, root)
    vault.set_aside(root, {"why": "fixity"})
    assert vault.take_from(replica, root).root == root
    assert vault.check([root]).ok
    assert vault.path(root).read_bytes() == CONTENT
    assert len(vault.quarantined()) == 1, "the damaged bytes stay"


def test_a_replica_with_other_bytes_gives_nothing(vault: LocalVault, replica: LocalVault, root: str) -> None:
    replica.store(io.BytesIO(CONTENT), 64 * MIB)
    damage(replica, root)
    damage(vault, root)
    vault.set_aside(root, {"why": "fixity"})
    with pytest.raises(EvidenceBroken, match="the replica's bytes have root"):
        vault.take_from(replica, root)
    assert not vault.has(root)
    assert vault.leftovers() == []


def test_a_replica_that_lacks_the_object_says_so(vault: LocalVault, replica: LocalVault, root: str) -> None:
    damage(vault, root)
    vault.set_aside(root, {"why": "fixity"})
    with pytest.raises(NotFound):
        vault.take_from(replica, root)


def test_the_empty_place_is_missing_and_its_marker_no_stranger(vault: LocalVault, root: str) -> None:
    damage(vault, root)
    vault.set_aside(root, {"why": "fixity"})
    (finding,) = vault.check([root]).findings
    assert (finding.kind, finding.found) == ("missing", "damaged bytes, set aside into quarantine")


def test_a_second_damage_is_set_aside_like_the_first(
    vault: LocalVault, replica: LocalVault, root: str
) -> None:
    replica.store(io.BytesIO(CONTENT), 64 * MIB)
    for _ in range(2):
        damage(vault, root)
        assert vault.set_aside(root, {"why": "fixity"}) is not None
        vault.take_from(replica, root)
    assert len(vault.quarantined()) == 2
    assert vault.check([root]).ok


def test_a_lying_sidecar_of_a_sound_object_is_written_anew(vault: LocalVault, root: str) -> None:
    sidecar = vault.path(root).with_name(f"{root}.json")
    right = sidecar.read_bytes()
    sidecar.chmod(0o644)
    sidecar.write_text("{}")
    assert vault.mend_sidecar(root)
    assert sidecar.read_bytes() == right
    assert vault.check([root]).ok


def test_the_sidecar_of_a_damaged_object_is_not_written_anew(vault: LocalVault, root: str) -> None:
    damage(vault, root)
    assert not vault.mend_sidecar(root)


def test_one_object_is_examined_without_looking_at_others(vault: LocalVault, root: str) -> None:
    other = vault.store(io.BytesIO(b"other"), 64 * MIB).root
    damage(vault, root)
    assert [one.kind for one in vault.examine(root)] == ["damaged"]
    assert vault.examine(other) == []
    assert [one.kind for one in vault.examine("1" * 64)] == ["missing"]


def test_what_was_set_aside_is_hashed_again_as_well(vault: LocalVault, root: str) -> None:
    damage(vault, root)
    kept = vault.set_aside(root, {"why": "fixity"})
    assert kept is not None
    assert vault.changed_in_quarantine() == []
    path = vault.quarantined_content(kept.id)
    path.chmod(0o644)
    path.write_bytes(b"another")
    assert vault.changed_in_quarantine() == [kept.id]
    path.unlink()
    assert vault.changed_in_quarantine() == [kept.id]
